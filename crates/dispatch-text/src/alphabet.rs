//! The alphabets of text messages: GSM 03.38 (3GPP TS 23.038) with its extension table, and UTF-16.
//!
//! The shift tables of single languages are left out: hardly a provider offers them, and none says so in its API.

use dispatch_model::TextEncoding;

/// How many units a text of one part may have, and how many each part of a longer one, whose header says how the
/// parts go together.
pub(crate) fn room(encoding: TextEncoding) -> (usize, usize) {
    match encoding {
        TextEncoding::Gsm7 => (160, 153),
        TextEncoding::Ucs2 => (70, 67),
    }
}

/// What a character takes of a part, in units of the encoding.
pub(crate) fn units(encoding: TextEncoding, character: char) -> usize {
    match encoding {
        TextEncoding::Gsm7 => septets(character).unwrap_or_default(),
        TextEncoding::Ucs2 => character.len_utf16(),
    }
}

/// How many septets a character takes in GSM 03.38: two where an escape stands before it; none where it has no place
/// there.
pub(crate) fn septets(character: char) -> Option<usize> {
    match character {
        '\n' | '\r' | ' '..='Z' | '_' | 'a'..='z' => Some(1),
        '£' | '¥' | '§' | '¤' | '¡' | '¿' => Some(1),
        'à' | 'ä' | 'å' | 'æ' | 'è' | 'é' | 'ì' | 'ñ' | 'ò' | 'ö' | 'ø' | 'ù' | 'ü' | 'ß' => {
            Some(1)
        }
        'Ä' | 'Å' | 'Æ' | 'Ç' | 'É' | 'Ñ' | 'Ö' | 'Ø' | 'Ü' => Some(1),
        'Γ' | 'Δ' | 'Θ' | 'Λ' | 'Ξ' | 'Π' | 'Σ' | 'Φ' | 'Ψ' | 'Ω' => Some(1),
        '\u{c}' | '[' | '\\' | ']' | '^' | '{' | '|' | '}' | '~' | '€' => Some(2),
        _ => None,
    }
}

/// What a text needs: GSM-7 where the alphabet has all of its characters.
pub fn encoding(text: &str) -> TextEncoding {
    match text.chars().all(|character| septets(character).is_some()) {
        true => TextEncoding::Gsm7,
        false => TextEncoding::Ucs2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_whole() {
        let all = || (0..=u32::from(char::MAX)).filter_map(char::from_u32);
        // 128 places, of which one is the escape; and ten behind it.
        assert_eq!(all().filter(|character| septets(*character) == Some(1)).count(), 127);
        assert_eq!(all().filter(|character| septets(*character) == Some(2)).count(), 10);
    }

    #[test]
    fn one_character_decides() {
        for text in ["", "Hola, ¿cómo está?".replace(['ó', 'á'], "é").as_str(), "éñüÑÜÉ¿¡àò", "{[~]}|€^\\"]
        {
            assert_eq!(encoding(text), TextEncoding::Gsm7, "{text}");
        }
        for text in ["á", "í", "ó", "ú", "ç", "`", "\t", "“", "…", "\u{1f600}", "e\u{301}"] {
            assert_eq!(encoding(text), TextEncoding::Ucs2, "{text}");
        }
    }
}

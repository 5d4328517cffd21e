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

/// What a text needs, and how many units it has then.
pub(crate) fn measure(text: &str) -> (TextEncoding, usize) {
    if text.is_ascii() {
        let septets = text.bytes().map(|byte| ASCII[usize::from(byte)]);
        let (used, all) = septets
            .fold((0, true), |(used, all), septets| (used + usize::from(septets), all & (septets > 0)));
        return if all { (TextEncoding::Gsm7, used) } else { (TextEncoding::Ucs2, text.len()) };
    }
    let mut used = 0;
    for character in text.chars() {
        let Some(septets) = septets(character) else {
            return (TextEncoding::Ucs2, text.chars().map(char::len_utf16).sum());
        };
        used += septets;
    }
    (TextEncoding::Gsm7, used)
}

/// [`septets`] of the characters of ASCII, which most texts are made of; 0 for none.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        if let Some(septets) = looked_up(byte as u8 as char) {
            table[byte] = septets as u8;
        }
        byte += 1;
    }
    table
};

/// How many septets a character takes in GSM 03.38: two where an escape stands before it; none where it has no place
/// there.
pub(crate) fn septets(character: char) -> Option<usize> {
    match ASCII.get(character as usize) {
        Some(0) => None,
        Some(septets) => Some(usize::from(*septets)),
        None => looked_up(character),
    }
}

const fn looked_up(character: char) -> Option<usize> {
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
            assert_eq!(measure(text).0, TextEncoding::Gsm7, "{text}");
        }
        for text in ["á", "í", "ó", "ú", "ç", "`", "\t", "“", "…", "\u{1f600}", "e\u{301}"] {
            assert_eq!(measure(text).0, TextEncoding::Ucs2, "{text}");
        }
    }
}

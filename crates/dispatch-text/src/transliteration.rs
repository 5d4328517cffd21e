//! A text written with the characters of GSM-7 alone.
//!
//! One `á` makes a text of 160 characters into three parts. What reads the same without it is written otherwise: accents
//! that the alphabet lacks go, while `é ñ ü ¿ ¡ à` stay, which it has; typographer's quotes and dashes become those of
//! a typewriter. Either all of a text can be written so or it is left alone: a text with an emoji in it would lose its
//! accents for nothing. A web address is left as it is, since it would lead elsewhere.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use serde::{Deserialize, Serialize};

use crate::alphabet::septets;

/// Changes and characters that are told apart; a text of many scripts has more than anybody reads.
const LISTED_MAX: usize = 20;

/// A text written otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transliteration {
    /// The text.
    pub text: String,
    /// What was written otherwise, in the order of the text.
    pub changes: Vec<Change>,
    /// Characters written otherwise, all of them.
    pub changed: u32,
}

/// What became of a character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The character.
    pub from: String,
    /// What stands for it; empty where nothing does.
    pub to: String,
    /// How often.
    pub count: u32,
}

/// Writes a text with the characters of GSM-7; none where that cannot be, or where it is so written already.
pub fn transliterate(text: &str) -> Option<Transliteration> {
    if text.chars().all(|character| septets(character).is_some()) {
        return None;
    }
    // An accent that comes as a character of its own belongs to its letter: `é` is in the alphabet, its `e` alone is not
    // what was meant.
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(text);
    let mut done =
        Transliteration { text: String::with_capacity(text.len()), changes: Vec::new(), changed: 0 };
    for word in composed.split_inclusive(char::is_whitespace) {
        if is_address(word) {
            let (address, end) = word.split_at(word.trim_end().len());
            done.keep(address)?;
            done.write(end)?;
        } else {
            done.write(word)?;
        }
    }
    Some(done)
}

/// The characters that keep a text out of GSM-7, each once; not all where there are many.
pub fn foreign(text: &str) -> Vec<char> {
    let mut found = Vec::new();
    for character in text.chars().filter(|character| septets(*character).is_none()) {
        if found.len() == LISTED_MAX {
            break;
        }
        if !found.contains(&character) {
            found.push(character);
        }
    }
    found
}

impl Transliteration {
    fn keep(&mut self, text: &str) -> Option<()> {
        text.chars().all(|character| septets(character).is_some()).then(|| self.text.push_str(text))
    }

    fn write(&mut self, text: &str) -> Option<()> {
        for character in text.chars() {
            if septets(character).is_some() {
                self.text.push(character);
                continue;
            }
            let start = self.text.len();
            match known(character) {
                Some(written) => self.text.push_str(written),
                None => self.decompose(character)?,
            }
            self.changed += 1;
            if let Some(change) = self.changes.iter_mut().find(|it| it.from.starts_with(character)) {
                change.count += 1;
            } else if self.changes.len() < LISTED_MAX {
                let to = self.text[start..].to_owned();
                self.changes.push(Change { from: character.to_string(), to, count: 1 });
            }
        }
        Some(())
    }

    /// A letter without its accents, a full-width digit as a digit, `ﬁ` as two letters: by Unicode's own tables.
    fn decompose(&mut self, character: char) -> Option<()> {
        let mut buffer = [0; 4];
        let alone: &str = character.encode_utf8(&mut buffer);
        let parts = DecomposingNormalizerBorrowed::new_nfkd().normalize(alone);
        let start = self.text.len();
        for part in parts.chars().filter(|part| !is_accent(*part)) {
            match (septets(part), known(part)) {
                (Some(_), _) => self.text.push(part),
                (None, Some(written)) => self.text.push_str(written),
                (None, None) => return None,
            }
        }
        (self.text.len() > start).then_some(())
    }
}

/// Accents of Latin letters.
fn is_accent(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

/// What a browser would follow.
fn is_address(word: &str) -> bool {
    let www = word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
    www || word.contains("://")
}

/// What Unicode does not decompose, or not into what is read the same.
fn known(character: char) -> Option<&'static str> {
    Some(match character {
        // Quotes and dashes.
        '\u{2018}'..='\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{2039}'
        | '\u{203a}'
        | '\u{2bc}'
        | '`'
        | '´' => "'",
        '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{2036}' | '«' | '»' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' | '•' | '◦' | '▪' | '‣' => "-",
        '…' => "...",
        '·' | '\u{2027}' => ".",
        '\u{2044}' | '\u{2215}' | '÷' => "/",
        '×' => "x",
        '±' => "+-",
        '→' => "->",
        '←' => "<-",
        '≤' => "<=",
        '≥' => ">=",
        '¦' => "|",
        '©' => "(c)",
        '®' => "(R)",
        '¢' => "c",
        '°' | 'º' => "o",
        'µ' | 'μ' => "u",
        // Letters of their own.
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'ħ' => "h",
        'Ħ' => "H",
        'ı' => "i",
        'ł' => "l",
        'Ł' => "L",
        'ŋ' => "n",
        'œ' => "oe",
        'Œ' => "OE",
        'þ' => "th",
        'Þ' => "Th",
        'ŧ' => "t",
        'Ŧ' => "T",
        'ẞ' => "SS",
        // Spaces and line ends.
        '\t' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => " ",
        '\u{85}' | '\u{2028}' | '\u{2029}' => "\n",
        // What nobody sees: marks of joining and direction, an emoji's wish to be one, controls.
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' => "",
        '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => "",
        control if control.is_control() => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Option<String> {
        transliterate(text).map(|done| done.text)
    }

    #[test]
    fn what_reads_the_same() {
        for (text, expected) in [
            (
                "¿Cómo está, María Núñez? ¡Mañana será un día único!",
                "¿Como esta, Maria Nuñez? ¡Mañana sera un dia unico!",
            ),
            ("éñüÑÜÉ¿¡à ç", "éñüÑÜÉ¿¡à c"),
            ("“Hola” – dijo… ‘sí’", "\"Hola\" - dijo... 'si'"),
            ("40\u{a0}€\tx²", "40 € x2"),
            ("e\u{301} a\u{301} n\u{303}", "é a ñ"),
            ("Łódź, Ångström, Œuvre, İstanbul, ıssız", "Lodz, Ångström, OEuvre, Istanbul, issiz"),
            ("1º de ½, 25°C, ﬁn №7 ™", "1o de 1/2, 25oC, fin No7 TM"),
            ("ＡＢＣ１２３", "ABC123"),
            ("a\u{200b}b\u{feff}c\u{202e}", "abc"),
            ("(c) © ®", "(c) (c) (R)"),
        ] {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn all_or_nothing() {
        for text in ["plain", "", "éñü", "Está \u{1f600}", "Привет", "שלום", "日本"] {
            assert_eq!(written(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_leads_where_it_led() {
        assert_eq!(written("así: https://a.example/á"), None);
        assert_eq!(written("así: www.ñandú.example"), None);
        assert_eq!(written("así: https://a.example/a ó"), Some("asi: https://a.example/a o".to_owned()));
        assert_eq!(written("https://a.example/a\u{a0}á"), Some("https://a.example/a a".to_owned()));
    }

    #[test]
    fn it_is_told_what_changed() {
        let done = transliterate("áé“á” …").expect("it can be written");
        let changes: Vec<_> =
            done.changes.iter().map(|it| (it.from.as_str(), it.to.as_str(), it.count)).collect();
        assert_eq!(changes, [("á", "a", 2), ("“", "\"", 1), ("”", "\"", 1), ("…", "...", 1)]);
        assert_eq!(done.changed, 5);
        assert_eq!(foreign("áéá“"), ['á', '“']);
    }
}

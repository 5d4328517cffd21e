//! The parts of a text message, as the network cuts it.
//!
//! A part never ends within a character: not between an escape and what it escapes, not between the halves of a
//! surrogate pair. Nor within a grapheme cluster (a letter with its accents, a family of emoji), as long as one fits
//! into a part: phones that show the parts before all of them are there would show it broken.

use dispatch_model::TextEncoding;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::alphabet::{measure, room, units};

/// The number of parts is one byte of their header.
pub const PARTS_MAX: usize = 255;

/// A text in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// What the text needs.
    pub encoding: TextEncoding,
    /// Septets or UTF-16 units in all.
    pub units: usize,
    /// The parts, one after the other. An empty text is one empty part.
    pub parts: Vec<&'a str>,
    /// What is left behind part number [`PARTS_MAX`].
    pub left: &'a str,
}

impl<'a> Parts<'a> {
    /// Cuts a text.
    pub fn of(text: &'a str) -> Self {
        let (encoding, units) = measure(text);
        let (single, part) = room(encoding);
        // Most texts are of clusters of one character, and need no tables to be cut.
        let plain = text.is_ascii() && !text.as_bytes().contains(&b'\r');
        let first_part = match plain {
            true if units == text.len() => first_part_of_even,
            true => first_part_of_plain,
            false => first_part,
        };
        let mut cut = Self { encoding, units, parts: Vec::new(), left: text };
        if units <= single {
            cut.parts.push(std::mem::take(&mut cut.left));
            return cut;
        }
        while !cut.left.is_empty() && cut.parts.len() < PARTS_MAX {
            let (first, rest) = cut.left.split_at(first_part(cut.left, encoding, part));
            cut.parts.push(first);
            cut.left = rest;
        }
        cut
    }

    /// How many there are; one more than [`PARTS_MAX`] where that many are not enough.
    pub fn count(&self) -> usize {
        self.parts.len() + usize::from(!self.left.is_empty())
    }
}

/// [`first_part`] of a plain text in which each character is one unit as well.
fn first_part_of_even(text: &str, _: TextEncoding, room: usize) -> usize {
    text.len().min(room)
}

/// [`first_part`] of a text in which each character is one byte and a cluster of its own.
fn first_part_of_plain(text: &str, encoding: TextEncoding, room: usize) -> usize {
    let mut used = 0;
    let over = text.bytes().position(|byte| {
        used += units(encoding, char::from(byte));
        used > room
    });
    over.unwrap_or(text.len())
}

/// How many bytes of a text go into its first part of so many units.
fn first_part(text: &str, encoding: TextEncoding, room: usize) -> usize {
    let (mut end, mut used) = (0, 0);
    for cluster in text.graphemes(true) {
        let size: usize = cluster.chars().map(|character| units(encoding, character)).sum();
        // A line end is two characters that look alike apart; and what no part can hold has to be cut somewhere.
        let apart = cluster == "\r\n" || size > room;
        if used + size <= room {
            (end, used) = (end + cluster.len(), used + size);
            continue;
        }
        if apart && (used == 0 || cluster == "\r\n") {
            for character in cluster.chars() {
                let size = units(encoding, character);
                if used + size > room {
                    break;
                }
                (end, used) = (end + character.len_utf8(), used + size);
            }
        }
        break;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, encoding: TextEncoding, lengths: &[usize]) {
        let parts = Parts::of(text);
        let of = |part: &&str| part.chars().map(|c| units(encoding, c)).sum::<usize>();
        let found: Vec<usize> = parts.parts.iter().map(of).collect();
        assert_eq!((parts.encoding, found.as_slice()), (encoding, lengths), "{text}");
    }

    #[test]
    fn lengths() {
        use TextEncoding::{Gsm7, Ucs2};
        check("", Gsm7, &[0]);
        check(&"a".repeat(160), Gsm7, &[160]);
        check(&"a".repeat(161), Gsm7, &[153, 8]);
        check(&"a".repeat(306), Gsm7, &[153, 153]);
        check(&"a".repeat(307), Gsm7, &[153, 153, 1]);
        check(&"€".repeat(80), Gsm7, &[160]);
        // An escape and what it escapes stay together.
        check(&format!("{}€b", "a".repeat(158)), Gsm7, &[153, 8]);
        check(&format!("{}€{}", "a".repeat(152), "b".repeat(10)), Gsm7, &[152, 12]);
        check(&"á".repeat(70), Ucs2, &[70]);
        check(&"á".repeat(71), Ucs2, &[67, 4]);
        // The halves of a surrogate pair too.
        check(&"\u{1f600}".repeat(35), Ucs2, &[70]);
        check(&"\u{1f600}".repeat(36), Ucs2, &[66, 6]);
        // And a letter with its accent, a flag, a family.
        check(&format!("{}e\u{301}{}", "x".repeat(66), "y".repeat(10)), Ucs2, &[66, 12]);
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        check(&format!("{}{family}", "x".repeat(63)), Ucs2, &[63, 8]);
        // Unless a part cannot hold it.
        check(&format!("e{}", "\u{301}".repeat(99)), Ucs2, &[67, 33]);
        check(&format!("ab{}", "e".to_owned() + &"\u{301}".repeat(99)), Ucs2, &[2, 67, 33]);
        check(&format!("á{}\r\n{}", "x".repeat(65), "y".repeat(10)), Ucs2, &[67, 11]);
    }

    #[test]
    fn plain_text_is_cut_as_any_other() {
        let text = "Hello {you}, it is ^12^ o'clock\n[again]".repeat(9);
        for encoding in [TextEncoding::Gsm7, TextEncoding::Ucs2] {
            for room in 1..text.len() {
                let plain = first_part_of_plain(&text, encoding, room);
                assert_eq!(plain, first_part(&text, encoding, room), "{room} units of {encoding}");
            }
        }
        let text = "Hello you, it is o'clock\nagain".repeat(9);
        for room in 1..text.len() {
            let even = first_part_of_even(&text, TextEncoding::Gsm7, room);
            assert_eq!(even, first_part(&text, TextEncoding::Gsm7, room), "{room} septets");
        }
    }

    #[test]
    fn there_is_a_last_part() {
        let text = "a".repeat(153 * 255);
        assert_eq!((Parts::of(&text).count(), Parts::of(&text).left), (255, ""));
        let text = "a".repeat(153 * 255 + 1);
        assert_eq!((Parts::of(&text).count(), Parts::of(&text).left), (256, "a"));
    }
}

//! Strings from guests, made fit to be shown: clipped, and without anything that moves a cursor or turns
//! the direction of what follows.

/// Clips to at most `max` bytes at a character's edge, and marks the cut.
pub(crate) fn clip(text: &str, max: usize) -> String {
    let clean: String = text.chars().map(|c| if unprintable(c) { ' ' } else { c }).collect();
    cut(clean, max)
}

/// Escapes instead of blanking, for a log that a plugin's author reads to find out what is there.
pub(crate) fn escape(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max) + 8);
    for c in text.chars() {
        if out.len() > max {
            break;
        }
        if unprintable(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    cut(out, max)
}

fn cut(mut text: String, max: usize) -> String {
    const MARK: &str = "…";
    if text.len() > max {
        let mut end = max.saturating_sub(MARK.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MARK);
    }
    text
}

/// Controls, line and paragraph separators, and the marks that turn text around.
pub(crate) fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_at_a_character() {
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("ñññ", 5), "ñ…");
        assert_eq!(clip("a\r\nb\u{202e}c", 20), "a  b c");
    }

    #[test]
    fn escapes_what_would_forge_a_line() {
        assert_eq!(escape("one\nERROR two\u{1b}[31m", 100), r"one\nERROR two\u{1b}[31m");
        assert!(escape(&"\n".repeat(1000), 64).len() <= 64);
    }

    proptest::proptest! {
        #[test]
        fn never_longer_than_asked(text in ".*", max in 3_usize..64) {
            for out in [clip(&text, max), escape(&text, max)] {
                assert!(out.len() <= max);
                assert!(!out.chars().any(unprintable));
            }
        }
    }
}

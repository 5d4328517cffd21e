//! Half an emoji.
//!
//! JavaScript senders cut texts by UTF-16 units, and `JSON.stringify` writes the half that is left
//! as a lone escape (`\ud83d`). No UTF-8 string can hold that, and the parser rightly refuses it;
//! but a message must not be lost for its last character.

/// The text with each lone surrogate escape replaced by U+FFFD, or none when it has none. The
/// escapes have the same length, so that positions in errors stay right.
pub(crate) fn repaired(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let mut found = false;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(&bytes, at) {
            Some(0xd800..=0xdbff) if matches!(unit(&bytes, at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                bytes[at..at + 6].copy_from_slice(b"\\ufffd");
                found = true;
                at += 6;
            }
            // Two bytes whatever the escape is: the backslash of `\\` must not begin another.
            _ => at += 2,
        }
    }
    found.then(|| String::from_utf8(bytes).expect("ASCII was replaced by ASCII"))
}

/// The UTF-16 unit of the escape `\uXXXX` at this place.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let hex = escape.strip_prefix(b"\\u")?;
    let hex = std::str::from_utf8(hex).ok().filter(|hex| !hex.starts_with('+'))?;
    u16::from_str_radix(hex, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lone_halves_are_replaced() {
        for (text, expected) in [
            (r#""a\ud83d""#, Some(r#""a\ufffd""#)),
            (r#""\ude00b""#, Some(r#""\ufffdb""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
            (r#""\ud83d\ude00""#, None),
            (r#""\\ud83d""#, None),
            (r#""\n\u00e1""#, None),
            (r#""\u+83d \ud8"#, None),
            ("\\", None),
        ] {
            assert_eq!(repaired(text).as_deref(), expected, "{text}");
        }
    }
}

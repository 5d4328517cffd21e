//! Lists of mail addresses as people write them.

/// Splits at commas that separate: not those in a quoted name, a comment or angle brackets.
pub(crate) fn split(list: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped, mut nested) = (0, false, false, 0_u32);
    for (at, character) in list.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '<' | '(' => nested += 1,
            '>' | ')' => nested = nested.saturating_sub(1),
            ',' if nested == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Whether this has the shape of `a@b` or `Name <a@b>`. It is no grammar: it only tells what no
/// relay on earth could take from what one should be asked about.
pub(crate) fn is_usable(mailbox: &str) -> bool {
    let address = match mailbox.rsplit_once('<') {
        None => mailbox.trim(),
        Some((_, rest)) => match rest.split_once('>') {
            Some((address, after)) if after.trim().is_empty() => address.trim(),
            _ => return false,
        },
    };
    // RFC 5321: 64 for the local part, 255 for the domain, and the @ between them.
    let sane = address.len() <= 320 && !mailbox.chars().any(char::is_control);
    sane && address.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.chars().any(|c| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"'))
            && (local.starts_with('"') || !local.chars().any(char::is_whitespace))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_separate_only_outside_names() {
        for (list, expected) in [
            ("a@x.mx", &["a@x.mx"][..]),
            ("a@x.mx, b@x.mx ,", &["a@x.mx", "b@x.mx"]),
            (r#""Pérez, Ana" <a@x.mx>, b@x.mx"#, &[r#""Pérez, Ana" <a@x.mx>"#, "b@x.mx"]),
            (r#""a\", b" <a@x.mx>,c@x.mx"#, &[r#""a\", b" <a@x.mx>"#, "c@x.mx"]),
            ("a@x.mx (home, not work),b@x.mx", &["a@x.mx (home, not work)", "b@x.mx"]),
            (" , ", &[]),
            ("", &[]),
        ] {
            assert_eq!(split(list), expected, "{list}");
        }
    }

    #[test]
    fn the_shape_of_an_address() {
        for good in ["a@b", "Ana <a@b.mx>", r#""a b"@c.mx"#, "ñandú@ejemplo.mx", " a@b "] {
            assert!(is_usable(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "Ana <a@b", "Ana <>", "a b@c", "a@b c", "a@b\r\nBcc: c@d", "<a@b> x"]
        {
            assert!(!is_usable(bad), "{bad:?}");
        }
    }
}

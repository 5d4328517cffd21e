//! What a fetched file is and what it may be called. Pure; nothing the server says is trusted further than needed.

use percent_encoding::percent_decode_str;

/// Bytes of a file name at most: the contract's bound.
const NAME_MAX: usize = 120;
/// How much of a file the sniffing looks at.
pub(crate) const SNIFF: usize = 64;

const UNKNOWN: &str = "application/octet-stream";

/// Media types with how their files begin (at an offset) and the usual end of their names.
const KNOWN: &[(&str, usize, &[u8], &str)] = &[
    ("image/jpeg", 0, b"\xff\xd8\xff", "jpg"),
    ("image/png", 0, b"\x89PNG\r\n\x1a\n", "png"),
    ("image/gif", 0, b"GIF8", "gif"),
    ("image/webp", 8, b"WEBP", "webp"),
    ("image/heic", 4, b"ftyphei", "heic"),
    ("image/bmp", 0, b"BM", "bmp"),
    ("image/tiff", 0, b"II*\0", "tiff"),
    ("application/pdf", 0, b"%PDF-", "pdf"),
    ("video/3gpp", 4, b"ftyp3g", "3gp"),
    ("video/quicktime", 4, b"ftypqt", "mov"),
    ("audio/mp4", 4, b"ftypM4A", "m4a"),
    ("video/mp4", 4, b"ftyp", "mp4"),
    ("video/webm", 0, b"\x1a\x45\xdf\xa3", "webm"),
    ("audio/mpeg", 0, b"ID3", "mp3"),
    ("audio/mpeg", 0, b"\xff\xfb", "mp3"),
    ("audio/ogg", 0, b"OggS", "ogg"),
    ("audio/amr", 0, b"#!AMR", "amr"),
    ("audio/wav", 8, b"WAVE", "wav"),
    ("text/vcard", 0, b"BEGIN:VCARD", "vcf"),
    ("text/calendar", 0, b"BEGIN:VCALENDAR", "ics"),
    ("application/zip", 0, b"PK\x03\x04", "zip"),
];

/// The media type: as the server says, if it says something; else by how the file begins.
pub(crate) fn media_type(content_type: Option<&str>, start: &[u8]) -> String {
    let said =
        content_type.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let valid = |text: &String| {
        text.len() <= NAME_MAX && text.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
    };
    match said.filter(valid) {
        Some(said) if said != UNKNOWN && said != "binary/octet-stream" => said,
        _ => KNOWN
            .iter()
            .find(|(_, offset, magic, _)| start.get(*offset..).is_some_and(|rest| rest.starts_with(magic)))
            .map_or(UNKNOWN, |(media_type, ..)| media_type)
            .to_owned(),
    }
}

/// A safe file name: the one in Content-Disposition, else the last part of the URL's path, else `attachment`;
/// with the end that fits its type where it has none.
pub(crate) fn file_name(disposition: Option<&str>, path: &str, media_type: &str) -> String {
    let from_path = || {
        let last = path.rsplit('/').next().unwrap_or_default();
        percent_decode_str(last).decode_utf8_lossy().into_owned()
    };
    let candidates = [disposition.and_then(disposition_name), Some(from_path())];
    let named = candidates.into_iter().flatten().map(|name| safe(&name)).find(|name| !name.is_empty());
    let mut name = named.unwrap_or_else(|| "attachment".to_owned());
    let end = KNOWN.iter().find(|(known, ..)| *known == media_type).map(|(.., end)| *end);
    if let Some(end) = end.filter(|_| !name.contains('.')) {
        cut(&mut name, NAME_MAX - end.len() - 1);
        name.push('.');
        name.push_str(end);
    }
    name
}

/// The name in a Content-Disposition header; `filename*` (with its encoding) goes before `filename`.
fn disposition_name(header: &str) -> Option<String> {
    let mut plain = None;
    for (name, value) in parameters(header) {
        match name.as_str() {
            "filename*" => {
                let encoded = value.split_once("''").filter(|(set, _)| set.eq_ignore_ascii_case("utf-8"));
                if let Some((_, encoded)) = encoded {
                    return Some(percent_decode_str(encoded).decode_utf8_lossy().into_owned());
                }
            }
            "filename" => plain = Some(value),
            _ => {}
        }
    }
    plain
}

/// The parameters of a header value, names in lower case, quotes taken off.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let mut value = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut chars = quoted.char_indices();
            let mut end = quoted.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    // Within quotes a backslash goes before a quote or itself; else it is a path's, from old Windows.
                    '\\' => match chars.clone().next() {
                        Some((_, next @ ('"' | '\\'))) => {
                            chars.next();
                            value.push(next);
                        }
                        _ => value.push(c),
                    },
                    _ => value.push(c),
                }
            }
            rest = quoted[end..].trim_start().trim_start_matches(';');
        } else {
            let (plain, after) = after.split_once(';').unwrap_or((after, ""));
            value.push_str(plain.trim());
            rest = after;
        }
        found.push((name.trim().to_ascii_lowercase(), value));
    }
    found
}

/// A name without path, control characters, characters that write backwards, and those that file systems refuse.
fn safe(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let invisible = |c: &char| {
        c.is_control()
            || matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let kept = name.chars().filter(|c| !invisible(c));
    let kept: String =
        kept.map(|c| if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }).collect();
    let kept = kept.trim_matches([' ', '.']);
    let (stem, end) = match kept.rsplit_once('.') {
        Some((stem, end)) if end.len() <= 16 => (stem, Some(end)),
        _ => (kept, None),
    };
    let mut out = stem.to_owned();
    cut(&mut out, NAME_MAX - end.map_or(0, |end| end.len() + 1));
    if let Some(end) = end {
        out.push('.');
        out.push_str(end);
    }
    out
}

/// Cuts to so many bytes, between two characters.
fn cut(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn type_by_word_then_by_bytes() {
        for (said, start, expected) in [
            (Some("image/PNG; x=1"), &b"anything"[..], "image/png"),
            (Some("application/octet-stream"), b"%PDF-1.7", "application/pdf"),
            (Some("binary/octet-stream"), b"\xff\xd8\xff\xe0", "image/jpeg"),
            (Some("nonsense"), b"GIF89a", "image/gif"),
            (Some("a/b\"c"), b"RIFF1234WEBPVP8", "image/webp"),
            (None, b"\0\0\0\x18ftypmp42", "video/mp4"),
            (None, b"\0\0\0\x18ftyp3gp4", "video/3gpp"),
            (None, b"hello", UNKNOWN),
            (None, b"", UNKNOWN),
        ] {
            assert_eq!(media_type(said, start), expected, "{said:?}");
        }
    }

    #[test]
    fn names_are_safe() {
        for (disposition, path, media_type, expected) in [
            (Some("attachment; filename=\"photo.jpg\""), "/x", "image/jpeg", "photo.jpg"),
            (Some("attachment; filename=photo.jpg; size=3"), "/x", "image/jpeg", "photo.jpg"),
            (Some("attachment; filename=\"a\\\"b.txt\""), "/x", "text/plain", "a_b.txt"),
            (
                Some("inline; filename=\"x.jpg\"; filename*=UTF-8''ni%C3%B1o.jpg"),
                "/x",
                "image/jpeg",
                "niño.jpg",
            ),
            (Some("attachment; filename=\"..\\..\\evil.exe\""), "/x", UNKNOWN, "evil.exe"),
            (Some("attachment; filename=\"../../etc/passwd\""), "/x", UNKNOWN, "passwd"),
            (Some("attachment; filename*=UTF-8''..%2F..%2Fx%00%0d%0ay.pdf"), "/", UNKNOWN, "xy.pdf"),
            (Some("attachment; filename=\"gpj\u{202e}.exe\""), "/x", UNKNOWN, "gpj.exe"),
            (Some("attachment"), "/media/a%20b.png", "image/png", "a b.png"),
            (Some("attachment; filename=\"...\""), "/z.gif", "image/gif", "z.gif"),
            (None, "/a/b/photo", "image/jpeg", "photo.jpg"),
            (None, "/a/b/", "application/pdf", "attachment.pdf"),
            (None, "/a/%2e%2e%2fx", UNKNOWN, "x"),
            (None, "/", UNKNOWN, "attachment"),
        ] {
            assert_eq!(file_name(disposition, path, media_type), expected, "{disposition:?} {path}");
        }
        let long = file_name(None, &format!("/{}.jpeg", "ñ".repeat(200)), "image/jpeg");
        assert!(long.len() <= NAME_MAX && long.ends_with("ñ.jpeg"), "{long}");
    }

    proptest! {
        #[test]
        fn no_name_is_dangerous(header in ".{0,200}", path in ".{0,200}") {
            let name = file_name(Some(&format!("attachment; filename={header}")), &path, "image/png");
            prop_assert!(!name.is_empty() && name.len() <= NAME_MAX && name != "." && name != "..");
            prop_assert!(!name.contains(['/', '\\', '\0', '\r', '\n']) && !name.contains(char::is_control));
        }
    }
}

//! A text message as a route wants it: transliterated, with the links that go at its end, and not too long.

use std::borrow::Cow;

use dispatch_model::{Reason, TextPolicy, TooLong, Transliterate, WrittenText};

use crate::parts::{PARTS_MAX, Parts};
use crate::transliteration::{Change, transliterate};

/// What stands where a text was cut.
const CUT: &str = "...";

/// A text ready for a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// The text.
    pub text: String,
    /// What became of it.
    pub written: WrittenText,
    /// What was replaced.
    pub changes: Vec<Change>,
}

/// Writes a text. `links` stand at its end, a line each, and are never changed nor cut. `chars_max` is what the backend
/// takes, where it says so.
///
/// # Errors
/// The text is too long for the route or the backend, and may not or cannot be cut.
pub fn write(
    text: &str,
    links: &[String],
    policy: &TextPolicy,
    chars_max: Option<u32>,
) -> Result<Writing, Reason> {
    let plain = with_links(text, links);
    let mut writing = Writing { written: told(&plain), text: plain, changes: Vec::new() };
    let mut body = Cow::Borrowed(text);
    if policy.transliterate != Transliterate::Never
        && let Some(done) = transliterate(text)
    {
        let other = with_links(&done.text, links);
        let written = WrittenText { changed: done.changed, ..told(&other) };
        if policy.transliterate == Transliterate::Always || written.parts < writing.written.parts {
            writing = Writing { text: other, written, changes: done.changes };
            body = Cow::Owned(done.text);
        }
    }
    let Some(problem) = problem(&writing.text, &writing.written, policy, chars_max) else {
        return Ok(writing);
    };
    if policy.too_long == TooLong::Reject {
        return Err(problem);
    }
    let (text, cut) = shortened(&body, links, policy, chars_max).ok_or(problem)?;
    let written = WrittenText { changed: writing.written.changed, cut, ..told(&text) };
    Ok(Writing { text, written, changes: writing.changes })
}

fn told(text: &str) -> WrittenText {
    let parts = Parts::of(text);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    WrittenText {
        encoding: parts.encoding,
        parts: number(parts.count()),
        units: number(parts.units),
        changed: 0,
        cut: 0,
    }
}

fn problem(text: &str, written: &WrittenText, policy: &TextPolicy, chars_max: Option<u32>) -> Option<Reason> {
    let most = (policy.parts_max as usize).min(PARTS_MAX);
    let count = written.parts as usize;
    if count > most {
        let count = match count {
            0..=PARTS_MAX => count.to_string(),
            _ => format!("more than {PARTS_MAX}"),
        };
        let words = format!("the text has {count} parts in {} and the route allows {most}", written.encoding);
        return Some(Reason::new("parts", words));
    }
    let most = chars_max? as usize;
    let count = text.chars().count();
    (count > most).then(|| {
        Reason::new("text-length", format!("the text has {count} characters and the backend takes {most}"))
    })
}

/// The longest beginning that fits with its links, and how many characters are not in it.
fn shortened(
    text: &str,
    links: &[String],
    policy: &TextPolicy,
    chars_max: Option<u32>,
) -> Option<(String, u32)> {
    use unicode_segmentation::UnicodeSegmentation as _;
    // What is beyond the last part of all cannot be in it; what is searched is bounded by that.
    let parts = Parts::of(text);
    let searched = &text[..text.len() - parts.left.len()];
    let ends: Vec<usize> = searched.grapheme_indices(true).map(|(at, _)| at).collect();
    let beginning = |end: usize| with_links(&format!("{}{CUT}", text[..end].trim_end()), links);
    // More text never makes fewer parts, so the longest is found by halving.
    let fits = ends.partition_point(|end| {
        let text = beginning(*end);
        problem(&text, &told(&text), policy, chars_max).is_none()
    });
    let end = *ends.get(fits.checked_sub(1)?)?;
    let cut = u32::try_from(text[end..].chars().count()).unwrap_or(u32::MAX);
    Some((beginning(end), cut))
}

fn with_links(text: &str, links: &[String]) -> String {
    let lines = std::iter::once(text).filter(|text| !text.is_empty()).chain(links.iter().map(String::as_str));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use dispatch_model::TextEncoding;

    use super::*;

    fn policy(transliterate: Transliterate, parts_max: u32, too_long: TooLong) -> TextPolicy {
        TextPolicy { transliterate, parts_max, too_long }
    }

    #[test]
    fn one_accent_does_not_double_the_bill() {
        let text = format!("{}á", "x".repeat(100));
        let never = write(&text, &[], &TextPolicy::default(), None).expect("written");
        assert_eq!(
            (never.written.to_string().as_str(), never.text.as_str()),
            ("2 parts, UCS-2", text.as_str())
        );
        let saving = policy(Transliterate::Saving, 255, TooLong::Reject);
        let saved = write(&text, &[], &saving, None).expect("written");
        assert_eq!(saved.written.to_string(), "1 part, GSM-7, 1 character replaced");
        assert!(saved.text.ends_with("xa"));
        // Where it saves nothing an accent stays, unless it never shall.
        assert_eq!(write("Está", &[], &saving, None).expect("written").text, "Está");
        let always = policy(Transliterate::Always, 255, TooLong::Reject);
        assert_eq!(write("Está", &[], &always, None).expect("written").text, "Esta");
    }

    #[test]
    fn too_long_is_refused_with_the_numbers() {
        let text = "x".repeat(161);
        let limited = policy(Transliterate::Never, 1, TooLong::Reject);
        let refused = write(&text, &[], &limited, None).unwrap_err();
        assert_eq!(refused.to_string(), "parts: the text has 2 parts in GSM-7 and the route allows 1");
        let refused = write(&text, &[], &TextPolicy::default(), Some(160)).unwrap_err();
        assert_eq!(refused.to_string(), "text-length: the text has 161 characters and the backend takes 160");
        let refused = write(&"x".repeat(40_000), &[], &TextPolicy::default(), None).unwrap_err();
        assert!(refused.message.contains("more than 255"), "{refused}");
    }

    #[test]
    fn a_cut_keeps_the_links() {
        let limited = policy(Transliterate::Never, 1, TooLong::Cut);
        let links = ["https://a.example/x".to_owned()];
        let text = "ab ".repeat(100);
        let writing = write(&text, &links, &limited, None).expect("cut");
        assert!(writing.text.ends_with("ab...\nhttps://a.example/x"), "{}", writing.text);
        assert_eq!((writing.written.parts, writing.written.encoding), (1, TextEncoding::Gsm7));
        assert!(writing.written.units > 155 && writing.written.cut > 100, "{:?}", writing.written);
        // Where not even the links fit there is nothing to cut.
        let links = [format!("https://a.example/{}", "x".repeat(160))];
        assert_eq!(write("a", &links, &limited, None).unwrap_err().code, "parts");
        let by_chars = write(&text, &[], &limited, Some(20)).expect("cut");
        assert_eq!(by_chars.text, "ab ab ab ab ab ab...");
    }

    #[test]
    fn links_stand_in_lines_of_their_own() {
        let links = ["https://a.example/á".to_owned(), "https://b.example/".to_owned()];
        let always = policy(Transliterate::Always, 255, TooLong::Reject);
        let writing = write("sí", &links, &always, None).expect("written");
        assert_eq!(writing.text, "si\nhttps://a.example/á\nhttps://b.example/");
        assert_eq!(write("", &links[1..], &always, None).expect("written").text, "https://b.example/");
    }
}

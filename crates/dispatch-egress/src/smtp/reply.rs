//! What a relay says: lines of a three-digit code and text, the last one with a blank behind the code.

use dispatch_model::SmtpReply;

/// A whole reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// The text of each line, control characters replaced.
    pub(crate) lines: Vec<String>,
}

/// One line of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) code: u16,
    pub(crate) last: bool,
    pub(crate) text: String,
}

impl Line {
    /// Reads a line without its line end; none where it is not one.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        if !(200..=599).contains(&code) || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let (last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return None,
        };
        let text = String::from_utf8_lossy(text).replace(char::is_control, " ").trim_end().to_owned();
        Some(Self { code, last, text })
    }
}

impl Reply {
    /// 2xx.
    pub(crate) fn positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// As the contract has it: the enhanced status (`5.1.1`) apart from the text.
    pub(crate) fn typed(&self) -> SmtpReply {
        let enhanced = self.lines.first().and_then(|line| enhanced(line, self.code)).map(str::to_owned);
        let text = self.lines.iter().map(|line| match &enhanced {
            Some(code) => line.strip_prefix(code.as_str()).map_or(line.as_str(), str::trim_start),
            None => line.as_str(),
        });
        let text = text.collect::<Vec<_>>().join("\n");
        SmtpReply { code: self.code, enhanced, text }
    }
}

/// What we say in the relay's stead, where asking it would be no use.
pub(crate) fn local(code: u16, enhanced: &str, text: impl std::fmt::Display) -> SmtpReply {
    SmtpReply { code, enhanced: Some(enhanced.to_owned()), text: format!("dispatcher: {text}") }
}

/// The enhanced status at the start of a text: class, subject and detail, of the same class as the code.
fn enhanced(text: &str, code: u16) -> Option<&str> {
    let word = text.split(' ').next()?;
    let mut parts = word.split('.');
    let class = parts.next()?;
    let numbers = [parts.next()?, parts.next()?];
    let fits = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let same = class.len() == 1 && class.parse() == Ok(code / 100);
    (same && parts.next().is_none() && numbers.into_iter().all(fits)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines() {
        for (line, expected) in [
            ("250 OK", Some((250, true, "OK"))),
            ("250-SIZE 1000", Some((250, false, "SIZE 1000"))),
            ("354", Some((354, true, ""))),
            ("550 5.1.1 no\x07body ", Some((550, true, "5.1.1 no body"))),
            ("25 OK", None),
            ("099 x", None),
            ("600 x", None),
            ("+50 x", None),
            ("250xOK", None),
            ("", None),
            ("HTTP/1.1 400", None),
        ] {
            let parsed = Line::parse(line.as_bytes());
            let parsed = parsed.as_ref().map(|line| (line.code, line.last, line.text.as_str()));
            assert_eq!(parsed, expected, "{line:?}");
        }
        assert_eq!(Line::parse(b"250 \xff").unwrap().text, "\u{fffd}");
    }

    #[test]
    fn takes_the_enhanced_status_apart() {
        for (code, lines, expected, text) in [
            (550, &["5.1.1 no such user"][..], Some("5.1.1"), "no such user"),
            (250, &["2.0.0 Ok: queued as 4F"], Some("2.0.0"), "Ok: queued as 4F"),
            (550, &["5.7.1 one", "5.7.1 two"], Some("5.7.1"), "one\ntwo"),
            (250, &["OK"], None, "OK"),
            (250, &["5.1.1 odd"], None, "5.1.1 odd"),
            (421, &["4.7.0.1 odd"], None, "4.7.0.1 odd"),
            (250, &["2.1234.0 odd"], None, "2.1234.0 odd"),
            (250, &[], None, ""),
        ] {
            let reply = Reply { code, lines: lines.iter().map(|line| (*line).to_owned()).collect() };
            let typed = reply.typed();
            assert_eq!((typed.enhanced.as_deref(), typed.text.as_str()), (expected, text));
        }
    }
}

//! A message's bytes as they go over the wire behind DATA.
//!
//! Lines that begin with a dot get another one. A bare CR or LF becomes CR LF: SMTP forbids them, and relays that
//! read them differently can be made to see a second message behind a false end (SMTP smuggling).

use bytes::{BufMut as _, Bytes, BytesMut};

/// Where in a line the last chunk ended.
pub(crate) struct Stuffing {
    line_start: bool,
    after_cr: bool,
}

impl Stuffing {
    pub(crate) fn new() -> Self {
        Self { line_start: true, after_cr: false }
    }

    /// The next chunk.
    pub(crate) fn chunk(&mut self, chunk: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(chunk.len() + chunk.len() / 64 + 4);
        let mut rest = chunk;
        while let Some(&first) = rest.first() {
            if self.after_cr && first != b'\n' {
                out.put_u8(b'\n');
                (self.after_cr, self.line_start) = (false, true);
            }
            let run = match first {
                b'\n' => {
                    if !self.after_cr {
                        out.put_u8(b'\r');
                    }
                    (self.after_cr, self.line_start) = (false, true);
                    1
                }
                b'\r' => {
                    self.after_cr = true;
                    1
                }
                _ => {
                    if self.line_start && first == b'.' {
                        out.put_u8(b'.');
                    }
                    self.line_start = false;
                    rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len())
                }
            };
            out.put_slice(&rest[..run]);
            rest = &rest[run..];
        }
        out.freeze()
    }

    /// What ends the last line, so that the final dot stands alone in its own.
    pub(crate) fn finish(&self) -> &'static [u8] {
        match (self.after_cr, self.line_start) {
            (true, _) => b"\n",
            (false, true) => b"",
            (false, false) => b"\r\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuffed(chunks: &[&[u8]]) -> Vec<u8> {
        let mut stuffing = Stuffing::new();
        let mut out: Vec<u8> = Vec::new();
        for chunk in chunks {
            out.extend_from_slice(&stuffing.chunk(chunk));
        }
        out.extend_from_slice(stuffing.finish());
        out
    }

    #[test]
    fn dots_and_line_ends() {
        for (text, expected) in [
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a", "a\r\n"),
            ("", ""),
            (".", "..\r\n"),
            (".\r\n", "..\r\n"),
            ("a\r\n.\r\nb", "a\r\n..\r\nb\r\n"),
            ("a\r\n..b\r\n", "a\r\n...b\r\n"),
            ("a.b\r\n", "a.b\r\n"),
            ("a\n.\nb\n", "a\r\n..\r\nb\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n"),
            ("a\r", "a\r\n"),
            ("a\n.\r\nMAIL FROM:<x>\r\n", "a\r\n..\r\nMAIL FROM:<x>\r\n"),
            ("\r\r\n\n", "\r\n\r\n\r\n"),
        ] {
            assert_eq!(String::from_utf8(stuffed(&[text.as_bytes()])).unwrap(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn chunks_change_nothing_and_no_line_is_a_dot(
            text in proptest::collection::vec(prop::sample::select(&b"a.\r\n"[..]), 0..40),
            cut in 0_usize..40,
        ) {
            let whole = stuffed(&[&text]);
            let cut = cut.min(text.len());
            prop_assert_eq!(&whole, &stuffed(&[&text[..cut], &text[cut..]]));
            let sent = String::from_utf8(whole).unwrap();
            prop_assert!(sent.is_empty() || sent.ends_with("\r\n"));
            let bare = sent.replace("\r\n", "");
            prop_assert!(!bare.contains(['\r', '\n']));
            prop_assert!(sent.split("\r\n").all(|line| line != "."));
        }
    }
}

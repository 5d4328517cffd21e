//! `application/x-www-form-urlencoded`: writing it with secrets in it, and reading it from callbacks.

use crate::{Escape, Pieces};

/// Percent-encodes all but unreserved characters (`A-Z a-z 0-9 - . _ ~`): right in a path segment, in a query and in a form.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(HEX[usize::from(byte >> 4)] as char);
            out.push(HEX[usize::from(byte & 15)] as char);
        }
    }
    out
}

/// Undoes percent-encoding and reads `+` as a space, as forms want it. A broken escape stays as it is; bytes that are
/// not UTF-8 become the replacement character.
pub fn unpercent(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads a form or a query. At most 1000 fields; the rest is left out.
pub fn parse_form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|field| !field.is_empty())
        .take(1000)
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            (unpercent(name), unpercent(value))
        })
        .collect()
}

/// A form body under construction.
///
/// ```
/// # use dispatcher_plugin::Form;
/// let form = Form::new().field("To", "+52 55").field_if("From", None::<&str>).secret("password", "api_password");
/// assert_eq!(form.into_pieces().to_text(), "To=%2B52%2055&password={secret api_password}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Pieces);

impl Form {
    /// No field yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field. The same name may come again.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.name(name);
        self.0.bytes(percent(value.as_ref()));
        self
    }

    /// Adds a field where there is a value.
    #[must_use]
    pub fn field_if(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a field whose value is a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, secret: impl Into<String>) -> Self {
        self.name(name);
        self.0.secret(secret, Escape::Percent);
        self
    }

    /// The body.
    pub fn into_pieces(self) -> Pieces {
        self.0
    }

    fn name(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.bytes("&");
        }
        self.0.bytes(percent(name)).bytes("=");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let text = "año + 100% & más=«sí» \u{1F600}\r\n";
        assert_eq!(unpercent(&percent(text)), text);
    }

    #[test]
    fn reads_hostile_forms() {
        let read = |text| parse_form(text);
        assert_eq!(read(""), []);
        assert_eq!(
            read("a=1&&b=%zz%4&c=+%2B&d"),
            [
                ("a".into(), "1".into()),
                ("b".into(), "%zz%4".into()),
                ("c".into(), " +".into()),
                ("d".into(), String::new()),
            ]
        );
        assert_eq!(read("x=%ff%"), [("x".into(), "\u{fffd}%".into())]);
        assert_eq!(parse_form(&"a&".repeat(5000)).len(), 1000);
    }
}

//! Mail addresses as people write them, read strictly: what is doubtful is refused and never guessed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A mail address with the name that stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name, without its quotes.
    pub name: Option<String>,
    /// The address, `a@b`, in ASCII.
    pub address: String,
}

impl Mailbox {
    /// Reads `a@b`, `<a@b>`, `Name <a@b>` or `"Last, First" <a@b>`.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err("it has a control character or a line end in it");
        }
        let (name, address) = match text.strip_suffix('>') {
            Some(start) => start.rsplit_once('<').ok_or("it has a > and no <")?,
            None => ("", text),
        };
        let address = plain(address.trim())?;
        let name = unquoted(name.trim());
        Ok(Self { name: (!name.is_empty()).then_some(name), address })
    }

    /// As a header has it, the name in UTF-8: `Ana Pérez <a@b>`, or `"Pérez, Ana" <a@b>` where the name has a character
    /// in it that means something there.
    pub fn quoted(&self) -> String {
        let Some(name) = &self.name else { return self.address.clone() };
        let plain =
            |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || " !#$%&'*+-/=?^_`{|}~".contains(c);
        if name.chars().all(plain) {
            return format!("{name} <{}>", self.address);
        }
        format!("\"{}\" <{}>", name.replace('\\', "\\\\").replace('"', "\\\""), self.address)
    }

    /// As a header has it, all in ASCII: a name beyond it is written in encoded words (RFC 2047).
    pub fn encoded(&self) -> String {
        match &self.name {
            Some(name) if !name.is_ascii() || name.contains("=?") => {
                format!("{} <{}>", encoded_words(name), self.address)
            }
            _ => self.quoted(),
        }
    }

    /// As [`encoded`](Self::encoded), and without quotes: for those who read addresses and cannot read them. A name that
    /// would need quotes is written in encoded words.
    pub fn unquoted(&self) -> String {
        match &self.name {
            Some(name) if !name.chars().all(plain_in_a_name) => {
                format!("{} <{}>", encoded_words(name), self.address)
            }
            _ => self.encoded(),
        }
    }

    /// What comes after the `@`, in lower case.
    pub fn domain(&self) -> String {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase()
    }
}

/// Whether a name with this character in it needs no quotes.
fn plain_in_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || " !#$%&'*+-/=?^_`{|}~".contains(c)
}

/// A text as encoded words: each of at most 75 characters, none of which cuts a character in two.
fn encoded_words(text: &str) -> String {
    /// `=?utf-8?B?` and `?=` leave 63 of the 75, and base64 makes four of three.
    const BYTES_MAX: usize = 45;
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > BYTES_MAX {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let encoded = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64_STANDARD.encode(word)));
    encoded.collect::<Vec<_>>().join(" ")
}

/// A plain address: the part before the `@` of unquoted characters, the one after it a host name.
fn plain(address: &str) -> Result<String, &'static str> {
    let (local, domain) = address.rsplit_once('@').ok_or("it has no @")?;
    if !address.is_ascii() {
        return Err("it has letters beyond ASCII, which many relays refuse: write the domain as xn--...");
    }
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    if local.is_empty() || local.len() > 64 || !local.bytes().all(atom) {
        return Err("the part before the @ is empty, too long, or has characters that do not belong there");
    }
    let label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_')
            && bytes.first() != Some(&b'-')
            && bytes.last() != Some(&b'-')
    };
    if domain.len() > 253 || !domain.split('.').all(label) {
        return Err("the part after the @ is not a host name");
    }
    Ok(address.to_owned())
}

/// The name without its quotes.
fn unquoted(name: &str) -> String {
    let Some(inside) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut out = String::with_capacity(inside.len());
    let mut escaped = false;
    for c in inside.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes() {
        let table = [
            ("a@b.example", None, "a@b.example"),
            (" <a@b.example> ", None, "a@b.example"),
            ("Ana Pérez <ana+x@b.example>", Some("Ana Pérez"), "ana+x@b.example"),
            ("Pérez, Ana <a@b>", Some("Pérez, Ana"), "a@b"),
            (r#""Pérez, \"La\" Ana" <a@b>"#, Some(r#"Pérez, "La" Ana"#), "a@b"),
            ("a <b> <c@d.example>", Some("a <b>"), "c@d.example"),
        ];
        for (text, name, address) in table {
            let mailbox = Mailbox::parse(text).expect(text);
            assert_eq!((mailbox.name.as_deref(), mailbox.address.as_str()), (name, address), "{text}");
        }
    }

    #[test]
    fn written_out() {
        let table = [
            ("a@b", "a@b", "a@b"),
            ("Ana <a@b>", "Ana <a@b>", "Ana <a@b>"),
            ("Ana Pérez <a@b>", "Ana Pérez <a@b>", "=?utf-8?B?QW5hIFDDqXJleg==?= <a@b>"),
            ("Perez, Ana <a@b>", "\"Perez, Ana\" <a@b>", "\"Perez, Ana\" <a@b>"),
            (r#""La \"P\\" <a@b>"#, r#""La \"P\\" <a@b>"#, r#""La \"P\\" <a@b>"#),
            ("=?x?= <a@b>", "=?x?= <a@b>", "=?utf-8?B?PT94Pz0=?= <a@b>"),
        ];
        for (text, quoted, encoded) in table {
            let mailbox = Mailbox::parse(text).expect(text);
            assert_eq!((mailbox.quoted().as_str(), mailbox.encoded().as_str()), (quoted, encoded), "{text}");
            assert_eq!(Mailbox::parse(&mailbox.quoted()).as_ref(), Ok(&mailbox), "{text}");
        }
        let comma = Mailbox::parse("Perez, Ana <a@b>").expect("an address");
        assert_eq!(comma.unquoted(), "=?utf-8?B?UGVyZXosIEFuYQ==?= <a@b>");
        assert_eq!(Mailbox::parse("Ana <a@b>").expect("an address").unquoted(), "Ana <a@b>");
        let long = Mailbox { name: Some("ñ".repeat(60)), address: "a@b".into() };
        assert!(long.encoded().split(' ').all(|word| word.len() <= 75));
        assert_eq!(long.encoded().split(' ').count(), 4);
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "@",
            "a@",
            "@b",
            "a b@c.example",
            "a@b..c",
            "a@-b.c",
            "a@b c",
            "a@b>",
            "x <a@b",
            "a@b\r\nBcc: c@d",
            "a@b\nx",
            "a@b\0",
            "\"a b\"@c.example",
            "ñ@b.example",
            "a@ñ.example",
            "a@b,c@d",
            "a@b;c@d",
            "<a@b><c@d",
            "a@[127.0.0.1]",
        ] {
            assert!(Mailbox::parse(text).is_err(), "{text:?}");
        }
        assert!(Mailbox::parse(&format!("{}@b.example", "a".repeat(65))).is_err());
    }
}

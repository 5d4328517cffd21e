//! The addresses by which a reader leaves a list (RFC 2369, RFC 8058).

use crate::{Mailbox, Message, percent};

/// What may stand between braces in such an address.
const NAMES: &[&str] = &["contact", "location", "message", "recipient"];

/// The address with what stands between braces filled in for a message; nothing of it can leave its place, since all is
/// percent-encoded.
pub(super) fn filled(way: &str, message: &Message) -> String {
    let value = |name: &str| match name {
        "contact" => message.contact.clone().unwrap_or_default(),
        "location" => message.location.clone(),
        "message" => message.id.clone(),
        _ => Mailbox::parse(message.recipient()).map(|mailbox| mailbox.address).unwrap_or_default(),
    };
    let fill = |text: String, name: &&str| text.replace(&format!("{{{name}}}"), &percent(&value(name)));
    NAMES.iter().fold(way.to_owned(), fill)
}

/// What is wrong with an address, and what to write instead.
pub(super) fn problem(way: &str) -> Option<String> {
    let known = way.starts_with("https://") || way.starts_with("mailto:");
    if !known || !way.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,".contains(&byte)) {
        return Some("write an https: or mailto: address".to_owned());
    }
    let rest = NAMES.iter().fold(way.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), ""));
    rest.contains(['{', '}']).then(|| format!("between braces there may stand {}", NAMES.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::email;

    #[test]
    fn what_stands_between_braces_is_filled_in() {
        let mut message = email("a@b.example", "Ana <ana+x@c.example>", "s", "h");
        message.contact = Some("c/1&x={location}".into());
        let way = "https://acme.example/u?c={contact}&l={location}&m={message}&r={recipient}";
        assert_eq!(
            filled(way, &message),
            format!(
                "https://acme.example/u?c=c%2F1%26x%3D%7Blocation%7D&l={}&m={}&r=ana%2Bx%40c.example",
                message.location, message.id
            )
        );
        message.contact = None;
        message.to = vec!["nobody".into()];
        assert_eq!(
            filled("mailto:u@a.example?subject={contact}{recipient}", &message),
            "mailto:u@a.example?subject="
        );
    }

    #[test]
    fn addresses_and_what_is_none() {
        for way in ["https://a.example/u", "mailto:u@a.example", "https://a.example/{contact}/{recipient}"] {
            assert_eq!(problem(way), None, "{way}");
        }
        for way in
            ["http://a.example", "u@a.example", "https://a.example/<x>", "https://a.example/é", "https://a b"]
        {
            assert!(problem(way).is_some_and(|words| words.contains("https:")), "{way}");
        }
        for way in ["https://a.example/{email}", "https://a.example/{contact", "https://a.example/}"] {
            assert!(problem(way).is_some_and(|words| words.contains("contact, location")), "{way}");
        }
    }
}

//! Addresses in the form in which they are compared.

use dispatch_model::Channel;

use crate::to_e164;

/// A person's number or mail address in the form in which it is compared: E.164 where the number can be read, else its
/// digits as they stand; an address without a display name, in lower case.
pub fn address_form(channel: Channel, address: &str) -> String {
    let text = address.trim();
    match channel {
        Channel::Email => bare(text).trim().to_lowercase(),
        Channel::Sms => match to_e164(text, None) {
            Ok(number) => number.into_string(),
            Err(_) => text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect(),
        },
    }
}

/// `a@b` of `a@b` or `Name <a@b>`.
fn bare(text: &str) -> &str {
    match (text.rfind('<'), text.rfind('>')) {
        (Some(open), Some(close)) if open < close => &text[open + 1..close],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_form() {
        for (channel, given, form) in [
            (Channel::Sms, "+52 1 55 1234 5678", "+525512345678"),
            (Channel::Sms, "+525512345678", "+525512345678"),
            (Channel::Sms, " 12345 ", "12345"),
            (Channel::Sms, "ACME", "acme"),
            (Channel::Email, "Ana <Ana@Example.COM>", "ana@example.com"),
            (Channel::Email, "ana@example.com", "ana@example.com"),
        ] {
            assert_eq!(address_form(channel, given), form, "{given}");
            assert_eq!(address_form(channel, form), form, "its own form");
        }
    }
}

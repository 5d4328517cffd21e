//! Numbers as providers want them.

/// How a number is written. The host hands numbers over as [`E164`](PhoneFormat::E164).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhoneFormat {
    /// `+525512345678`.
    #[default]
    E164,
    /// `525512345678`.
    Digits,
    /// `5512345678`: without the country's code.
    National,
}

impl PhoneFormat {
    /// A number, `+` and digits, in this form. Anything else is given back as its digits, or as it is for `E164`.
    pub fn render(self, number: &str) -> String {
        let digits = || number.chars().filter(char::is_ascii_digit).collect::<String>();
        match self {
            Self::E164 => number.to_owned(),
            Self::Digits => digits(),
            Self::National if number.starts_with('+') => {
                let digits = digits();
                let code = country_code_length(&digits).min(digits.len());
                digits[code..].to_owned()
            }
            Self::National => digits(),
        }
    }
}

/// How many digits the country's code has: codes of one and two digits are few, all others have three.
fn country_code_length(digits: &str) -> usize {
    const TWO: &str = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 \
                       81 82 84 86 90 91 92 93 94 95 98";
    match digits.get(..2) {
        _ if digits.starts_with(['1', '7']) => 1,
        Some(two) if TWO.split(' ').any(|code| code == two) => 2,
        _ => 3,
    }
}

/// Who a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderKind {
    /// `+525512345678`, or `525512345678`.
    Number,
    /// `12345`.
    ShortCode,
    /// `ACME`: at most 11 letters, digits, spaces and a few signs, one letter at least.
    Name,
}

impl SenderKind {
    /// What kind of sender this is; none where it is no sender.
    pub fn of(sender: &str) -> Option<Self> {
        let digits = sender.strip_prefix('+').unwrap_or(sender);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return match digits.len() {
                7..=15 => Some(Self::Number),
                3..=6 if digits.len() == sender.len() => Some(Self::ShortCode),
                _ => None,
            };
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_&.".contains(&byte);
        let letter = sender.bytes().any(|byte| byte.is_ascii_alphabetic());
        (letter && sender.len() <= 11 && sender.bytes().all(plain)).then_some(Self::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders() {
        use SenderKind::{Name, Number, ShortCode};
        let table = [
            ("+525512345678", Some(Number)),
            ("525512345678", Some(Number)),
            ("12345", Some(ShortCode)),
            ("ACME", Some(Name)),
            ("Acme & Co.", Some(Name)),
            ("+123", None),
            ("12", None),
            ("1234567890123456", None),
            ("55 1234", None),
            ("A name too long", None),
            ("señor", None),
            ("", None),
            ("+", None),
        ];
        for (sender, kind) in table {
            assert_eq!(SenderKind::of(sender), kind, "{sender:?}");
        }
    }

    #[test]
    fn forms() {
        let table = [
            ("+525512345678", "525512345678", "5512345678"),
            ("+15864603685", "15864603685", "5864603685"),
            ("+34600111222", "34600111222", "600111222"),
            ("+50255512345", "50255512345", "55512345"),
            ("+5", "5", ""),
            ("", "", ""),
            ("12345", "12345", "12345"),
        ];
        for (number, digits, national) in table {
            assert_eq!(PhoneFormat::E164.render(number), number);
            assert_eq!(PhoneFormat::Digits.render(number), digits);
            assert_eq!(PhoneFormat::National.render(number), national);
        }
    }
}

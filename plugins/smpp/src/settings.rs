//! The settings of a backend, and what is wrong with them.

use std::collections::BTreeMap;

use dispatcher_plugin::sms::Alphabet;
use dispatcher_plugin::{Check, PhoneFormat, Reason, Refusal, SmppAddress, SmppTlv};
use serde::Deserialize;

use crate::ids::Ids;

/// How many actions the host takes for a message, and so how many parts it can have.
const PARTS_MAX: u8 = 32;

/// A month: the longest that is written in days.
const VALIDITY_MAX: u32 = 30 * 86_400;

/// The settings of a backend.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    from: String,
    #[serde(default)]
    from_ton: Option<u8>,
    #[serde(default)]
    from_npi: Option<u8>,
    #[serde(default = "digits")]
    to_format: PhoneFormat,
    #[serde(default = "one")]
    to_ton: u8,
    #[serde(default = "one")]
    to_npi: u8,
    #[serde(default)]
    pub(crate) encoding: Encoding,
    #[serde(default)]
    pub(crate) septets: Septets,
    #[serde(default)]
    pub(crate) default_alphabet: DefaultAlphabet,
    #[serde(default)]
    pub(crate) default_data_coding: u8,
    #[serde(default)]
    pub(crate) parts: Cutting,
    #[serde(default = "ten")]
    pub(crate) parts_max: u8,
    #[serde(default = "yes")]
    receipts: bool,
    #[serde(default, rename = "receipt_ids")]
    pub(crate) ids: Ids,
    #[serde(default)]
    validity: Option<u32>,
    #[serde(default)]
    pub(crate) service_type: String,
    #[serde(default)]
    tlvs: BTreeMap<String, String>,
    #[serde(default)]
    outcomes: BTreeMap<String, String>,
}

fn digits() -> PhoneFormat {
    PhoneFormat::Digits
}

fn one() -> u8 {
    1
}

fn ten() -> u8 {
    10
}

fn yes() -> bool {
    true
}

/// In which alphabet a text goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// GSM-7 where it has all of the text, else UCS-2.
    #[default]
    Auto,
    /// Latin-1 where it has all of the text, else UCS-2.
    Latin1,
    /// UCS-2 always.
    Ucs2,
}

/// How the septets of GSM-7 are handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Septets {
    /// One in each byte.
    #[default]
    Unpacked,
    /// Eight in seven bytes.
    Packed,
}

/// What the message centre means by data coding 0 in what it sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DefaultAlphabet {
    /// GSM 03.38.
    #[default]
    Gsm7,
    /// ISO 8859-1, of which ASCII is a part.
    Latin1,
}

/// How a long text goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cutting {
    /// In parts, each with a user data header.
    #[default]
    Udh,
    /// In parts, each with the three `sar` parameters.
    Sar,
    /// As a whole in `message_payload`: the message centre cuts it.
    Payload,
}

impl Settings {
    /// The address to send from.
    pub(crate) fn source(&self) -> SmppAddress {
        let (ton, npi, address) = match self.from.strip_prefix('+') {
            Some(digits) => (1, 1, digits),
            // A short code is the network's own, a name has no plan.
            None if self.from.bytes().all(|byte| byte.is_ascii_digit()) => (3, 0, self.from.as_str()),
            None => (5, 0, self.from.as_str()),
        };
        SmppAddress::new(self.from_ton.unwrap_or(ton), self.from_npi.unwrap_or(npi), address)
    }

    /// The address of a recipient.
    pub(crate) fn destination(&self, number: &str) -> Result<SmppAddress, Refusal> {
        let address = self.to_format.render(number);
        let digits = address.strip_prefix('+').unwrap_or(&address);
        if digits.is_empty() || address.len() > 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::recipient("number", "not a number that SMPP can carry"));
        }
        Ok(SmppAddress::new(self.to_ton, self.to_npi, address))
    }

    /// The alphabet of a text.
    pub(crate) fn alphabet(&self, text: &str) -> Alphabet {
        match self.encoding {
            Encoding::Auto => Alphabet::of(text),
            Encoding::Latin1 if Alphabet::Latin1.holds(text) => Alphabet::Latin1,
            Encoding::Latin1 | Encoding::Ucs2 => Alphabet::Ucs2,
        }
    }

    /// What says so in the message.
    pub(crate) fn data_coding(&self, alphabet: Alphabet) -> u8 {
        match alphabet {
            Alphabet::Gsm7 => self.default_data_coding,
            Alphabet::Latin1 => 3,
            Alphabet::Ucs2 => 8,
        }
    }

    /// Which receipts are asked for: of what is final, or none.
    pub(crate) fn registered_delivery(&self) -> u8 {
        u8::from(self.receipts)
    }

    /// For how long the message centre tries, as SMPP writes spans: `YYMMDDhhmmss000R`.
    pub(crate) fn validity(&self) -> String {
        let Some(seconds) = self.validity else { return String::new() };
        let (minutes, hours) = (seconds / 60, seconds / 3600);
        format!("0000{:02}{:02}{:02}{:02}000R", hours / 24, hours % 24, minutes % 60, seconds % 60)
    }

    /// The parameters that every message carries.
    pub(crate) fn tlvs(&self) -> Vec<SmppTlv> {
        let tlv = |(name, value): (&String, &String)| {
            Some(SmppTlv {
                tag: hex(name).and_then(|tag| u16::try_from(tag).ok())?,
                value: value.as_bytes().to_vec(),
            })
        };
        self.tlvs.iter().filter_map(tlv).collect()
    }

    /// What the operator says that a command status means.
    pub(crate) fn outcome(&self, status: u32, reason: &Reason) -> Option<Refusal> {
        let (_, kind) = self.outcomes.iter().find(|(name, _)| hex(name) == Some(status))?;
        Refusal::of_kind(kind, reason.clone())
    }

    pub(crate) fn check(&self, check: &mut Check) {
        check.that(
            sender(&self.from),
            "from",
            "not a sender: write a number with its country (+525512345678), a short code of 3 to 8 digits, or a name of at most 11 letters and digits",
        );
        check.that((1..=PARTS_MAX).contains(&self.parts_max), "parts_max", "write 1 to 32");
        check.that(
            self.septets == Septets::Unpacked || self.encoding == Encoding::Auto,
            "septets",
            "only GSM-7 has septets: leave encoding out, or this",
        );
        if let Some(seconds) = self.validity {
            check.that((60..=VALIDITY_MAX).contains(&seconds), "validity", "write 60 to 2592000 seconds");
        }
        let plain = |text: &str| text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        check.that(
            self.service_type.len() <= 5 && plain(&self.service_type),
            "service_type",
            "write at most 5 characters of ASCII",
        );
        check.that(self.tlvs.len() <= 16, "tlvs", "write at most 16");
        for (name, value) in &self.tlvs {
            let tag = hex(name).is_some_and(|tag| (0x1400..=0x3fff).contains(&tag));
            check.that(
                tag,
                format!("tlvs.{name}"),
                "not the tag of a vendor's parameter: write 0x1400 to 0x3fff",
            );
            check.that(value.len() <= 255, format!("tlvs.{name}"), "write at most 255 bytes");
        }
        for (name, kind) in &self.outcomes {
            let known = Refusal::of_kind(kind, Reason::new(0, "")).is_some();
            check.that(
                hex(name).is_some_and(|status| status > 0),
                format!("outcomes.{name}"),
                "not a command status: write it like 0x401",
            );
            check.that(
                known,
                format!("outcomes.{name}"),
                "write deferred, throttled, rejected-recipient, rejected-content, rejected-sender, rejected-account or unknown",
            );
        }
    }
}

/// A number as SMPP's are written: `0x401`.
fn hex(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x")?;
    (!digits.starts_with('+')).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// A number, a short code or a name.
fn sender(from: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match from.strip_prefix('+') {
        Some(number) => (7..=15).contains(&number.len()) && digits(number),
        None if digits(from) => (3..=8).contains(&from.len()),
        None => {
            from.len() <= 11
                && from.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_&.".contains(&byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::check;
    use dispatcher_plugin::testing::context;
    use serde_json::{Value, json};

    use super::*;
    use crate::Smpp;

    fn problems(settings: Value) -> Vec<String> {
        match check::<Smpp>(&settings.to_string()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
        }
    }

    fn settings(more: Value) -> Settings {
        let mut all = json!({ "from": "+525500001111" });
        for (key, value) in more.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        context::<Settings>(all).settings
    }

    #[test]
    fn good_settings_ask_for_a_session() {
        let asks = check::<Smpp>(r#"{"from":"ACME"}"#).expect("good settings");
        assert!(asks.session && asks.hosts.is_empty() && asks.secrets.is_empty());
        for good in [
            json!({ "from": "+525512345678", "parts": "sar", "parts_max": 32, "receipt_ids": "hex" }),
            json!({ "from": "12345", "septets": "packed", "default_data_coding": 241, "validity": 86400 }),
            json!({ "from": "Acme & Co", "encoding": "latin1", "tlvs": { "0x1400": "110012" }, "outcomes": { "0x401": "deferred" } }),
        ] {
            assert_eq!(problems(good.clone()), [""; 0], "{good}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_once_and_by_path() {
        for (wrong, path) in [
            (json!({ "from": "more than eleven" }), "from"),
            (json!({ "from": "+52" }), "from"),
            (json!({ "from": "12" }), "from"),
            (json!({ "from": "" }), "from"),
            (json!({}), "from"),
            (json!({ "from": "ACME", "parts_max": 0 }), "parts_max"),
            (json!({ "from": "ACME", "parts_max": 33 }), "parts_max"),
            (json!({ "from": "ACME", "parts": "halves" }), "parts"),
            (json!({ "from": "ACME", "septets": "packed", "encoding": "ucs2" }), "septets"),
            (json!({ "from": "ACME", "validity": 59 }), "validity"),
            (json!({ "from": "ACME", "service_type": "CMTCMT" }), "service_type"),
            (json!({ "from": "ACME", "tlvs": { "1400": "x" } }), "tlvs.1400"),
            (json!({ "from": "ACME", "tlvs": { "0x0424": "x" } }), "tlvs.0x0424"),
            (json!({ "from": "ACME", "outcomes": { "0x401": "sent" } }), "outcomes.0x401"),
            (json!({ "from": "ACME", "outcomes": { "0x0": "deferred" } }), "outcomes.0x0"),
            (json!({ "from": "ACME", "form": 1 }), "form"),
        ] {
            assert_eq!(problems(wrong.clone()), [path], "{wrong}");
        }
        assert_eq!(problems(json!({ "from": "", "parts_max": 0, "validity": 1 })).len(), 3);
    }

    #[test]
    fn senders_have_their_kind() {
        for (from, ton, npi, address) in
            [("+525512345678", 1, 1, "525512345678"), ("12345", 3, 0, "12345"), ("Acme", 5, 0, "Acme")]
        {
            assert_eq!(settings(json!({ "from": from })).source(), SmppAddress::new(ton, npi, address));
        }
        let own = settings(json!({ "from": "12345", "from_ton": 0, "from_npi": 1 }));
        assert_eq!(own.source(), SmppAddress::new(0, 1, "12345"));
    }

    #[test]
    fn recipients_are_numbers() {
        let usual = settings(json!({}));
        assert_eq!(
            usual.destination("+525512345678").expect("a number"),
            SmppAddress::new(1, 1, "525512345678")
        );
        let national = settings(json!({ "to_format": "national", "to_ton": 2 }));
        assert_eq!(
            national.destination("+525512345678").expect("a number"),
            SmppAddress::new(2, 1, "5512345678")
        );
        for bad in ["", "+", "ana@example.com", "+5255123456789012345678901"] {
            assert_eq!(usual.destination(bad).unwrap_err().kind(), "rejected-recipient", "{bad}");
        }
    }

    #[test]
    fn spans_are_written_as_smpp_has_them() {
        for (seconds, expected) in [
            (60, "000000000100000R"),
            (86_400, "000001000000000R"),
            (93_784, "000001020304000R"),
            (2_592_000, "000030000000000R"),
        ] {
            assert_eq!(settings(json!({ "validity": seconds })).validity(), expected);
        }
        assert_eq!(settings(json!({})).validity(), "");
    }
}

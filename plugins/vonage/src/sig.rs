//! The signature of an SMS callback: a keyed digest over its fields, in the order of their names.

use dispatcher_plugin::secrets::{self, Algorithm};
use dispatcher_plugin::{Context, Reason};

use crate::settings::{SIGNATURE_SECRET, Settings};

/// Believes a callback's fields, or says why not.
pub(crate) fn verify(
    context: &Context<Settings>,
    algorithm: Algorithm,
    fields: &[(String, String)],
) -> Result<(), Reason> {
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let given = field("sig").ok_or(Reason::new("unsigned", "there is no sig"))?;
    let given = bytes(given).ok_or(Reason::new("signature", "the signature is not hexadecimal"))?;
    let mut sorted: Vec<&(String, String)> = fields.iter().filter(|(name, _)| name != "sig").collect();
    sorted.sort();
    let mut signed = String::new();
    for (name, value) in sorted {
        // What separates fields must not stand in them.
        signed.push_str(&format!("&{name}={}", value.replace(['&', '='], "_")));
    }
    match secrets::verify(SIGNATURE_SECRET, algorithm, signed.as_bytes(), &given) {
        Ok(true) => {}
        Ok(false) => return Err(Reason::new("signature", "the signature is not of this account's secret")),
        Err(error) => return Err(Reason::new("secret", error.to_string())),
    }
    let seconds = field("timestamp").and_then(|time| time.parse::<u64>().ok());
    let seconds = seconds.ok_or(Reason::new("timestamp", "the time is not a number of seconds"))?;
    let age = context.now_ms.abs_diff(seconds.saturating_mul(1000));
    if age > context.settings.tolerance_ms() {
        return Err(Reason::new("timestamp", format!("signed {} seconds away from now", age / 1000)));
    }
    Ok(())
}

/// Hexadecimal digits as bytes.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

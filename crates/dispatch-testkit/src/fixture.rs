//! Webhook bodies: the twelve fixtures, and as many more like them as a load needs.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::home::repository;

/// A body as the sender would write it.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The file's name without its ending.
    pub name: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

impl Fixture {
    /// A field of the body as text.
    pub fn field(&self, name: &str) -> Option<String> {
        let json: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        json.get(name)?.as_str().map(str::to_owned)
    }
}

/// The folder they are in.
pub fn fixtures_dir() -> PathBuf {
    repository().join("tests/fixtures/highlevel")
}

/// One by its name: `A1_doc_sms`.
pub fn fixture(name: &str) -> anyhow::Result<Fixture> {
    let path = fixtures_dir().join(format!("{name}.json"));
    let body = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Fixture { name: name.to_owned(), body })
}

/// All twelve, by name.
pub fn fixtures() -> anyhow::Result<Vec<Fixture>> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures_dir())?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        // The index tells where the others are from; it is no body.
        .filter(|name| name != "INDEX")
        .collect();
    names.sort();
    names.iter().map(|name| fixture(name)).collect()
}

/// A text message like A1, number `n` of a location, filled up to about `bytes`.
pub fn sms(location: &str, n: u64, bytes: usize) -> Vec<u8> {
    let mut body = serde_json::json!({
        "contactId": format!("C{n:019}"), "locationId": location, "messageId": format!("M{n:019}"),
        "type": "SMS", "phone": format!("+1586{:07}", n % 10_000_000), "message": format!("Message {n}. "),
        "attachments": [], "userId": "GK56r6wdJDrkUPd0xsmx"
    });
    let length = body.to_string().len();
    let text = format!("Message {n}. {}", "words ".repeat(bytes.saturating_sub(length) / 6));
    body["message"] = text.trim_end().into();
    body.to_string().into_bytes()
}

/// A mail like A2, number `n` of a location.
pub fn email(location: &str, n: u64) -> Vec<u8> {
    serde_json::json!({
        "contactId": format!("C{n:019}"), "locationId": location, "messageId": format!("E{n:019}"),
        "emailMessageId": format!("E{n:019}"), "type": "Email", "emailTo": [format!("person{n}@example.com")],
        "emailFrom": "Front Desk <desk@example.org>", "attachments": [],
        "html": format!("<div><p>Mail number {n}.</p></div>"), "subject": format!("Subject {n}"),
        "userId": "GK56r6wdJDrkUPd0xsmx"
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_message_has_about_the_size_asked_for() {
        let body = sms("GKAWb4yu7A4LSc0skQ6g", 7, 1024);
        assert!((1000..=1024).contains(&body.len()), "{}", body.len());
    }
}

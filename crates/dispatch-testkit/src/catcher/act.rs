//! What a provider can do, and what it was asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;

/// What to do with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answer.
    Answer(Answer),
    /// Answer after a while.
    Slow(Duration, Answer),
    /// Answer once the test adds a permit.
    WhenReleased(Arc<Semaphore>, Answer),
    /// Read the request and never answer.
    Hang,
    /// Reset the connection as soon as it stands, before a byte is read.
    ResetAtOnce,
    /// Read the request, then reset the connection.
    ResetAfterReading,
    /// Read the request, then close the connection in good order without an answer.
    CloseAfterReading,
    /// Answer the head at once and the body byte by byte, so long apart.
    Drip(Duration, Answer),
    /// Answer with a body that does not end until the other side has had enough.
    EndlessBody,
    /// Answer with bytes that are no HTTP.
    Garbage(Vec<u8>),
}

impl Act {
    /// The status that the other side gets to read, if any.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer)
            | Self::Slow(_, answer)
            | Self::WhenReleased(_, answer)
            | Self::Drip(_, answer) => Some(answer.status),
            _ => None,
        }
    }
}

/// An answer. `%N%` in the body becomes the number of the request, from 1, so that references differ.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers but for the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// With a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, body.to_string()).header("content-type", "application/json")
    }

    /// With any body.
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// And a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Twilio's word for a message it took.
    pub fn twilio_created() -> Self {
        Self::json(
            201,
            &serde_json::json!({
                "sid": "SM000000000000000000000000%N%", "status": "queued", "num_segments": "1",
                "num_media": "0", "error_code": null, "price": null, "price_unit": "USD"
            }),
        )
    }

    /// Twilio's word for one it did not take.
    pub fn twilio_error(status: u16, code: u32, message: &str) -> Self {
        let more = format!("https://www.twilio.com/docs/errors/{code}");
        Self::json(
            status,
            &serde_json::json!({ "code": code, "message": message, "more_info": more, "status": status }),
        )
    }

    pub(super) fn to_bytes(&self, number: u64) -> (Vec<u8>, Vec<u8>) {
        let body = match crate::client::find(&self.body, b"%N%") {
            None => self.body.clone(),
            Some(_) => {
                String::from_utf8_lossy(&self.body).replace("%N%", &format!("{number:08}")).into_bytes()
            }
        };
        let mut head = format!("HTTP/1.1 {} As-Scripted\r\ncontent-length: {}\r\n", self.status, body.len());
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        (head.into_bytes(), body)
    }
}

impl From<Answer> for Act {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Caught {
    /// `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// The status it was answered with; none where the script has no answer that can be understood.
    pub answered: Option<u16>,
    /// When all of it was there.
    pub at: Instant,
}

impl Caught {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// User and password of `Authorization: Basic`.
    pub fn basic(&self) -> Option<(String, String)> {
        let encoded = self.header("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The body read as a form, in order.
    pub fn form(&self) -> Vec<(String, String)> {
        self.text()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (percent_decoded(key), percent_decoded(value)))
            .collect()
    }

    /// The first value of a form's field.
    pub fn field(&self, name: &str) -> Option<String> {
        self.form().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

fn percent_decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, code.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'+', _) => out.push(b' '),
            (b'%', Some(code)) => {
                out.push(code);
                rest = &tail[2..];
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_meant() {
        let caught = Caught {
            method: "POST".into(),
            target: "/".into(),
            headers: vec![("authorization".into(), "Basic QUM6c2VjOnJldA==".into())],
            body: b"To=%2B52&Body=a+b%26c&MediaUrl=1&MediaUrl=2&odd=%zz".to_vec(),
            answered: Some(201),
            at: Instant::now(),
        };
        assert_eq!(caught.field("To").as_deref(), Some("+52"));
        assert_eq!(caught.field("Body").as_deref(), Some("a b&c"));
        assert_eq!(caught.field("odd").as_deref(), Some("%zz"));
        assert_eq!(caught.form().len(), 5);
        assert_eq!(caught.basic(), Some(("AC".into(), "sec:ret".into())));
    }
}

//! What came of an action: facts, and the road from facts to refusals.

use serde::de::DeserializeOwned;

use crate::{MailReply, Pair, Refusal, SmppReply, status};

/// What came of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A whole HTTP answer, whatever its status.
    Http(Response),
    /// What the relay said.
    Mail(MailReply),
    /// What the message centre said.
    Smpp(SmppReply),
    /// No answer.
    Failed(Failure),
}

impl Reply {
    /// The HTTP answer.
    ///
    /// # Errors
    /// No answer, judged by [`Failure::refusal`]; any other answer is `Unknown`, since the plugin asked for HTTP.
    pub fn http(self) -> Result<Response, Refusal> {
        match self {
            Self::Http(response) => Ok(response),
            Self::Failed(failure) => Err(failure.refusal()),
            Self::Mail(_) | Self::Smpp(_) => {
                Err(Refusal::unknown("reply", "something else than HTTP answered an HTTP request"))
            }
        }
    }

    /// The relay's answer.
    ///
    /// # Errors
    /// No answer, judged by [`Failure::refusal`]; any other answer is `Unknown`, since the plugin handed over a mail.
    pub fn mail(self) -> Result<MailReply, Refusal> {
        match self {
            Self::Mail(reply) => Ok(reply),
            Self::Failed(failure) => Err(failure.refusal()),
            Self::Http(_) | Self::Smpp(_) => {
                Err(Refusal::unknown("reply", "something else than a relay answered a mail"))
            }
        }
    }

    /// The message centre's answer.
    ///
    /// # Errors
    /// No answer, judged by [`Failure::refusal`]; any other answer is `Unknown`, since the plugin handed over a short message.
    pub fn smpp(self) -> Result<SmppReply, Refusal> {
        match self {
            Self::Smpp(reply) => Ok(reply),
            Self::Failed(failure) => Err(failure.refusal()),
            Self::Http(_) | Self::Mail(_) => Err(Refusal::unknown(
                "reply",
                "something else than a message centre answered a short message",
            )),
        }
    }
}

/// A whole HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<Pair>,
    /// At most 1 MiB; cut there.
    pub body: Vec<u8>,
    /// Whether it was cut.
    pub truncated: bool,
    /// When it came, in milliseconds since the Unix epoch: waits given as a date are measured from here.
    pub at_ms: u64,
}

impl Response {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|pair| pair.name == name).map(|pair| pair.value.as_str())
    }

    /// The body as text; bytes that are not UTF-8 become the replacement character.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body read as JSON, where it is that: for errors, whose bodies may be anything.
    pub fn json_if<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// `Unknown`: a success that cannot be read may still have delivered.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Refusal::unknown("unreadable", format!("the answer ({}) cannot be read: {error}", self.status))
        })
    }

    /// This, where the status is 2xx.
    ///
    /// # Errors
    /// Any other status, judged by [`refusal`](Self::refusal).
    pub fn success(&self) -> Result<&Self, Refusal> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(self.refusal()) }
    }

    /// What a status means where the provider's own words are not known: see [`status::refusal`].
    pub fn refusal(&self) -> Refusal {
        status::refusal(self.status, self.retry_after_ms(), &self.excerpt())
    }

    /// The wait that `Retry-After` asks for, in milliseconds, be it seconds or a date.
    pub fn retry_after_ms(&self) -> Option<u64> {
        status::retry_after_ms(self.header("retry-after")?, self.at_ms)
    }

    /// The start of the body as one line, for reasons.
    pub fn excerpt(&self) -> String {
        let start = &self.body[..self.body.len().min(800)];
        let text = String::from_utf8_lossy(start);
        let line: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
        line.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub kind: FailureKind,
    /// For a person.
    pub detail: String,
    /// Whether a byte of the request may have left. `false` is certain.
    pub may_have_left: bool,
}

impl Failure {
    /// What it means for an action that delivers: transient if certainly nothing left, unknown otherwise. What the
    /// host itself refused is a matter of the backend's configuration.
    pub fn refusal(&self) -> Refusal {
        let (code, detail) = (self.kind.as_str(), self.detail.as_str());
        match self.kind {
            FailureKind::Refused => Refusal::account(code, detail),
            _ if self.may_have_left => Refusal::unknown(code, detail),
            _ => Refusal::deferred(code, detail),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The name could not be resolved.
    Dns,
    /// No connection.
    Connect,
    /// No TLS session.
    Tls,
    /// Too slow.
    Timeout,
    /// The connection broke.
    Reset,
    /// What came back is not the protocol.
    Protocol,
    /// The host's own doing: an ungranted or private host, a bad header, an unknown secret.
    Refused,
}

impl FailureKind {
    /// The word used as a code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Refused => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_judged_by_whether_bytes_left() {
        let refusal =
            |kind, may_have_left| Failure { kind, detail: "why".into(), may_have_left }.refusal().kind();
        assert_eq!(refusal(FailureKind::Connect, false), "deferred");
        assert_eq!(refusal(FailureKind::Timeout, false), "deferred");
        assert_eq!(refusal(FailureKind::Timeout, true), "unknown");
        assert_eq!(refusal(FailureKind::Reset, true), "unknown");
        assert_eq!(refusal(FailureKind::Refused, false), "rejected-account");
    }

    #[test]
    fn unreadable_success_is_unknown() {
        let response = Response { status: 200, body: b"<html>".to_vec(), ..Response::default() };
        assert_eq!(response.json::<serde_json::Value>().unwrap_err().kind(), "unknown");
    }

    #[test]
    fn excerpts_are_one_short_line() {
        let body = format!("<html>\r\n\u{1b}[31m  Forbidden{}", " x".repeat(5000)).into_bytes();
        let excerpt = Response { status: 403, body, ..Response::default() }.excerpt();
        assert!(excerpt.starts_with("<html> [31m Forbidden x x"), "{excerpt}");
        assert!(excerpt.len() < 900);
    }
}

//! The answer table: the only place where a status code stands.
//!
//! HighLevel's pages disagree on what is tried again (any non-2xx, or 429 alone), so every temporary
//! inability is 429 and never 5xx, and what is promised or can never be used is 2xx.

use bytes::Bytes;
use dispatch_highlevel::SignatureError;
use dispatch_model::{HttpAnswer, MessageId};
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Situation {
    /// Verified, and durable now.
    Accepted(MessageId),
    /// Verified, and durable since an earlier time.
    Duplicate(MessageId),
    /// Verified and not to be understood; the body is durable.
    Quarantined,
    /// Verified, and nothing to deliver: the probe.
    Ping,
    /// Verified, and nothing to deliver: an event of the platform.
    PlatformEvent,
    /// Not signed, and empty or `{}`: somebody saves the URL.
    UnsignedPing,
    /// No proof, or a wrong one.
    Unproven(SignatureError),
    /// A temporary inability.
    Busy(Busy),
    /// The body is too large.
    TooLarge,
    /// Another method than POST.
    WrongMethod,
    /// No source has this path.
    UnknownPath,
    /// A callback that its plugin believes, and that is durable now. The plugin's own answer takes the place of
    /// this row's.
    CallbackTaken,
    /// A callback that its plugin does not believe.
    CallbackRefused,
    /// A callback to a URL that we did not make.
    StrangeCallback,
    /// A callback for a backend that is not configured now, or receives nothing.
    NotReceiving,
    /// Another method than GET and POST at a callback's URL.
    WrongCallbackMethod,
    /// Not HTTP as it should be.
    Malformed,
    /// The head or the body took too long.
    TooSlow,
    /// The head is too large.
    HeadTooLarge,
}

/// What we cannot do just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Busy {
    /// Not ready yet.
    Starting,
    /// Ending.
    Draining,
    /// Too many connections.
    Connections,
    /// Too many bytes of bodies.
    Memory,
    /// No room on the disk.
    StoreFull,
    /// The location has as much waiting as it may have.
    LocationFull,
    /// The store is busy.
    StoreUnavailable,
    /// The store takes longer than we wait. It may still be stored: the next try is then a duplicate.
    StoreSlow,
    /// The store cannot be trusted any more.
    StoreFailed,
    /// Too many callbacks.
    Callbacks,
    /// A callback takes longer than we wait. What it says may still be kept: the next try is then a repetition.
    CallbackSlow,
    /// The plugin failed over a callback.
    PluginFault,
    /// A mistake of ours.
    Panic,
}

/// An answer, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The word used in the log and in metrics.
    pub(crate) outcome: &'static str,
    pub(crate) body: Bytes,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) retry_after: Option<&'static str>,
    /// Whether the connection ends here: its rest cannot be understood, or should not be waited for.
    pub(crate) close: bool,
}

/// The table.
pub(crate) fn answer(situation: Situation) -> Answer {
    use Situation::*;
    let (status, outcome, body, retry_after, close) = match situation {
        Accepted(id) => (200, "accepted", with_id("accepted", id), None, false),
        Duplicate(id) => (200, "duplicate", with_id("duplicate", id), None, false),
        Quarantined => (200, "quarantined", plain("quarantined"), None, false),
        Ping => (200, "ping", plain("ignored"), None, false),
        PlatformEvent => (200, "platform-event", plain("ignored"), None, false),
        UnsignedPing => (200, "unsigned-ping", plain("ignored"), None, false),
        Unproven(SignatureError::Missing) => (401, "proof-missing", refused("proof missing"), None, true),
        Unproven(SignatureError::Malformed) => {
            (401, "proof-malformed", refused("proof malformed"), None, true)
        }
        Unproven(SignatureError::Wrong) => (401, "proof-wrong", refused("proof wrong"), None, true),
        TooLarge => (413, "too-large", refused("body too large"), None, true),
        WrongMethod => (405, "wrong-method", refused("POST only"), None, true),
        UnknownPath => (404, "unknown-path", refused("no such path"), None, true),
        CallbackTaken => (200, "taken", plain("taken"), None, false),
        CallbackRefused => (403, "refused", refused("not believed"), None, true),
        StrangeCallback => (403, "strange", refused("no such callback"), None, true),
        NotReceiving => (403, "not-receiving", refused("nothing is received here"), None, true),
        WrongCallbackMethod => (405, "wrong-callback-method", refused("GET or POST only"), None, true),
        Malformed => (400, "malformed", refused("malformed request"), None, true),
        TooSlow => (408, "too-slow", refused("too slow"), None, true),
        HeadTooLarge => (431, "head-too-large", refused("head too large"), None, true),
        Busy(busy) => {
            let (outcome, retry_after) = match busy {
                self::Busy::Starting => ("busy-starting", "5"),
                self::Busy::Draining => ("busy-draining", "10"),
                self::Busy::Connections => ("busy-connections", "5"),
                self::Busy::Memory => ("busy-memory", "5"),
                self::Busy::StoreFull => ("busy-store-full", "60"),
                self::Busy::LocationFull => ("busy-location-full", "60"),
                self::Busy::StoreUnavailable => ("busy-store-unavailable", "10"),
                self::Busy::StoreSlow => ("busy-store-slow", "10"),
                self::Busy::StoreFailed => ("busy-store-failed", "60"),
                self::Busy::Callbacks => ("busy-callbacks", "5"),
                self::Busy::CallbackSlow => ("busy-callback-slow", "10"),
                self::Busy::PluginFault => ("busy-plugin-fault", "60"),
                self::Busy::Panic => ("busy-panic", "10"),
            };
            let close = matches!(busy, self::Busy::Draining | self::Busy::Connections);
            (429, outcome, plain("busy"), Some(retry_after), close)
        }
    };
    let status = StatusCode::from_u16(status).expect("the codes above are codes");
    let content_type = Some(HeaderValue::from_static("application/json"));
    Answer { status, outcome, body: body.into(), content_type, retry_after, close }
}

fn plain(status: &str) -> String {
    format!("{{\"status\":\"{status}\"}}")
}

fn with_id(status: &str, id: MessageId) -> String {
    format!("{{\"status\":\"{status}\",\"id\":\"{id}\"}}")
}

fn refused(reason: &str) -> String {
    format!("{{\"status\":\"refused\",\"reason\":\"{reason}\"}}")
}

impl Answer {
    /// What a plugin wants its provider to hear: the contract allows it a 2xx and no other status.
    pub(crate) fn of_plugin(said: HttpAnswer) -> Self {
        let status = StatusCode::from_u16(said.status).ok().filter(StatusCode::is_success);
        Self {
            status: status.unwrap_or(StatusCode::OK),
            body: said.body.0,
            content_type: said.content_type.and_then(|kind| HeaderValue::try_from(kind).ok()),
            ..answer(Situation::CallbackTaken)
        }
    }

    /// As hyper writes it.
    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(kind) = self.content_type {
            headers.insert(CONTENT_TYPE, kind);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                let allowed = if self.outcome == "wrong-method" { "POST" } else { "GET, POST" };
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Signature"));
            }
            _ => {}
        }
        response
    }

    /// As bytes, for where hyper has nothing to say; the connection ends after them.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let retry_after =
            self.retry_after.map(|after| format!("retry-after: {after}\r\n")).unwrap_or_default();
        format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry_after}connection: close\r\n\r\n{}",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or_default(),
            self.body.len(),
            String::from_utf8_lossy(&self.body),
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let id = MessageId::from_i64(5);
        let rows: &[(Situation, u16, bool, bool)] = &[
            (Situation::Accepted(id), 200, false, false),
            (Situation::Duplicate(id), 200, false, false),
            (Situation::Quarantined, 200, false, false),
            (Situation::Ping, 200, false, false),
            (Situation::PlatformEvent, 200, false, false),
            (Situation::UnsignedPing, 200, false, false),
            (Situation::Unproven(SignatureError::Missing), 401, false, true),
            (Situation::Unproven(SignatureError::Malformed), 401, false, true),
            (Situation::Unproven(SignatureError::Wrong), 401, false, true),
            (Situation::CallbackTaken, 200, false, false),
            (Situation::CallbackRefused, 403, false, true),
            (Situation::StrangeCallback, 403, false, true),
            (Situation::NotReceiving, 403, false, true),
            (Situation::WrongCallbackMethod, 405, false, true),
            (Situation::Busy(Busy::Callbacks), 429, true, false),
            (Situation::Busy(Busy::CallbackSlow), 429, true, false),
            (Situation::Busy(Busy::PluginFault), 429, true, false),
            (Situation::Busy(Busy::Starting), 429, true, false),
            (Situation::Busy(Busy::Draining), 429, true, true),
            (Situation::Busy(Busy::Connections), 429, true, true),
            (Situation::Busy(Busy::Memory), 429, true, false),
            (Situation::Busy(Busy::StoreFull), 429, true, false),
            (Situation::Busy(Busy::LocationFull), 429, true, false),
            (Situation::Busy(Busy::StoreUnavailable), 429, true, false),
            (Situation::Busy(Busy::StoreSlow), 429, true, false),
            (Situation::Busy(Busy::StoreFailed), 429, true, false),
            (Situation::Busy(Busy::Panic), 429, true, false),
            (Situation::TooLarge, 413, false, true),
            (Situation::WrongMethod, 405, false, true),
            (Situation::UnknownPath, 404, false, true),
            (Situation::Malformed, 400, false, true),
            (Situation::TooSlow, 408, false, true),
            (Situation::HeadTooLarge, 431, false, true),
        ];
        let mut outcomes = Vec::new();
        for (situation, status, has_retry_after, close) in rows {
            let row = answer(*situation);
            assert_eq!(row.status.as_u16(), *status, "{situation:?}");
            assert_eq!(row.retry_after.is_some(), *has_retry_after, "{situation:?}");
            assert_eq!(row.close, *close, "{situation:?}");
            assert!(serde_json::from_slice::<serde_json::Value>(&row.body).is_ok(), "{:?}", row.body);
            assert!(!outcomes.contains(&row.outcome), "{} stands for two situations", row.outcome);
            outcomes.push(row.outcome);
            let bytes = String::from_utf8(row.clone().into_bytes()).unwrap();
            assert!(
                bytes.starts_with(&format!("HTTP/1.1 {status} "))
                    && bytes.ends_with(std::str::from_utf8(&row.body).unwrap())
            );
            let response = row.into_response();
            assert_eq!(response.headers().contains_key(RETRY_AFTER), *has_retry_after);
            assert_eq!(response.headers().contains_key(CONNECTION), *close);
        }
    }
}

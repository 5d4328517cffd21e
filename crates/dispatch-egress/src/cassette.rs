//! Egress from a record: nothing leaves. For replays, for trying a plugin, and for unit tests.
//!
//! A cassette is a JSON list, answered from top to bottom:
//!
//! ```json
//! [
//!   { "match": { "http": { "method": "POST", "url": "https://api.example.com/*", "body": ["To=%2B525512345678"] } },
//!     "reply": { "http": { "status": 201, "headers": [], "body": "{\"sid\":\"SM1\"}" } } },
//!   { "match": { "mail": { "recipient": "ana@example.com" } },
//!     "reply": { "failed": { "kind": "timeout", "detail": "no answer", "may_have_left": true } } },
//!   { "match": { "fetch": { "url": "https://cdn.example.com/a.png" } }, "repeat": true,
//!     "reply": { "http": { "status": 200, "headers": [{ "name": "content-type", "value": "image/png" }], "body": "…" } } }
//! ]
//! ```
//!
//! Each take answers once, unless it says `"repeat": true`. Secrets stand as `{secret:NAME}` and attachments as
//! `{attachment:INDEX}` in what is matched, so a cassette holds neither.

use async_trait::async_trait;
use dispatch_engine::{Call, Egress, FetchBounds, FetchError, Grants, SpoolContent, Spooled};
use dispatch_model::{
    Action, AttachmentFile, Exchange, FailureKind, HttpRequest, HttpResponse, MailSubmission, Piece, Reply,
    SmppSubmission,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::guard::{self, Target};
use crate::{fetch, media};

/// Actions remembered; a bound only because everything has one.
const TAKEN_MAX: usize = 4096;

/// One answer, and what it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// What it answers.
    #[serde(rename = "match", default)]
    pub matcher: Matcher,
    /// The answer. To a fetch it is the server's HTTP response.
    pub reply: Reply,
    /// Whether it answers again and again.
    #[serde(default)]
    pub repeat: bool,
}

/// What a take answers. Fields that are left out match anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matcher {
    /// Any action.
    #[default]
    Any,
    /// An HTTP request.
    Http(HttpMatcher),
    /// A mail.
    Mail(MailMatcher),
    /// A short message.
    Smpp(SmppMatcher),
    /// The fetching of an attachment.
    Fetch(FetchMatcher),
    /// Exactly this action.
    Exactly(Box<Action>),
}

/// An HTTP request, by what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpMatcher {
    /// The method.
    pub method: Option<String>,
    /// The URL; with `*` at the end, how it begins.
    pub url: Option<String>,
    /// What all must stand in the body.
    pub body: Vec<String>,
}

/// A mail, by what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailMatcher {
    /// The envelope sender.
    pub sender: Option<String>,
    /// One of the envelope recipients.
    pub recipient: Option<String>,
    /// What all must stand in the message.
    pub body: Vec<String>,
}

/// A short message, by what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmppMatcher {
    /// The address it is from.
    pub source: Option<String>,
    /// The address it is to.
    pub destination: Option<String>,
}

/// The fetching of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchMatcher {
    /// The URL; with `*` at the end, how it begins.
    pub url: String,
}

/// Answers from a record.
#[derive(Debug, Default)]
pub struct CassetteEgress {
    takes: Mutex<Vec<Option<Take>>>,
    taken: Mutex<Vec<Action>>,
    guarded: bool,
}

impl CassetteEgress {
    /// Answers with these, in order.
    pub fn new(takes: impl IntoIterator<Item = Take>) -> Self {
        Self { takes: Mutex::new(takes.into_iter().map(Some).collect()), ..Self::default() }
    }

    /// Reads a cassette.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<Vec<Take>>(json).map(Self::new)
    }

    /// The same, refusing what the network would refuse before anything leaves: a URL that cannot be read, and a host
    /// that is not granted. Without TLS everything may be spoken, since nothing is.
    #[must_use]
    pub fn guarded(self) -> Self {
        Self { guarded: true, ..self }
    }

    /// Plays a recorded attempt again: the same actions get the same answers, any other is refused.
    pub fn of_exchanges(exchanges: &[Exchange]) -> Self {
        Self::new(exchanges.iter().map(|exchange| Take {
            matcher: Matcher::Exactly(Box::new(exchange.action.clone())),
            reply: exchange.reply.clone(),
            repeat: false,
        }))
    }

    /// The actions taken so far.
    pub fn taken(&self) -> Vec<Action> {
        self.taken.lock().clone()
    }

    /// How many takes have not been asked for; repeating ones do not count.
    pub fn unused(&self) -> usize {
        self.takes.lock().iter().flatten().filter(|take| !take.repeat).count()
    }

    fn answer(&self, fits: impl Fn(&Matcher) -> bool) -> Option<Reply> {
        let mut takes = self.takes.lock();
        let slot = takes.iter_mut().find(|slot| slot.as_ref().is_some_and(|take| fits(&take.matcher)))?;
        let take = if slot.as_ref().is_some_and(|take| take.repeat) { slot.clone() } else { slot.take() };
        take.map(|take| take.reply)
    }
}

#[async_trait]
impl Egress for CassetteEgress {
    async fn perform(&self, action: &Action, call: &Call<'_>) -> Reply {
        if let (true, Action::Http(request)) = (self.guarded, action)
            && let Err(failure) = permitted(request, call.grants)
        {
            return Reply::Failed { kind: failure.kind, detail: failure.detail, may_have_left: false };
        }
        let mut taken = self.taken.lock();
        if taken.len() < TAKEN_MAX {
            taken.push(action.clone());
        }
        drop(taken);
        self.answer(|matcher| matcher.fits(action)).unwrap_or_else(|| Reply::Failed {
            kind: FailureKind::Refused,
            detail: format!("the cassette has no answer to this: {}", summary(action)),
            may_have_left: false,
        })
    }

    async fn fetch(&self, url: &str, bounds: FetchBounds) -> Result<Spooled, FetchError> {
        let fits = |matcher: &Matcher| matches!(matcher, Matcher::Fetch(fetch) if url_fits(&fetch.url, url));
        match self.answer(fits) {
            Some(Reply::Http(response)) => spooled(response, url, bounds),
            Some(Reply::Failed { kind: FailureKind::Refused, detail, .. }) => {
                Err(FetchError::Refused(detail))
            }
            Some(Reply::Failed { detail, .. }) => Err(FetchError::Transient(detail)),
            Some(Reply::Mail(_) | Reply::Smpp(_)) => Err(FetchError::Refused(
                "the cassette answers a fetch with something else than HTTP".to_owned(),
            )),
            None => Err(FetchError::Refused("the cassette has no answer to this fetch".to_owned())),
        }
    }
}

/// Whether the network would let a request go.
fn permitted(request: &HttpRequest, grants: &Grants) -> Result<(), Failure> {
    let first = request.url.iter().position(|piece| !matches!(piece, Piece::Bytes(_)));
    let secrets_from = first.map(|first| written(&request.url[..first]).len());
    let url = guard::parse(written(&request.url).as_bytes(), secrets_from)?;
    guard::grant(&Target::of(&url)?, &Grants { plaintext: true, ..grants.clone() })
}

impl Matcher {
    fn fits(&self, action: &Action) -> bool {
        match (self, action) {
            (Self::Any, _) => true,
            (Self::Exactly(expected), action) => **expected == *action,
            (Self::Http(matcher), Action::Http(request)) => matcher.fits(request),
            (Self::Mail(matcher), Action::Mail(mail)) => matcher.fits(mail),
            (Self::Smpp(matcher), Action::Smpp(submission)) => matcher.fits(submission),
            _ => false,
        }
    }
}

impl HttpMatcher {
    fn fits(&self, request: &HttpRequest) -> bool {
        let method = self.method.as_ref().is_none_or(|method| *method == request.method);
        let url = self.url.as_ref().is_none_or(|url| url_fits(url, &written(&request.url)));
        method && url && contains_all(&request.body, &self.body)
    }
}

impl MailMatcher {
    fn fits(&self, mail: &MailSubmission) -> bool {
        let sender = self.sender.as_ref().is_none_or(|sender| *sender == mail.sender);
        let recipient = self.recipient.as_ref().is_none_or(|one| mail.recipients.contains(one));
        sender && recipient && contains_all(&mail.body, &self.body)
    }
}

impl SmppMatcher {
    fn fits(&self, submission: &SmppSubmission) -> bool {
        let source = self.source.as_ref().is_none_or(|one| *one == submission.source.address);
        source && self.destination.as_ref().is_none_or(|one| *one == submission.destination.address)
    }
}

fn url_fits(pattern: &str, url: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => url.starts_with(start),
        None => url == pattern,
    }
}

fn contains_all(pieces: &[Piece], parts: &[String]) -> bool {
    if parts.is_empty() {
        return true;
    }
    let text = written(pieces);
    parts.iter().all(|part| text.contains(part))
}

/// Pieces as a person reads them.
fn written(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => out.push_str(&bytes.to_text()),
            Piece::Secret { name, .. } => out.push_str(&format!("{{secret:{name}}}")),
            Piece::Attachment { index, .. } => out.push_str(&format!("{{attachment:{index}}}")),
        }
    }
    out
}

/// What an action is, without what it says.
fn summary(action: &Action) -> String {
    match action {
        Action::Http(request) => {
            let url = written(&request.url);
            format!("{} {}", request.method, url.split(['?', '#']).next().unwrap_or_default())
        }
        Action::Mail(mail) => format!("a mail to {} recipients", mail.recipients.len()),
        Action::Smpp(_) => "a short message".to_owned(),
    }
}

fn spooled(response: HttpResponse, url: &str, bounds: FetchBounds) -> Result<Spooled, FetchError> {
    if response.status != 200 {
        return Err(fetch::no_file(response.status));
    }
    let size = response.body.len() as u64;
    if size > bounds.max_bytes {
        return Err(FetchError::TooLarge(bounds.max_bytes));
    }
    let path = url::Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
    let media_type = media::media_type(response.header("content-type"), &response.body);
    let name = media::file_name(response.header("content-disposition"), &path, &media_type);
    let file = AttachmentFile { name, media_type, size };
    Ok(Spooled { file, content: SpoolContent::Memory(response.body.0) })
}

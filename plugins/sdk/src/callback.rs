//! What providers say on their own: receipts, inbound messages; and what is asked of them about an attempt.

use crate::{Acceptance, Channel, Message, Pair, Reason, Refusal, form};

/// A provider's HTTP callback, untouched. Anybody can send one: believe nothing before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// `GET` or `POST`.
    pub method: String,
    /// The public URL it was sent to, with its query: some signatures cover it.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<Pair>,
    /// The raw body.
    pub body: Vec<u8>,
}

impl Callback {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|pair| pair.name == name).map(|pair| pair.value.as_str())
    }

    /// The fields of the URL's query.
    pub fn query(&self) -> Vec<(String, String)> {
        self.url.split_once('?').map(|(_, query)| form::parse_form(query)).unwrap_or_default()
    }

    /// The fields of a form body.
    pub fn form(&self) -> Vec<(String, String)> {
        form::parse_form(&String::from_utf8_lossy(&self.body))
    }
}

/// What became of a message, by the provider's later word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptState {
    /// Under way; not final.
    Pending,
    /// It arrived.
    Delivered,
    /// It did not arrive.
    Undelivered,
    /// The mail came back.
    Bounced,
    /// The recipient complained.
    Complained,
}

/// The provider's later word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's id, one of those that the acceptance gave.
    pub reference: String,
    /// Our idempotency key, where the provider hands it back: it finds a message whose answer was lost.
    pub key: Option<String>,
    /// Of a message to several recipients, the one that this is about, where the provider says it. At most 1024 bytes.
    pub recipient: Option<String>,
    /// What became of it.
    pub state: ReceiptState,
    /// The provider's code and words.
    pub reason: Option<Reason>,
    /// When it happened by the provider's clock, in milliseconds since the Unix epoch.
    pub at_ms: Option<u64>,
}

impl Receipt {
    /// What became of the message, or the part, with this id.
    pub fn new(reference: impl Into<String>, state: ReceiptState) -> Self {
        Self { reference: reference.into(), key: None, recipient: None, state, reason: None, at_ms: None }
    }

    /// With our idempotency key, where the provider handed it back.
    #[must_use]
    pub fn key(mut self, key: impl Into<Option<String>>) -> Self {
        self.key = key.into();
        self
    }

    /// The provider's code and words.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Option<Reason>>) -> Self {
        self.reason = reason.into();
        self
    }

    /// About this recipient.
    #[must_use]
    pub fn recipient(mut self, recipient: impl Into<String>) -> Self {
        self.recipient = Some(recipient.into());
        self
    }
}

/// A message to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// The provider's id.
    pub id: String,
    /// How it came.
    pub channel: Channel,
    /// Who sent it.
    pub from: String,
    /// To which of our numbers or addresses.
    pub to: String,
    /// The text.
    pub text: String,
    /// Where its media are.
    pub media: Vec<String>,
}

/// One thing a provider said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What became of a message.
    Receipt(Receipt),
    /// A message to us.
    Inbound(Inbound),
}

/// A believed callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// 200 to 299.
    pub status: u16,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// What the provider wants to hear.
    pub body: Vec<u8>,
    /// What it said; at most 10000.
    pub events: Vec<Event>,
}

impl Received {
    /// Answered with an empty 200.
    pub fn new(events: Vec<Event>) -> Self {
        Self { status: 200, content_type: None, body: Vec::new(), events }
    }

    /// Answered with a body.
    #[must_use]
    pub fn answer(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        (self.content_type, self.body) = (Some(content_type.into()), body.into());
        self
    }
}

/// The next step with a callback; `Err` is a [`Reason`] not to believe it.
#[derive(Clone, Debug, PartialEq)]
pub enum ReceiveStep<S> {
    /// Do this first, for example fetch a certificate; come back with the reply and the state.
    Ask(crate::Action, S),
    /// It is genuine, and this is what it says.
    Received(Received),
}

impl<S> From<Received> for ReceiveStep<S> {
    fn from(received: Received) -> Self {
        Self::Received(received)
    }
}

/// An attempt of which nobody knows whether it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The message.
    pub message: Message,
    /// When the attempt began, in milliseconds since the Unix epoch.
    pub attempted_at_ms: u64,
}

/// The next step of a lookup; `Err` is a [`Reason`] why the provider cannot tell.
#[derive(Clone, Debug, PartialEq)]
pub enum LookupStep<S> {
    /// Ask the provider this; come back with the reply and the state.
    Ask(crate::Action, S),
    /// The provider has it, and this is what became of it.
    Found(Result<Acceptance, Refusal>),
    /// The provider does not have it, for certain.
    Absent,
    /// Its list does not show it, and may not yet: it is asked again after so many milliseconds.
    NotYet(u64),
}

//! What providers tell us on their own: receipts and inbound messages; and how we ask about an attempt.

use serde::{Deserialize, Serialize};

use crate::{Ask, Body, Channel, Message, Outcome, Pair, Reason, SmppDelivery, Timestamp};

/// What a provider says on its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Callback {
    /// An HTTP request to our door. Anybody can make one.
    Http(HttpCallback),
    /// What came over the backend's own session.
    Smpp(SmppDelivery),
}

/// A provider's HTTP callback, untouched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpCallback {
    /// `GET` or `POST`.
    pub method: String,
    /// The public URL it was sent to, query and all: some signatures cover it.
    pub url: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<Pair>,
    /// The raw body.
    pub body: Body,
}

/// What a plugin says to a callback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiveStep {
    /// Do this first, for example fetch a certificate. Never an action that delivers.
    Ask(Ask),
    /// It is genuine, and this is what it says.
    Received(Received),
    /// It is not to be believed.
    Refused(Reason),
}

/// A believed callback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// What the provider wants to hear of an HTTP callback.
    pub answer: HttpAnswer,
    /// What it said.
    pub events: Vec<Event>,
}

/// The answer to an HTTP callback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// 200 to 299.
    pub status: u16,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Body,
}

impl Default for HttpAnswer {
    /// An empty 200.
    fn default() -> Self {
        Self { status: 200, content_type: None, body: Body::default() }
    }
}

/// One thing a provider said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// What became of a message.
    Receipt(Receipt),
    /// A message to us.
    Inbound(InboundMessage),
}

/// The provider's later word about a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The provider's id of the message or of one of its parts, as `accepted` gave it.
    pub reference: String,
    /// Our idempotency key, where the provider hands it back: it finds a message whose answer was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Of a message to several recipients, the one that this is about, where the provider says it.
    #[serde(default)]
    pub recipient: Option<String>,
    /// What became of it.
    pub state: ReceiptState,
    /// The provider's code and words.
    pub reason: Option<Reason>,
    /// When it happened, by the provider's clock.
    pub at: Option<Timestamp>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum ReceiptState {
    /// Under way; not final.
    Pending = 0,
    /// It arrived.
    Delivered = 1,
    /// It did not arrive.
    Undelivered = 2,
    /// The mail came back.
    Bounced = 3,
    /// The recipient complained.
    Complained = 4,
}

/// A message to us.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboundMessage {
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

/// A question about an attempt whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookupQuery {
    /// The message.
    pub message: Message,
    /// When the attempt began.
    pub attempted_at: Timestamp,
}

/// What a plugin says to a lookup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupStep {
    /// Ask the provider this. Never an action that delivers.
    Ask(Ask),
    /// The provider has it, and this is what became of it.
    Found(Outcome),
    /// The provider does not have it.
    Absent,
    /// Its list may not show it yet: it is to be asked again after so many milliseconds.
    NotYet(u64),
    /// The provider cannot say.
    CannotTell(Reason),
}

//! The nouns of dispatcher and their legal transitions.
//!
//! Everything here is plain data: no IO, no async, no clock and no ambient randomness. Time and
//! randomness are arguments, so that the same code plans, explains, replays and is tested.
//!
//! One message goes: submission -> (admitted) message -> plan -> delivery -> attempts -> outcome.

mod action;
mod attempt;
mod body;
mod callback;
mod delivery;
mod description;
mod id;
mod message;
mod outcome;
mod policy;
mod receipts;
mod reply;
mod secret;
mod settle;
mod smpp;
mod step;
mod text;
mod time;

pub use action::{
    Action, AttachmentEncoding, ClientCredentials, Credential, Escape, Header, HttpRequest, MailSubmission,
    Piece, SigV4,
};
pub use attempt::{AttemptRecord, Context, Exchange};
pub use body::Body;
pub use callback::{
    Callback, Event, HttpAnswer, HttpCallback, InboundMessage, LookupQuery, LookupStep, Receipt,
    ReceiptState, ReceiveStep, Received,
};
pub use delivery::{Delivery, DeliveryState, Lane, Lease, Plan};
pub use description::{Asks, Description, MediaSupport, ProviderLimits, SecretAsk, SettingProblem};
pub use id::{BackendName, ContactId, LocationId, MessageId, ParseIdError, RouteName, SourceName};
pub use message::{
    Attachment, AttachmentFile, Channel, Content, Direction, EmailContent, Message, PhoneNumber, SmsContent,
    Submission,
};
pub use outcome::{Acceptance, Fault, Outcome, Reason, RefusedRecipient, Rejection};
pub use policy::{AttachmentPolicy, OnUnknown, Policy, RetrySchedule};
pub use receipts::{HeardReceipt, hear};
pub use reply::{FailureKind, HttpResponse, MailReply, MailStage, Pair, RecipientReply, Reply, SmtpReply};
pub use secret::Secret;
pub use settle::{
    Access, BACKEND_GONE, EXPIRED, End, Facts, Finish, LaneEffect, NO_INBOUND_ROUTE, NO_ROUTE, PLUGIN_FAULT,
    Place, SUPPRESSED, Settled, plan, settle,
};
pub use smpp::{SmppAddress, SmppDelivery, SmppReply, SmppStage, SmppSubmission, SmppTlv};
pub use step::{Ask, Effect, Step};
pub use text::{TextEncoding, TextPolicy, TooLong, Transliterate, WrittenText};
pub use time::{Clock, Timestamp};

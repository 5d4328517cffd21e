//! What most calls are given, as the contract has it and as it lies on the host: lent to the call and written into the
//! guest's memory from there, the only copy that is made. What is rare is owned, and generated (contract.rs).

#![allow(unsafe_code, reason = "derived: lowering a value is unsafe inside")]

use wasmtime::component::{ComponentType, Lower};

use crate::contract::wit;

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a str,
    #[component(name = "now-ms")]
    pub(crate) now_ms: u64,
    #[component(name = "deadline-ms")]
    pub(crate) deadline_ms: u64,
    pub(crate) number: u32,
    #[component(name = "idempotency-key")]
    pub(crate) idempotency_key: &'a str,
    #[component(name = "callback-url")]
    pub(crate) callback_url: Option<&'a str>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Pair<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

/// A pair whose value is written for the call.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Extra<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: String,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Message<'a> {
    pub(crate) id: String,
    pub(crate) channel: wit::Channel,
    pub(crate) location: &'a str,
    pub(crate) contact: Option<&'a str>,
    pub(crate) to: Vec<&'a str>,
    pub(crate) cc: &'a [String],
    pub(crate) bcc: &'a [String],
    pub(crate) sender: Option<&'a str>,
    pub(crate) text: Option<&'a str>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) html: Option<&'a str>,
    #[component(name = "in-reply-to")]
    pub(crate) in_reply_to: Option<&'a str>,
    pub(crate) attachments: Vec<Attachment<'a>>,
    pub(crate) extra: Vec<Extra<'a>>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Attachment<'a> {
    pub(crate) url: &'a str,
    pub(crate) file: Option<AttachmentFile<'a>>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct AttachmentFile<'a> {
    pub(crate) name: &'a str,
    #[component(name = "media-type")]
    pub(crate) media_type: &'a str,
    pub(crate) size: u64,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum Reply<'a> {
    #[component(name = "http")]
    Http(HttpResponse<'a>),
    #[component(name = "mail")]
    Mail(wit::MailReply),
    #[component(name = "smpp")]
    Smpp(wit::SmppReply),
    #[component(name = "failed")]
    Failed(wit::Failure),
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct HttpResponse<'a> {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Pair<'a>>,
    pub(crate) body: &'a [u8],
    pub(crate) truncated: bool,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LookupQuery<'a> {
    pub(crate) message: Message<'a>,
    #[component(name = "attempted-at-ms")]
    pub(crate) attempted_at_ms: u64,
}

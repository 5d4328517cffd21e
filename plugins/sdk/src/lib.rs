//! Write delivery plugins for dispatcher.
//!
//! A plugin decides, the host acts: it is a set of pure functions that say which request to make for a message and what
//! the provider's answer means. It has no clock, no network, no files and no secrets, so a test of it is a line: this
//! message gives this request, this answer gives this outcome. Tests run natively with `cargo test`; the types here are
//! plain, and only the built component knows the contract's own.
//!
//! ```
//! use dispatcher_plugin::*;
//!
//! struct Acme;
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Settings { from: String }
//!
//! #[derive(serde::Deserialize)]
//! struct Answer { id: String }
//!
//! impl Plugin for Acme {
//!     type Settings = Settings;
//!
//!     fn describe() -> Description {
//!         let schema = r#"{"type":"object","properties":{"from":{"type":"string"}},"required":["from"]}"#;
//!         Description::new("acme", "1.0.0", "SMS by Acme", &[Channel::Sms], schema)
//!             .secret("api_key", "The API key, under Account > Keys")
//!     }
//!
//!     fn check(settings: &Settings, check: &mut Check) {
//!         check.host("api.acme.example");
//!         check.that(settings.from.starts_with('+'), "from", "write the number with its country: +52...");
//!     }
//! }
//!
//! impl Deliver for Acme {
//!     fn request(context: &Context<Settings>, message: &Message) -> Result<Request, Refusal> {
//!         Ok(Request::post("https://api.acme.example/messages")
//!             .credential(Credential::bearer("api_key"))
//!             .json(&serde_json::json!({
//!                 "from": context.settings.from, "to": message.recipient(), "text": message.body(),
//!             })))
//!     }
//!
//!     fn outcome(_: &Context<Settings>, response: &Response) -> Result<Acceptance, Refusal> {
//!         let answer: Answer = response.success()?.json()?;
//!         Ok(Acceptance::reference(answer.id))
//!     }
//! }
//!
//! export!(Acme: Deliver);
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown` with `wasm-component-ld` as the linker.

mod callback;
mod check;
mod context;
mod description;
mod form;
mod host;
mod html;
mod json;
mod letter;
mod mail;
mod mailbox;
mod message;
mod multipart;
mod outcome;
mod phone;
mod piece;
mod plugin;
mod repair;
mod reply;
mod request;
mod smpp;
pub mod sms;
pub mod status;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod edge;
mod export;

pub use callback::{
    Callback, Event, Inbound, LookupStep, Query, Receipt, ReceiptState, ReceiveStep, Received,
};
pub use check::{Check, check, host_of, settings};
pub use context::Context;
pub use description::{Asks, Description, Media, Problem, SecretAsk};
pub use form::{Form, parse_form, percent, unpercent};
pub use host::{log, secrets};
pub use html::html_to_text;
pub use json::Json;
pub use letter::{File, Letter, MailSettings, Recipients, Sender};
pub use mail::{Mail, MailReply, MailStage, RecipientReply, SmtpReply};
pub use mailbox::Mailbox;
pub use message::{Attachment, AttachmentFile, Channel, Message, Pair};
pub use multipart::Multipart;
pub use outcome::{Acceptance, Outcome, Reason, Refusal, RefusedRecipient};
pub use phone::{PhoneFormat, SenderKind};
pub use piece::{Encoding, Escape, Piece, Pieces};
pub use plugin::{Action, Deliver, DeliverSteps, Lookup, Plugin, Receive, ReceiveSmpp, Step};
pub use reply::{Failure, FailureKind, Reply, Response};
pub use request::{Credential, Request};
pub use smpp::{ShortMessage, SmppAddress, SmppDelivery, SmppReply, SmppStage, SmppTlv};

/// The README's plugins are compiled as they stand there.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    #[test]
    fn a_useful_plugin_has_less_than_forty_lines() {
        let readme = include_str!("../README.md");
        let plugin = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
        let lines = plugin.expect("the README has a plugin").lines().filter(|line| !line.trim().is_empty());
        let lines = lines.count();
        assert!((20..40).contains(&lines), "it has {lines}");
    }
}

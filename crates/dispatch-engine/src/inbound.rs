//! Messages from people: kept as messages of the other direction, and what they say of their sender's wish.
//!
//! ```text
//! event -> whose is it? -> submission + wish --(one transaction)--> message, suppression -> the planner
//! ```
//!
//! From there on it is a message like any other: an inbound route plans it, and a backend's plugin delivers it.

use dispatch_model::{
    BackendName, Channel, Content, Direction, EmailContent, InboundMessage, LocationId, PhoneNumber,
    SmsContent, Submission, Timestamp,
};
use dispatch_store::{Admitted, Consent, Filter, Lift, NewInbound, StoreError, Suppression};
use dispatch_text::{Wish, address_form, to_e164};
use serde_json::json;

use crate::Caller;
use crate::core::Core;

/// Messages from people, by backend and whether they were new.
pub const INBOUND_TOTAL: &str = "dispatcher_inbound_total";
/// Opt-out words and those that take them back, by backend.
pub const WISHES_TOTAL: &str = "dispatcher_opt_outs_total";

/// Pages looked through for the last message to a person. Each looks at thousands of rows by an index of this very
/// person's: beyond them nobody remembers either.
const PAGES: usize = 8;

/// Keeps a message from a person. When it returns `Ok`, it is on disk.
pub(crate) async fn take(
    core: &Core,
    caller: &Caller,
    inbound: &InboundMessage,
    received_at: Timestamp,
) -> Result<(), StoreError> {
    let backend = &caller.backend;
    let location = match &caller.location {
        Some(location) => Some(location.clone()),
        None => last_to_write(core, backend, inbound).await?,
    };
    let wish = core.setup.load().opt_out.read(&inbound.text);
    let mut submission = submission(backend, location.clone(), inbound, received_at);
    if let Some(wish) = wish {
        submission.extra.insert("opt_out".to_owned(), json!(word(wish)));
    }
    let admitted = match wish {
        None => core.store.receive(NewInbound { submission, consent: None }).await?,
        Some(wish) => {
            let consent = consent(wish, caller, location, inbound, received_at);
            heed(core, submission, consent).await?
        }
    };
    tell(backend, inbound.channel, wish, &admitted);
    if let Admitted::Fresh(message) = admitted
        && core.queue.try_send(message).is_err()
    {
        core.rescan();
    }
    Ok(())
}

/// Keeps a message that says what its sender wishes, and the wish.
async fn heed(core: &Core, submission: Submission, consent: Consent) -> Result<Admitted, StoreError> {
    let (channel, address) = match &consent {
        Consent::Stop(suppression) => (suppression.channel, suppression.address.clone()),
        Consent::Start(lift) => (lift.channel, lift.address.clone()),
    };
    let _alone = core.suppressed.changing().await;
    if let Consent::Stop(suppression) = &consent {
        core.suppressed.add(suppression);
    }
    let admitted = core.store.receive(NewInbound { submission, consent: Some(consent) }).await;
    // Also where it failed: the provider brings it again, and until then the copy says what the store does. A repeated
    // one changed nothing, and must not do so here.
    core.suppressed.refresh(&*core.store, channel, &address).await?;
    admitted
}

/// The location that last wrote to this person by this backend.
async fn last_to_write(
    core: &Core,
    backend: &BackendName,
    inbound: &InboundMessage,
) -> Result<Option<LocationId>, StoreError> {
    let filter = Filter {
        recipient: Some(address_form(inbound.channel, &inbound.from)),
        backend: Some(backend.clone()),
        channel: Some(inbound.channel),
        inbound: Some(false),
        ..Filter::default()
    };
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = core.store.search(filter.clone(), cursor, 1).await?;
        if let Some(last) = page.items.into_iter().next() {
            return Ok(Some(last.location));
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(None)
}

fn consent(
    wish: Wish,
    caller: &Caller,
    location: Option<LocationId>,
    inbound: &InboundMessage,
    at: Timestamp,
) -> Consent {
    let channel = inbound.channel;
    let address = address_form(channel, &inbound.from);
    match wish {
        Wish::Stop => Consent::Stop(Suppression {
            channel,
            address,
            location,
            since: at,
            backend: Some(caller.backend.clone()),
            note: inbound.text.trim().to_owned(),
        }),
        Wish::Start => {
            // Who wrote last may be another client than the one that was stopped: the number is the same.
            let backend = caller.location.is_none().then(|| caller.backend.clone());
            Consent::Start(Lift { channel, address, location, backend })
        }
    }
}

/// What a backend brought from a person, as a submission. Where its location is not known, it has an empty one.
pub fn submission(
    backend: &BackendName,
    location: Option<LocationId>,
    inbound: &InboundMessage,
    received_at: Timestamp,
) -> Submission {
    let number = |text: &str| PhoneNumber {
        original: text.to_owned(),
        e164: to_e164(text, None).ok().map(dispatch_text::E164::into_string),
    };
    let from = match inbound.channel {
        Channel::Sms => number(&inbound.from).best().to_owned(),
        Channel::Email => inbound.from.clone(),
    };
    let content = match inbound.channel {
        Channel::Sms => Content::Sms(SmsContent { to: number(&inbound.to), text: inbound.text.clone() }),
        Channel::Email => Content::Email(EmailContent {
            from: Some(from.clone()),
            to: vec![inbound.to.clone()],
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: String::new(),
            html: String::new(),
            text: Some(inbound.text.clone()),
            in_reply_to: None,
        }),
    };
    let attachment = |url: &String| dispatch_model::Attachment { url: url.clone(), file: None };
    let extra = [("direction", "inbound"), ("backend", backend.as_str()), ("id", &inbound.id)];
    Submission {
        direction: Direction::Inbound { from },
        source: backend.as_str().into(),
        location: location.unwrap_or_else(|| "".into()),
        external_id: inbound.id.clone(),
        contact: None,
        received_at,
        content,
        attachments: inbound.media.iter().map(attachment).collect(),
        extra: extra.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect(),
        problem: None,
    }
}

fn word(wish: Wish) -> &'static str {
    match wish {
        Wish::Stop => "stop",
        Wish::Start => "start",
    }
}

/// One line and one count: ids, never an address or a text.
fn tell(backend: &BackendName, channel: Channel, wish: Option<Wish>, admitted: &Admitted) {
    let (result, id, location) = match admitted {
        Admitted::Fresh(message) | Admitted::Waiting(message) => {
            ("fresh", message.id, Some(message.location.as_str()))
        }
        Admitted::Duplicate(id) => ("duplicate", *id, None),
    };
    metrics::counter!(INBOUND_TOTAL, "backend" => backend.as_str().to_owned(), "result" => result)
        .increment(1);
    let opt_out = wish.map(word);
    if let (Some(kind), Admitted::Fresh(_) | Admitted::Waiting(_)) = (opt_out, admitted) {
        metrics::counter!(WISHES_TOTAL, "backend" => backend.as_str().to_owned(), "kind" => kind)
            .increment(1);
    }
    tracing::info!(message_id = %id, backend = %backend, location, channel = channel.as_str(), result, opt_out, "inbound.kept");
}

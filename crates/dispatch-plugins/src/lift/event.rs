//! What a provider said by callback.

use dispatch_model::{
    Body, Channel, Event, Fault, HttpAnswer, InboundMessage, Receipt, ReceiptState, Received, Timestamp,
};

use super::{bounded, outcome};
use crate::contract::wit;
use crate::fault::contract;
use crate::text;

/// Events of one callback: the contract says so. SendGrid's batches are bounded by bytes, and an event has a hundred and more.
const EVENTS_MAX: usize = 10_000;
/// Bytes of the answer: providers want a word or an empty document.
const ANSWER_MAX: usize = 64 << 10;
/// Bytes of a media type.
const CONTENT_TYPE_MAX: usize = 256;
/// Bytes of an address, and of a URL.
const ADDRESS_MAX: usize = 1024;
const URL_MAX: usize = 4096;
/// Media of an inbound message; providers stop at ten.
const MEDIA_MAX: usize = 100;

pub(super) fn received(received: wit::Received) -> Result<Received, Fault> {
    bounded("events", received.events.len(), EVENTS_MAX)?;
    Ok(Received {
        answer: received.answer.map(answer).transpose()?.unwrap_or_default(),
        events: received.events.into_iter().map(event).collect::<Result<_, _>>()?,
    })
}

fn answer(answer: wit::HttpAnswer) -> Result<HttpAnswer, Fault> {
    bounded("bytes of an answer", answer.body.len(), ANSWER_MAX)?;
    if !(200..300).contains(&answer.status) {
        return Err(contract(format!("the answer {} to a believed callback, not 200 to 299", answer.status)));
    }
    if let Some(kind) = &answer.content_type
        && (kind.len() > CONTENT_TYPE_MAX || !kind.bytes().all(|byte| (b' '..0x7f).contains(&byte)))
    {
        return Err(contract("a content type that no header can carry"));
    }
    Ok(HttpAnswer { status: answer.status, content_type: answer.content_type, body: Body::from(answer.body) })
}

fn event(event: wit::Event) -> Result<Event, Fault> {
    Ok(match event {
        wit::Event::Receipt(said) => Event::Receipt(receipt(said)?),
        wit::Event::Inbound(inbound) => Event::Inbound(inbound_message(inbound)?),
    })
}

fn receipt(receipt: wit::Receipt) -> Result<Receipt, Fault> {
    if let Some(recipient) = &receipt.recipient {
        address(recipient)?;
    }
    Ok(Receipt {
        reference: outcome::reference(receipt.reference)?,
        key: receipt.key.map(outcome::reference).transpose()?,
        recipient: receipt.recipient,
        state: match receipt.state {
            wit::ReceiptState::Pending => ReceiptState::Pending,
            wit::ReceiptState::Delivered => ReceiptState::Delivered,
            wit::ReceiptState::Undelivered => ReceiptState::Undelivered,
            wit::ReceiptState::Bounced => ReceiptState::Bounced,
            wit::ReceiptState::Complained => ReceiptState::Complained,
        },
        reason: receipt.reason.map(outcome::reason),
        at: receipt.at_ms.and_then(|at| i64::try_from(at).ok()).map(Timestamp::from_millis),
    })
}

/// An address of the provider's: bounded, and fit to be shown as it is.
fn address(address: &str) -> Result<(), Fault> {
    bounded("bytes of an address", address.len(), ADDRESS_MAX)?;
    if address.chars().any(text::unprintable) {
        return Err(contract("an address with control characters"));
    }
    Ok(())
}

fn inbound_message(inbound: wit::InboundMessage) -> Result<InboundMessage, Fault> {
    bounded("media", inbound.media.len(), MEDIA_MAX)?;
    for url in &inbound.media {
        bounded("bytes of a media URL", url.len(), URL_MAX)?;
    }
    address(&inbound.from)?;
    address(&inbound.to)?;
    Ok(InboundMessage {
        id: outcome::reference(inbound.id)?,
        channel: match inbound.channel {
            wit::Channel::Sms => Channel::Sms,
            wit::Channel::Email => Channel::Email,
        },
        from: inbound.from,
        to: inbound.to,
        text: inbound.text,
        media: inbound.media,
    })
}

//! What a hostile guest says to the host. The puppet (`plugins/fixtures/puppet.rs`) makes values of the contract's types
//! from a script of bytes, in the real sandbox; the host takes them or ends the call with a fault, and what it took keeps
//! every bound that the rest of the daemon relies on.

use std::sync::Arc;

use dispatch_engine::Backend as _;
use dispatch_model::{
    Action, Ask, Callback, Event, Fault, HttpCallback, HttpResponse, LookupStep, Outcome, ReceiveStep, Reply,
    Step,
};

use crate::guests::told;
use crate::{Bench, Seen, Verdict, callback};

pub(crate) const WORDS: &[&str] = &[
    "\u{0}",
    "\u{1}",
    "\u{2}",
    "\u{3}",
    "\u{fa}",
    "\u{5}SM123",
    "\u{8}https://",
    "\u{6}a@b.mx",
    "\u{2}\r\n",
    "\u{4}\u{1b}[2J",
    "\u{3}\u{202e}",
];

/// Bounds that the contract names, in bytes or items.
const REFERENCE: usize = 256;
const REFERENCES: usize = 64;
const WORDS_OF_A_REASON: usize = 1024;
const STATE: usize = 64 << 10;
const PIECES: usize = 4096;
const EVENTS: usize = 10_000;
const RECIPIENTS: usize = 100;

fn that(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("past the host came {what}")) }
}

/// A fault is what ends a guest that breaks the contract. One of time would say that the host's own work is unbounded.
fn taken<T>(done: Result<T, Fault>) -> Result<Result<T, Seen>, String> {
    match done {
        Ok(value) => Ok(Ok(value)),
        Err(fault @ Fault::Deadline { .. }) => Err(fault.to_string()),
        Err(fault) => Ok(Err(Seen::of(&fault.to_string()))),
    }
}

fn reply(script: &[u8]) -> Reply {
    Reply::Http(HttpResponse {
        status: 200,
        headers: Vec::new(),
        body: script.to_vec().into(),
        truncated: false,
    })
}

/// The guest's own memory, as the SDK writes it.
const NO_STATE: &[u8] = b"\"\"";

/// Steps of an attempt.
pub(crate) fn step(bench: &Bench, script: &[u8]) -> Verdict {
    let (guests, puppet) = (&bench.guests, &bench.guests.puppet);
    let (context, reply) = (puppet.context(), Arc::new(reply(script)));
    let call = puppet.plugin.on_reply(&context, NO_STATE, &reply, &guests.grants);
    let step = match taken(guests.runtime.block_on(call))? {
        Ok(step) => step,
        Err(seen) => return Ok(seen),
    };
    match &step {
        Step::Ask(ask) => check_ask(ask)?,
        Step::Done(outcome) => check_outcome(outcome)?,
    }
    Ok(Seen::of(&told(&step)))
}

/// What is said of a callback.
pub(crate) fn receive(bench: &Bench, script: &[u8]) -> Verdict {
    let (guests, puppet) = (&bench.guests, &bench.guests.puppet);
    let callback = Callback::Http(HttpCallback {
        method: "POST".into(),
        url: "https://d.example.com/callbacks/t0k3n".into(),
        headers: Vec::new(),
        body: script.to_vec().into(),
    });
    let context = puppet.context();
    let call = puppet.plugin.receive(&context, &callback, &guests.grants);
    let step = match taken(guests.runtime.block_on(call))? {
        Ok(step) => step,
        Err(seen) => return Ok(seen),
    };
    match &step {
        ReceiveStep::Ask(ask) => {
            check_ask(ask)?;
            that(ask.effect == dispatch_model::Effect::None, "a callback that delivers")?;
        }
        ReceiveStep::Refused(reason) => that(printable(&reason.to_string()), "words that no terminal takes")?,
        ReceiveStep::Received(received) => {
            that((200..300).contains(&received.answer.status), "an answer other than 2xx")?;
            that(received.events.len() <= EVENTS, "more events than a callback may have")?;
            for event in &received.events {
                check_event(event)?;
            }
        }
    }
    Ok(Seen::of(&callback::told(&step)))
}

/// What is said of an attempt that nobody knows the end of.
pub(crate) fn lookup(bench: &Bench, script: &[u8]) -> Verdict {
    let (guests, puppet) = (&bench.guests, &bench.guests.puppet);
    let (context, reply) = (puppet.context(), Arc::new(reply(script)));
    let call = puppet.plugin.on_lookup_reply(&context, NO_STATE, &reply, &guests.grants);
    let step = match taken(guests.runtime.block_on(call))? {
        Ok(step) => step,
        Err(seen) => return Ok(seen),
    };
    Ok(match &step {
        LookupStep::Ask(ask) => {
            check_ask(ask)?;
            that(ask.effect == dispatch_model::Effect::None, "a question that delivers")?;
            Seen::of("asks")
        }
        LookupStep::Found(outcome) => {
            check_outcome(outcome)?;
            Seen::of(outcome.kind())
        }
        LookupStep::Absent => Seen::of("absent"),
        LookupStep::NotYet(_) => Seen::of("not yet"),
        LookupStep::CannotTell(reason) => {
            that(printable(&reason.to_string()), "words that no terminal takes")?;
            Seen::of("cannot tell")
        }
    })
}

fn check_ask(ask: &Ask) -> Result<(), String> {
    that(ask.state.len() <= STATE, "more state than allowed")?;
    match &ask.action {
        Action::Http(request) => {
            let pieces = request.url.len() + request.body.len();
            let pieces = pieces + request.headers.iter().map(|header| header.value.len()).sum::<usize>();
            that(pieces <= PIECES, "more pieces than a request may have")?;
            that(request.redirects <= 5, "more redirects than allowed")?;
            let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
            that(methods.contains(&request.method.to_string().as_str()), "a method other than the five")
        }
        Action::Mail(mail) => {
            that(mail.recipients.len() <= RECIPIENTS, "more recipients than allowed")?;
            that(mail.body.len() <= PIECES, "more pieces than a mail may have")
        }
        Action::Smpp(submission) => {
            that(submission.short_message.len() <= 254, "a short message that is too long")?;
            that(submission.tlvs.len() <= 32, "more tagged values than allowed")?;
            let ascii =
                |text: &str| text.len() <= 20 && text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
            that(ascii(&submission.source.address) && ascii(&submission.destination.address), "no address")
        }
    }
}

fn check_outcome(outcome: &Outcome) -> Result<(), String> {
    if let Some(reason) = outcome.reason() {
        that(
            reason.code.len() <= 64 && reason.message.len() <= WORDS_OF_A_REASON,
            "a reason that is too long",
        )?;
        that(printable(&reason.to_string()), "words that no terminal takes")?;
    }
    if let Outcome::Accepted(acceptance) = outcome {
        that(acceptance.references.len() <= REFERENCES, "more references than allowed")?;
        for reference in &acceptance.references {
            check_reference(reference)?;
        }
        that(acceptance.refused.len() <= RECIPIENTS, "more refused recipients than allowed")?;
    }
    Ok(())
}

fn check_reference(reference: &str) -> Result<(), String> {
    that((1..=REFERENCE).contains(&reference.len()) && printable(reference), "a reference that is none")
}

fn check_event(event: &Event) -> Result<(), String> {
    match event {
        Event::Receipt(receipt) => {
            check_reference(&receipt.reference)?;
            receipt.key.as_deref().map_or(Ok(()), check_reference)?;
            that(receipt.recipient.as_deref().is_none_or(printable), "an address that no terminal takes")
        }
        Event::Inbound(inbound) => {
            check_reference(&inbound.id)?;
            that(printable(&inbound.from) && printable(&inbound.to), "an address that no terminal takes")
        }
    }
}

/// Nothing that moves a cursor, turns the writing round or begins a line.
fn printable(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() || ('\u{202a}'..='\u{202e}').contains(&letter))
}

//! What providers say on their own, taken: by a callback's URL and the plugin that reads it, or by a session that
//! the host holds. Everything said is on disk before anybody is told that it was heard.

use dispatch_model::{Callback, Event, Fault, HttpAnswer, Reason};
use dispatch_store::{About, Heard, NewReceipt, News, StoreError};

use crate::core::Core;
use crate::question::ReceiveOutcome;
use crate::{Caller, Setup, inbound, question};

/// Receipts, by backend, state and what became of them.
pub const RECEIPTS_TOTAL: &str = "dispatcher_receipts_total";

/// Events of one store call: a commit that others do not have to wait for long.
const BATCH: usize = 200;

/// How a callback ended.
#[derive(Debug, Clone, PartialEq)]
pub enum CallbackEnd {
    /// Believed, and all it said is on disk.
    Taken {
        /// What the provider wants to hear.
        answer: HttpAnswer,
        /// What became of what it said.
        tally: Tally,
    },
    /// The plugin does not believe it.
    Refused(Reason),
    /// The configuration has no such backend, or its plugin receives nothing.
    NotReceiving,
    /// The host ended the plugin's call.
    Fault(Fault),
    /// It cannot be kept just now.
    Store(StoreError),
    /// The engine is stopping.
    Stopping,
}

/// How many events became what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// New ones, kept with their message.
    pub fresh: usize,
    /// Had before.
    pub duplicates: usize,
    /// Waiting for a message that knows them.
    pub parked: usize,
    /// More than are kept of a message.
    pub surplus: usize,
    /// Inbound messages, kept.
    pub inbound: usize,
}

/// Gives a callback to its backend's plugin, and keeps what it says.
pub(crate) async fn callback(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    callback: &Callback,
) -> CallbackEnd {
    if core.stop.is_cancelled() {
        return CallbackEnd::Stopping;
    }
    let location = caller.location.as_ref();
    let received = match question::receive(core, setup, &caller.backend, location, callback).await {
        ReceiveOutcome::Received(received) => received,
        ReceiveOutcome::Refused(reason) => return CallbackEnd::Refused(reason),
        ReceiveOutcome::NotReceiving => return CallbackEnd::NotReceiving,
        ReceiveOutcome::Fault(fault) => return CallbackEnd::Fault(fault),
        ReceiveOutcome::Stopping => return CallbackEnd::Stopping,
    };
    match hear(core, caller, received.events).await {
        Ok(tally) => CallbackEnd::Taken { answer: received.answer, tally },
        Err(error) => {
            core.store_failed("keeping what a callback says", &error);
            CallbackEnd::Store(error)
        }
    }
}

/// Keeps what a provider said. When it returns `Ok`, all of it is on disk.
pub(crate) async fn hear(core: &Core, caller: &Caller, events: Vec<Event>) -> Result<Tally, StoreError> {
    let received_at = core.now();
    let mut tally = Tally::default();
    let mut receipts = Vec::new();
    for event in events {
        match event {
            Event::Receipt(mut receipt) => {
                let key = receipt.key.take();
                receipts.push(NewReceipt {
                    backend: caller.backend.clone(),
                    location: caller.location.clone(),
                    about: caller.about,
                    key: key.and_then(|key| About::of_key(&key)),
                    receipt,
                    received_at,
                });
            }
            Event::Inbound(inbound) => {
                inbound::take(core, caller, &inbound, received_at).await?;
                tally.inbound += 1;
            }
        }
    }
    for batch in receipts.chunks(BATCH) {
        let heard = core.store.hear(batch.iter().cloned().map(News::Receipt).collect()).await?;
        for (new, heard) in batch.iter().zip(heard) {
            tally.note(heard);
            tell(new, heard);
        }
    }
    Ok(tally)
}

impl Tally {
    fn note(&mut self, heard: Heard) {
        match heard {
            Heard::Fresh(_) => self.fresh += 1,
            Heard::Duplicate(_) => self.duplicates += 1,
            Heard::Parked => self.parked += 1,
            Heard::Surplus(_) => self.surplus += 1,
        }
    }
}

/// One line and one count for each receipt: ids and states, never a provider's words.
fn tell(new: &NewReceipt, heard: Heard) {
    let (result, message) = match heard {
        Heard::Fresh(message) => ("fresh", Some(message)),
        Heard::Duplicate(message) => ("duplicate", Some(message)),
        Heard::Parked => ("parked", None),
        Heard::Surplus(message) => ("surplus", Some(message)),
    };
    let (backend, state) = (new.backend.as_str(), new.receipt.state.as_str());
    metrics::counter!(RECEIPTS_TOTAL, "backend" => backend.to_owned(), "state" => state, "result" => result)
        .increment(1);
    let message_id = message.map(|message| message.to_string());
    tracing::info!(message_id, backend, state, result, "receipt.heard");
}

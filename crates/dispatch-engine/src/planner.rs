//! From admitted to planned: the first step of every message.
//!
//! ```text
//! being admitted -> to be tried -> Scheduled or Leased, in the write that admits (admission.rs)
//! admitted, and not to be tried -> queue -+-> one write for the batch -> an end, or Scheduled
//! redriven, or left by a crash -> scan ---+
//! ```
//!
//! The queue is a shortcut. What does not fit in it is read back from the store: nothing depends on memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dispatch_model::{
    Delivery, DeliveryState, Message, MessageId, NO_INBOUND_ROUTE, Plan, Reason, SUPPRESSED, Timestamp, plan,
};
use dispatch_store::{Planned, RecipientKey, Suspension, Unplanned};
use tokio::sync::{Semaphore, mpsc};

use crate::core::Core;
use crate::gate::{Gate, Way};
use crate::{Setup, attachments, suppressed};

/// Writes of planned batches under way at once: more would only queue up in the store.
const WRITES: usize = 8;
/// After a refusal of the store the next scan waits so long.
const RETRY: Duration = Duration::from_secs(1);

/// Plans messages until the engine stops.
pub(crate) async fn run(core: Arc<Core>, mut queue: mpsc::Receiver<Arc<Message>>) {
    let writes = Arc::new(Semaphore::new(WRITES));
    let mut batch = Vec::with_capacity(core.config.plan_batch);
    loop {
        if core.unscanned.swap(false, Ordering::AcqRel) && !scan(&core, &writes).await {
            return;
        }
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            got = queue.recv_many(&mut batch, core.config.plan_batch.max(1)) => {
                if got == 0 {
                    return;
                }
                let items = batch
                    .drain(..)
                    .map(|message| Unplanned { delivery: fresh(&message), message });
                plan_batch(&core, &writes, items).await;
            }
            () = core.scan.notified() => {}
        }
    }
}

/// Reads back what the store holds unplanned; false when the engine stops.
async fn scan(core: &Arc<Core>, writes: &Arc<Semaphore>) -> bool {
    let mut after = MessageId::ZERO;
    loop {
        let page = tokio::select! {
            () = core.stop.cancelled() => return false,
            page = core.store.unplanned(after, core.config.plan_batch.max(1)) => page,
        };
        match page {
            Ok(page) => {
                let Some(last) = page.last() else { return true };
                after = last.message.id;
                plan_batch(core, writes, page.into_iter()).await;
            }
            Err(error) => {
                core.store_failed("reading what is unplanned", &error);
                rescan_later(core);
                return !core.stop.is_cancelled();
            }
        }
    }
}

/// What of a batch is written as scheduled (or as an end), with the gates it waits behind.
#[derive(Default)]
struct Write {
    planned: Vec<Planned>,
    gates: Vec<Option<Arc<Gate>>>,
}

async fn plan_batch(core: &Arc<Core>, writes: &Arc<Semaphore>, items: impl Iterator<Item = Unplanned>) {
    let setup = core.setup.load_full();
    let mut write = Write::default();
    for item in items {
        if !core.planning.lock().insert(item.message.id) {
            continue;
        }
        plan_one(core, &setup, item, &mut write);
    }
    if write.planned.is_empty() {
        return;
    }
    let permit = Arc::clone(writes).acquire_owned().await;
    let core_too = Arc::clone(core);
    core.tasks.spawn(async move {
        commit(&core_too, write).await;
        drop(permit);
    });
}

fn plan_one(core: &Core, setup: &Setup, item: Unplanned, write: &mut Write) {
    let Unplanned { message, delivery } = item;
    let planned = planned(core, setup, &message, delivery);
    log(&planned, &message);
    let recipient = RecipientKey::of(&message);
    let gate = planned.lane.as_ref().map(|lane| core.gate(lane));
    if let Some(gate) = &gate {
        gate.arriving(recipient, Way::Store, core.now());
    }
    write.planned.push(Planned { delivery: planned, recipient });
    write.gates.push(gate);
}

/// The delivery with its plan: by the rules, or bound to a backend by a redrive.
pub(crate) fn planned(core: &Core, setup: &Setup, message: &Message, delivery: Delivery) -> Delivery {
    let mut routed = setup.router_for(message).route(message);
    if let [bound] = delivery.plan.chain.as_slice() {
        let reason = format!("bound to backend \"{bound}\" by an operator");
        routed = Plan { route: routed.route, chain: vec![bound.clone()], reasons: vec![reason] };
    }
    let policy = setup.policy(routed.route.as_ref());
    let (location, channel) = (&message.location, message.channel());
    let place = |backend: &_| core.place(setup, backend, location, channel);
    let facts = core.plan_facts(&policy, &place);
    let mut rng = core.rng(message.id, 0);
    let end = end(core, message, &delivery, &routed);
    plan(delivery, routed, end, &facts, core.now(), &mut rng)
}

/// Why it is not to be tried at all, and how it ends then.
fn end(
    core: &Core,
    message: &Message,
    delivery: &Delivery,
    routed: &Plan,
) -> Option<(DeliveryState, Reason)> {
    if message.inbound_from().is_some() {
        let words = "no inbound route hands it on";
        return routed.chain.is_empty().then(|| (DeliveryState::Kept, Reason::new(NO_INBOUND_ROUTE, words)));
    }
    let problem = message.problem.clone().or_else(|| core.suppressed.silences(message, delivery));
    problem.map(|problem| (DeliveryState::DeadLettered, problem))
}

/// How a message's delivery begins.
pub(crate) fn fresh(message: &Message) -> Delivery {
    Delivery::unplanned(message.id, message.location.clone(), message.channel(), message.received_at)
}

/// Whether nothing but its gate keeps it from being attempted now.
pub(crate) fn goes_at_once(
    core: &Core,
    setup: &Setup,
    planned: &Delivery,
    message: &Message,
    now: Timestamp,
) -> bool {
    planned.state == DeliveryState::Scheduled
        && planned.due_at <= now
        && !is_suspended(core, planned)
        && !fetches(setup, planned, message)
}

fn is_suspended(core: &Core, delivery: &Delivery) -> bool {
    let suspensions = core.suspensions.load();
    if suspensions.is_empty() {
        return false;
    }
    let route = delivery.plan.route.clone().map(Suspension::Route);
    route.is_some_and(|route| suspensions.contains_key(&route))
        || suspensions.contains_key(&Suspension::Location(delivery.location.clone()))
}

/// Whether attachments have to be fetched first: that may take seconds, and is done under a lease.
fn fetches(setup: &Setup, delivery: &Delivery, message: &Message) -> bool {
    !message.attachments.is_empty()
        && delivery
            .backend()
            .and_then(|backend| setup.backends.get(backend))
            .is_some_and(|backend| attachments::fetches(backend.plugin.description()))
}

async fn commit(core: &Arc<Core>, write: Write) {
    let ids: Vec<MessageId> = write.planned.iter().map(|planned| planned.delivery.message).collect();
    let dues: Vec<_> = write.planned.iter().map(|planned| planned.delivery.due_at).collect();
    let result = core.store.plan(write.planned).await;
    for (gate, due) in write.gates.into_iter().zip(dues) {
        let Some(gate) = gate else { continue };
        // Told before it is uncounted: nobody to the same person may come between.
        if result.is_ok() {
            gate.tell(due);
        }
        gate.arrived();
        core.enlist(&gate);
    }
    let mut planning = core.planning.lock();
    for id in ids {
        planning.remove(&id);
    }
    drop(planning);
    if let Err(error) = result {
        core.store_failed("planning", &error);
        rescan_later(core);
    }
}

/// A message that ends as it is planned has no attempt, and so no line of its own elsewhere.
fn log(delivery: &Delivery, message: &Message) {
    let Some(code) = delivery.reason.as_ref().map(|reason| reason.code.as_str()) else { return };
    let Delivery { message: id, location, channel, state, .. } = delivery;
    match state {
        DeliveryState::Kept => {
            tracing::info!(message_id = %id, %location, %channel, backend = %message.source, code, "inbound.not_handed_on");
        }
        DeliveryState::DeadLettered if code == SUPPRESSED => suppressed::tell(message),
        DeliveryState::DeadLettered | DeliveryState::Expired => {
            tracing::warn!(message_id = %id, %location, %channel, %state, code, "delivery.ended_unsent");
        }
        _ => {}
    }
}

/// Scans again after a while: the store refused, and may take it then.
fn rescan_later(core: &Arc<Core>) {
    let core_too = Arc::clone(core);
    core.tasks.spawn(async move {
        tokio::select! {
            () = core_too.stop.cancelled() => {}
            () = tokio::time::sleep(RETRY) => core_too.rescan(),
        }
    });
}

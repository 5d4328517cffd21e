//! The end of a lease, written down: the next state in one durable write, what it means for the lane, and
//! one canonical line in the log.

use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{
    AttemptRecord, Delivery, DeliveryState, End, Exchange, Facts, Fault, Finish, Lane, LaneEffect, Message,
    Outcome, PLUGIN_FAULT, Policy, Reason, RouteName, Settled, Timestamp, WrittenText, settle,
};
use dispatch_store::{Settlement, StoreError};

use crate::attempt::{Means, Slot};
use crate::core::Core;
use crate::evidence::Evidence;
use crate::gate::Gate;

/// The wait after the store refused a settlement: at first, and at most.
const AGAIN_FIRST: Duration = Duration::from_millis(50);
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// An attempt that has ended.
pub(crate) struct Ended<'a> {
    pub(crate) core: &'a Arc<Core>,
    pub(crate) means: &'a Means,
    pub(crate) message: &'a Message,
    pub(crate) delivery: Delivery,
    pub(crate) slot: &'a Slot,
    pub(crate) end: End,
    pub(crate) evidence: Evidence,
    pub(crate) marked: bool,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) text: Option<WrittenText>,
    pub(crate) idempotency_key: String,
    pub(crate) callback_url: Option<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) took: Duration,
}

/// What an attempt's end means, in three steps of which only the second waits: known at once, written, and told.
pub(crate) struct Record {
    settlement: Settlement,
    line: Line,
    took: Duration,
}

impl Record {
    /// What is known of the provider is known at once, and the slot is free: neither waits for the disk.
    pub(crate) fn of(ended: Ended<'_>) -> Self {
        let Ended { core, means, message, delivery, slot, end, evidence, .. } = ended;
        let lease = delivery.lease();
        let backend = means.backend.name.clone();
        let finish = Finish { end, marked: evidence.left, trouble: evidence.trouble, at: core.now() };
        let Settled { delivery, effects } =
            transition(core, delivery, message, &finish, &means.policy, Some((means, &slot.gate)));
        apply(core, slot, &effects, finish.at);
        slot.vacate();
        let (outcome, fault) = told(finish.end, evidence.left);
        let line = Line::of(&delivery, outcome.as_ref(), fault.as_ref());
        let attempt = outcome.map(|outcome| AttemptRecord {
            number: delivery.attempts_total,
            backend,
            started_at: ended.started_at,
            ended_at: finish.at,
            outcome,
            fault,
            marked: ended.marked,
            possible_double: delivery.possible_double,
            plugin_digest: means.backend.plugin.digest().to_owned(),
            idempotency_key: ended.idempotency_key,
            text: ended.text,
            callback_url: ended.callback_url,
            exchanges: ended.exchanges,
        });
        Self { settlement: Settlement { lease, delivery, attempt }, line, took: ended.took }
    }

    /// Writes it down, then says so.
    pub(crate) async fn keep(
        self: Box<Self>,
        core: &Arc<Core>,
        means: &Means,
        message: &Message,
        slot: &Slot,
    ) {
        if write(core, &self.settlement).await {
            slot.gate.meters.ended(self.line.kind, self.took.as_secs_f64());
            self.line.log(message, means, self.took);
        }
    }
}

/// Gives a lease back without an attempt; tells where the delivery waits now.
pub(crate) async fn give_back(
    core: &Arc<Core>,
    delivery: Delivery,
    message: &Message,
    end: End,
) -> Option<Lane> {
    let lease = delivery.lease();
    let policy = core.setup.load().policy(delivery.plan.route.as_ref());
    let finish = Finish { end, marked: false, trouble: false, at: core.now() };
    let Settled { delivery, .. } = transition(core, delivery, message, &finish, &policy, None);
    let lane = delivery.lane.clone();
    write(core, &Settlement { lease, delivery, attempt: None }).await;
    lane
}

fn transition(
    core: &Core,
    delivery: Delivery,
    message: &Message,
    finish: &Finish,
    policy: &Policy,
    tried: Option<(&Means, &Gate)>,
) -> Settled {
    // Where it can go next is a matter of the setup in force now, not of the one it was tried with.
    let setup = core.setup.load();
    let place = |backend: &_| core.place(&setup, backend, &message.location, message.channel());
    let (pause_default, pause_max) =
        tried.map_or((Duration::ZERO, Duration::ZERO), |(_, gate)| gate.pauses());
    let description = tried.map(|(means, _)| means.backend.plugin.description());
    let facts = Facts {
        policy,
        place: &place,
        pause_default,
        pause_max,
        looks_up: description.is_some_and(|it| it.looks_up),
        idempotent: description.is_some_and(|it| it.idempotent),
    };
    let mut rng = core.rng(delivery.message, delivery.attempts_total + 1);
    settle(delivery, finish, &facts, &mut rng)
}

/// What the record says; nothing where there was no attempt.
fn told(end: End, left: bool) -> (Option<Outcome>, Option<Fault>) {
    let deferred = |reason| Outcome::Deferred { reason, retry_after_ms: None };
    match end {
        End::Outcome(outcome) | End::Found(outcome) => (Some(outcome), None),
        End::Absent => {
            let words = "the provider was asked and does not have it: nothing was delivered";
            (Some(deferred(Reason::new("absent", words))), None)
        }
        End::NotYet(_) => {
            let words = "the provider was asked and could not say yet: it is asked again";
            (Some(Outcome::Unknown { reason: Reason::new("not-yet", words) }), None)
        }
        End::CannotTell(reason) => (Some(Outcome::Unknown { reason }), None),
        End::Fault(fault) => {
            let reason = Reason::new(PLUGIN_FAULT, fault.to_string());
            let outcome = if left { Outcome::Unknown { reason } } else { deferred(reason) };
            (Some(outcome), Some(fault))
        }
        End::Suppressed(_) | End::Released => (None, None),
    }
}

/// Writes the settlement. The outcome is known and must not be lost, so a store that has no room or no
/// time is asked again for as long as the engine lives; the lease is held meanwhile, and a lane in which as many wait so as it
/// has slots has fewer of them. Whether it was written.
async fn write(core: &Arc<Core>, settlement: &Settlement) -> bool {
    let mut wait = AGAIN_FIRST;
    loop {
        match core.store.settle(settlement).await {
            Ok(()) => break,
            Err(StoreError::Stale(lease)) => {
                tracing::info!(message_id = %lease.message, epoch = lease.epoch, "attempt.lease_lost");
                return false;
            }
            Err(error @ (StoreError::Fatal { .. } | StoreError::Invalid { .. })) => {
                core.store_failed("settling", &error);
                return false;
            }
            Err(error) => {
                core.store_failed("settling", &error);
                tokio::select! {
                    () = core.abort.cancelled() => return false,
                    () = tokio::time::sleep(wait) => wait = (wait * 2).min(AGAIN_MAX),
                }
            }
        }
    }
    let delivery = &settlement.delivery;
    core.settled_at(delivery.changed_at);
    if delivery.state == DeliveryState::Scheduled {
        if let Some(lane) = &delivery.lane {
            core.tell(lane, delivery.due_at);
        }
    } else {
        core.spool.forget(delivery.message);
    }
    true
}

fn apply(core: &Arc<Core>, slot: &Slot, effects: &[LaneEffect], now: Timestamp) {
    for effect in effects {
        let Some(word) = slot.gate.apply(effect, slot.probe, now) else { continue };
        let lane = &slot.gate.lane;
        match effect {
            LaneEffect::OpenBreaker { reason } => {
                // The operator has to do something: credentials, credit or configuration.
                tracing::error!(lane = %lane, change = word, code = code(reason), account = true, "lane.changed");
            }
            LaneEffect::Failure { reason } | LaneEffect::Pause { reason, .. } => {
                tracing::warn!(lane = %lane, change = word, code = code(reason), "lane.changed");
            }
            LaneEffect::Success => tracing::info!(lane = %lane, change = word, "lane.changed"),
        }
        save(core, &slot.gate);
        core.enlist(&slot.gate);
    }
}

/// Keeps the lane's pause and breaker over a restart.
pub(crate) fn save(core: &Arc<Core>, gate: &Arc<Gate>) {
    let Some(mut record) = gate.begin_save() else { return };
    let (core_too, gate) = (Arc::clone(core), Arc::clone(gate));
    core.tasks.spawn(async move {
        loop {
            if let Err(error) = core_too.store.save_lane(gate.lane.clone(), record).await {
                core_too.store_failed("keeping a lane's state", &error);
            }
            gate.end_save();
            match gate.begin_save() {
                Some(next) => record = next,
                None => return,
            }
        }
    });
}

/// The canonical line of an attempt: ids and codes, never addresses, texts or a provider's words.
struct Line {
    kind: &'static str,
    code: String,
    route: Option<RouteName>,
    number: u32,
    state: DeliveryState,
    possible_double: bool,
}

impl Line {
    fn of(delivery: &Delivery, outcome: Option<&Outcome>, fault: Option<&Fault>) -> Self {
        let kind = match (outcome, fault) {
            (_, Some(_)) => "fault",
            (Some(outcome), None) => outcome.kind(),
            (None, None) => "released",
        };
        let reason = outcome.and_then(Outcome::reason);
        Self {
            kind,
            code: match fault {
                Some(fault) => fault.kind().to_owned(),
                None => reason.map_or("", code).to_owned(),
            },
            route: delivery.plan.route.clone(),
            number: delivery.attempts_total,
            state: delivery.state,
            possible_double: delivery.possible_double,
        }
    }

    fn log(&self, message: &Message, means: &Means, took: Duration) {
        tracing::info!(
            message_id = %message.id,
            external_id = %message.external_id,
            location = %message.location,
            channel = %message.channel(),
            route = self.route.as_ref().map(RouteName::as_str),
            backend = %means.backend.name,
            attempt = self.number,
            outcome = self.kind,
            code = %self.code,
            state = %self.state,
            possible_double = self.possible_double,
            took_ms = took.as_millis() as u64,
            "attempt.recorded"
        );
    }
}

/// A code as it may stand in the log. It is the plugin's string: whatever is not a plain code is left out.
fn code(reason: &Reason) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-/".contains(&byte);
    if reason.code.len() <= 64 && reason.code.bytes().all(plain) { &reason.code } else { "not-a-code" }
}

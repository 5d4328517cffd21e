//! One try at one backend, from the lease to the outcome.
//!
//! A message that found a slot as it came was claimed and marked by the write that admitted it. One of the lobby is asked
//! about *before* it is claimed: the plugin's `deliver` is pure, so claim and mark share one commit. A message that
//! waited in the store is claimed first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dispatch_model::{
    Ask, Context, Delivery, Effect, End, Exchange, Fault, Message, OnUnknown, Outcome, Policy, Reason, Reply,
    Step, Timestamp, WrittenText,
};
use dispatch_store::{ClaimOne, Claimed, RecipientKey, StoreError};
use tokio::time::Instant;

use crate::attachments::Fetching;
use crate::conversation::{Halt, Line, Next, Script, converse};
use crate::core::Core;
use crate::evidence::Evidence;
use crate::gate::{Gate, Newcomer};
use crate::planner::goes_at_once;
use crate::record::{Ended, Record, give_back};
use crate::shape::{Shaped, shape};
use crate::{BackendSetup, Grants, LookupOutcome, Setup, question, suppressed};

/// A place in a lane, and its recipient's turn. Both are given back, whatever way the attempt ends.
pub(crate) struct Slot {
    pub(crate) core: Arc<Core>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) recipient: RecipientKey,
    /// Whether it probes an open breaker.
    pub(crate) probe: bool,
    vacated: AtomicBool,
}

impl Slot {
    pub(crate) fn new(core: &Arc<Core>, gate: &Arc<Gate>, recipient: RecipientKey, probe: bool) -> Self {
        core.attempts.fetch_add(1, Ordering::Relaxed);
        let (core, gate) = (Arc::clone(core), Arc::clone(gate));
        Self { core, gate, recipient, probe, vacated: AtomicBool::new(false) }
    }

    /// The provider has answered: the next one need not wait until that is written down.
    pub(crate) fn vacate(&self) {
        if !self.vacated.swap(true, Ordering::Relaxed) && self.gate.vacate(self.probe) {
            self.core.enlist(&self.gate);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.core.attempts.fetch_sub(1, Ordering::Relaxed);
        self.vacate();
        if self.gate.leave(self.recipient, self.core.now()) {
            self.core.enlist(&self.gate);
        }
    }
}

/// What an attempt works with: it finishes on what it started with.
pub(crate) struct Means {
    pub(crate) backend: Arc<BackendSetup>,
    pub(crate) settings: Arc<str>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) policy: Policy,
}

impl Means {
    /// The means of a delivery's present backend; none where it is gone or does not carry the channel.
    pub(crate) fn of(setup: &Setup, delivery: &Delivery) -> Option<Self> {
        let backend = setup.backends.get(delivery.backend()?)?;
        if !backend.plugin.description().channels.contains(&delivery.channel) {
            return None;
        }
        let (settings, grants) = setup.settings(backend, Some(&delivery.location));
        let policy = setup.policy(delivery.plan.route.as_ref());
        Some(Self { backend: Arc::clone(backend), settings, grants, policy })
    }

    /// What the plugin is told besides the message.
    pub(crate) fn context(&self, setup: &Setup, delivery: &Delivery, now: Timestamp) -> Context {
        Context {
            settings: Arc::clone(&self.settings),
            now,
            deadline: now.plus(self.backend.limits.timeout),
            number: delivery.attempts + 1,
            callback_url: setup.callback_url(&self.backend.name, delivery),
            idempotency_key: delivery.idempotency_key(),
        }
    }
}

/// Attempts a message of the lobby: claim and mark are one write.
pub(crate) async fn newcomers_attempt(core: Arc<Core>, newcomer: Newcomer, slot: Slot) {
    if let Some((attempt, step)) = ask_and_claim(&core, newcomer, slot).await {
        attempt.run(step).await;
    }
}

async fn ask_and_claim(
    core: &Arc<Core>,
    newcomer: Newcomer,
    slot: Slot,
) -> Option<(Box<Attempt>, Result<Next<Outcome>, Fault>)> {
    let Newcomer { message, mut delivery, place, .. } = newcomer;
    drop(place);
    let (setup, now) = (core.setup.load_full(), core.now());
    let gate = Arc::clone(&slot.gate);
    // From here on it is left to the store should anything be in its way: what is to be done then is done there.
    let left_to_the_store = || gate.tell(now);
    let here = delivery.backend().is_some_and(|name| setup.lane(name, &delivery.location) == gate.lane);
    let goes = here
        && !core.stop.is_cancelled()
        && now < delivery.expires_at
        && goes_at_once(core, &setup, &delivery, &message, now)
        && core.suppressed.silences(&message, &delivery).is_none();
    let Some(means) = Means::of(&setup, &delivery).filter(|_| goes) else {
        left_to_the_store();
        return None;
    };
    let shaped = shape(Fetching::Now(core), &means, &mut delivery, &message).await;
    let mut attempt = Attempt::begin(core, &setup, means, message, delivery, slot);
    let step = attempt.first_step(shaped).await;
    let marked = matches!(&step, Ok(Next::Ask(Ask { effect: Effect::Delivers, .. })));
    let wanted = ClaimOne {
        message: attempt.delivery.message,
        epoch: attempt.delivery.epoch,
        generation: attempt.delivery.generation,
        lane: gate.lane.clone(),
        now: core.now(),
        marked,
    };
    match core.store.claim_one(wanted).await {
        Ok(Some(lease)) => {
            attempt.delivery.leased(lease, marked);
            attempt.marked = marked;
            Some((attempt, step))
        }
        // Cancelled meanwhile, or its route or location was suspended.
        Ok(None) => {
            left_to_the_store();
            None
        }
        Err(error) => {
            core.store_failed("claiming", &error);
            left_to_the_store();
            None
        }
    }
}

/// Attempts a delivery that waited and was claimed, or was leased as it was admitted. What is rare and large is boxed: the
/// task of each message would keep a place for it.
pub(crate) async fn claimed_attempt(core: Arc<Core>, claimed: Claimed, slot: Slot) {
    let Claimed { mut delivery, message, .. } = claimed;
    let setup = core.setup.load_full();
    let here = delivery.backend().is_some_and(|name| setup.lane(name, &delivery.location) == slot.gate.lane);
    let means = Means::of(&setup, &delivery).filter(|_| here);
    let in_time = core.now() < delivery.expires_at;
    let Some(means) = means.filter(|_| in_time && !core.stop.is_cancelled()) else {
        Box::pin(give_back(&core, delivery, &message, End::Released)).await;
        return;
    };
    let mut asked = Vec::new();
    if delivery.unresolved
        && let Some(end) = Box::pin(resolve(&core, &setup, &means, &message, &delivery, &mut asked)).await
    {
        let mut attempt = Attempt::begin(&core, &setup, means, message, delivery, slot);
        attempt.exchanges = asked;
        return attempt.recorded(end).await;
    }
    // Said while it waited.
    if let Some(reason) = core.suppressed.silences(&message, &delivery) {
        suppressed::tell(&message);
        Box::pin(give_back(&core, delivery, &message, End::Suppressed(reason))).await;
        return;
    }
    delivery.possible_double |= delivery.unresolved;
    let shaped = shape(Fetching::Now(&core), &means, &mut delivery, &message).await;
    let mut attempt = Attempt::begin(&core, &setup, means, message, delivery, slot);
    attempt.exchanges = asked;
    let step = attempt.first_step(shaped).await;
    attempt.run(step).await;
}

/// What is to become of a delivery of which nobody knows whether it arrived: an end, or another try.
async fn resolve(
    core: &Arc<Core>,
    setup: &Setup,
    means: &Means,
    message: &Arc<Message>,
    delivery: &Delivery,
    asked: &mut Vec<Exchange>,
) -> Option<End> {
    let answer = question::ask_provider(core, setup, means, message, delivery, asked).await;
    let reason = match answer {
        Ok(LookupOutcome::Found { outcome }) => return Some(End::Found(outcome)),
        Ok(LookupOutcome::Absent) => return Some(End::Absent),
        // A repetition that is recognised need not wait for a list that lags.
        Ok(LookupOutcome::NotYet { reason, .. }) if means.backend.plugin.description().idempotent => {
            reason.unwrap_or_else(|| Reason::new("not-yet", "the provider's list may not show it yet"))
        }
        Ok(LookupOutcome::NotYet { wait_ms, .. }) => {
            return Some(End::NotYet(Duration::from_millis(wait_ms)));
        }
        Ok(LookupOutcome::CannotTell { reason }) => reason,
        Ok(LookupOutcome::Fault { fault }) => Reason::new("plugin-fault", fault.to_string()),
        Ok(LookupOutcome::NotSupported | LookupOutcome::NoMessage) => {
            let unknown = || Reason::new("unknown", "nobody knows whether it arrived");
            delivery.reason.clone().unwrap_or_else(unknown)
        }
        Err(_) => return Some(End::Released),
    };
    let again =
        means.policy.on_unknown == OnUnknown::Retry && delivery.attempts < means.policy.retry.attempts.max(1);
    (!again).then_some(End::CannotTell(reason))
}

/// An attempt under way. Boxed: it goes from hand to hand, and each hand would have a place for it in the task.
struct Attempt {
    core: Arc<Core>,
    means: Means,
    context: Context,
    message: Arc<Message>,
    delivery: Delivery,
    slot: Slot,
    evidence: Evidence,
    /// Whether it is on disk that it may have been sent.
    marked: bool,
    /// Whether an action that delivers was taken.
    delivered: bool,
    exchanges: Vec<Exchange>,
    attachments: Vec<Arc<crate::Spooled>>,
    text: Option<WrittenText>,
    started_at: Timestamp,
    started: Instant,
}

impl Attempt {
    fn begin(
        core: &Arc<Core>,
        setup: &Setup,
        means: Means,
        message: Arc<Message>,
        delivery: Delivery,
        slot: Slot,
    ) -> Box<Self> {
        let now = core.now();
        Box::new(Self {
            core: Arc::clone(core),
            context: means.context(setup, &delivery, now),
            means,
            message,
            marked: delivery.marked,
            delivered: false,
            delivery,
            slot,
            evidence: Evidence::default(),
            exchanges: Vec::new(),
            attachments: Vec::new(),
            text: None,
            started_at: now,
            started: Instant::now(),
        })
    }

    /// The first step: the plugin's, or the end that the attachments bring about by themselves.
    async fn first_step(&mut self, shaped: Result<Shaped, Outcome>) -> Result<Next<Outcome>, Fault> {
        match shaped {
            Err(outcome) => Ok(Next::Done(outcome)),
            Ok(Shaped { message, files, writing }) => {
                self.attachments = files;
                self.text = writing.map(|writing| writing.written);
                let plugin = &self.means.backend.plugin;
                let step = plugin.deliver(&self.context, &message, &self.means.grants).await;
                if let Ok(Step::Ask(ask)) = &step {
                    self.slot.gate.began(ask.effect == Effect::Delivers);
                }
                step.map(next)
            }
        }
    }

    async fn run(mut self: Box<Self>, first: Result<Next<Outcome>, Fault>) {
        let core = Arc::clone(&self.core);
        let grants = Arc::clone(&self.means.grants);
        let attachments = std::mem::take(&mut self.attachments);
        let mut exchanges = std::mem::take(&mut self.exchanges);
        let line = Line {
            egress: &*core.egress,
            clock: &*core.clock,
            abort: &core.abort,
            record_body: core.config.record_body,
            grants: &grants,
            attachments: &attachments,
            deadline: self.started + self.means.backend.limits.timeout,
        };
        let ended = converse(&line, &mut *self, first, &mut exchanges).await;
        self.exchanges = exchanges;
        let end = match ended {
            Ok(outcome) => End::Outcome(self.evidence.judge(outcome)),
            // It passes, so another try is of use; unless what was sent had its answer, and nobody could read it.
            Err(Halt::Fault(fault @ Fault::Starved)) => End::Outcome(
                self.evidence
                    .judge(Outcome::Unknown { reason: Reason::new(fault.kind(), fault.to_string()) }),
            ),
            Err(Halt::Fault(fault)) => End::Fault(fault),
            Err(Halt::Unmarked) => End::Released,
            Err(Halt::BrokenOff) => {
                core.broken_off.fetch_add(1, Ordering::Relaxed);
                match self.evidence.left {
                    true => End::Outcome(Outcome::Unknown {
                        reason: Reason::new("broken-off", "given up as the engine stopped"),
                    }),
                    false => End::Released,
                }
            }
            Err(Halt::Lost) => {
                tracing::info!(message_id = %self.message.id, "attempt.lease_lost");
                return;
            }
        };
        self.recorded(end).await;
    }

    async fn recorded(self: Box<Self>, end: End) {
        let Self { core, means, context, message, mut delivery, slot, .. } = *self;
        delivery.possible_double |= self.evidence.twice;
        // Boxed as well: the task keeps a pointer while it waits for the disk.
        let record = Box::new(Record::of(Ended {
            core: &core,
            means: &means,
            message: &message,
            delivery,
            slot: &slot,
            end,
            evidence: self.evidence,
            marked: self.delivered,
            exchanges: self.exchanges,
            text: self.text,
            idempotency_key: context.idempotency_key,
            callback_url: context.callback_url,
            started_at: self.started_at,
            took: self.started.elapsed(),
        }));
        record.keep(&core, &means, &message, &slot).await;
    }
}

impl Script for Attempt {
    type End = Outcome;

    async fn before(&mut self, ask: &Ask) -> Result<(), Halt> {
        if ask.effect == Effect::None {
            return Ok(());
        }
        if !self.marked {
            self.core.store.mark(self.delivery.lease()).await.map_err(|error| match error {
                StoreError::Stale(_) => Halt::Lost,
                error => {
                    self.core.store_failed("marking", &error);
                    Halt::Unmarked
                }
            })?;
        }
        (self.marked, self.delivered) = (true, true);
        Ok(())
    }

    fn after(&mut self, effect: Effect, reply: &Reply) {
        self.evidence.note(effect, reply);
    }

    async fn next(&mut self, state: &[u8], reply: &Arc<Reply>) -> Result<Next<Outcome>, Fault> {
        let plugin = &self.means.backend.plugin;
        plugin.on_reply(&self.context, state, reply, &self.means.grants).await.map(next)
    }
}

fn next(step: Step) -> Next<Outcome> {
    match step {
        Step::Ask(ask) => Next::Ask(ask),
        Step::Done(outcome) => Next::Done(outcome),
    }
}

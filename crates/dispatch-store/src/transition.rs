//! What the store itself does to a delivery: pure functions, shared by all implementations, so that
//! they can differ in how they keep things and not in what they mean.

use dispatch_model::{
    AttemptRecord, BackendName, Channel, Content, Delivery, DeliveryState, Direction, EmailContent,
    HeardReceipt, Message, MessageId, Outcome, PhoneNumber, Plan, Reason, SmsContent, Timestamp,
};

use crate::{
    About, ClaimOne, EventKind, NewReceipt, Planned, Redrive, Resolution, Retention, SUPPRESSIONS_MAX,
    Settlement, StoreError, Suppression, TimelineEvent,
};

/// Duplicates of one message that its timeline shows; a sender that goes on repeating itself must not
/// grow it without end.
pub(crate) const DUPLICATES_SHOWN: usize = 16;

/// The shortest time dedupe keys are kept: a sender's retries and replays must stay recognisable.
const DEDUPE_MIN_DAYS: u64 = 30;

fn invalid(detail: String) -> StoreError {
    StoreError::Invalid { detail }
}

/// Whether a plan can be written at all.
pub(crate) fn check_planned(planned: &Planned) -> Result<(), StoreError> {
    let delivery = &planned.delivery;
    match delivery.state {
        DeliveryState::Unplanned | DeliveryState::Leased => Err(invalid(format!(
            "a plan for {} that leaves it {}: expected scheduled or an end",
            delivery.message, delivery.state
        ))),
        DeliveryState::Scheduled if delivery.lane.is_none() => {
            Err(invalid(format!("a plan that schedules {} in no lane", delivery.message)))
        }
        _ => Ok(()),
    }
}

/// Whether a settlement can be written at all.
pub(crate) fn check_settlement(settlement: &Settlement) -> Result<(), StoreError> {
    let delivery = &settlement.delivery;
    if delivery.message != settlement.lease.message {
        return Err(invalid(format!(
            "a settlement of {} with the delivery of {}",
            settlement.lease.message, delivery.message
        )));
    }
    match delivery.state {
        DeliveryState::Leased => {
            Err(invalid(format!("a settlement that leaves {} leased", delivery.message)))
        }
        DeliveryState::Scheduled if delivery.lane.is_none() => {
            Err(invalid(format!("a settlement that schedules {} in no lane", delivery.message)))
        }
        _ => Ok(()),
    }
}

/// Whether suppressions can be written at all.
pub(crate) fn check_suppressions(suppressions: &[Suppression]) -> Result<(), StoreError> {
    if suppressions.len() > SUPPRESSIONS_MAX {
        return Err(invalid(format!("more than {SUPPRESSIONS_MAX} suppressions in one call")));
    }
    match suppressions.iter().any(|one| one.address.is_empty()) {
        true => Err(invalid("a suppression of nobody".to_owned())),
        false => Ok(()),
    }
}

/// Whether a retention is one that this store keeps.
pub(crate) fn check_retention(retention: &Retention) -> Result<(), StoreError> {
    if retention.dedupe.as_secs() < DEDUPE_MIN_DAYS * 24 * 3600 {
        return Err(invalid(format!("dedupe keys kept for less than {DEDUPE_MIN_DAYS} days")));
    }
    Ok(())
}

/// A delivery as planned. What the store counts stands: the plan was made from a copy.
pub(crate) fn planned(stored: &Delivery, plan: &Planned) -> Delivery {
    let mut delivery = plan.delivery.clone();
    delivery.location = stored.location.clone();
    delivery.channel = stored.channel;
    delivery.generation = stored.generation;
    delivery.attempts_total = stored.attempts_total;
    delivery.possible_double |= stored.possible_double;
    delivery.epoch = stored.epoch;
    delivery.marked = false;
    delivery
}

/// Whether a plan may be written together with its message.
pub(crate) fn is_waiting(planned: &Planned, message: MessageId) -> bool {
    planned.delivery.message == message
        && planned.delivery.state == DeliveryState::Scheduled
        && check_planned(planned).is_ok()
}

/// Leases a delivery that waits.
pub(crate) fn lease(delivery: &mut Delivery, marked: bool, now: Timestamp) {
    delivery.state = DeliveryState::Leased;
    delivery.epoch += 1;
    delivery.marked = marked;
    delivery.changed_at = now;
}

/// Whether a delivery waits where somebody wants to claim it.
pub(crate) fn is_claimable(delivery: &Delivery, wanted: &ClaimOne) -> bool {
    delivery.state == DeliveryState::Scheduled
        && (delivery.epoch, delivery.generation) == (wanted.epoch, wanted.generation)
        && delivery.lane.as_ref() == Some(&wanted.lane)
        && delivery.due_at <= wanted.now
}

/// A delivery as its lease leaves it, and what the timeline says of that.
///
/// `called_off` is the reason of a cancel that came during the attempt: an end that is not an
/// acceptance becomes `Cancelled`.
pub(crate) fn settled(
    stored: &Delivery,
    next: &Delivery,
    called_off: Option<&str>,
) -> (Delivery, Option<TimelineEvent>) {
    let mut delivery = next.clone();
    delivery.location = stored.location.clone();
    delivery.channel = stored.channel;
    delivery.epoch = stored.epoch;
    delivery.marked = false;
    delivery.possible_double |= stored.possible_double;
    let taken = matches!(
        delivery.state,
        DeliveryState::Accepted | DeliveryState::Delivered | DeliveryState::Undelivered
    );
    match called_off {
        Some(reason) if !taken => {
            let at = delivery.changed_at;
            let event = cancel(&mut delivery, reason, at);
            (delivery, Some(event))
        }
        _ => (delivery, None),
    }
}

/// The provider's ids that a settlement brings, and whose they are: those of its attempt, or of the delivery where
/// there was none.
pub(crate) fn answered(settlement: &Settlement) -> (Option<&BackendName>, &[String]) {
    match &settlement.attempt {
        None => (current_backend(&settlement.delivery), &settlement.delivery.references),
        Some(AttemptRecord { outcome: Outcome::Accepted(acceptance), backend, .. }) => {
            (Some(backend), &acceptance.references)
        }
        Some(attempt) => (Some(&attempt.backend), &[]),
    }
}

/// Whether a receipt may speak of a delivery because of the key that came with it.
pub(crate) fn speaks_of(new: &NewReceipt, key: About, delivery: &Delivery) -> bool {
    key.generation <= delivery.generation
        && delivery.plan.chain.contains(&new.backend)
        && new.location.as_ref().is_none_or(|location| *location == delivery.location)
}

/// Which generation of a delivery a reference is of, if this backend gave it.
pub(crate) fn generation_of(
    delivery: &Delivery,
    attempts: &[AttemptRecord],
    backend: &BackendName,
    reference: &str,
) -> Option<u32> {
    let gave = |attempt: &&AttemptRecord| {
        let Outcome::Accepted(acceptance) = &attempt.outcome else { return false };
        attempt.backend == *backend && acceptance.references.iter().any(|one| one == reference)
    };
    if let Some(attempt) = attempts.iter().rev().find(gave) {
        return Some(Delivery::generation_of(&attempt.idempotency_key).unwrap_or(delivery.generation));
    }
    let known = delivery.references.iter().any(|one| one == reference);
    (known && current_backend(delivery) == Some(backend)).then_some(delivery.generation)
}

/// The references that a delivery has learnt from a receipt.
pub(crate) fn learnt<'a>(was: &'a Delivery, now: &'a Delivery) -> impl Iterator<Item = &'a String> {
    now.references.iter().filter(|reference| !was.references.contains(reference))
}

/// The order in which receipts are shown: as they came.
pub(crate) fn receipt_order(a: &HeardReceipt, b: &HeardReceipt) -> std::cmp::Ordering {
    let key = |heard: &HeardReceipt| (heard.received_at, heard.generation, heard.receipt.state as u8);
    let names = |heard: &HeardReceipt| {
        (heard.backend.clone(), heard.receipt.reference.clone(), heard.receipt.recipient.clone())
    };
    key(a).cmp(&key(b)).then_with(|| names(a).cmp(&names(b)))
}

/// A receipt without what retention takes: the recipient, and words that may name him.
pub(crate) fn strip_receipt(heard: &mut HeardReceipt) {
    heard.receipt.recipient = None;
    if let Some(reason) = &mut heard.receipt.reason {
        reason.message.clear();
    }
}

/// Calls a delivery off.
pub(crate) fn cancel(delivery: &mut Delivery, reason: &str, now: Timestamp) -> TimelineEvent {
    delivery.state = DeliveryState::Cancelled;
    delivery.lane = None;
    delivery.marked = false;
    delivery.reason = Some(Reason::new("cancelled", reason));
    delivery.changed_at = now;
    TimelineEvent { at: now, kind: EventKind::Cancelled, detail: reason.to_owned() }
}

/// What the timeline says of a cancel that has to wait for the attempt under way.
pub(crate) fn cancel_asked(reason: &str, now: Timestamp) -> TimelineEvent {
    TimelineEvent {
        at: now,
        kind: EventKind::Cancelled,
        detail: format!("{reason} (an attempt is under way: called off when it ends without acceptance)"),
    }
}

/// Whether a cancel ends it at once.
pub(crate) fn is_cancellable(state: DeliveryState) -> bool {
    matches!(state, DeliveryState::Unplanned | DeliveryState::Scheduled | DeliveryState::Held)
}

/// Whether it can be sent round again.
pub(crate) fn is_redrivable(state: DeliveryState) -> bool {
    matches!(
        state,
        DeliveryState::DeadLettered | DeliveryState::Expired | DeliveryState::Cancelled | DeliveryState::Kept
    )
}

/// Sends a delivery round again.
pub(crate) fn redrive(delivery: &mut Delivery, request: &Redrive, now: Timestamp) -> TimelineEvent {
    let was = delivery.state;
    anew(delivery, now);
    delivery.plan.chain.extend(request.to.clone());
    delivery.generation += 1;
    let bound = request.to.as_ref().map(|backend| format!(", to {backend}")).unwrap_or_default();
    let note = if request.note.is_empty() { String::new() } else { format!(": {}", request.note) };
    TimelineEvent { at: now, kind: EventKind::Redriven, detail: format!("was {was}{bound}{note}") }
}

/// Back to `Unplanned`. Whom it reached before (`remaining`) stands; what was never settled may be a double now.
fn anew(delivery: &mut Delivery, now: Timestamp) {
    delivery.state = DeliveryState::Unplanned;
    delivery.plan = Plan { route: None, chain: Vec::new(), reasons: Vec::new() };
    delivery.position = 0;
    delivery.lane = None;
    delivery.attempts = 0;
    delivery.due_at = now;
    delivery.expires_at = Timestamp::from_millis(i64::MAX);
    delivery.marked = false;
    delivery.possible_double |= delivery.unresolved;
    delivery.unresolved = false;
    delivery.references = Vec::new();
    delivery.learnt = false;
    delivery.reason = None;
    delivery.changed_at = now;
}

/// Does what an operator says of a held delivery.
///
/// A retry is planned anew, bound to the same backend and under the same idempotency key: only so does it
/// get an expiry and a lane that hold today, and the provider can still recognise the double.
pub(crate) fn resolve(delivery: &mut Delivery, resolution: &Resolution, now: Timestamp) -> TimelineEvent {
    let detail = match resolution {
        Resolution::Accepted => {
            delivery.state = DeliveryState::Accepted;
            delivery.lane = None;
            delivery.reason = None;
            "accepted"
        }
        Resolution::Failed => {
            delivery.state = DeliveryState::DeadLettered;
            delivery.lane = None;
            delivery.reason = Some(Reason::new("resolved", "an operator said that it did not arrive"));
            "failed"
        }
        Resolution::Retry => {
            let backend = current_backend(delivery).cloned();
            delivery.unresolved = true;
            anew(delivery, now);
            delivery.plan.chain.extend(backend);
            "retry"
        }
    };
    delivery.unresolved = false;
    delivery.changed_at = now;
    TimelineEvent { at: now, kind: EventKind::Resolved, detail: detail.to_owned() }
}

/// Voids a lease whose owner died. A marked one counts as an attempt: a message that kills the process
/// each time must come to an end.
pub(crate) fn recover(delivery: &mut Delivery, called_off: Option<&str>, now: Timestamp) -> TimelineEvent {
    let marked = delivery.marked;
    if marked {
        delivery.unresolved = true;
        delivery.possible_double = true;
        delivery.attempts += 1;
        delivery.attempts_total += 1;
    }
    if let Some(reason) = called_off {
        return cancel(delivery, reason, now);
    }
    delivery.state = DeliveryState::Scheduled;
    delivery.marked = false;
    delivery.due_at = now;
    delivery.changed_at = now;
    let detail = if marked {
        "the process ended during an attempt that may have delivered"
    } else {
        "the process ended before anything that delivers had left"
    };
    TimelineEvent { at: now, kind: EventKind::Recovered, detail: detail.to_owned() }
}

/// Whether work waits for a time that was set by a clock ahead of the present one.
pub(crate) fn is_of_the_future(delivery: &Delivery, now: Timestamp) -> bool {
    delivery.state == DeliveryState::Scheduled && delivery.due_at > now && delivery.changed_at > now
}

/// The clock was ahead as this was set, and was put right: what was to wait seconds must not wait hours.
/// The wait begins anew, as long as it was to be.
pub(crate) fn rewind(delivery: &mut Delivery, now: Timestamp) {
    let set_at = delivery.changed_at;
    delivery.due_at = now.plus(delivery.due_at.since(set_at));
    delivery.expires_at = now.plus(delivery.expires_at.since(set_at));
    delivery.changed_at = now;
}

/// The backend that is next, under way or last.
pub(crate) fn current_backend(delivery: &Delivery) -> Option<&BackendName> {
    delivery.backend().or_else(|| delivery.plan.chain.last())
}

/// What the timeline says of a plan.
pub(crate) fn planned_event(plan: &Plan, at: Timestamp) -> TimelineEvent {
    let route = plan.route.as_ref().map_or("no route", |route| route.as_str());
    let reasons = plan.reasons.join("; ");
    let detail = if reasons.is_empty() { route.to_owned() } else { format!("{route}: {reasons}") };
    TimelineEvent { at, kind: EventKind::Planned, detail }
}

/// Puts the present plan into the timeline. It is not kept as an event of its own: that would be a row
/// for each message on the hot way, and the delivery has it all.
pub(crate) fn insert_plan(events: &mut Vec<TimelineEvent>, plan: &Plan, at: Option<Timestamp>) {
    let Some(at) = at else { return };
    let follows = |kind| matches!(kind, EventKind::Cancelled | EventKind::Resolved | EventKind::Recovered);
    let place = events.iter().position(|event| event.at > at || (event.at == at && follows(event.kind)));
    events.insert(place.unwrap_or(events.len()), planned_event(plan, at));
}

/// A message without what retention takes.
pub(crate) fn without_content(message: &Message) -> Message {
    let mut bare = message.clone();
    bare.submission.content = no_content(message.channel());
    if let Direction::Inbound { from } = &mut bare.submission.direction {
        from.clear();
    }
    bare.submission.attachments = Vec::new();
    bare.submission.extra = serde_json::Map::new();
    bare.submission.problem = None;
    bare
}

/// The content of a message whose content was purged.
pub(crate) fn no_content(channel: Channel) -> Content {
    match channel {
        Channel::Sms => Content::Sms(SmsContent {
            to: PhoneNumber { original: String::new(), e164: None },
            text: String::new(),
        }),
        Channel::Email => Content::Email(EmailContent {
            from: None,
            to: Vec::new(),
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: String::new(),
            html: String::new(),
            text: None,
            in_reply_to: None,
        }),
    }
}

/// An attempt without what retention takes: what was said on the wire, and the addresses.
pub(crate) fn strip_attempt(attempt: &mut AttemptRecord) {
    attempt.exchanges = Vec::new();
    attempt.callback_url = None;
    if let Outcome::Accepted(acceptance) = &mut attempt.outcome {
        acceptance.refused = Vec::new();
    }
}

//! Submissions, plans and claims for tests and benchmarks.

use std::sync::Arc;

use dispatch_model::{
    Acceptance, AttemptRecord, Content, Delivery, DeliveryState, Direction, EmailContent, Lane, Lease,
    LocationId, Message, MessageId, Outcome, PhoneNumber, Plan, Reason, SmsContent, Submission, Timestamp,
};

use super::Subject;
use crate::{Admitted, ClaimOne, ClaimRequest, Claimed, Claims, Planned, RecipientKey, Settlement};

/// When the samples happen: 2026-11-18.
pub const NOON: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// So many seconds after [`NOON`].
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOON.as_millis() + seconds * 1000)
}

/// A text message to the recipient with this number.
pub fn sms(location: &str, external_id: &str, recipient: u32) -> Submission {
    Submission {
        direction: Direction::Outbound,
        source: "highlevel".into(),
        location: location.into(),
        external_id: external_id.to_owned(),
        contact: Some(format!("contact-{recipient}").as_str().into()),
        received_at: NOON,
        content: Content::Sms(SmsContent {
            to: PhoneNumber {
                original: format!("55 {recipient:08}"),
                e164: Some(format!("+5255{recipient:08}")),
            },
            text: "Su cita es mañana a las 10:00".into(),
        }),
        attachments: Vec::new(),
        extra: serde_json::Map::new(),
        problem: None,
    }
}

/// A mail.
pub fn email(location: &str, external_id: &str, to: &str) -> Submission {
    Submission {
        content: Content::Email(EmailContent {
            from: Some("Clínica <hola@clinica.example>".into()),
            to: vec![to.to_owned()],
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: "Su cita".into(),
            html: "<p>mañana</p>".into(),
            text: None,
            in_reply_to: None,
        }),
        ..sms(location, external_id, 0)
    }
}

/// The lane of the samples.
pub fn lane() -> Lane {
    Lane::shared("twilio".into())
}

/// A delivery planned for the usual route, due at that time.
pub fn planned(message: &Message, due_at: Timestamp) -> Planned {
    let mut delivery = Delivery::unplanned(message.id, message.location.clone(), message.channel(), due_at);
    delivery.state = DeliveryState::Scheduled;
    delivery.plan = Plan {
        route: Some("all".into()),
        chain: vec!["twilio".into(), "telnyx".into()],
        reasons: vec!["every sms".into()],
    };
    delivery.lane = Some(lane());
    delivery.expires_at = due_at.plus(std::time::Duration::from_secs(24 * 3600));
    delivery.changed_at = NOON;
    Planned { delivery, recipient: RecipientKey::of(message) }
}

/// A claim in the usual lane.
pub fn request(now: Timestamp, want: usize, after: Option<LocationId>) -> ClaimRequest {
    ClaimRequest { lane: lane(), now, want, after, busy: Arc::default() }
}

/// A record of an attempt that ended so.
pub fn attempt(number: u32, outcome: Outcome) -> AttemptRecord {
    AttemptRecord {
        number,
        backend: "twilio".into(),
        started_at: at(1),
        ended_at: at(2),
        outcome,
        fault: None,
        marked: true,
        possible_double: false,
        plugin_digest: "00ff".into(),
        idempotency_key: "dsp-x-0".into(),
        text: None,
        callback_url: None,
        exchanges: Vec::new(),
    }
}

/// The end of a lease with the delivery as it is after `change`, and an attempt.
pub fn settlement(claimed: &Delivery, outcome: Outcome, change: impl FnOnce(&mut Delivery)) -> Settlement {
    let mut delivery = claimed.clone();
    delivery.attempts += 1;
    delivery.attempts_total += 1;
    delivery.changed_at = at(3);
    change(&mut delivery);
    let attempt = Some(attempt(delivery.attempts_total, outcome));
    Settlement { lease: claimed.lease(), delivery, attempt }
}

/// An end in acceptance under a reference.
pub fn accepted(claimed: &Delivery, reference: &str) -> Settlement {
    let acceptance = Acceptance { references: vec![reference.to_owned()], ..Acceptance::default() };
    settlement(claimed, Outcome::Accepted(acceptance), |delivery| {
        delivery.state = DeliveryState::Accepted;
        delivery.lane = None;
        delivery.references = vec![reference.to_owned()];
    })
}

/// An end in the state given, with a reason.
pub fn ended(claimed: &Delivery, state: DeliveryState) -> Settlement {
    let reason = Reason::new("21610", "opted out");
    let outcome = Outcome::Rejected { kind: dispatch_model::Rejection::Recipient, reason: reason.clone() };
    settlement(claimed, outcome, |delivery| {
        delivery.state = state;
        delivery.lane = None;
        delivery.reason = Some(reason);
        delivery.unresolved = state == DeliveryState::Held;
    })
}

/// Back to its lane, due at that time.
pub fn deferred(claimed: &Delivery, due_at: Timestamp) -> Settlement {
    let reason = Reason::new("503", "busy");
    let outcome = Outcome::Deferred { reason: reason.clone(), retry_after_ms: None };
    settlement(claimed, outcome, |delivery| {
        delivery.state = DeliveryState::Scheduled;
        delivery.due_at = due_at;
        delivery.reason = Some(reason);
    })
}

/// Admits, and expects that it was fresh.
pub async fn admit(store: &Subject, submission: Submission) -> Arc<Message> {
    match store.admit(submission).await {
        Ok(Admitted::Fresh(message)) => message,
        other => panic!("expected a fresh message, got {other:?}"),
    }
}

/// Admits and schedules, due at that time.
pub async fn schedule(store: &Subject, submission: Submission, due_at: Timestamp) -> Arc<Message> {
    let message = admit(store, submission).await;
    store.plan(vec![planned(&message, due_at)]).await.expect("a plan");
    message
}

/// A claim of this one, in the usual lane, that was never leased before.
pub fn one(message: MessageId, marked: bool) -> ClaimOne {
    ClaimOne { message, epoch: 0, generation: 0, lane: lane(), now: NOON, marked }
}

/// Plans one that was admitted, and claims it.
pub async fn plan_and_claim(store: &Subject, message: &Message) -> Lease {
    store.plan(vec![planned(message, NOON)]).await.expect("a plan");
    let Delivery { epoch, generation, .. } =
        store.message(message.id).await.expect("an answer").expect("it").delivery;
    let wanted = ClaimOne { epoch, generation, ..one(message.id, false) };
    store.claim_one(wanted).await.expect("a claim").expect("it waits")
}

/// Claims in the usual lane.
pub async fn claim(store: &Subject, now: Timestamp, want: usize, after: Option<LocationId>) -> Claims {
    store.claim(request(now, want, after)).await.expect("a claim")
}

/// Admits, schedules and claims one.
pub async fn leased(store: &Subject, submission: Submission) -> Claimed {
    let id = schedule(store, submission, NOON).await.id;
    let mut claims = claim(store, at(1), 1, None).await;
    let claimed = claims.claimed.pop().expect("something was due");
    assert_eq!(claimed.delivery.message, id);
    claimed
}

/// The state a message is in.
pub async fn state(store: &Subject, id: dispatch_model::MessageId) -> DeliveryState {
    store.message(id).await.expect("an answer").expect("a message").delivery.state
}

//! A world around one delivery, for the tests of its transitions.

mod life;
mod table;

use std::collections::HashMap;

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;
use crate::{Channel, Lane, RefusedRecipient};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn reason(code: &str) -> Reason {
    Reason::new(code, "words")
}

fn leased(chain: &[&str]) -> Delivery {
    let mut delivery = Delivery::unplanned(
        crate::MessageId::from_i64(7),
        "loc".into(),
        Channel::Sms,
        Timestamp::from_millis(0),
    );
    delivery.plan.chain = chain.iter().map(|name| BackendName::from(*name)).collect();
    delivery.plan.route = Some("r".into());
    delivery.state = DeliveryState::Leased;
    delivery.lane = Some(Lane::shared(delivery.plan.chain[0].clone()));
    delivery.expires_at = NOW.plus(Duration::from_secs(24 * 3600));
    delivery.epoch = 1;
    delivery
}

/// The world around a delivery. Backends that are not named are open.
#[derive(Clone, Default)]
struct World {
    policy: Policy,
    access: HashMap<String, Access>,
    looks_up: bool,
    idempotent: bool,
}

impl World {
    fn with(mut self, backend: &str, access: Access) -> Self {
        self.access.insert(backend.to_owned(), access);
        self
    }

    fn on_unknown(mut self, on_unknown: OnUnknown) -> Self {
        self.policy.on_unknown = on_unknown;
        self
    }

    fn attempts(mut self, attempts: u32) -> Self {
        self.policy.retry.attempts = attempts;
        self
    }

    fn looking_up(mut self) -> Self {
        self.looks_up = true;
        self
    }

    fn settle(&self, delivery: Delivery, end: End, marked: bool) -> Settled {
        self.settle_at(delivery, end, marked, NOW)
    }

    fn settle_at(&self, delivery: Delivery, end: End, marked: bool, at: Timestamp) -> Settled {
        let place = |name: &BackendName| Place {
            lane: Lane::shared(name.clone()),
            access: self.access.get(name.as_str()).copied().unwrap_or(Access::Open),
        };
        let facts = Facts {
            policy: &self.policy,
            place: &place,
            pause_default: Duration::from_secs(5),
            pause_max: Duration::from_secs(900),
            looks_up: self.looks_up,
            idempotent: self.idempotent,
        };
        let finish = Finish { end, marked, trouble: true, at };
        settle(delivery, &finish, &facts, &mut SmallRng::seed_from_u64(1))
    }

    fn plan(&self, chain: &[&str], end: Option<(DeliveryState, Reason)>) -> Delivery {
        let place = |name: &BackendName| Place {
            lane: Lane::shared(name.clone()),
            access: self.access.get(name.as_str()).copied().unwrap_or(Access::Open),
        };
        let facts = Facts {
            policy: &self.policy,
            place: &place,
            pause_default: Duration::ZERO,
            pause_max: Duration::ZERO,
            looks_up: false,
            idempotent: false,
        };
        let mut delivery = leased(&["x"]);
        delivery.state = DeliveryState::Unplanned;
        delivery.changed_at = NOW;
        let routed = Plan {
            route: Some("r".into()),
            chain: chain.iter().map(|name| BackendName::from(*name)).collect(),
            reasons: vec!["why".into()],
        };
        plan(delivery, routed, end, &facts, NOW, &mut SmallRng::seed_from_u64(1))
    }
}

fn deferred(retry_after_ms: Option<u64>) -> End {
    End::Outcome(Outcome::Deferred { reason: reason("503"), retry_after_ms })
}

fn throttled(seconds: u64) -> End {
    End::Outcome(Outcome::Throttled { reason: reason("429"), retry_after_ms: Some(seconds * 1000) })
}

fn rejected(kind: Rejection) -> End {
    End::Outcome(Outcome::Rejected { kind, reason: reason("no") })
}

fn unknown() -> End {
    End::Outcome(Outcome::Unknown { reason: reason("timeout") })
}

fn accepted(refused: Vec<RefusedRecipient>) -> End {
    End::Outcome(Outcome::Accepted(Acceptance {
        references: vec!["ref".into()],
        refused,
        ..Acceptance::default()
    }))
}

fn fault() -> End {
    End::Fault(Fault::Trap { detail: "unreachable".into() })
}

/// State, backend and counted attempts: what a row of the table says.
fn row(settled: &Settled) -> (DeliveryState, Option<&str>, u32) {
    let delivery = &settled.delivery;
    let lane = delivery.lane.as_ref().map(|lane| lane.backend.as_str());
    (delivery.state, lane, delivery.attempts)
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

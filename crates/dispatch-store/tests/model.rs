//! Random verbs against the store in memory and the one on disk: both must give the same answers.
//! Between verbs the one on disk is closed and opened again at random.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dispatch_model::{
    BackendName, Channel, Delivery, DeliveryState, Direction, Lane, LocationId, MessageId, Receipt,
    ReceiptState, RouteName, Timestamp,
};
use dispatch_store::conformance::sample;
use dispatch_store::{
    About, Admitted, ClaimOne, ClaimRequest, Claims, Filter, MemoryStore, NewReceipt, News, Purged,
    QuarantineRequest, Redrive, Resolution, Retention, SqliteStore, Store, StoreConfig, StoreError,
    Suspension,
};
use proptest::prelude::*;

const QUOTA: u64 = 12;

#[derive(Debug, Clone)]
enum Verb {
    Admit { location: u8, number: u8, recipient: u8, mail: bool },
    Quarantine(u8),
    Plan { which: u8, route: u8, later: u8, dead: bool },
    ClaimOne { which: u8, own: bool, marked: bool },
    Claim { own: bool, want: u8, busy: u8 },
    Mark { which: u8 },
    Settle { which: u8, end: u8, later: u8, attempt: bool },
    Relane,
    Recover,
    Cancel { by: u8, which: u8 },
    Redrive { by: u8, which: u8, bound: bool },
    Resolve { which: u8, how: u8 },
    Hear { which: u8, reference: u8, state: u8, by: u8 },
    Suspend { what: u8, suspended: bool },
    Purge,
    Wait(u16),
    Reopen,
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        8 => (0..3u8, 0..20u8, 0..5u8, any::<bool>())
            .prop_map(|(location, number, recipient, mail)| Verb::Admit { location, number, recipient, mail }),
        1 => (0..3u8).prop_map(Verb::Quarantine),
        8 => (any::<u8>(), 0..2u8, 0..40u8, prop::bool::weighted(0.1))
            .prop_map(|(which, route, later, dead)| Verb::Plan { which, route, later, dead }),
        4 => (any::<u8>(), prop::bool::weighted(0.3), any::<bool>())
            .prop_map(|(which, own, marked)| Verb::ClaimOne { which, own, marked }),
        6 => (prop::bool::weighted(0.3), 0..6u8, 0..5u8).prop_map(|(own, want, busy)| Verb::Claim { own, want, busy }),
        2 => any::<u8>().prop_map(|which| Verb::Mark { which }),
        6 => (any::<u8>(), 0..6u8, 0..40u8, any::<bool>())
            .prop_map(|(which, end, later, attempt)| Verb::Settle { which, end, later, attempt }),
        1 => Just(Verb::Relane),
        1 => Just(Verb::Recover),
        2 => (0..6u8, any::<u8>()).prop_map(|(by, which)| Verb::Cancel { by, which }),
        2 => (0..6u8, any::<u8>(), any::<bool>()).prop_map(|(by, which, bound)| Verb::Redrive { by, which, bound }),
        1 => (any::<u8>(), 0..3u8).prop_map(|(which, how)| Verb::Resolve { which, how }),
        6 => (any::<u8>(), 0..7u8, 0..5u8, 0..8u8)
            .prop_map(|(which, reference, state, by)| Verb::Hear { which, reference, state, by }),
        2 => (0..6u8, any::<bool>()).prop_map(|(what, suspended)| Verb::Suspend { what, suspended }),
        1 => Just(Verb::Purge),
        3 => (0..60u16).prop_map(Verb::Wait),
        1 => Just(Verb::Reopen),
    ]
}

/// Both stores, and what the driver knows.
struct Pair {
    memory: MemoryStore,
    disk: Option<SqliteStore>,
    config: StoreConfig,
    now: Timestamp,
    ids: Vec<MessageId>,
    after: Option<LocationId>,
}

/// What of an error has to be the same.
fn kind<T>(result: Result<T, StoreError>) -> Result<T, String> {
    result.map_err(|error| match error {
        StoreError::LocationFull { location, waiting } => format!("location {location} full at {waiting}"),
        StoreError::Stale(lease) => format!("stale {lease:?}"),
        StoreError::Invalid { .. } => "invalid".to_owned(),
        other => panic!("no such thing can happen here: {other}"),
    })
}

impl Pair {
    fn disk(&self) -> &SqliteStore {
        self.disk.as_ref().expect("it is open between verbs")
    }

    fn id(&self, which: u8) -> MessageId {
        let known = self.ids.get(usize::from(which) % self.ids.len().max(1));
        known.copied().unwrap_or(MessageId::from_i64(5))
    }

    fn filter(&self, by: u8, which: u8) -> Filter {
        let mut filter = Filter::default();
        match by {
            0 => filter.ids = vec![self.id(which), self.id(which / 2)],
            1 => filter.location = Some(location(which % 3)),
            2 => filter.recipient = Some(format!("+5255{:08}", which % 5)),
            3 => filter.route = Some(route(which % 2)),
            4 => {
                filter.states = vec![
                    DeliveryState::ALL[usize::from(which) % DeliveryState::ALL.len()],
                    DeliveryState::Held,
                ]
            }
            _ => filter.contact = Some(format!("contact-{}", which % 5)),
        }
        if which % 4 == 1 {
            filter.inbound = Some(which % 8 == 1);
        }
        if which > 200 {
            filter.channel = Some(Channel::Sms);
        }
        filter
    }

    async fn run(&mut self, verb: Verb) {
        match verb {
            Verb::Admit { location: at, number, recipient, mail } => {
                let (name, id) = (location(at), format!("m{number}"));
                let mut submission = sample::sms(name.as_str(), &id, u32::from(recipient));
                if mail {
                    submission = sample::email(name.as_str(), &id, &format!("p{recipient}@example.com"));
                }
                submission.received_at = self.now;
                if number % 3 == 0 {
                    submission.direction = Direction::Inbound { from: format!("+5255{recipient:08}") };
                }
                let here = kind(self.memory.admit(submission.clone()).await);
                let there = kind(self.disk().admit(submission).await);
                assert_eq!(format!("{here:?}"), format!("{there:?}"));
                if let Ok(Admitted::Fresh(message)) = here {
                    self.ids.push(message.id);
                }
            }
            Verb::Quarantine(body) => {
                let request = QuarantineRequest {
                    source: "highlevel".into(),
                    received_at: self.now,
                    reason: "not JSON".into(),
                    body: vec![body],
                };
                let here = self.memory.quarantine(request.clone()).await.unwrap();
                assert_eq!(here, self.disk().quarantine(request).await.unwrap());
            }
            Verb::Plan { which, route: number, later, dead } => {
                let Some(view) = self.memory.message(self.id(which)).await.unwrap() else { return };
                let due = self.now.plus(Duration::from_secs(u64::from(later.saturating_sub(20))));
                let mut planned = sample::planned(&view.message, due);
                planned.delivery.plan.route = Some(route(number));
                planned.delivery.changed_at = self.now;
                if which % 3 == 0 {
                    planned.delivery.lane = Some(own_lane());
                }
                if dead {
                    planned.delivery.state = DeliveryState::DeadLettered;
                    planned.delivery.lane = None;
                }
                let here = kind(self.memory.plan(vec![planned.clone()]).await);
                assert_eq!(here, kind(self.disk().plan(vec![planned]).await));
            }
            Verb::ClaimOne { which, own, marked } => {
                let lane = if own { own_lane() } else { sample::lane() };
                let known = self.delivery(which).await;
                let (epoch, generation) = known.map_or((0, 0), |it| (it.epoch, it.generation));
                let message = self.id(which);
                let wanted = ClaimOne { message, epoch, generation, lane, now: self.now, marked };
                let here = self.memory.claim_one(wanted.clone()).await.unwrap();
                assert_eq!(here, self.disk().claim_one(wanted).await.unwrap());
            }
            Verb::Claim { own, want, busy } => self.claim(own, want, busy).await,
            Verb::Mark { which } => {
                let lease = self.delivery(which).await.map(|delivery| delivery.lease());
                let lease = lease.unwrap_or(dispatch_model::Lease { message: self.id(which), epoch: 1 });
                assert_eq!(kind(self.memory.mark(lease).await), kind(self.disk().mark(lease).await));
            }
            Verb::Settle { which, end, later, attempt } => {
                let Some(delivery) = self.delivery(which).await else { return };
                let mut settlement = match end {
                    0 => sample::accepted(&delivery, &format!("SM{}", which % 7)),
                    1 => sample::ended(&delivery, DeliveryState::DeadLettered),
                    2 => sample::ended(&delivery, DeliveryState::Held),
                    3 => sample::ended(&delivery, DeliveryState::Expired),
                    _ => sample::deferred(&delivery, self.now.plus(Duration::from_secs(u64::from(later)))),
                };
                settlement.delivery.changed_at = self.now;
                if which % 5 == 0 {
                    settlement.lease.epoch += 1;
                }
                if !attempt {
                    settlement.attempt = None;
                }
                let here = kind(self.memory.settle(&settlement).await);
                assert_eq!(here, kind(self.disk().settle(&settlement).await));
            }
            Verb::Relane => {
                let here = kind(self.memory.relane(own_lane(), sample::lane(), 1000).await);
                assert_eq!(here, kind(self.disk().relane(own_lane(), sample::lane(), 1000).await));
            }
            Verb::Recover => {
                let here = self.memory.recover(self.now).await.unwrap();
                assert_eq!(here, self.disk().recover(self.now).await.unwrap());
            }
            Verb::Cancel { by, which } => {
                let filter = self.filter(by, which);
                let here = self.memory.cancel(filter.clone(), "stop".into(), self.now).await.unwrap();
                let there = self.disk().cancel(filter.clone(), "stop".into(), self.now).await.unwrap();
                assert_eq!(here, there, "{filter:?}");
            }
            Verb::Redrive { by, which, bound } => {
                let to = bound.then(|| BackendName::from("telnyx"));
                let request = Redrive { filter: self.filter(by, which), to, note: "again".into() };
                let here = self.memory.redrive(request.clone(), self.now).await.unwrap();
                assert_eq!(here, self.disk().redrive(request, self.now).await.unwrap());
            }
            Verb::Resolve { which, how } => {
                let how =
                    [Resolution::Accepted, Resolution::Failed, Resolution::Retry][usize::from(how)].clone();
                let id = self.id(which);
                let here = self.memory.resolve(id, how.clone(), self.now).await.unwrap();
                assert_eq!(here, self.disk().resolve(id, how, self.now).await.unwrap());
            }
            Verb::Hear { which, reference, state, by } => {
                let recipient = (by == 0).then(|| "p1@example.com".to_owned());
                let about = About { message: self.id(which), generation: u32::from(by % 2) };
                let receipt = Receipt {
                    reference: format!("SM{reference}"),
                    key: None,
                    recipient,
                    state: ReceiptState::ALL[usize::from(state)],
                    reason: None,
                    at: None,
                };
                let news = vec![News::Receipt(NewReceipt {
                    backend: if by == 3 { "telnyx".into() } else { "twilio".into() },
                    location: (by == 5).then(|| location(0)),
                    about: (by > 5).then_some(about),
                    key: (by == 4 || by == 5).then_some(about),
                    receipt,
                    received_at: self.now,
                })];
                let here = self.memory.hear(news.clone()).await.unwrap();
                assert_eq!(here, self.disk().hear(news).await.unwrap());
            }
            Verb::Suspend { what, suspended } => {
                let what = match what {
                    0..3 => Suspension::Location(location(what)),
                    3 | 4 => Suspension::Route(route(what - 3)),
                    _ => Suspension::Backend("twilio".into()),
                };
                let here = self.memory.suspend(what.clone(), suspended, self.now).await.unwrap();
                assert_eq!(here, self.disk().suspend(what, suspended, self.now).await.unwrap());
            }
            Verb::Purge => {
                let days = |days: u64| Duration::from_secs(days * 24 * 3600);
                let retention =
                    Retention { content: days(2), record: days(9), dedupe: days(30), quarantine: days(3) };
                let here = drain(&self.memory, retention, self.now).await;
                assert_eq!(here, drain(self.disk(), retention, self.now).await);
            }
            Verb::Wait(seconds) => {
                // Long enough now and then for retention to have something to take.
                let seconds = if seconds > 57 { 3 * 24 * 3600 } else { u64::from(seconds) };
                self.now = self.now.plus(Duration::from_secs(seconds));
            }
            Verb::Reopen => {
                self.disk = None;
                self.disk = Some(SqliteStore::open(self.config.clone()).unwrap());
            }
        }
    }

    async fn delivery(&self, which: u8) -> Option<Delivery> {
        Some(self.memory.message(self.id(which)).await.unwrap()?.delivery)
    }

    async fn claim(&mut self, own: bool, want: u8, busy: u8) {
        let lane = if own { own_lane() } else { sample::lane() };
        let mut held = HashSet::new();
        if let Some(view) = self.memory.message(self.id(busy)).await.unwrap() {
            held.insert(dispatch_store::RecipientKey::of(&view.message).0);
        }
        let request = ClaimRequest {
            lane,
            now: self.now,
            want: usize::from(want),
            after: self.after.clone(),
            busy: Arc::new(held),
        };
        let here = self.memory.claim(request.clone()).await.unwrap();
        let there = self.disk().claim(request).await.unwrap();
        let claimed = |claims: &Claims| format!("{:?} {:?}", claims.claimed, claims.after);
        assert_eq!(claimed(&here), claimed(&there));
        // The one on disk may wake a little early; never late, and it never says that all is done.
        assert!(there.more || !here.more);
        match (here.next_due, there.next_due) {
            (Some(here), Some(there)) => assert!(there <= here),
            (Some(here), None) => panic!("nothing due on disk, and at {here} in memory"),
            (None, _) => {}
        }
        self.after = here.after;
    }

    /// All that can be asked is answered alike.
    async fn compare(&self) {
        let disk = self.disk();
        for id in &self.ids {
            let here = self.memory.message(*id).await.unwrap();
            assert_eq!(format!("{here:?}"), format!("{:?}", disk.message(*id).await.unwrap()));
        }
        for which in 0..=255u8 {
            let filter = self.filter(which % 6, which);
            let here = self.memory.search(filter.clone(), None, 5).await.unwrap();
            let there = disk.search(filter.clone(), None, 5).await.unwrap();
            assert_eq!(format!("{here:?}"), format!("{there:?}"), "{filter:?}");
        }
        for any_id in ["m0", "m7", "SM1", "SM3", "none"] {
            assert_eq!(self.memory.find(any_id).await.unwrap(), disk.find(any_id).await.unwrap(), "{any_id}");
        }
        let unplanned =
            async |store: &dyn Store| format!("{:?}", store.unplanned(MessageId::ZERO, 100).await.unwrap());
        assert_eq!(unplanned(&self.memory).await, unplanned(disk).await);
        let (here, there) = (self.memory.stats().await.unwrap(), disk.stats().await.unwrap());
        assert_eq!((here.by_state, here.quarantined), (there.by_state, there.quarantined));
        assert_eq!(here.parked_receipts, there.parked_receipts);
        assert_eq!(self.memory.suspensions().await.unwrap(), disk.suspensions().await.unwrap());
        let counts = async |store: &dyn Store| {
            let lanes = store.lanes().await.unwrap();
            lanes.into_iter().map(|lane| (lane.lane, lane.waiting)).collect::<Vec<_>>()
        };
        assert_eq!(counts(&self.memory).await, counts(disk).await);
    }
}

async fn drain(store: &dyn Store, retention: Retention, now: Timestamp) -> Purged {
    let mut total = Purged::default();
    loop {
        let bite = store.purge(retention, now).await.unwrap();
        total.contents += bite.contents;
        total.records += bite.records;
        total.keys += bite.keys;
        total.quarantined += bite.quarantined;
        total.receipts += bite.receipts;
        if !bite.more {
            return total;
        }
    }
}

fn location(number: u8) -> LocationId {
    format!("L{number}").as_str().into()
}

fn route(number: u8) -> RouteName {
    format!("route {number}").as_str().into()
}

fn own_lane() -> Lane {
    Lane { backend: "twilio".into(), location: Some("L0".into()) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_say_the_same(verbs in prop::collection::vec(verb(), 1..120)) {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            ballast: 0,
            location_waiting_max: QUOTA,
            readers: 1,
            commit_gap: std::time::Duration::ZERO,
            ..StoreConfig::new(folder.path().join("s.db"))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair {
                memory: MemoryStore::with_quota(QUOTA),
                disk: Some(SqliteStore::open(config.clone()).unwrap()),
                config,
                now: sample::NOON,
                ids: Vec::new(),
                after: None,
            };
            for verb in verbs {
                pair.run(verb).await;
            }
            pair.compare().await;
        });
    }
}

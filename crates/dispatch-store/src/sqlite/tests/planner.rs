//! Plans that are written with their messages.

use parking_lot::Mutex;

use super::*;
use crate::{Arrival, Planned, Planner, RecipientKey, Stands, Waits};

type Plans = Box<dyn Fn(&Message) -> Option<Planned> + Send + Sync>;

/// Plans as it is told, and notes what it was asked for and what was written.
struct Script {
    plans: Plans,
    stands: Stands,
    asked: Mutex<Vec<MessageId>>,
    written: Written,
}

type Written = Arc<Mutex<Vec<Option<Lease>>>>;

struct Waiting(Written);

impl Arrival for Waiting {
    fn written(self: Box<Self>, lease: Option<Lease>) {
        self.0.lock().push(lease);
    }
}

impl Planner for Script {
    fn waits(&self, message: &Arc<Message>, bytes: usize) -> Option<Waits> {
        assert!(bytes > 1024, "its content at least");
        self.asked.lock().push(message.id);
        let planned = (self.plans)(message)?;
        let arrival = Box::new(Waiting(Arc::clone(&self.written)));
        Some(Waits { planned, stands: self.stands, arrival })
    }
}

fn with(
    folder: &TempDir,
    stands: Stands,
    plans: impl Fn(&Message) -> Option<Planned> + Send + Sync + 'static,
) -> (Arc<SqliteStore>, Arc<Script>) {
    let store = store(folder);
    let script = Script { plans: Box::new(plans), stands, asked: Mutex::default(), written: Arc::default() };
    let script = Arc::new(script);
    store.plan_with(Arc::clone(&script) as Arc<dyn Planner>);
    (store, script)
}

/// All that can be asked of a store of one message.
async fn told(store: &SqliteStore, id: MessageId) -> String {
    let view = store.message(id).await.unwrap().unwrap();
    let (stats, lanes) = (store.stats().await.unwrap(), store.lanes().await.unwrap());
    let claimed = store.claim(crate::conformance::sample::request(at(5), 9, None)).await.unwrap();
    let after = store.stats().await.unwrap();
    let counted = (&stats.by_state, &after.by_state);
    format!("{view:?}\n{counted:?}\n{lanes:?}\n{:?} {:?}", claimed.claimed, claimed.next_due)
}

#[tokio::test]
async fn a_plan_in_the_write_that_admits_is_as_one_after_it() {
    for (due_at, suspended) in [(NOON, false), (at(600), false), (NOON, true)] {
        let mut all = Vec::new();
        let ways = [
            (true, Stands::InLine),
            (true, Stands::Behind),
            (false, Stands::Behind),
            (suspended, Stands::Leased),
        ];
        for (at_once, stands) in ways {
            let folder = tempfile::tempdir().unwrap();
            let plan = move |message: &Message| planned(message, due_at);
            let (store, script) = with(&folder, stands, move |message| at_once.then(|| plan(message)));
            if suspended {
                store.suspend(Suspension::Location("L1".into()), true, NOON).await.unwrap();
            }
            let message = match store.admit(sms("L1", "m1", 1)).await.unwrap() {
                Admitted::Waiting(message) if at_once => message,
                Admitted::Fresh(message) if !at_once => {
                    store.plan(vec![plan(&message)]).await.unwrap();
                    message
                }
                other => panic!("{other:?}"),
            };
            assert!(store.unplanned(MessageId::ZERO, 9).await.unwrap().is_empty());
            assert_eq!(*script.written.lock(), vec![None; usize::from(at_once)], "{stands:?}");
            all.push(told(&store, message.id).await);
        }
        assert!(all.iter().all(|told| *told == all[0]), "{all:#?}");
    }
}

#[tokio::test]
async fn what_it_should_not_plan_is_planned_later() {
    let of_another = |message: &Message| {
        let mut plan = planned(message, NOON);
        plan.delivery.message = message.id.next();
        plan
    };
    let ended = |message: &Message| {
        let mut plan = planned(message, NOON);
        plan.delivery.state = DeliveryState::DeadLettered;
        plan
    };
    let plans: [Plans; 4] = [
        Box::new(|_| None),
        Box::new(move |message| Some(of_another(message))),
        Box::new(move |message| Some(ended(message))),
        Box::new(|_| panic!("a defect of the planner")),
    ];
    for plan in plans {
        let folder = tempfile::tempdir().unwrap();
        let (store, script) = with(&folder, Stands::Leased, plan);
        let admitted = store.admit(sms("L1", "m1", 1)).await.unwrap();
        let Admitted::Fresh(message) = admitted else { panic!("{admitted:?}") };
        let unplanned = store.unplanned(MessageId::ZERO, 9).await.unwrap();
        assert_eq!(unplanned[0].delivery.state, DeliveryState::Unplanned);
        assert_eq!(unplanned[0].message, message);
        assert!(script.written.lock().is_empty());
        assert_eq!(store.health(), StoreHealth::Ready);
    }
}

#[tokio::test]
async fn it_is_asked_once_for_each_fresh_message() {
    let folder = tempfile::tempdir().unwrap();
    let (store, script) = with(&folder, Stands::InLine, |message| Some(planned(message, NOON)));
    // The first transaction fails as a whole, and is done again.
    store.shared().fault.plan(ffi::SQLITE_FULL);
    let first = store.admit(sms("L1", "m1", 1)).await;
    let Admitted::Waiting(message) = store.admit(sms("L1", "m1", 1)).await.unwrap() else {
        panic!("the first try left something behind: {first:?}")
    };
    assert!(matches!(store.admit(sms("L1", "m1", 1)).await.unwrap(), Admitted::Duplicate(_)));
    assert_eq!(script.asked.lock().as_slice(), [message.id]);
    assert_eq!(*script.written.lock(), [None]);
    assert_eq!(RecipientKey::of(&message), claim_one(&store).await);
}

async fn claim_one(store: &SqliteStore) -> RecipientKey {
    let claims = store.claim(crate::conformance::sample::request(at(5), 9, None)).await.unwrap();
    assert_eq!(claims.claimed.len(), 1);
    claims.claimed[0].recipient
}

#[tokio::test]
async fn what_is_not_in_line_is_claimed_by_its_id_or_moved_there_by_the_claims() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = with(&folder, Stands::Behind, |message| Some(planned(message, NOON)));
    let subject: Subject = store.clone();
    let mut ids = Vec::new();
    for n in 0..600 {
        let location = if n % 2 == 0 { "L1" } else { "L2" };
        match store.admit(sms(location, &format!("m{n}"), n)).await.unwrap() {
            Admitted::Waiting(message) => ids.push(message.id),
            other => panic!("{other:?}"),
        }
    }
    for id in &ids[..2] {
        let one = crate::conformance::sample::one(*id, true);
        assert!(subject.claim_one(one).await.unwrap().is_some());
    }
    store.suspend(Suspension::Location("L2".into()), true, NOON).await.unwrap();
    let mut claimed = 0;
    while claimed < 299 {
        let claims = claim(&subject, at(1), 100, None).await;
        assert!(claims.claimed.iter().all(|one| one.delivery.location == "L1".into()));
        assert!(claims.more || !claims.claimed.is_empty(), "it stopped at {claimed}");
        claimed += claims.claimed.len();
    }
    store.suspend(Suspension::Location("L2".into()), false, NOON).await.unwrap();
    let lanes = store.lanes().await.unwrap();
    assert_eq!((lanes[0].waiting, lanes[0].first_due), (299, NOON));
    for expected in [200, 99, 0] {
        assert_eq!(claim(&subject, at(1), 200, None).await.claimed.len(), expected);
    }
}

#[tokio::test]
async fn what_is_leased_as_it_is_admitted_is_under_way_once_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, script) = with(&folder, Stands::Leased, |message| Some(planned(message, NOON)));
    let Admitted::Waiting(message) = store.admit(sms("L1", "m1", 1)).await.unwrap() else {
        panic!("it waits")
    };
    let written = script.written.lock().clone();
    let [Some(lease)] = written.as_slice() else { panic!("{written:?}") };
    let delivery = store.message(message.id).await.unwrap().unwrap().delivery;
    assert_eq!((delivery.state, delivery.marked, delivery.lease()), (DeliveryState::Leased, true, *lease));
    let subject: Subject = store.clone();
    assert!(claim(&subject, at(9), 9, None).await.claimed.is_empty(), "somebody else has it");
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.by_state["leased"], stats.by_state["scheduled"]), (1, 0));
    // Whoever had it is gone.
    assert_eq!(store.recover(at(1)).await.unwrap(), (0, 1));
    let delivery = store.message(message.id).await.unwrap().unwrap().delivery;
    assert!(delivery.unresolved && delivery.possible_double);
}

/// Fails after others of its group have run: so that all of it is done again, or for good.
struct Fails {
    for_good: bool,
}

impl Verb for Fails {
    type Output = ();

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<()>, Failure> {
        assert!(!self.for_good, "as it was meant to");
        ledger.db.execute_batch("INSERT INTO meta(key, value) VALUES('half', 1), ('half', 2)")?;
        Ok(Progress::Done(()))
    }
}

#[tokio::test]
async fn a_lease_is_told_of_once_and_only_if_it_is_written() {
    for for_good in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (store, script) = with(&folder, Stands::Leased, |message| Some(planned(message, NOON)));
        let held = Held::hold(&store).await;
        let (submission, fails) = (sms("L1", "m1", 1), Fails { for_good });
        let (admitted, failed, ()) =
            tokio::join!(store.admit(submission), store.write(fails), held.release());
        assert_eq!(script.asked.lock().len(), 1);
        assert!(failed.is_err());
        assert_eq!(admitted.is_err(), for_good, "{admitted:?}");
        assert_eq!(script.written.lock().len(), usize::from(!for_good));
    }
}

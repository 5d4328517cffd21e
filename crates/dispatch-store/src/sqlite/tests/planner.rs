//! Plans that are written with their messages.

use parking_lot::Mutex;

use super::*;
use crate::{Planned, Planner, RecipientKey, Waits};

type Plans = Box<dyn Fn(&Message) -> Option<Planned> + Send + Sync>;

/// Plans as it is told, and notes what it was asked for and what came to its end.
struct Script {
    plans: Plans,
    in_line: bool,
    asked: Mutex<Vec<MessageId>>,
    ended: Arc<AtomicUsize>,
}

struct End(Arc<AtomicUsize>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Planner for Script {
    fn waits(&self, message: &Arc<Message>, bytes: usize) -> Option<Waits> {
        assert!(bytes > 1024, "its content at least");
        self.asked.lock().push(message.id);
        let planned = (self.plans)(message)?;
        Some(Waits { planned, in_line: self.in_line, until_written: Box::new(End(Arc::clone(&self.ended))) })
    }
}

fn with(
    folder: &TempDir,
    in_line: bool,
    plans: impl Fn(&Message) -> Option<Planned> + Send + Sync + 'static,
) -> (Arc<SqliteStore>, Arc<Script>) {
    let store = store(folder);
    let script = Script { plans: Box::new(plans), in_line, asked: Mutex::default(), ended: Arc::default() };
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
        for (at_once, in_line) in [(true, true), (true, false), (false, false)] {
            let folder = tempfile::tempdir().unwrap();
            let plan = move |message: &Message| planned(message, due_at);
            let (store, script) = with(&folder, in_line, move |message| at_once.then(|| plan(message)));
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
            assert_eq!(script.ended.load(Ordering::SeqCst), usize::from(at_once));
            all.push(told(&store, message.id).await);
        }
        assert_eq!(all[0], all[2]);
        assert_eq!(all[1], all[2]);
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
        let (store, _) = with(&folder, true, plan);
        let admitted = store.admit(sms("L1", "m1", 1)).await.unwrap();
        let Admitted::Fresh(message) = admitted else { panic!("{admitted:?}") };
        let unplanned = store.unplanned(MessageId::ZERO, 9).await.unwrap();
        assert_eq!(unplanned[0].delivery.state, DeliveryState::Unplanned);
        assert_eq!(unplanned[0].message, message);
        assert_eq!(store.health(), StoreHealth::Ready);
    }
}

#[tokio::test]
async fn it_is_asked_once_for_each_fresh_message() {
    let folder = tempfile::tempdir().unwrap();
    let (store, script) = with(&folder, true, |message| Some(planned(message, NOON)));
    // The first transaction fails as a whole, and is done again.
    store.shared().fault.plan(ffi::SQLITE_FULL);
    let first = store.admit(sms("L1", "m1", 1)).await;
    let Admitted::Waiting(message) = store.admit(sms("L1", "m1", 1)).await.unwrap() else {
        panic!("the first try left something behind: {first:?}")
    };
    assert!(matches!(store.admit(sms("L1", "m1", 1)).await.unwrap(), Admitted::Duplicate(_)));
    assert_eq!(script.asked.lock().as_slice(), [message.id]);
    assert_eq!(script.ended.load(Ordering::SeqCst), 1);
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
    let (store, _) = with(&folder, false, |message| Some(planned(message, NOON)));
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

//! Messages from people, and who wants none.

use std::time::Duration;

use dispatch_model::{Channel, DeliveryState, Direction, Message, Submission};

use super::Subject;
use super::sample::{NOON, admit, at, ended, plan_and_claim, planned, sms};
use crate::{
    Admitted, Consent, Cursor, Filter, Lift, NewInbound, Redrive, Retention, SUPPRESSIONS_MAX, StoreError,
    Suppression, SuppressionFilter,
};

const FROM: &str = "+525500000007";

fn from_person(backend: &str, location: &str, id: &str) -> Submission {
    Submission {
        direction: Direction::Inbound { from: FROM.into() },
        source: backend.into(),
        contact: None,
        ..sms(location, id, 99)
    }
}

async fn receive(store: &Subject, submission: Submission, consent: Option<Consent>) -> Admitted {
    store.receive(NewInbound { submission, consent }).await.expect("it is received")
}

async fn fresh(store: &Subject, submission: Submission) -> Message {
    match receive(store, submission, None).await {
        Admitted::Fresh(message) => (*message).clone(),
        other => panic!("{other:?}"),
    }
}

fn suppression(location: Option<&str>) -> Suppression {
    Suppression {
        channel: Channel::Sms,
        address: FROM.into(),
        location: location.map(Into::into),
        since: NOON,
        backend: Some("twilio".into()),
        note: "ALTO".into(),
    }
}

async fn suppressed(store: &Subject) -> Vec<Suppression> {
    store.suppressed(SuppressionFilter::default(), None, 99).await.expect("a page").items
}

pub(super) async fn a_message_from_a_person_is_kept_once_for_each_backend(store: Subject) {
    let first = fresh(&store, from_person("twilio", "L1", "SM1")).await;
    assert!(matches!(
        receive(&store, from_person("twilio", "L2", "SM1"), None).await,
        Admitted::Duplicate(id) if id == first.id
    ));
    fresh(&store, from_person("telnyx", "L1", "SM1")).await;
    admit(&store, sms("twilio", "SM1", 1)).await;
    let view = store.message(first.id).await.expect("an answer").expect("it");
    assert_eq!(view.message, first);
    assert_eq!(view.message.inbound_from(), Some(FROM));
    let unplanned = store.unplanned(dispatch_model::MessageId::ZERO, 9).await.expect("a page");
    assert_eq!(*unplanned[0].message, first, "it is planned like any other");
}

pub(super) async fn those_from_people_are_found_apart(store: Subject) {
    let inbound = fresh(&store, from_person("twilio", "", "SM1")).await;
    let outbound = admit(&store, sms("L1", "m1", 7)).await;
    let found = async |filter: Filter| -> Vec<_> {
        let page = store.search(filter, None, 9).await.expect("a page");
        page.items.into_iter().map(|row| (row.id, row.sender)).collect()
    };
    let from = Some(FROM.to_owned());
    let (theirs, ours) = ((inbound.id, from.clone()), (outbound.id, None));
    let by = |inbound, recipient: Option<String>| Filter { inbound, recipient, ..Filter::default() };
    assert_eq!(found(by(Some(true), None)).await, std::slice::from_ref(&theirs));
    assert_eq!(found(by(Some(false), None)).await, std::slice::from_ref(&ours));
    assert_eq!(found(by(None, from.clone())).await, [ours.clone(), theirs.clone()], "to and from one person");
    assert_eq!(found(by(Some(false), from.clone())).await, [ours]);
    assert_eq!(found(by(Some(true), from)).await, [theirs]);
    let states = vec![DeliveryState::Unplanned];
    assert_eq!(found(Filter { states, inbound: Some(true), ..Filter::default() }).await.len(), 1);
    let other = Filter { location: Some("L1".into()), inbound: Some(true), ..Filter::default() };
    assert_eq!(found(other).await, []);
}

pub(super) async fn what_is_kept_can_be_handed_on_later(store: Subject) {
    let message = fresh(&store, from_person("twilio", "L1", "SM1")).await;
    let mut plan = planned(&message, NOON);
    plan.delivery.state = DeliveryState::Kept;
    plan.delivery.lane = None;
    store.plan(vec![plan]).await.expect("a plan");
    assert_eq!(store.stats().await.expect("counts").by_state["kept"], 1);
    let all = Redrive { filter: Filter::default(), to: None, note: String::new() };
    assert_eq!(store.redrive(all, at(9)).await.expect("an answer"), 1);
    let view = store.message(message.id).await.expect("an answer").expect("it");
    assert_eq!(view.delivery.state, DeliveryState::Unplanned);
}

pub(super) async fn a_senders_address_goes_with_the_content_and_the_key_stays(store: Subject) {
    let message = fresh(&store, from_person("twilio", "L1", "SM1")).await;
    plan_and_claim(&store, &message).await;
    let delivery = store.message(message.id).await.expect("an answer").expect("it").delivery;
    store.settle(&ended(&delivery, DeliveryState::DeadLettered)).await.expect("an end");
    let after = |days: u64| NOON.plus(Duration::from_secs(days * 24 * 3600 + 60));
    let retention = Retention { dedupe: Duration::from_secs(120 * 24 * 3600), ..Retention::default() };
    while store.purge(retention, after(30)).await.expect("a purge").more {}
    let by_number = Filter { recipient: Some(FROM.into()), ..Filter::default() };
    assert!(store.search(by_number, None, 9).await.expect("a page").items.is_empty());
    let view = store.message(message.id).await.expect("an answer").expect("the record stays");
    assert!(view.content_purged);
    assert_eq!(view.message.inbound_from(), Some(""), "it is still one from a person");
    while store.purge(retention, after(91)).await.expect("a purge").more {}
    assert!(store.message(message.id).await.expect("an answer").is_none());
    assert!(matches!(
        receive(&store, from_person("twilio", "L1", "SM1"), None).await,
        Admitted::Duplicate(_)
    ));
    while store.purge(retention, after(121)).await.expect("a purge").more {}
    fresh(&store, from_person("twilio", "L1", "SM1")).await;
}

pub(super) async fn a_wish_is_kept_with_its_message_and_once(store: Subject) {
    let stop = || Some(Consent::Stop(suppression(Some("L1"))));
    let start = |location: Option<&str>, backend: Option<&str>| {
        Some(Consent::Start(Lift {
            channel: Channel::Sms,
            address: FROM.into(),
            location: location.map(Into::into),
            backend: backend.map(Into::into),
        }))
    };
    receive(&store, from_person("twilio", "L1", "SM1"), stop()).await;
    assert_eq!(suppressed(&store).await, [suppression(Some("L1"))]);
    receive(&store, from_person("twilio", "L2", "SM2"), start(Some("L2"), None)).await;
    assert_eq!(suppressed(&store).await.len(), 1, "another location's");
    receive(&store, from_person("twilio", "L1", "SM3"), start(Some("L1"), None)).await;
    assert_eq!(suppressed(&store).await, []);
    receive(&store, from_person("twilio", "L1", "SM1"), stop()).await;
    assert_eq!(suppressed(&store).await, [], "an old word that comes again changes nothing");

    let of_all = [None, Some("L1"), Some("L2")].map(suppression);
    assert_eq!(store.suppress(of_all.to_vec()).await.expect("an answer"), 3);
    receive(&store, from_person("twilio", "L1", "SM4"), start(Some("L1"), None)).await;
    assert_eq!(suppressed(&store).await, [suppression(Some("L2"))], "that of every location goes, too");
    receive(&store, from_person("telnyx", "", "SM5"), start(Some("L1"), Some("telnyx"))).await;
    assert_eq!(suppressed(&store).await.len(), 1, "the word was to another backend");
    receive(&store, from_person("twilio", "", "SM6"), start(Some("L1"), Some("twilio"))).await;
    assert_eq!(suppressed(&store).await, []);
}

pub(super) async fn suppressions_are_listed_and_lifted(store: Subject) {
    let mail =
        Suppression { channel: Channel::Email, address: "a@example.com".into(), ..suppression(Some("L1")) };
    let all = vec![suppression(Some("L1")), suppression(Some("L2")), suppression(None), mail.clone()];
    assert_eq!(store.suppress(all.clone()).await.expect("an answer"), 4);
    let again = Suppression { since: at(99), note: "again".into(), ..suppression(Some("L1")) };
    assert_eq!(store.suppress(vec![again]).await.expect("an answer"), 0);
    assert!(suppressed(&store).await.contains(&suppression(Some("L1"))), "the first word stands");
    let any = SuppressionFilter::default;
    let list =
        async |filter: SuppressionFilter| store.suppressed(filter, None, 9).await.expect("a page").items;
    assert_eq!(list(any()).await, all.iter().rev().cloned().collect::<Vec<_>>(), "newest first");
    assert_eq!(list(SuppressionFilter { location: Some("L1".into()), ..any() }).await.len(), 2);
    assert_eq!(list(SuppressionFilter { channel: Some(Channel::Email), ..any() }).await, [mail]);
    assert_eq!(list(SuppressionFilter { everywhere: true, ..any() }).await, [suppression(None)]);
    let of_person = SuppressionFilter { address: Some(FROM.into()), ..any() };
    assert_eq!(list(of_person.clone()).await.len(), 3);
    let mut pages = (0, None::<Cursor>);
    loop {
        let page = store.suppressed(any(), pages.1, 3).await.expect("a page");
        pages = (pages.0 + page.items.len(), page.next);
        if pages.1.is_none() {
            break;
        }
    }
    assert_eq!(pages.0, 4, "pages follow on");
    let there = SuppressionFilter { location: Some("L2".into()), ..of_person.clone() };
    assert_eq!(store.unsuppress(there.clone()).await.expect("an answer"), 1);
    assert_eq!(store.unsuppress(there).await.expect("an answer"), 0);
    assert_eq!(store.unsuppress(of_person).await.expect("an answer"), 2);
    assert_eq!(suppressed(&store).await.len(), 1);
}

pub(super) async fn suppressions_are_checked(store: Subject) {
    let many = vec![suppression(None); SUPPRESSIONS_MAX + 1];
    let nobody = vec![Suppression { address: String::new(), ..suppression(None) }];
    for wrong in [many, nobody] {
        let refusal = store.suppress(wrong).await.expect_err("it cannot be written");
        assert!(matches!(refusal, StoreError::Invalid { .. }), "{refusal}");
    }
    assert_eq!(suppressed(&store).await, []);
}

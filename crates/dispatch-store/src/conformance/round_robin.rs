//! Fairness: who is claimed, and in which order.

use std::sync::Arc;

use dispatch_model::{LocationId, Timestamp};

use super::Subject;
use super::sample::{NOON, at, claim, request, schedule, sms};
use crate::Claims;

fn locations(claims: &Claims) -> Vec<&str> {
    claims.claimed.iter().map(|claimed| claimed.delivery.location.as_str()).collect()
}

pub(super) async fn a_crowd_does_not_hold_up_another(store: Subject) {
    for n in 0..100 {
        schedule(&store, sms("crowd", &format!("m{n}"), n), NOON).await;
    }
    let claims = claim(&store, at(1), 4, None).await;
    assert_eq!(locations(&claims), ["crowd"; 4]);
    assert!(claims.more);
    schedule(&store, sms("late", "m1", 1), at(2)).await;
    let claims = claim(&store, at(3), 2, claims.after).await;
    assert!(locations(&claims).contains(&"late"), "{:?}", locations(&claims));
}

pub(super) async fn one_for_each_recipient(store: Subject) {
    for n in 0..3 {
        schedule(&store, sms("L1", &format!("same {n}"), 7), at(n)).await;
    }
    schedule(&store, sms("L1", "other", 8), at(5)).await;
    schedule(&store, sms("L1", "third", 9), at(6)).await;
    let claims = claim(&store, at(9), 10, None).await;
    let ids: Vec<&str> = claims.claimed.iter().map(|claimed| claimed.message.external_id.as_str()).collect();
    assert_eq!(ids, ["same 0", "other", "third"], "one for each recipient, in the order of time");
    assert!(!claims.more, "what waits for its recipient is not more");
    let mut busy = request(at(9), 10, None);
    busy.busy = Arc::new([claims.claimed[0].recipient.0].into());
    assert!(store.claim(busy).await.expect("a claim").claimed.is_empty());
    let claims = claim(&store, at(9), 10, None).await;
    assert_eq!(claims.claimed[0].message.external_id, "same 1");
}

pub(super) async fn the_round_goes_on_where_it_was(store: Subject) {
    for location in ["A", "B", "C"] {
        for n in 0..4 {
            let recipient = location.as_bytes()[0] as u32 * 10 + n;
            schedule(&store, sms(location, &format!("m{n}"), recipient), at(i64::from(n))).await;
        }
    }
    let mut seen = Vec::new();
    let mut after: Option<LocationId> = None;
    for want in [2, 1, 4, 2] {
        let claims = claim(&store, at(9), want, after).await;
        seen.extend(locations(&claims).into_iter().map(str::to_owned));
        after = claims.after;
    }
    assert_eq!(seen.concat(), "ABCABCABC");
    let claims = claim(&store, at(9), 10, Some("never seen".into())).await;
    assert_eq!(claims.claimed.len(), 3, "an unknown place in the round is its beginning");
    assert_eq!((claims.next_due, claims.more), (None, false));
    let none = claim(&store, at(9), 10, claims.after.clone()).await;
    assert_eq!(none.after, claims.after);
    assert_eq!(none.next_due, None::<Timestamp>);
}

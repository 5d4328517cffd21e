//! Who enters, and when.

use dispatch_model::{
    Channel, Content, Delivery, Direction, Message, MessageId, PhoneNumber, Reason, SmsContent, Submission,
};
use dispatch_store::Claims;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1000);

fn gate() -> Gate {
    let gate = Gate::new(Lane::shared("a".into()), Arc::new(Meters::new(&"a".into())));
    gate.configure(Some(Limits { concurrency: 4, ..Limits::default() }), None);
    gate
}

fn claim(gate: &Gate) -> Option<ClaimTurn> {
    match gate.turn(NOW, 32) {
        Turn::Claim(turn) => Some(turn),
        Turn::Attempt(..) | Turn::Wait(_) | Turn::Idle => None,
    }
}

/// Who of the lobby is let in, by recipient.
fn enter(gate: &Gate) -> Vec<i64> {
    match gate.turn(NOW, 32) {
        Turn::Attempt(newcomers, _) => newcomers.iter().map(|one| one.recipient.0).collect(),
        Turn::Claim(_) | Turn::Wait(_) | Turn::Idle => Vec::new(),
    }
}

fn message(location: &str) -> Message {
    let to = PhoneNumber { original: "1".into(), e164: None };
    let content = Content::Sms(SmsContent { to, text: String::new() });
    let submission = Submission {
        direction: Direction::Outbound,
        source: "test".into(),
        location: location.into(),
        external_id: "x".into(),
        contact: None,
        received_at: NOW,
        content,
        attachments: Vec::new(),
        extra: serde_json::Map::new(),
        problem: None,
    };
    Message { id: MessageId::from_i64(1), submission }
}

fn comes_from(gate: &Gate, location: &str, recipient: i64) {
    let message = message(location);
    let delivery = Delivery::unplanned(message.id, location.into(), Channel::Sms, NOW);
    let place = Room::default().place(0).expect("there is room");
    let recipient = RecipientKey(recipient);
    gate.arriving(recipient, Way::Enters, NOW);
    gate.greet(Newcomer { message: Arc::new(message), delivery, recipient, place }, NOW);
    gate.arrived();
}

/// An attempt ends. Whether somebody waits for its slot.
fn leave(gate: &Gate, recipient: i64) -> bool {
    let slot = gate.vacate(false);
    gate.leave(RecipientKey(recipient), NOW) || slot
}

fn comes(gate: &Gate, recipient: i64) {
    comes_from(gate, "L", recipient);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_enters_as_soon_as_there_is_a_slot() {
    let gate = gate();
    (1..=5).for_each(|recipient| comes(&gate, recipient));
    assert_eq!(enter(&gate), [1, 2, 3, 4]);
    assert!(enter(&gate).is_empty(), "four at once");
    assert!(!gate.is_idle(NOW));
    assert!(leave(&gate, 2), "somebody waits for the slot");
    assert_eq!(enter(&gate), [5]);
    for recipient in [1, 3, 4, 5] {
        assert!(!leave(&gate, recipient));
    }
    assert!(gate.is_idle(NOW));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_told_of_once() {
    let gate = gate();
    (1..=12).for_each(|recipient| comes(&gate, recipient));
    assert_eq!(enter(&gate), [1, 2, 3, 4]);
    assert!(gate.vacate(false));
    assert_eq!(enter(&gate), [5]);
    assert!(!gate.leave(RecipientKey(1), NOW), "its slot was told of, and nothing waits for its recipient");
    for (recorded, next) in [(2, 6), (3, 7), (4, 8), (5, 9)] {
        assert!(gate.vacate(false), "{recorded}");
        assert_eq!(enter(&gate), [next]);
    }
    gate.vacate(false);
    assert!(enter(&gate).is_empty(), "five are unrecorded, of four slots");
    assert!(gate.leave(RecipientKey(2), NOW), "the slot is free only now");
    assert_eq!(enter(&gate), [10]);
}

#[tokio::test(start_paused = true)]
async fn the_lobby_serves_one_location_after_the_other() {
    let gate = gate();
    for recipient in 1..=9 {
        comes_from(&gate, "crowd", recipient);
    }
    comes_from(&gate, "quiet", 10);
    assert_eq!(enter(&gate), [1, 10, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_second_one_to_a_recipient_waits_in_the_store_and_so_do_all_after_it() {
    let gate = gate();
    comes(&gate, 1);
    comes(&gate, 1);
    comes(&gate, 2);
    let turn = claim(&gate).expect("the store knows the order");
    assert_eq!(turn.want, 4);
    assert!(turn.busy.is_empty(), "nobody is under way: {:?}", turn.busy);
    comes(&gate, 3);
    gate.claimed(&turn, &Claims::default(), NOW);
    assert!(claim(&gate).is_some(), "it came during the claim");
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_store_is_not_overtaken() {
    let gate = gate();
    gate.tell(NOW.plus(Duration::from_secs(9)));
    comes(&gate, 1);
    assert_eq!(enter(&gate), [1], "what is due later does not count");
    gate.tell(NOW);
    comes(&gate, 2);
    let turn = claim(&gate).expect("there is work in the store");
    assert_eq!((turn.want, turn.busy.len()), (3, 1));
    gate.claimed(&turn, &Claims { more: true, ..Claims::default() }, NOW);
    gate.inner.lock().not_before = None;
    comes(&gate, 3);
    let turn = claim(&gate).expect("the store has more");
    gate.claimed(&turn, &Claims::default(), NOW);
    comes(&gate, 3);
    assert_eq!(enter(&gate), [3]);
}

#[tokio::test(start_paused = true)]
async fn the_lobby_is_empty_while_the_lane_cannot_be_had() {
    for pauses in [false, true] {
        let gate = gate();
        comes(&gate, 1);
        if pauses {
            let until = NOW.plus(Duration::from_secs(60));
            gate.apply(&LaneEffect::Pause { until, reason: Reason::new("429", "slow down") }, false, NOW);
        } else {
            gate.suspend(true);
        }
        comes(&gate, 2);
        assert!(enter(&gate).is_empty());
        gate.suspend(false);
        gate.inner.lock().paused = None;
        let turn = claim(&gate).expect("both are to be found in the store");
        assert!(turn.busy.is_empty(), "{:?}", turn.busy);
    }
    let gate = gate();
    comes(&gate, 1);
    gate.configure(None, None);
    assert!(claim(&gate).expect("it is swept").sweep);
}

#[tokio::test(start_paused = true)]
async fn newcomers_keep_the_rate() {
    let gate = gate();
    let rate = crate::Rate { count: 2, per: Duration::from_secs(1) };
    gate.configure(Some(Limits { concurrency: 9, rate: Some(rate), ..Limits::default() }), None);
    (1..=5).for_each(|recipient| comes(&gate, recipient));
    let mut entered = enter(&gate).len();
    assert!((1..=2).contains(&entered), "{entered}");
    while entered < 5 {
        let Turn::Wait(then) = gate.turn(NOW, 32) else { panic!("it has to wait for a token") };
        tokio::time::advance(then.duration_since(Instant::now()) + Duration::from_millis(1)).await;
        let more = enter(&gate).len();
        assert_eq!(more, 1);
        entered += more;
    }
}

#[tokio::test(start_paused = true)]
async fn one_newcomer_probes_an_open_breaker() {
    let gate = gate();
    let reason = Reason::new("401", "no credit");
    gate.apply(&LaneEffect::OpenBreaker { reason }, false, NOW);
    let later = NOW.plus(Duration::from_secs(24 * 3600));
    assert_eq!(gate.access(later), Access::Open, "it may be probed");
    for recipient in 1..=3 {
        let message = message("L");
        let delivery = Delivery::unplanned(message.id, "L".into(), Channel::Sms, NOW);
        let place = Room::default().place(0).expect("there is room");
        let recipient = RecipientKey(recipient);
        assert_eq!(gate.arriving(recipient, Way::Enters, later), Way::Lobby);
        gate.greet(Newcomer { message: Arc::new(message), delivery, recipient, place }, later);
        gate.arrived();
    }
    let Turn::Attempt(probe, true) = gate.turn(later, 32) else { panic!("a probe") };
    assert_eq!(probe.len(), 1);
    assert!(matches!(gate.turn(later, 32), Turn::Idle), "its end wakes the lane");
    gate.apply(&LaneEffect::Success, true, later);
    assert!(gate.vacate(true));
    gate.leave(probe[0].recipient, later);
    assert!(matches!(gate.turn(later, 32), Turn::Claim(_)), "the others went to the store meanwhile");
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_to_a_free_slot_has_it_before_it_is_written() {
    let gate = gate();
    assert_eq!(
        gate.arriving(RecipientKey(1), Way::Enters, NOW),
        Way::Lobby,
        "its first action may not deliver"
    );
    gate.arrived();
    gate.began(true);
    assert_eq!(
        gate.arriving(RecipientKey(1), Way::Store, NOW),
        Way::Store,
        "it is not to be attempted at once"
    );
    gate.arrived();
    assert_eq!(gate.arriving(RecipientKey(1), Way::Lobby, NOW), Way::Lobby, "it may not be marked so early");
    gate.arrived();
    for recipient in 1..=4 {
        assert_eq!(gate.arriving(RecipientKey(recipient), Way::Enters, NOW), Way::Enters);
    }
    assert_eq!(gate.arriving(RecipientKey(4), Way::Enters, NOW), Way::Store, "after the one before it");
    gate.arrived();
    assert_eq!(gate.arriving(RecipientKey(5), Way::Enters, NOW), Way::Lobby, "four at once");
    assert!(!leave(&gate, 1));
    assert_eq!(
        gate.arriving(RecipientKey(6), Way::Enters, NOW),
        Way::Lobby,
        "one is on its way to the lobby"
    );
    gate.arrived();
    gate.arrived();
    assert_eq!(gate.arriving(RecipientKey(7), Way::Enters, NOW), Way::Enters);
    comes(&gate, 8);
    assert!(leave(&gate, 2));
    assert_eq!(gate.arriving(RecipientKey(9), Way::Enters, NOW), Way::Lobby, "one is in the lobby");
    assert_eq!(enter(&gate), [8]);
}

#[tokio::test(start_paused = true)]
async fn nobody_enters_a_lane_that_is_shut_or_probed_or_has_no_token() {
    let enters = |gate: &Gate, at: Timestamp| {
        gate.began(true);
        let way = gate.arriving(RecipientKey(1), Way::Enters, at);
        if way != Way::Enters {
            gate.arrived();
        }
        way == Way::Enters
    };
    let (suspended, broken, behind, limited) = (gate(), gate(), gate(), gate());
    suspended.suspend(true);
    assert!(!enters(&suspended, NOW));
    suspended.suspend(false);
    assert!(enters(&suspended, NOW));
    broken.apply(&LaneEffect::OpenBreaker { reason: Reason::new("401", "no credit") }, false, NOW);
    assert!(!enters(&broken, NOW));
    assert!(!enters(&broken, NOW.plus(Duration::from_secs(24 * 3600))), "it is to be probed");
    behind.tell(NOW);
    assert!(!enters(&behind, NOW), "others are due before it");
    let rate = crate::Rate { count: 1, per: Duration::from_secs(60) };
    limited.configure(Some(Limits { rate: Some(rate), ..Limits::default() }), None);
    assert!(enters(&limited, NOW));
    leave(&limited, 1);
    assert!(!enters(&limited, NOW), "there was one token");
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_before_the_outcome_is_written_and_its_recipient_after_it() {
    let gate = gate();
    (1..=9).for_each(|recipient| comes(&gate, recipient));
    assert_eq!(enter(&gate), [1, 2, 3, 4]);
    assert!(gate.vacate(false), "somebody waits for it");
    assert_eq!(enter(&gate), [5]);
    assert_eq!(gate.arriving(RecipientKey(1), Way::Enters, NOW), Way::Store, "behind the one before it");
    gate.arrived();
    // A store that takes no records: as many more as there are slots, and no further.
    for recipient in 6..=8 {
        gate.vacate(false);
        assert_eq!(enter(&gate), [recipient]);
    }
    gate.vacate(false);
    assert!(enter(&gate).is_empty());
    gate.leave(RecipientKey(1), NOW);
    assert_eq!(enter(&gate), [9]);
}

#[test]
fn all_lobbies_share_their_room_and_it_is_given_back() {
    let room = Room::default();
    let places = [room.place(15 << 20), room.place(15 << 20)];
    assert!(places.iter().all(Option::is_some));
    assert!(room.place(15 << 20).is_none());
    assert!(room.place(1024).is_some(), "a refused one takes nothing");
    drop(places);
    assert!(room.place(15 << 20).is_some());
}

#[tokio::test(start_paused = true)]
async fn slots_are_in_hand_and_given_back() {
    let gate = gate();
    assert!(claim(&gate).is_none(), "no work, no claim");
    comes(&gate, 1);
    assert_eq!(enter(&gate), [1]);
    gate.tell(NOW);
    let turn = claim(&gate).expect("there is work");
    assert_eq!(turn.want, 3);
    assert!(claim(&gate).is_none(), "one claim at a time");
    gate.claimed(&turn, &Claims::default(), NOW);
    comes(&gate, 2);
    assert_eq!(enter(&gate), [2]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_during_a_claim_frees_what_the_claim_passed_over() {
    let gate = gate();
    comes(&gate, 1);
    assert_eq!(enter(&gate), [1]);
    gate.tell(NOW);
    let turn = claim(&gate).expect("there is work");
    assert!(turn.busy.contains(&1));
    leave(&gate, 1);
    gate.claimed(&turn, &Claims::default(), NOW);
    assert!(claim(&gate).is_some(), "the store passed over it, and nobody else will say so");
}

#[tokio::test(start_paused = true)]
async fn what_a_claim_passed_over_is_looked_for_when_an_attempt_ends() {
    let gate = gate();
    comes(&gate, 1);
    assert_eq!(enter(&gate), [1]);
    gate.tell(NOW);
    let turn = claim(&gate).expect("there is work");
    gate.claimed(&turn, &Claims::default(), NOW);
    assert!(claim(&gate).is_none());
    assert!(leave(&gate, 1));
    assert!(claim(&gate).is_some());
}

#[tokio::test(start_paused = true)]
async fn work_told_of_during_a_claim_is_not_forgotten() {
    let gate = gate();
    gate.tell(NOW);
    let turn = claim(&gate).expect("there is work");
    gate.tell(NOW);
    gate.claimed(&turn, &Claims::default(), NOW);
    assert!(claim(&gate).is_some(), "the claim may have been too early to see it");
}

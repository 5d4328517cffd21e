//! Short messages: the session, its window, what comes back over it, and what is known when it breaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dispatch_egress::{Heard, Held, Listener};
use dispatch_engine::{Grants, Session};
use dispatch_model::{
    Action, FailureKind, Lane, Reply, Secret, SmppAddress, SmppDelivery, SmppReply, SmppStage, SmppSubmission,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::support::centre::{Act, BIND, Centre, DELIVER, ENQUIRE, Pdu, RESPONSE, SUBMIT, UNBIND};
use crate::support::{Egress, egress, failed};

fn grants_at(address: SocketAddr, change: impl FnOnce(&mut Session)) -> Grants {
    let mut session = Session {
        host: address.ip().to_string(),
        port: address.port(),
        tls: false,
        system_id: "acme".to_owned(),
        password: Some(Secret::new("s3cr3t")),
        system_type: String::new(),
        window: 10,
        enquire_link: Duration::from_secs(30),
    };
    change(&mut session);
    Grants { owner: "carrier".into(), plaintext: true, session: Some(session), ..Grants::default() }
}

fn grants(centre: &Centre) -> Grants {
    grants_at(centre.address, |_| ())
}

fn text(text: &str) -> Action {
    Action::Smpp(SmppSubmission {
        source: SmppAddress { ton: 5, npi: 0, address: "ACME".to_owned() },
        destination: SmppAddress { ton: 1, npi: 1, address: "525512345678".to_owned() },
        short_message: text.to_owned().into(),
        ..SmppSubmission::default()
    })
}

#[track_caller]
fn said(reply: Reply) -> SmppReply {
    match reply {
        Reply::Smpp(reply) => reply,
        other => panic!("no message centre's reply: {other:?}"),
    }
}

/// Hears deliveries, and says of each what it is told to.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<SmppDelivery>>,
    told: Notify,
}

#[async_trait]
impl Listener for Ear {
    async fn hear(&self, lane: &Lane, delivery: SmppDelivery) -> Heard {
        assert_eq!(lane.to_string(), "carrier");
        let heard = match &delivery.short_message[..] {
            b"bad" => Heard::Refused,
            b"not now" => Heard::Later,
            b"wait" => {
                self.told.notified().await;
                Heard::Kept
            }
            _ => Heard::Kept,
        };
        self.heard.lock().push(delivery);
        heard
    }
}

fn hold(egress: &Egress, grants: &Grants) -> Arc<Ear> {
    let ear = Arc::new(Ear::default());
    let held = Held { lane: Lane::shared("carrier".into()), grants: Arc::new(grants.clone()) };
    egress.network.hold(&[held], &(Arc::clone(&ear) as Arc<dyn Listener>));
    ear
}

#[tokio::test]
async fn one_session_takes_all_messages() {
    let centre = Centre::willing().await;
    let (egress, grants) = (egress(), grants(&centre));
    let (first, second) = (text("one"), text("two"));
    let (one, two) = tokio::join!(egress.perform(&first, &grants), egress.perform(&second, &grants));
    for reply in [said(one), said(two)] {
        assert_eq!((reply.stage, reply.status), (SmppStage::Submit, 0));
        assert!(reply.message_id.unwrap().starts_with("id-"));
    }
    assert_eq!(centre.accepted(), 1);
    let bound = centre.heard(BIND, 1).await;
    assert_eq!(bound[0].body, b"acme\0s3cr3t\0\0\x34\0\0\0");
    let submitted = centre.heard(SUBMIT, 2).await;
    assert!(submitted[0].body.starts_with(b"\0\x05\0ACME\0\x01\x01525512345678\0"));
    // Another lane has a session of its own, password or not.
    let other = Grants { owner: "another".into(), ..grants.clone() };
    said(egress.perform(&first, &other).await);
    assert_eq!(centre.accepted(), 2);
    egress.network.close(Duration::from_secs(10)).await;
    assert_eq!(centre.heard(UNBIND, 2).await.len(), 2, "goodbye is said");
}

#[tokio::test]
async fn a_status_is_a_reply_and_the_session_goes_on() {
    let centre = Centre::start(|pdu| match pdu.body.ends_with(b"\x04full") {
        true => Act::No(0x14),
        false => Act::Yes,
    })
    .await;
    let (egress, grants) = (egress(), grants(&centre));
    let reply = said(egress.perform(&text("full"), &grants).await);
    assert_eq!((reply.stage, reply.status, reply.message_id), (SmppStage::Submit, 0x14, None));
    assert_eq!(said(egress.perform(&text("fine"), &grants).await).status, 0);
    assert_eq!(centre.accepted(), 1);
}

#[tokio::test]
async fn who_is_not_let_in_hears_the_status() {
    let centre = Centre::start(|pdu| if pdu.command == BIND { Act::No(0x0e) } else { Act::Yes }).await;
    let (egress, grants) = (egress(), grants(&centre));
    let reply = said(egress.perform(&text("x"), &grants).await);
    assert_eq!((reply.stage, reply.status), (SmppStage::Bind, 0x0e));
    // While it is held, tries are seldom: those who wait hear it at once.
    hold(&egress, &grants);
    for _ in 0..20 {
        assert_eq!(said(egress.perform(&text("x"), &grants).await).stage, SmppStage::Bind);
    }
    assert!(centre.accepted() <= 4, "{} binds", centre.accepted());
    assert_eq!(centre.so_far(SUBMIT), 0);
}

#[tokio::test]
async fn nothing_has_left_before_it_is_written() {
    let nowhere = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let (kind, left, _) = failed(egress().perform(&text("x"), &grants_at(nowhere, |_| ())).await);
    assert_eq!((kind, left), (FailureKind::Connect, false));

    let mute = Centre::start(|_| Act::Silence).await;
    let egress_one = egress();
    let within = Duration::from_millis(300);
    let (kind, left, words) = failed(egress_one.perform_with(&text("x"), &grants(&mute), &[], within).await);
    assert_eq!((kind, left), (FailureKind::Timeout, false), "{words}");

    let rude = Centre::start(|_| Act::Drop).await;
    let (kind, left, _) = failed(egress().perform(&text("x"), &grants(&rude)).await);
    assert_eq!((kind, left), (FailureKind::Reset, false));

    let babbling = Centre::start(|_| Act::Say(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await;
    let (kind, left, words) = failed(egress().perform(&text("x"), &grants(&babbling)).await);
    assert_eq!((kind, left), (FailureKind::Protocol, false), "{words}");

    for none in [Grants { session: None, ..grants(&mute) }, Grants { plaintext: false, ..grants(&mute) }] {
        let (kind, left, words) = failed(egress().perform(&text("x"), &none).await);
        assert_eq!((kind, left), (FailureKind::Refused, false), "{words}");
        assert!(!words.contains("s3cr3t"));
    }
}

#[tokio::test]
async fn what_was_written_and_not_answered_may_have_left() {
    for (act, kind) in [
        (Act::Drop, FailureKind::Reset),
        (Act::Say(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), FailureKind::Reset),
        (Act::Silence, FailureKind::Timeout),
    ] {
        let centre =
            Centre::start(move |pdu| if pdu.command == SUBMIT { act.clone() } else { Act::Yes }).await;
        let within = Duration::from_secs(2);
        let reply = egress().perform_with(&text("x"), &grants(&centre), &[], within).await;
        let (was, left, words) = failed(reply);
        assert_eq!((was, left), (kind, true), "{words}");
        assert_eq!(centre.heard(SUBMIT, 1).await.len(), 1, "once and not again");
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_nobodys() {
    let centre = Centre::start(|pdu| match pdu.command {
        SUBMIT if pdu.body.ends_with(b"\x04late") => Act::Silence,
        _ => Act::Yes,
    })
    .await;
    let (egress, grants) = (egress(), grants(&centre));
    let within = Duration::from_millis(300);
    let (_, left, _) = failed(egress.perform_with(&text("late"), &grants, &[], within).await);
    assert!(left);
    let sequence = centre.heard(SUBMIT, 1).await[0].sequence;
    centre.say(&Pdu::new(RESPONSE | SUBMIT, sequence, b"late-id\0"));
    let reply = said(egress.perform(&text("next"), &grants).await);
    assert_ne!(reply.message_id.as_deref(), Some("late-id"));
    assert_eq!(centre.accepted(), 1);
}

#[tokio::test]
async fn no_more_than_the_window_is_under_way() {
    let centre = Centre::start(|pdu| if pdu.command == SUBMIT { Act::Silence } else { Act::Yes }).await;
    let (egress, grants) = (egress(), grants_at(centre.address, |session| session.window = 2));
    let action = text("x");
    let three = async {
        let one = || egress.perform_with(&action, &grants, &[], Duration::from_secs(1));
        tokio::join!(one(), one(), one())
    };
    let (one, two, three) = three.await;
    let mut left: Vec<bool> = [one, two, three].map(|reply| failed(reply).1).into();
    left.sort_unstable();
    assert_eq!(left, [false, true, true], "the third found no place, and so certainly has not left");
    assert_eq!(centre.so_far(SUBMIT), 2);
    // Those whose time has passed make room.
    let sent = egress.perform_with(&action, &grants, &[], Duration::from_secs(1)).await;
    assert!(failed(sent).1);
}

#[tokio::test]
async fn deliveries_are_answered_when_they_are_kept() {
    let centre = Centre::willing().await;
    let egress = egress();
    let ear = hold(&egress, &grants(&centre));
    centre.heard(BIND, 1).await;
    let deliver = |sequence, text: &str| {
        let body = [
            &b"\0\x01\x01525512345678\0\x01\x0112345\0\x04\0\0\0\0\0\0\0\0"[..],
            &[text.len() as u8],
            text.as_bytes(),
        ];
        Pdu::new(DELIVER, sequence, body.concat())
    };
    centre.say(&deliver(70, "wait"));
    centre.say(&deliver(71, "id:7 stat:DELIVRD"));
    centre.say(&deliver(72, "bad"));
    centre.say(&deliver(73, "not now"));
    centre.say(&Pdu::new(DELIVER, 74, b"\0\x01".as_slice()));
    let answers = centre.heard(RESPONSE | DELIVER, 4).await;
    let status = |sequence| answers.iter().find(|pdu| pdu.sequence == sequence).map(|pdu| pdu.status);
    assert_eq!(status(70), None, "not before it is kept");
    assert_eq!(
        [status(71), status(72), status(73), status(74)],
        [Some(0), Some(0x65), Some(0x64), Some(0x65)]
    );
    ear.told.notify_one();
    let answers = centre.heard(RESPONSE | DELIVER, 5).await;
    assert!(answers.iter().any(|pdu| pdu.sequence == 70 && pdu.status == 0));
    let heard = ear.heard.lock();
    let receipt = heard.iter().find(|one| one.short_message.starts_with(b"id:7")).unwrap();
    assert_eq!((receipt.source.address.as_str(), receipt.esm_class), ("525512345678", 4));
}

#[tokio::test]
async fn a_session_that_nobody_listens_to_promises_nothing() {
    let centre = Centre::willing().await;
    let (egress, grants) = (egress(), grants(&centre));
    said(egress.perform(&text("x"), &grants).await);
    centre.say(&Pdu::new(DELIVER, 70, b"\0\x01\x011\0\x01\x012\0\x04\0\0\0\0\0\0\0\0\x01x".as_slice()));
    assert_eq!(centre.heard(RESPONSE | DELIVER, 1).await[0].status, 0x64);
}

#[tokio::test]
async fn both_sides_ask_whether_the_other_is_there() {
    let centre = Centre::willing().await;
    let grants = grants_at(centre.address, |session| session.enquire_link = Duration::from_millis(100));
    let egress = egress();
    hold(&egress, &grants);
    centre.heard(ENQUIRE, 3).await;
    centre.say(&Pdu::new(ENQUIRE, 900, Vec::new()));
    centre.say(&Pdu::new(0x0000_0999, 901, Vec::new()));
    assert_eq!(centre.heard(RESPONSE | ENQUIRE, 1).await[0].sequence, 900);
    assert_eq!(centre.heard(RESPONSE, 1).await[0].sequence, 901, "what is not known is said so");
    assert_eq!(centre.accepted(), 1);
}

#[tokio::test]
async fn a_held_session_comes_back() {
    let centre = Centre::willing().await;
    let address = centre.address;
    let (egress, grants) = (egress(), grants(&centre));
    hold(&egress, &grants);
    said(egress.perform(&text("x"), &grants).await);
    drop(centre);
    let centre = loop {
        match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => {
                drop(listener);
                break Centre::on(address, |_| Act::Yes).await;
            }
            Err(_) => tokio::task::yield_now().await,
        }
    };
    centre.heard(BIND, 1).await;
    assert_eq!(said(egress.perform(&text("x"), &grants).await).status, 0);
    // Let go of, it says goodbye.
    let ear = Arc::new(Ear::default()) as Arc<dyn Listener>;
    egress.network.hold(&[], &ear);
    centre.heard(UNBIND, 1).await;
}

#[tokio::test]
async fn a_message_centre_that_unbinds_is_bound_again() {
    let centre = Centre::willing().await;
    let (egress, grants) = (egress(), grants(&centre));
    hold(&egress, &grants);
    centre.heard(BIND, 1).await;
    centre.say(&Pdu::new(UNBIND, 33, Vec::new()));
    assert_eq!(centre.heard(RESPONSE | UNBIND, 1).await[0].sequence, 33);
    centre.heard(BIND, 2).await;
    assert_eq!(said(egress.perform(&text("x"), &grants).await).status, 0);
}

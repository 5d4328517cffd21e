//! Opening, closing, changing, and clients that do not stay.

use std::sync::Arc;
use std::time::Duration;

use dispatch_ingress::{Gate, Ingress, IngressConfig, Limits, Listener, Origin, Source};
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use crate::callbacks::FakeCallbacks;
use crate::door::{Door, FixedClock, Handed, PATH, key, quick, signed, signed_source, sms, until};
use crate::store::FakeStore;
use crate::wire::post;

#[tokio::test]
async fn a_client_that_hangs_up_after_the_body_changes_nothing() {
    let door = Door::with(vec![signed_source()], quick(), FakeStore::held(), Origin::Own).await;
    let mut wire = door.connect().await;
    wire.send(&signed(&sms("M"))).await;
    until("the body was read", || door.store.calls() == 1).await;
    // Not a polite end but a reset.
    wire.stream.set_zero_linger().unwrap();
    drop(wire);
    // Another exchange, so that the reset was seen before the store goes on.
    assert_eq!(door.send(&post(PATH, &[], b"{}")).await.unwrap().status, 200);
    door.store.release();
    until("the message is stored and handed on", || door.handed.0.lock().len() == 1).await;
    assert_eq!(door.webhook(&sms("M")).await.word(), "duplicate");
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_still_gets_its_answer() {
    let door = Door::with(vec![signed_source()], quick(), FakeStore::held(), Origin::Own).await;
    let mut wire = door.connect().await;
    wire.send(&signed(&sms("M"))).await;
    wire.stream.shutdown().await.unwrap();
    until("the body was read", || door.store.calls() == 1).await;
    door.store.release();
    assert_eq!(wire.reply().await.unwrap().word(), "accepted");
    wire.closed().await;
}

#[tokio::test]
async fn before_it_serves_and_while_it_drains_an_own_socket_says_429() {
    let door = Door::open().await;
    door.ingress.set_gate(Gate::Starting);
    let reply = door.webhook(&sms("M")).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("5")));
    door.ingress.set_gate(Gate::Serving);
    let mut kept = door.connect().await;
    kept.send(&signed(&sms("M"))).await;
    assert_eq!(kept.reply().await.unwrap().word(), "accepted");
    door.ingress.set_gate(Gate::Draining);
    assert_eq!(door.ingress.gate(), Gate::Draining);
    for reply in [door.webhook(&sms("N")).await, {
        kept.send(&signed(&sms("O"))).await;
        kept.reply().await.unwrap()
    }] {
        assert_eq!((reply.status, reply.header("connection")), (429, Some("close")));
    }
    kept.closed().await;
    assert_eq!(door.store.messages().len(), 1);
}

#[tokio::test]
async fn an_inherited_socket_is_left_to_the_successor() {
    let door = Door::with(vec![signed_source()], quick(), FakeStore::held(), Origin::Inherited).await;
    let mut idle = door.connect().await;
    idle.send(&post(PATH, &[], b"{}")).await;
    assert_eq!(idle.reply().await.unwrap().status, 200);
    let mut busy = door.connect().await;
    busy.send(&signed(&sms("M"))).await;
    until("a webhook is under way", || door.store.calls() == 1).await;
    door.ingress.set_gate(Gate::Draining);
    idle.closed().await;
    assert!(!door.served.is_finished());
    door.store.release();
    assert_eq!(busy.reply().await.unwrap().word(), "accepted");
    tokio::time::timeout(Duration::from_secs(20), door.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn shutting_down_ends_what_is_under_way_first() {
    let door = Door::with(vec![signed_source()], quick(), FakeStore::held(), Origin::Own).await;
    let mut idle = door.connect().await;
    idle.send(&post(PATH, &[], b"{}")).await;
    assert_eq!(idle.reply().await.unwrap().status, 200);
    let mut busy = door.connect().await;
    busy.send(&signed(&sms("M"))).await;
    until("a webhook is under way", || door.store.calls() == 1).await;
    door.shutdown.cancel();
    idle.closed().await;
    door.store.release();
    assert_eq!(busy.reply().await.unwrap().word(), "accepted");
    tokio::time::timeout(Duration::from_secs(20), door.served).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(door.address).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn an_admission_outlives_its_connection_and_is_waited_for() {
    let door = Door::with(vec![signed_source()], quick(), FakeStore::held(), Origin::Own).await;
    let mut wire = door.connect().await;
    wire.send(&signed(&sms("M"))).await;
    until("the body was read", || door.store.calls() == 1).await;
    wire.stream.set_zero_linger().unwrap();
    drop(wire);
    door.shutdown.cancel();
    while tokio::net::TcpStream::connect(door.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!door.served.is_finished(), "the listener is closed, and the store still at work");
    door.store.release();
    tokio::time::timeout(Duration::from_secs(20), door.served).await.unwrap().unwrap();
    assert_eq!(door.store.messages().len(), 1);
}

#[tokio::test]
async fn a_reload_changes_sources_and_bounds_without_dropping_a_connection() {
    let door = Door::open().await;
    let mut wire = door.connect().await;
    wire.send(&signed(&sms("1"))).await;
    assert_eq!(wire.reply().await.unwrap().status, 200);
    let moved =
        Source { path: "/elsewhere".to_owned(), default_region: "US".parse().ok(), ..signed_source() };
    door.ingress.reload(IngressConfig::new(vec![moved], Limits { body_max: 2048, ..quick() }).unwrap());
    let body = br#"{"type":"SMS","locationId":"L","messageId":"2","phone":"(586) 460-3685","message":"x"}"#;
    let signature = key().sign(body);
    wire.send(&post("/elsewhere", &[("x-ghl-signature", &signature)], body)).await;
    assert_eq!(wire.reply().await.unwrap().word(), "accepted");
    assert_eq!(door.store.messages()[1].recipients(), ["+15864603685"]);
    let large = vec![b' '; 3000];
    wire.send(&post("/elsewhere", &[("x-ghl-signature", &key().sign(&large))], &large)).await;
    assert_eq!(wire.reply().await.unwrap().status, 413);
    assert_eq!(door.webhook(&sms("3")).await.status, 404);
}

#[tokio::test]
async fn several_at_once_of_the_same_message_are_promised_once() {
    let door = Door::open().await;
    let mut words = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    let address = door.address;
    for _ in 0..20 {
        tasks.spawn(async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let mut wire = crate::wire::Wire::new(stream);
            wire.send(&signed(&sms("M"))).await;
            wire.reply().await.unwrap().word()
        });
    }
    while let Some(word) = tasks.join_next().await {
        words.push(word.unwrap());
    }
    words.sort();
    assert_eq!(words.iter().filter(|word| *word == "accepted").count(), 1);
    assert_eq!(words.iter().filter(|word| *word == "duplicate").count(), 19);
}

#[tokio::test]
async fn a_unix_socket_is_a_door_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("door.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let store = Arc::new(FakeStore::new());
    let config = IngressConfig::new(vec![signed_source()], quick()).unwrap();
    let ingress = Ingress::new(
        config,
        store.clone(),
        Arc::new(Handed::default()),
        Arc::<FakeCallbacks>::default(),
        Arc::new(FixedClock),
    );
    ingress.set_gate(Gate::Serving);
    let shutdown = CancellationToken::new();
    let served = tokio::spawn({
        let (ingress, shutdown) = (ingress.clone(), shutdown.clone());
        async move { ingress.serve(Listener::Unix(listener), Origin::Own, shutdown).await }
    });
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(&signed(&sms("M"))).await.unwrap();
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    shutdown.cancel();
    served.await.unwrap();
    assert_eq!(store.messages().len(), 1);
}

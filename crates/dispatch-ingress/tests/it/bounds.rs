//! Size, time, memory, connections.

use std::time::Duration;

use dispatch_ingress::{Limits, Origin};

use crate::door::{Door, PATH, key, quick, signed, signed_source, sms, until};
use crate::store::{FakeStore, Fault};

async fn door(limits: Limits) -> Door {
    Door::with(vec![signed_source()], limits, FakeStore::new(), Origin::Own).await
}

/// A good SMS of exactly this size.
fn sized(id: &str, size: usize) -> Vec<u8> {
    let empty = sms(id).len() - 1;
    let body = String::from_utf8(sms(id)).unwrap();
    body.replace(":\"x\"", &format!(":\"{}\"", "x".repeat(size - empty))).into_bytes()
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_bound_and_no_larger() {
    let door = door(quick()).await;
    let max = quick().body_max;
    assert_eq!(sized("a", max).len(), max);
    assert_eq!(door.webhook(&sized("a", max)).await.word(), "accepted");
    assert_eq!(door.webhook(&sized("b", max + 1)).await.status, 413);
    // Without a length nobody knows before it is read.
    for (id, size, status) in [("c", max, 200), ("d", max + 1, 413)] {
        let body = sized(id, size);
        let mut request = format!(
            "POST {PATH} HTTP/1.1\r\nhost: x\r\nx-ghl-signature: {}\r\ntransfer-encoding: chunked\r\n\r\n",
            key().sign(&body)
        )
        .into_bytes();
        for chunk in body.chunks(10_000) {
            request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        assert_eq!(door.send(&request).await.unwrap().status, status, "{size}");
    }
}

#[tokio::test]
async fn a_client_that_sends_on_still_hears_that_it_is_too_much() {
    let door = door(quick()).await;
    let mut wire = door.connect().await;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\nx-ghl-signature: {}\r\ncontent-length: 9000000\r\n\r\n",
        key().sign(b"")
    );
    wire.send(head.as_bytes()).await;
    wire.send(&vec![b'x'; 9_000_000]).await;
    assert_eq!(wire.reply().await.unwrap().status, 413);
}

#[tokio::test]
async fn a_slow_head_is_answered_and_an_idle_connection_just_ends() {
    let limits = Limits {
        header_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(400),
        ..quick()
    };
    let door = door(limits).await;
    let mut slow = door.connect().await;
    slow.send(b"POST /webhooks/highlevel HTTP/1.1\r\nhost: x\r\n").await;
    assert_eq!(slow.reply().await.map(|reply| reply.status), Some(408));
    slow.closed().await;

    let mut silent = door.connect().await;
    assert_eq!(silent.reply().await, None);

    let mut idle = door.connect().await;
    idle.send(&signed(&sms("M"))).await;
    assert_eq!(idle.reply().await.unwrap().status, 200);
    let began = std::time::Instant::now();
    assert_eq!(idle.reply().await, None);
    assert!(began.elapsed() > Duration::from_millis(300), "idling is not a slow head");

    let mut second = door.connect().await;
    second.send(&signed(&sms("N"))).await;
    assert_eq!(second.reply().await.unwrap().status, 200);
    second.send(b"POST /web").await;
    assert_eq!(second.reply().await.map(|reply| reply.status), Some(408));
}

#[tokio::test]
async fn drops_of_a_head_do_not_buy_time() {
    let door = door(Limits { header_timeout: Duration::from_millis(300), ..quick() }).await;
    let mut wire = door.connect().await;
    wire.send(b"POST /webhooks/highlevel HTTP/1.1\r\n").await;
    let began = std::time::Instant::now();
    let drip = async {
        loop {
            wire.send(b"a: b\r\n").await;
            tokio::time::sleep(Duration::from_millis(20)).await; // the client is slow: that is what is tested
            let mut byte = [0; 1];
            if wire.stream.try_read(&mut byte).is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), drip).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn a_slow_body_is_408() {
    let door = door(Limits { body_timeout: Duration::from_millis(200), ..quick() }).await;
    let request = signed(&sms("M"));
    let mut wire = door.connect().await;
    wire.send(&request[..request.len() - 5]).await;
    let reply = wire.reply().await.unwrap();
    assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
    assert_eq!(door.store.calls(), 0);
}

#[tokio::test]
async fn bodies_together_are_bounded_and_room_comes_back() {
    let limits = Limits { body_max: 64 * 1024, memory_max: 64 * 1024, ..quick() };
    let door = Door::with(vec![signed_source()], limits, FakeStore::held(), Origin::Own).await;
    // The first fills the room, and holds it while the store takes its time.
    let mut first = door.connect().await;
    first.send(&signed(&sized("a", 60 * 1024))).await;
    until("the first is with the store", || door.store.calls() == 1).await;
    let reply = door.webhook(&sized("b", 10 * 1024)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("5")));
    door.store.release();
    assert_eq!(first.reply().await.unwrap().word(), "accepted");
    assert_eq!(door.webhook(&sized("b", 10 * 1024)).await.word(), "accepted");
}

#[tokio::test]
async fn connections_are_bounded_and_a_place_comes_free() {
    let door = door(Limits { connections_max: 2, ..quick() }).await;
    let mut held = vec![door.connect().await, door.connect().await];
    for (n, wire) in held.iter_mut().enumerate() {
        wire.send(&signed(&sms(&n.to_string()))).await;
        assert_eq!(wire.reply().await.unwrap().status, 200);
    }
    let reply = door.webhook(&sms("third")).await;
    assert_eq!((reply.status, reply.header("connection")), (429, Some("close")));
    let mut waiting = door.connect().await;
    waiting.send(&signed(&sms("fourth"))).await;
    drop(held.pop());
    assert_eq!(waiting.reply().await.unwrap().word(), "accepted");
}

#[tokio::test]
async fn a_store_without_room_is_waited_for_and_then_429() {
    let door = door(quick()).await;
    door.store.fail_next([Fault::Full, Fault::LocationFull, Fault::Unavailable]);
    assert_eq!(door.webhook(&sms("waits")).await.word(), "accepted");
    assert_eq!(door.store.calls(), 4);
    for (fault, retry_after) in [
        (Fault::Full, "60"),
        (Fault::LocationFull, "60"),
        (Fault::Unavailable, "10"),
        (Fault::Fatal, "60"),
        (Fault::Panic, "10"),
    ] {
        door.store.fail_always(fault);
        for body in [sms("never"), b"quarantined".to_vec()] {
            let reply = door.webhook(&body).await;
            assert_eq!((reply.status, reply.header("retry-after")), (429, Some(retry_after)), "{fault:?}");
            assert_eq!(reply.word(), "busy");
        }
    }
    assert_eq!(door.store.messages().len(), 1);
}

#[tokio::test]
async fn a_fatal_store_is_not_asked_twice() {
    let door = door(quick()).await;
    door.store.fail_always(Fault::Fatal);
    assert_eq!(door.webhook(&sms("M")).await.status, 429);
    assert_eq!(door.store.calls(), 1);
}

#[tokio::test]
async fn a_store_that_hangs_is_429_and_what_it_did_after_all_is_kept() {
    let limits = Limits { admit_wait: Duration::ZERO, ..quick() };
    let door = Door::with(vec![signed_source()], limits, FakeStore::held(), Origin::Own).await;
    assert_eq!(door.webhook(&sms("M")).await.status, 429);
    door.store.release();
    until("it is stored after all", || door.handed.0.lock().len() == 1).await;
    assert_eq!(door.webhook(&sms("M")).await.word(), "duplicate");
}

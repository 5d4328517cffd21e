//! What is not HTTP as it should be, and what is HTTP but no webhook.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::AsyncWriteExt as _;

use crate::door::{Door, PATH, key, signed, sms};
use crate::wire::post;

#[tokio::test]
async fn raw_requests_and_their_answers() {
    let door = Door::open().await;
    let body = sms("M");
    let signature = key().sign(&body);
    let text = String::from_utf8(body.clone()).unwrap();
    let length = body.len();
    let head = format!("host: x\r\nx-ghl-signature: {signature}\r\n");
    let cases: Vec<(String, Option<u16>)> = vec![
        // methods and targets
        (format!("GET {PATH} HTTP/1.1\r\nhost: x\r\n\r\n"), Some(405)),
        (format!("PUT {PATH} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{text}"), Some(405)),
        (format!("DELETE {PATH} HTTP/1.1\r\nhost: x\r\n\r\n"), Some(405)),
        (format!("post {PATH} HTTP/1.1\r\nhost: x\r\n\r\n"), Some(405)),
        (format!("OPTIONS {PATH} HTTP/1.1\r\nhost: x\r\n\r\n"), Some(405)),
        ("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), Some(404)),
        ("CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), Some(404)),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".to_owned(), Some(404)),
        (format!("POST {PATH}x HTTP/1.1\r\nhost: x\r\n\r\n"), Some(404)),
        (format!("POST {PATH}/../highlevel HTTP/1.1\r\nhost: x\r\n\r\n"), Some(404)),
        ("POST /%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), Some(404)),
        (format!("POST http://x{PATH} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{text}"), Some(200)),
        (format!("POST {PATH}?a=b&c HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{text}"), Some(200)),
        (
            format!("POST /webhooks/%68ighlevel HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{text}"),
            Some(200),
        ),
        (format!("POST {PATH}/ HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{text}"), Some(200)),
        (format!("POST {PATH} HTTP/1.0\r\n{head}content-length: {length}\r\n\r\n{text}"), Some(200)),
        // bodies
        (
            format!(
                "POST {PATH} HTTP/1.1\r\n{head}transfer-encoding: chunked\r\n\r\n{length:x}\r\n{text}\r\n0\r\n\r\n"
            ),
            Some(200),
        ),
        (
            format!(
                "POST {PATH} HTTP/1.1\r\n{head}transfer-encoding: chunked\r\n\r\n{length:x};ext=1\r\n{text}\r\n0\r\na: b\r\n\r\n"
            ),
            Some(200),
        ),
        (
            format!(
                "POST {PATH} HTTP/1.1\r\n{head}transfer-encoding: chunked\r\n\r\nzz\r\n{text}\r\n0\r\n\r\n"
            ),
            Some(400),
        ),
        (
            format!("POST {PATH} HTTP/1.1\r\n{head}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
            Some(400),
        ),
        (format!("POST {PATH} HTTP/1.1\r\n{head}transfer-encoding: gzip\r\n\r\n{text}"), Some(400)),
        (
            format!("POST {PATH} HTTP/1.1\r\n{head}content-length: 5\r\ncontent-length: 6\r\n\r\n{text}"),
            Some(400),
        ),
        (format!("POST {PATH} HTTP/1.1\r\n{head}content-length: -1\r\n\r\n{text}"), Some(400)),
        (format!("POST {PATH} HTTP/1.1\r\n{head}content-length: 99999999999999999999999\r\n\r\n"), Some(400)),
        // hyper's own word for a length beyond its arithmetic
        (format!("POST {PATH} HTTP/1.1\r\n{head}content-length: 18446744073709551615\r\n\r\n"), Some(431)),
        (format!("POST {PATH} HTTP/1.1\r\n{head}content-length: 100000\r\n\r\n"), Some(413)),
        // heads
        ("\r\n\r\n \r\n".to_owned(), Some(400)),
        ("nonsense\r\n\r\n".to_owned(), Some(400)),
        (format!("POST {PATH}\r\n\r\n"), Some(400)),
        (format!("POST {PATH} HTTP/3.7\r\n\r\n"), Some(400)),
        (format!("POST {PATH} HTTP/1.1\r\nhost x\r\n\r\n"), Some(400)),
        (format!("POST {PATH} HTTP/1.1\r\nhost: x\r\na\u{1}b: c\r\n\r\n"), Some(400)),
        (format!("POST {PATH} HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(40_000)), Some(431)),
        (format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200)), Some(431)),
        (format!("POST /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000)), Some(431)),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), Some(400)),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}".to_owned(), Some(400)),
    ];
    for (request, expected) in cases {
        let mut wire = door.connect().await;
        wire.send(request.as_bytes()).await;
        let status = wire.reply().await.map(|reply| reply.status);
        let shown: String = request.replace(&signature, "…").chars().take(200).collect();
        assert_eq!(status, expected, "{shown:?}");
    }
    assert_eq!(door.store.messages().len(), 1);
    assert_eq!(door.webhook(&sms("after")).await.status, 200);
}

#[tokio::test]
async fn head_has_no_body_and_405_says_what_is_allowed() {
    let door = Door::open().await;
    let mut wire = door.connect().await;
    wire.send(format!("HEAD {PATH} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
    let reply = wire.reply_to_head().await.unwrap();
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    wire.closed().await;
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_or_not_to() {
    let door = Door::open().await;
    let body = sms("M");
    let head = |length: usize| {
        let signature = key().sign(&body);
        format!(
            "POST {PATH} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nx-ghl-signature: {signature}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut wire = door.connect().await;
    wire.send(head(body.len()).as_bytes()).await;
    assert_eq!(wire.reply().await.unwrap().status, 100);
    wire.send(&body).await;
    assert_eq!(wire.reply().await.unwrap().status, 200);
    let mut wire = door.connect().await;
    wire.send(head(1_000_000).as_bytes()).await;
    assert_eq!(wire.reply().await.unwrap().status, 413);
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_order() {
    let door = Door::open().await;
    let mut wire = door.connect().await;
    let requests: Vec<u8> = (0..20).flat_map(|n| signed(&sms(&n.to_string()))).collect();
    wire.send(&requests).await;
    for _ in 0..20 {
        assert_eq!(wire.reply().await.unwrap().word(), "accepted");
    }
    let order: Vec<String> = door.store.messages().iter().map(|m| m.external_id.clone()).collect();
    assert_eq!(order, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_body_that_ends_early_is_not_stored() {
    let door = Door::open().await;
    let request = signed(&sms("M"));
    let mut wire = door.connect().await;
    wire.send(&request[..request.len() - 5]).await;
    wire.stream.shutdown().await.unwrap();
    assert_eq!(wire.reply().await.map(|reply| reply.status), Some(400));
    wire.closed().await;
    assert_eq!(door.store.calls(), 0);
}

/// Runs a property on one runtime: each case is a real exchange with the same server.
fn property<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
    holds: impl AsyncFn(&Door, &T) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let door = runtime.block_on(Door::open());
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |case| {
            runtime.block_on(async {
                holds(&door, &case).await?;
                let alive = door.send(&post(PATH, &[], b"{}")).await.map(|reply| reply.status);
                prop_assert_eq!(alive, Some(200), "the server still answers");
                Ok(())
            })
        })
        .unwrap();
}

#[test]
fn whatever_is_signed_is_answered_2xx() {
    let json = prop::collection::vec(
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"type\"",
            "\"SMS\"",
            "\"locationId\"",
            "\"messageId\"",
            "\"L\"",
            "\"phone\"",
            "null",
            "1e999",
            "\\ud800",
            "\u{0}",
            "ñ",
            " ",
        ]),
        0..40,
    )
    .prop_map(|parts| parts.concat().into_bytes());
    let bytes = prop::collection::vec(any::<u8>(), 0..2_000);
    property(prop_oneof![json, bytes], async |door, body| {
        let reply = door.webhook(body).await;
        prop_assert!((200..300).contains(&reply.status), "{}", reply.status);
        Ok(())
    });
}

#[test]
fn whatever_is_sent_is_never_answered_5xx() {
    let request = signed(&sms("M"));
    let damaged = (
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        any::<prop::sample::Index>(),
    )
        .prop_map(move |(changes, cut)| {
            let mut request = request.clone();
            for (at, byte) in changes {
                let at = at.index(request.len());
                request[at] = byte;
            }
            request.truncate(cut.index(request.len()) + 1);
            request
        });
    let bytes = prop::collection::vec(any::<u8>(), 0..2_000);
    property(prop_oneof![3 => damaged, 1 => bytes], async |door, request| {
        let mut wire = door.connect().await;
        wire.send(request).await;
        // The server may have closed already.
        let _ = wire.stream.shutdown().await;
        while let Some(reply) = wire.reply().await {
            prop_assert!(reply.status < 500, "{}", reply.status);
        }
        Ok(())
    });
}

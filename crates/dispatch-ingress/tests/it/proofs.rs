//! Who is let in.

use std::sync::Arc;

use dispatch_ingress::{IngressConfig, Limits, Origin, Proof, Source};
use dispatch_model::Secret;
use tokio::task::JoinSet;

use crate::door::{Door, PATH, key, quick, signed, signed_source, sms};
use crate::store::FakeStore;
use crate::wire::post;

const TOKEN: &str = "a-token-of-some-length";

#[tokio::test]
async fn a_proof_that_is_missing_malformed_or_wrong_is_refused_and_nothing_is_stored() {
    let door = Door::open().await;
    let body = sms("M");
    let good = key().sign(&body);
    let other = dispatch_highlevel::SigningKey::from_seed([1; 32]).sign(&body);
    let (dots, cut) = (".".repeat(88), &good[..80]);
    let cases: &[&[(&str, &str)]] = &[
        &[],
        &[("x-ghl-signature", "")],
        &[("x-ghl-signature", "N/A")],
        &[("x-ghl-signature", &dots)],
        &[("x-ghl-signature", cut)],
        &[("x-ghl-signature", &other)],
        &[("x-wh-signature", &other)],
        &[("x-other-signature", &good)],
        &[("authorization", &format!("Bearer {TOKEN}"))],
        &[("x-ghl-signature", &key().sign(b"other bytes"))],
    ];
    for headers in cases {
        let reply = door.send(&post(PATH, headers, &body)).await.unwrap();
        assert_eq!(reply.status, 401, "{headers:?}");
        assert_eq!(reply.word(), "refused");
        assert!(reply.header("www-authenticate").is_some());
    }
    let reply = door.send(&post(&format!("{PATH}/{TOKEN}"), &[], &body)).await.unwrap();
    assert_eq!(reply.status, 404, "a source without a path secret has no such path");
    assert_eq!(door.store.calls(), 0);
}

#[tokio::test]
async fn a_signature_counts_under_either_header() {
    let door = Door::open().await;
    for (id, name) in [("1", "x-ghl-signature"), ("2", "X-GHL-Signature"), ("3", "x-wh-signature")] {
        let body = sms(id);
        let reply = door.send(&post(PATH, &[(name, &key().sign(&body))], &body)).await.unwrap();
        assert_eq!(reply.word(), "accepted", "{name}");
    }
    let body = sms("4");
    let both = [("x-wh-signature", "N/A"), ("x-ghl-signature", &key().sign(&body))];
    assert_eq!(door.send(&post(PATH, &both, &body)).await.unwrap().word(), "accepted");
}

#[tokio::test]
async fn a_changed_byte_breaks_the_signature() {
    let door = Door::open().await;
    let mut request = signed(&sms("M"));
    let last = request.len() - 2;
    request[last] ^= 1;
    assert_eq!(door.send(&request).await.unwrap().status, 401);
    assert!(door.store.is_empty());
}

/// Those that come together are judged together, and each gets the verdict that it would get alone.
#[tokio::test]
async fn among_many_at_once_the_forged_ones_are_refused_and_no_other() {
    let door = Arc::new(Door::open().await);
    let mut calls = JoinSet::new();
    for n in 0..60 {
        let door = Arc::clone(&door);
        calls.spawn(async move {
            let body = sms(&format!("M{n}"));
            let (signature, status) = match n % 5 {
                0 => (key().sign(&sms("another")), 401),
                1 => (dispatch_highlevel::SigningKey::from_seed([1; 32]).sign(&body), 401),
                _ => (key().sign(&body), 200),
            };
            let reply = door.send(&post(PATH, &[("x-ghl-signature", &signature)], &body)).await.unwrap();
            assert_eq!(reply.status, status, "{n}");
        });
    }
    calls.join_all().await;
    assert_eq!(door.store.calls(), 36);
}

#[tokio::test]
async fn the_unsigned_probe_is_welcome_and_only_that() {
    let door = Door::open().await;
    for body in [&b""[..], b"{}", b" { } \n"] {
        let reply = door.send(&post(PATH, &[("x-ghl-signature", "N/A")], body)).await.unwrap();
        assert_eq!((reply.status, reply.word().as_str()), (200, "ignored"));
    }
    let no_length = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(door.send(no_length.as_bytes()).await.unwrap().status, 200);
    let wrong = post(PATH, &[("x-ghl-signature", &key().sign(b"x"))], b"{}");
    assert_eq!(door.send(&wrong).await.unwrap().status, 401, "signed wrongly is not unsigned");
    assert_eq!(door.store.calls(), 0);
}

#[tokio::test]
async fn a_large_body_that_nothing_can_prove_is_not_read() {
    let door = Door::open().await;
    // The body is announced and never sent: an answer shows that nobody waited for it.
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 50000\r\n\r\n");
    assert_eq!(door.send(head.as_bytes()).await.unwrap().status, 401);
    let chunks = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n800\r\n{}\r\n",
        " ".repeat(0x800)
    );
    assert_eq!(door.send(chunks.as_bytes()).await.unwrap().status, 401);
}

fn source(proofs: Vec<Proof>) -> Source {
    Source { proofs, ..signed_source() }
}

#[tokio::test]
async fn a_token_and_a_path_secret_are_proofs_too() {
    let proofs = vec![
        Proof::Keys(vec![key().verifying_key()]),
        Proof::Bearer(Secret::new(TOKEN)),
        Proof::PathSecret(Secret::new("segment-of-some-length")),
    ];
    let door = Door::with(vec![source(proofs)], quick(), FakeStore::new(), Origin::Own).await;
    let with_secret = format!("{PATH}/segment-of-some-length");
    let bearer = format!("Bearer {TOKEN}");
    let good: [(&str, &[(&str, &str)]); 6] = [
        (PATH, &[("authorization", &bearer)]),
        (PATH, &[("authorization", &bearer.replace("Bearer", "bearer"))]),
        (&with_secret, &[]),
        (&format!("{with_secret}/"), &[]),
        (&format!("{with_secret}?a=b"), &[]),
        (&with_secret.replace('-', "%2D"), &[("x-ghl-signature", "N/A")]),
    ];
    for (n, (path, headers)) in good.into_iter().enumerate() {
        let reply = door.send(&post(path, headers, &sms(&n.to_string()))).await.unwrap();
        assert_eq!((reply.status, reply.word().as_str()), (200, "accepted"), "{path} {headers:?}");
    }
    let bad: [(&str, &[(&str, &str)]); 7] = [
        (PATH, &[("authorization", "Bearer a-token-of-some-lengtH")]),
        (PATH, &[("authorization", "Bearer ")]),
        (PATH, &[("authorization", TOKEN)]),
        (PATH, &[("authorization", &bearer.replace("Bearer", "Basic "))]),
        (&format!("{PATH}/segment-of-some-lengtH"), &[]),
        (&format!("{PATH}/"), &[]),
        (&format!("{PATH}/{TOKEN}"), &[]),
    ];
    for (path, headers) in bad {
        assert_eq!(
            door.send(&post(path, headers, &sms("x"))).await.unwrap().status,
            401,
            "{path} {headers:?}"
        );
    }
    assert_eq!(door.send(&post(&format!("{with_secret}/more"), &[], b"x")).await.unwrap().status, 404);
}

#[tokio::test]
async fn an_insecure_source_takes_everything() {
    let insecure = Source { insecure: true, ..source(Vec::new()) };
    let door = Door::with(vec![insecure], quick(), FakeStore::new(), Origin::Own).await;
    assert_eq!(door.send(&post(PATH, &[], &sms("M"))).await.unwrap().word(), "accepted");
    assert_eq!(door.send(&post(PATH, &[], b"{}")).await.unwrap().word(), "ignored");
}

#[test]
fn mistakes_in_the_configuration_are_reported_all_at_once() {
    let sources = vec![
        source(Vec::new()),
        Source { insecure: true, name: "b".into(), path: "/b".to_owned(), ..signed_source() },
        Source { path: "no slash".to_owned(), ..signed_source() },
        Source { name: "c".into(), path: "/c d".to_owned(), ..signed_source() },
        Source { name: "d".into(), path: format!("{PATH}/"), ..signed_source() },
        Source {
            name: "e".into(),
            path: "/e".to_owned(),
            ..source(vec![
                Proof::Bearer(Secret::new("short")),
                Proof::PathSecret(Secret::new("has/a slash and spaces")),
                Proof::Keys(Vec::new()),
            ])
        },
    ];
    let limits = Limits { body_max: 1 << 20, memory_max: 1 << 10, header_max: 100, ..Limits::default() };
    let problems = IngressConfig::new(sources, limits).err().unwrap();
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "server.header_max",
            "server.memory_max",
            "sources[0].verify",
            "sources[1].insecure",
            "sources[2].path",
            "sources[2].name",
            "sources[3].path",
            "sources[4].path",
            "sources[5].token",
            "sources[5].path_secret",
            "sources[5].keys",
        ]
    );
    assert!(problems.iter().all(|problem| !problem.to_string().contains("short\"")));
    assert!(IngressConfig::new(vec![signed_source()], Limits::default()).is_ok());
}

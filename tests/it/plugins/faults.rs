//! Guests that misbehave: each is ended with a typed fault, and nobody else notices.

use std::time::Instant;

use dispatch_model::{Body, Callback, HttpCallback, Rejection};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_ends_at_the_deadline_while_others_are_served() {
    let host = PluginHost::new(HostConfig { threads: 2, ..config() }).unwrap();
    let (spin, log) = (load(&host, "fixtures/spin").await, load(&host, "log").await);
    let started = Instant::now();
    let looping = tokio::spawn(async move { deliver(&spin, "hello").await });
    // One thread loops; the other serves.
    assert_eq!(reference(deliver(&log, "hello").await), "dry-run");
    assert_eq!(looping.await.unwrap(), Err(Fault::Deadline { limit_ms: 100 }));
    // What is bounded is computing time; the wall's bound is wide, for a busy machine.
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn more_loops_than_threads_only_delay() {
    let host = PluginHost::new(HostConfig { threads: 1, ..config() }).unwrap();
    let (spin, log) = (load(&host, "fixtures/spin").await, load(&host, "log").await);
    let looping: Vec<_> = (0..3)
        .map(|_| {
            let spin = Arc::clone(&spin);
            tokio::spawn(async move { deliver(&spin, "hello").await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(reference(deliver(&log, "hello").await), "dry-run");
    for one in looping {
        assert!(matches!(one.await.unwrap(), Err(Fault::Deadline { .. })));
    }
}

#[tokio::test]
async fn a_loop_in_check_is_a_fault_too() {
    let host = host();
    let spin = load(&host, "fixtures/spin").await;
    assert!(matches!(spin.check(r#"{"in":"check"}"#).await, Err(Fault::Deadline { .. })));
}

#[tokio::test]
async fn memory_is_bounded() {
    let host = host();
    let hungry = load(&host, "fixtures/hungry").await;
    assert_eq!(deliver(&hungry, "hello").await, Err(Fault::Memory { limit_bytes: 16 << 20 }));
    assert_eq!(reference(deliver_by(&hungry, r#"{"mib":4}"#).await), "4 MiB", "within the bound");
}

#[tokio::test]
async fn traps_and_overflows_are_faults_with_their_kind() {
    let host = host();
    let (trapper, deep) = (load(&host, "fixtures/trapper").await, load(&host, "fixtures/deep").await);
    for (guest, words) in [(&trapper, "unreachable"), (&deep, "call stack")] {
        match deliver(guest, "hello").await {
            Err(Fault::Trap { detail }) => assert!(detail.contains(words), "{detail}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    assert_eq!(reference(deliver_by(&deep, r#"{"levels":100}"#).await), "50 odd levels");
}

#[tokio::test]
async fn what_crosses_is_bounded() {
    let host = PluginHost::new(HostConfig { memory_max: 128 << 20, ..config() }).unwrap();
    let bomb = load(&host, "fixtures/bomb").await;
    for (what, size, words) in [
        ("state", 65_537, "bytes of state"),
        ("pieces", 4_097, "pieces"),
        ("headers", 101, "headers"),
        ("recipients", 101, "recipients"),
        ("reference", 257, "bytes of a reference"),
        ("refused", 101, "refused recipients"),
        ("bytes", 20 << 20, "bytes cross to the host"),
    ] {
        match deliver_by(&bomb, &format!(r#"{{"what":"{what}","size":{size}}}"#)).await {
            Err(Fault::Contract { detail }) => assert!(detail.contains(words), "{what}: {detail}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    for what in ["code", "message"] {
        let step = deliver_by(&bomb, &format!(r#"{{"what":"{what}","size":100000}}"#)).await;
        let Ok(Step::Done(Outcome::Rejected { kind: Rejection::Content, reason })) = step else {
            panic!("{what}: {step:?}")
        };
        assert!(reason.code.len() <= 64 && reason.message.len() <= 1024, "clipped, not refused");
    }
    let problems = bomb.check(r#"{"what":"problems","size":5000}"#).await.unwrap().unwrap_err();
    assert!(problems.len() <= 100);
    let callback = Callback::Http(HttpCallback {
        method: "POST".to_owned(),
        url: "https://d.example.com/callbacks/t0k3n".to_owned(),
        headers: Vec::new(),
        body: Body::default(),
    });
    match bomb.receive(&context(r#"{"size":1001}"#), &callback, &grants(&[])).await {
        Err(Fault::Contract { detail }) => assert!(detail.contains("1001 events"), "{detail}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_million_lines_hurt_nobody() {
    let host = host();
    let (chatty, log) = (load(&host, "fixtures/chatty").await, load(&host, "log").await);
    // It may or may not get through them in its time.
    let spoken = deliver(&chatty, "hello").await;
    assert!(matches!(spoken, Ok(_) | Err(Fault::Deadline { .. })), "{spoken:?}");
    assert_eq!(reference(deliver(&log, "hello").await), "dry-run");
}

#[tokio::test]
async fn a_fault_never_hurts_the_next_call() {
    let host = PluginHost::new(HostConfig { threads: 1, ..config() }).unwrap();
    let mut guests = Vec::new();
    for name in ["spin", "hungry", "trapper", "bomb", "deep"] {
        guests.push((name, load(&host, &format!("fixtures/{name}")).await));
    }
    let echo = load(&host, "fixtures/echo").await;
    let before = deliver(&echo, "hello").await.unwrap();
    for _ in 0..3 {
        for (name, guest) in &guests {
            let ended = deliver(guest, "hello").await;
            assert!(ended.is_err(), "{name}: {ended:?}");
            assert_eq!(deliver(&echo, "hello").await.as_ref(), Ok(&before), "after {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_are_all_answered() {
    let host = PluginHost::new(HostConfig { queue: 16, ..config() }).unwrap();
    let (log, trapper) = (load(&host, "log").await, load(&host, "fixtures/trapper").await);
    let calls: Vec<_> = (0..1000)
        .map(|number| {
            let traps = number % 10 == 0;
            let guest = Arc::clone(if traps { &trapper } else { &log });
            tokio::spawn(async move { (traps, deliver(&guest, "hello").await) })
        })
        .collect();
    for call in calls {
        let (traps, result) = call.await.unwrap();
        assert_eq!(result.is_err(), traps, "{result:?}");
    }
}

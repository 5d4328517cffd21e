//! Guests that misbehave: each is ended with a typed fault, and nobody else notices.

use std::sync::Arc;
use std::time::Instant;

use dispatch_model::{Body, Callback, FailureKind, HttpCallback, LookupQuery, Rejection, Reply};
use dispatch_plugins::LoadError;

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

/// The exports of the contract that take settings, each called once; what came of it.
async fn each_export(
    plugin: &Plugin,
    context: &dyn Fn(&str) -> Context,
) -> Vec<(&'static str, Result<(), Fault>)> {
    let none = grants(&[]);
    let reply =
        Arc::new(Reply::Failed { kind: FailureKind::Timeout, detail: String::new(), may_have_left: false });
    // The SDK's state of `()` as JSON.
    let state = b"null";
    let callback = callback();
    let query = LookupQuery { message: sms("hello"), attempted_at: Timestamp::from_millis(0) };
    let check = context("check").settings;
    vec![
        ("check", plugin.check(&check).await.map(drop)),
        ("deliver", plugin.deliver(&context("deliver"), &Arc::new(sms("hello")), &none).await.map(drop)),
        ("on-reply", plugin.on_reply(&context("on-reply"), state, &reply, &none).await.map(drop)),
        ("receive", plugin.receive(&context("receive"), &callback, &none).await.map(drop)),
        (
            "on-receive-reply",
            plugin.on_receive_reply(&context("on-receive-reply"), state, &reply, &none).await.map(drop),
        ),
        ("lookup", plugin.lookup(&context("lookup"), &query, &none).await.map(drop)),
        (
            "on-lookup-reply",
            plugin.on_lookup_reply(&context("on-lookup-reply"), state, &reply, &none).await.map(drop),
        ),
    ]
}

/// Each is told to misbehave in the export that is called, and then in none.
#[tokio::test]
async fn a_loop_or_a_trap_in_any_export_is_a_fault_of_that_call() {
    let host = host();
    for (name, kind) in [("spin", "deadline"), ("trapper", "trap")] {
        let plugin = load(&host, &format!("fixtures/{name}")).await;
        let here = |export: &str| context(&format!(r#"{{"in":"{export}"}}"#));
        for (export, ended) in each_export(&plugin, &here).await {
            assert_eq!(ended.map_err(|fault| fault.kind()), Err(kind), "{name} in {export}");
        }
        let nowhere = |_: &str| context(r#"{"in":"nowhere"}"#);
        for (export, ended) in each_export(&plugin, &nowhere).await {
            assert_eq!(ended, Ok(()), "{name} in {export}");
        }
    }
}

/// What ends a loop is there as long as the plugin, and not only as long as what loaded it.
#[tokio::test]
async fn a_loop_ends_when_the_host_is_gone() {
    let spin = load(&host(), "fixtures/spin").await;
    assert_eq!(deliver(&spin, "hello").await, Err(Fault::Deadline { limit_ms: 100 }));
}

#[tokio::test]
async fn a_loop_or_a_trap_in_describe_is_no_plugin() {
    let host = host();
    for (name, kind) in [("spin-describe", "deadline"), ("trap-describe", "trap")] {
        match host.load(name, guest(&format!("fixtures/{name}"))).await {
            Err(LoadError::Fault(fault)) => assert_eq!(fault.kind(), kind, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(reference(deliver(&*load(&host, "log").await, "hello").await), "dry-run");
    }
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
    match bomb.receive(&context(r#"{"size":10001}"#), &callback(), &grants(&[])).await {
        Err(Fault::Contract { detail }) => assert!(detail.contains("10001 events"), "{detail}"),
        other => panic!("{other:?}"),
    }
}

fn callback() -> Callback {
    Callback::Http(HttpCallback {
        method: "POST".to_owned(),
        url: "https://d.example.com/callbacks/t0k3n".to_owned(),
        headers: Vec::new(),
        body: Body::default(),
    })
}

/// Within the bounds of production it is memory that ends first; with memory to spare, the contract.
#[tokio::test]
async fn a_state_of_100_mb_and_a_million_pieces_never_arrive() {
    const SIZES: [(&str, u64); 2] = [("state", 100_000_000), ("pieces", 1_000_000)];
    let patient = |memory_max| {
        PluginHost::new(HostConfig { memory_max, deadline: Duration::from_secs(30), ..config() }).unwrap()
    };
    let usual = patient(HostConfig::default().memory_max);
    let ample = patient(1 << 30);
    for (what, size) in SIZES {
        let settings = format!(r#"{{"what":"{what}","size":{size}}}"#);
        let bomb = load(&usual, "fixtures/bomb").await;
        match deliver_by(&bomb, &settings).await {
            Err(Fault::Memory { .. } | Fault::Contract { .. }) => {}
            other => panic!("{what}: {other:?}"),
        }
        let bomb = load(&ample, "fixtures/bomb").await;
        match deliver_by(&bomb, &settings).await {
            Err(Fault::Contract { detail }) => {
                assert!(detail.contains("bytes cross") || detail.contains(what), "{what}: {detail}");
            }
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(reference(deliver(&*load(&ample, "log").await, "hello").await), "dry-run");
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

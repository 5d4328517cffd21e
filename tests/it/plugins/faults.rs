//! Guests that misbehave: each is ended with a typed fault, and nobody else notices.

use std::time::{Duration, Instant};

use dispatch_model::Fault;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_ends_at_the_deadline_while_others_are_served() {
    let host = host();
    let (spin, log) = (load(&host, "fixtures/spin").await, load(&host, "log").await);
    let started = Instant::now();
    let looping = tokio::spawn(async move { deliver(&spin, "spin").await });
    // One thread loops; the others go on.
    let step = deliver(&log, "hello").await;
    assert!(matches!(step, Ok(Step::Done(_))), "{step:?}");
    assert_eq!(looping.await.unwrap().unwrap_err(), Fault::Deadline { limit_ms: 100 });
    // What is bounded is computing time; the wall's bound is wide, for a busy machine.
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn more_guests_that_loop_than_threads_only_delay() {
    let host = PluginHost::new(HostConfig { threads: 1, ..config() }).unwrap();
    let (spin, log) = (load(&host, "fixtures/spin").await, load(&host, "log").await);
    let looping: Vec<_> = (0..3)
        .map(|_| {
            let spin = Arc::clone(&spin);
            tokio::spawn(async move { deliver(&spin, "spin").await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(deliver(&log, "hello").await.is_ok());
    for one in looping {
        assert!(matches!(one.await.unwrap(), Err(Fault::Deadline { .. })));
    }
}

#[tokio::test]
async fn memory_is_bounded() {
    let host = host();
    let hungry = load(&host, "fixtures/hungry").await;
    assert_eq!(deliver(&hungry, "hungry").await, Err(Fault::Memory { limit_bytes: 16 << 20 }));
}

#[tokio::test]
async fn a_trap_is_a_fault_with_its_kind() {
    let host = host();
    let trapper = load(&host, "fixtures/trapper").await;
    let Err(Fault::Trap { detail }) = deliver(&trapper, "trap").await else { panic!("no trap") };
    assert!(detail.contains("unreachable"), "{detail}");
}

#[tokio::test]
async fn what_crosses_is_bounded() {
    let host = PluginHost::new(HostConfig { memory_max: 64 << 20, ..config() }).unwrap();
    let bomb = load(&host, "fixtures/bomb").await;
    for (text, words) in
        [("state", "bytes of state"), ("pieces", "pieces"), ("bytes", "bytes cross to the host")]
    {
        match deliver(&bomb, text).await {
            Err(Fault::Contract { detail }) => assert!(detail.contains(words), "{text}: {detail}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_million_lines_hurt_nobody() {
    let host = host();
    let (chatty, log) = (load(&host, "fixtures/chatty").await, load(&host, "log").await);
    // It may or may not get through them in its time.
    let spoken = deliver(&chatty, "chatty").await;
    assert!(matches!(spoken, Ok(_) | Err(Fault::Deadline { .. })), "{spoken:?}");
    assert!(deliver(&log, "hello").await.is_ok());
}

#[tokio::test]
async fn a_fault_never_hurts_the_next_call() {
    let host = PluginHost::new(HostConfig { threads: 1, ..config() }).unwrap();
    let mut guests = Vec::new();
    for name in ["spin", "hungry", "trapper", "bomb"] {
        guests.push(load(&host, &format!("fixtures/{name}")).await);
    }
    let log = load(&host, "log").await;
    let before = deliver(&log, "hello").await.unwrap();
    for _ in 0..3 {
        for (guest, text) in guests.iter().zip(["spin", "hungry", "trap", "state"]) {
            let fault = deliver(guest, text).await;
            assert!(fault.is_err(), "{text}: {fault:?}");
            assert_eq!(deliver(&log, "hello").await.as_ref(), Ok(&before), "after {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_are_all_answered() {
    let host = PluginHost::new(HostConfig { queue: 16, ..config() }).unwrap();
    let log = load(&host, "log").await;
    let trapper = load(&host, "fixtures/trapper").await;
    let calls: Vec<_> = (0..1000)
        .map(|number| {
            let guest = Arc::clone(if number % 10 == 0 { &trapper } else { &log });
            tokio::spawn(async move { (number % 10 == 0, deliver(&guest, "trap").await) })
        })
        .collect();
    for call in calls {
        let (traps, result) = call.await.unwrap();
        assert_eq!(result.is_err(), traps, "{result:?}");
    }
}

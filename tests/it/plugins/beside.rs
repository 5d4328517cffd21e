//! A guest that misbehaves at full stretch, and an honest one beside it: who waits for whom.

use std::time::Instant;

use tokio::task::JoinSet;

use super::*;

/// Computing time of one call. Long, so that an honest call which had to wait for a hostile one would stand out
/// however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(2);

/// Hostile calls at once: more than there are threads.
const AT_ONCE: usize = 8;

/// Honest calls beside each hostile guest.
const CALLS: usize = 25;

/// Every hostile guest, with what it is told.
const HOSTILE: &[(&str, &str)] = &[
    ("spin", "{}"),
    ("hungry", "{}"),
    ("deep", "{}"),
    ("trapper", "{}"),
    ("chatty", r#"{"lines":1000000}"#),
    ("bomb", r#"{"what":"state","size":1000000}"#),
    ("bomb", r#"{"what":"pieces","size":20000}"#),
    ("bomb", r#"{"what":"bytes","size":8000000}"#),
    ("thief", r#"{"what":"guess"}"#),
    ("peek", r#"{"mib":4}"#),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hostile_guest_makes_an_honest_one_wait() {
    let host = PluginHost::new(HostConfig { threads: 2, deadline: DEADLINE, ..config() }).unwrap();
    let honest = load(&host, "log").await;
    for (name, settings) in HOSTILE {
        let hostile = load(&host, &format!("fixtures/{name}")).await;
        let mut running = JoinSet::new();
        for _ in 0..AT_ONCE {
            let hostile = Arc::clone(&hostile);
            running.spawn(async move {
                loop {
                    let _ = deliver_by(&hostile, settings).await;
                }
            });
        }
        let mut took = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            // The others get to run in between, on this runtime of two threads as well.
            tokio::task::yield_now().await;
            let started = Instant::now();
            assert_eq!(reference(deliver(&honest, "hello").await), "dry-run", "beside {name} {settings}");
            took.push(started.elapsed());
        }
        took.sort();
        let (median, slowest) = (took[CALLS / 2], took[CALLS - 1]);
        assert!(
            median < DEADLINE / 10 && slowest < DEADLINE,
            "beside {name} {settings} an honest call took {median:?} at the median and {slowest:?} at most"
        );
        running.shutdown().await;
    }
}

/// A plugin that was long and is short again is served as before.
#[tokio::test]
async fn a_plugin_that_has_mended_is_served_as_before() {
    let host = PluginHost::new(HostConfig { threads: 1, ..config() }).unwrap();
    let spin = load(&host, "fixtures/spin").await;
    assert!(matches!(deliver(&spin, "hello").await, Err(Fault::Deadline { .. })));
    for _ in 0..40 {
        asked(deliver_by(&spin, r#"{"in":"nowhere"}"#).await.unwrap());
    }
    assert!(matches!(deliver(&spin, "hello").await, Err(Fault::Deadline { .. })));
}

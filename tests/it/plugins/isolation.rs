//! Nothing of one call is there in the next.

use dispatch_plugins::Allocation;

use super::*;

/// Every way that instances can get their memory, on one thread, so that each call gets the slot of the
/// last one.
fn hosts() -> Vec<Arc<PluginHost>> {
    [Allocation::Best, Allocation::PooledWithoutScan, Allocation::OnDemand]
        .map(|allocation| PluginHost::new(HostConfig { allocation, threads: 1, ..config() }).expect("a host"))
        .into()
}

#[tokio::test]
async fn a_guest_that_counts_never_gets_beyond_one() {
    for host in hosts() {
        let stateful = load(&host, "fixtures/stateful").await;
        let first = asked(deliver(&stateful, "stateful").await.unwrap()).state;
        for _ in 0..20 {
            let again = asked(deliver(&stateful, "stateful").await.unwrap()).state;
            assert_eq!(again, first, "{}", host.describe().memory);
        }
    }
}

/// `stain` fills 2 MiB with a pattern, more than the host keeps resident, and the stack with it; `sniff`
/// looks for the pattern in all the memory it has and can get, and hands back how often it found it.
#[tokio::test]
async fn no_byte_of_one_call_is_readable_in_the_next() {
    for host in hosts() {
        let stateful = load(&host, "fixtures/stateful").await;
        for _ in 0..10 {
            deliver(&stateful, "stain").await.unwrap();
            let found = asked(deliver(&stateful, "sniff").await.unwrap()).state;
            assert_eq!(&*found, 0_u32.to_le_bytes(), "{}", host.describe().memory);
        }
    }
}

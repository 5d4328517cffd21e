//! Nothing of one call is there in the next.

use std::sync::Arc;

use dispatch_plugins::Allocation;

use super::*;

/// Every way that instances can get their memory, on one thread, so that each call gets the slot of the
/// last one.
fn hosts() -> Vec<Arc<PluginHost>> {
    [Allocation::Best, Allocation::PooledWithoutScan, Allocation::OnDemand]
        .map(|allocation| {
            // Looking at every byte takes its time in a busy machine's debug build.
            let deadline = Duration::from_secs(10);
            PluginHost::new(HostConfig { allocation, threads: 1, deadline, ..config() }).expect("a host")
        })
        .into()
}

#[tokio::test]
async fn a_guest_that_counts_never_gets_beyond_one() {
    for host in hosts() {
        let stateful = load(&host, "fixtures/stateful").await;
        for _ in 0..20 {
            let counted = reference(deliver(&stateful, "hello").await);
            assert_eq!(counted, "1", "{}", host.describe().memory);
        }
    }
}

/// Another plugin to the host, since its digest is another: the same code with a section on top that nobody reads.
fn another(mut wasm: Vec<u8>) -> Vec<u8> {
    // A custom section: id, size, the name's size and the name.
    wasm.extend_from_slice(b"\0\x08\x07another");
    wasm
}

/// It stains 4 MiB and its stack, more than the host keeps resident between calls; the next call looks at
/// every byte it has and can get.
#[tokio::test]
async fn no_byte_of_one_call_is_readable_in_the_next() {
    for host in hosts() {
        let peek = load(&host, "fixtures/peek").await;
        for mib in [1, 4] {
            let settings = context(&format!(r#"{{"mib":{mib}}}"#));
            let say = async |text: &str| {
                reference(peek.deliver(&settings, &Arc::new(sms(text)), &grants(&[])).await)
            };
            for _ in 0..5 {
                assert_eq!(say("stain").await, "stained");
                assert_eq!(say("sniff").await, "0", "{mib} MiB, {}", host.describe().memory);
            }
        }
    }
}

/// What a plugin leaves in memory no other plugin finds there, in whatever order they come.
#[tokio::test]
async fn no_byte_of_one_plugin_is_readable_in_another() {
    for host in hosts() {
        let one = load(&host, "fixtures/peek").await;
        let other = host.load("other", another(guest("fixtures/peek"))).await.unwrap();
        assert_ne!(
            dispatch_engine::Backend::digest(&*one),
            dispatch_engine::Backend::digest(&*other),
            "they are two"
        );
        let settings = context(r#"{"mib":4}"#);
        let (stain, sniff) = (Arc::new(sms("stain")), Arc::new(sms("sniff")));
        for (writes, reads) in [(&one, &other), (&other, &one)] {
            for _ in 0..3 {
                assert_eq!(reference(writes.deliver(&settings, &stain, &grants(&[])).await), "stained");
                let found = reference(reads.deliver(&settings, &sniff, &grants(&[])).await);
                assert_eq!(found, "0", "{}", host.describe().memory);
            }
        }
    }
}

//! Nothing of one call is there in the next, and no secret is had without a grant.

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
            assert_eq!(reference(&stateful, "{}").await, "1", "{}", host.describe().memory);
        }
    }
}

/// It fills 4 MiB, more than the host keeps resident between calls, and the next call looks at every byte it
/// has and can get. The text is asked for moved by 13 letters, or the question itself would be found.
#[tokio::test]
async fn no_byte_of_one_call_is_readable_in_the_next() {
    for host in hosts() {
        let peek = load(&host, "fixtures/peek").await;
        for _ in 0..5 {
            let wrote = reference(&peek, r#"{"write":"xylophone-quartz","mib":4}"#).await;
            assert_eq!(wrote, "wrote 262144");
            let found = reference(&peek, r#"{"find":"klybcubar-dhnegm","mib":4}"#).await;
            assert_eq!(found, "found 0", "{}", host.describe().memory);
        }
    }
}

#[tokio::test]
async fn secrets_are_worked_with_and_not_seen() {
    let host = host();
    let thief = load(&host, "fixtures/thief").await;
    for (settings, expected) in [
        (r#"{"what":"reveal"}"#, "not-granted"),
        (r#"{"what":"reveal","name":"other"}"#, "unknown"),
        (r#"{"what":"hmac","name":"other"}"#, "unknown"),
        (r#"{"what":"verify"}"#, "false"),
        (r#"{"what":"guess"}"#, "16 guesses, then too-many"),
    ] {
        assert_eq!(reference(&thief, settings).await, expected, "{settings}");
    }
    let digest = reference(&thief, r#"{"what":"hmac"}"#).await;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"s3cret");
    let expected: String =
        ring::hmac::sign(&key, b"data").as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, expected);

    let mut granted = grants(&[("password", "s3cret")]);
    granted.reveal.push("password".to_owned());
    let step = thief.deliver(&context(r#"{"what":"reveal"}"#), &sms("x"), &granted).await.unwrap();
    let Step::Done(Outcome::Accepted(taken)) = step else { panic!("{step:?}") };
    assert_eq!(taken.reference.as_deref(), Some("revealed s3cret"));
}

//! `kill -9` under load, again and again, with a ledger: nothing that was answered 2xx is lost, and
//! nothing is stuck.

use std::collections::BTreeSet;
use std::time::Duration;

use dispatch_testkit::{Client, Launch, Load, sms, until};

use crate::stage::{LOCATION, SOON, Stage};

/// How often the daemon is killed. Each time lets a few hundred messages through, somewhere between
/// the first webhook and the last settlement.
const KILLS: u64 = 6;
const BURST: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acked_is_lost_and_nothing_is_stuck() -> anyhow::Result<()> {
    let stage = Stage::new().await?;
    stage.home.configure(&stage.plain())?;
    let mut acked = BTreeSet::new();
    for round in 0..KILLS {
        let daemon = Launch::new(&stage.home).start().await?;
        let first = round * BURST;
        let target = daemon.target().clone();
        let requests = (first..first + BURST).map(|n| target.request(&sms(LOCATION, n, 512))).collect();
        let load = Load { connections: 16, rate: None };
        let running = tokio::spawn(async move { load.run(target.addr, requests).await });
        // Somewhere else in the burst each time, by what reached the provider and not by the clock.
        let seen = stage.sms.count() + 20 + round * 37;
        let _ =
            until("some deliveries", SOON, async || stage.sms.count() >= seen || running.is_finished()).await;
        daemon.kill().await?;
        let report = running.await?;
        acked.extend(report.acked.iter().map(|at| first + *at as u64));
        assert!(report.statuses.keys().all(|status| matches!(status, 200 | 429)), "{:?}", report.statuses);
    }
    assert!(acked.len() > 100, "only {} were acked: the kills came too early to prove anything", acked.len());

    let daemon = Launch::new(&stage.home).start().await?;
    until("every delivery to end", Duration::from_secs(60), async || {
        let Ok(status) = daemon.ask("/v1/status").await else { return false };
        ["unplanned", "scheduled", "leased"]
            .iter()
            .all(|state| status["store"]["by_state"][*state].as_u64().unwrap_or(0) == 0)
    })
    .await?;
    let delivered: BTreeSet<String> =
        stage.sms.requests().iter().filter_map(|asked| asked.field("To")).collect();
    let mut client = Client::unix(&stage.home.socket()).await?;
    for n in &acked {
        let id = format!("M{n:019}");
        let answer = client.request("GET", &format!("/v1/messages/{id}"), &[], b"").await?;
        assert_eq!(answer.status, 200, "{id} was acked and is lost");
        let message = answer.json()?;
        // Under way at every kill until its attempts were spent: an operator is asked, and nothing is lost.
        if message["delivery"]["state"] == "held" {
            assert_eq!(message["delivery"]["unresolved"], true, "{message:#}");
            continue;
        }
        assert_eq!(message["delivery"]["state"], "accepted", "{message:#}");
        assert!(delivered.contains(&format!("+1586{n:07}")), "{id} was acked and never reached the provider");
    }
    // At least once, and said aloud: whatever came twice is marked as a possible double.
    let mut times = std::collections::BTreeMap::<String, u32>::new();
    // A request that the kill cut short has no field yet.
    for to in stage.sms.requests().iter().filter_map(|asked| asked.field("To")) {
        *times.entry(to).or_default() += 1;
    }
    for (to, _) in times.iter().filter(|(_, times)| **times > 1) {
        let n: u64 = to.trim_start_matches("+1586").parse()?;
        let message = daemon.message(&format!("M{n:019}")).await?;
        assert_eq!(message["delivery"]["possible_double"], true, "{to} came twice unmarked: {message:#}");
    }
    daemon.stop().await?;
    Ok(())
}

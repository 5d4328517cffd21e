//! A changed plugin file is picked up without a restart: swapped whole, in-flight calls finish on the old one, a
//! failure leaves the old one, and nothing of the old ones is left behind.

use std::sync::Arc;
use std::time::Duration;

use dispatch_testkit::{Act, Answer, Daemon, until};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::plugins::edition;
use crate::stage::{LOCATION, SOON, Stage, route, text};

/// Work for minutes on a machine that others work on too.
const LONG: Duration = Duration::from_secs(300);

fn config(stage: &Stage) -> String {
    let (file, url) = (stage.home.file("edition.wasm"), stage.sms.url());
    format!(
        r#"
[plugins.edition]
file = "{}"
hosts = ["127.0.0.1"]

[backends.edition]
plugin = "edition"
settings = {{ url = "{url}" }}
private_networks = ["127.0.0.0/8"]
plaintext = true
limits = {{ concurrency = 32 }}
{}"#,
        file.display(),
        route("all texts", "sms", "edition")
    )
}

async fn started() -> anyhow::Result<(Stage, Daemon)> {
    let stage = Stage::new().await?;
    stage.sms.always(Answer::json(200, &json!({})));
    stage.home.write("edition.wasm", edition(1))?;
    let daemon = stage.start(&config(&stage)).await?;
    Ok((stage, daemon))
}

/// The digest of the plugin in force.
async fn digest(daemon: &Daemon) -> anyhow::Result<String> {
    let backends = daemon.ask("/v1/backends").await?;
    let rows = backends.as_array().or_else(|| backends["items"].as_array());
    let row = rows.and_then(|rows| rows.iter().find(|row| row["name"] == "edition")).cloned();
    Ok(row.unwrap_or_default()["digest"].as_str().unwrap_or_default().to_owned())
}

/// By which edition a message's answer was read.
async fn reference(daemon: &Daemon, id: &str) -> anyhow::Result<String> {
    let message = daemon.wait_state(id, "accepted", SOON).await?;
    let attempts = message["attempts"].as_array().cloned().unwrap_or_default();
    let outcome = attempts.last().map(|last| last["outcome"].clone()).unwrap_or_default();
    Ok(outcome["references"][0].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_picked_up_and_an_attempt_finishes_on_what_it_began_with() -> anyhow::Result<()> {
    let (stage, daemon) = started().await?;
    let first = digest(&daemon).await?;
    let gate = Arc::new(Semaphore::new(0));
    stage.sms.next(Act::WhenReleased(Arc::clone(&gate), Answer::json(200, &json!({}))));
    daemon.send(&text(LOCATION, "in-flight", "+15864603685")).await?;
    stage.sms.wait_for(1, SOON).await?;

    // Nobody is told: the file is there, and that is enough.
    stage.home.write("edition.wasm", edition(2))?;
    until("the second edition to be in force", SOON, async || {
        digest(&daemon).await.is_ok_and(|now| now != first && !now.is_empty())
    })
    .await?;
    daemon.send(&text(LOCATION, "after", "+15864603686")).await?;
    assert_eq!(reference(&daemon, "after").await?, "read by 0002");
    gate.add_permits(1);
    assert_eq!(reference(&daemon, "in-flight").await?, "read by 0001");
    let asked = stage.sms.requests();
    assert!(asked[0].text().ends_with("written by 0001") && asked[1].text().ends_with("written by 0002"));
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_leaves_the_old_one() -> anyhow::Result<()> {
    let (stage, daemon) = started().await?;
    daemon.expect_error("config.refused");
    let whole = edition(2);
    for (what, bytes, words) in [
        ("cut", whole[..whole.len() / 2].to_vec(), "not a valid component"),
        ("text", b"#!/bin/sh".to_vec(), "not a WebAssembly component"),
        ("empty", Vec::new(), "it is empty"),
        ("loops", crate::plugins::guest("fixtures/spin-describe"), "`describe` failed"),
        ("traps", crate::plugins::guest("fixtures/trap-describe"), "`describe` failed"),
        ("imports", crate::plugins::guest("fixtures/importer"), "wasi:clocks/"),
        ("other", crate::plugins::guest("fixtures/future"), "built for dispatcher:plugin@2.0.0"),
    ] {
        stage.home.write("edition.wasm", bytes)?;
        until(&format!("{what} to be refused"), SOON, async || {
            let status = daemon.ask("/v1/status").await.unwrap_or_default();
            status["daemon"]["config_refused"].as_str().is_some_and(|refused| refused.contains(words))
        })
        .await?;
        daemon.send(&text(LOCATION, what, "+15864603685")).await?;
        assert_eq!(reference(&daemon, what).await?, "read by 0001", "{what}");
    }
    std::fs::remove_file(stage.home.file("edition.wasm"))?;
    let report = daemon.post("/v1/reload", &json!({})).await?.json()?;
    assert_eq!(report["applied"], false, "{report:#}");
    daemon.send(&text(LOCATION, "gone", "+15864603685")).await?;
    assert_eq!(reference(&daemon, "gone").await?, "read by 0001");

    stage.home.write("edition.wasm", whole)?;
    until("the second edition to be in force", SOON, async || {
        daemon.ask("/v1/status").await.is_ok_and(|status| status["daemon"]["config_refused"].is_null())
    })
    .await?;
    daemon.send(&text(LOCATION, "mended", "+15864603685")).await?;
    assert_eq!(reference(&daemon, "mended").await?, "read by 0002");
    daemon.stop().await?;
    Ok(())
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    resident_mib: u64,
    files: usize,
    mappings: usize,
    threads: u64,
}

impl Held {
    fn by(pid: u32) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        };
        Ok(Self {
            resident_mib: field("VmRSS:").unwrap_or_default() / 1024,
            files: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            mappings: std::fs::read_to_string(format!("/proc/{pid}/maps"))?.lines().count(),
            threads: field("Threads:").unwrap_or_default(),
        })
    }
}

/// Each reload swaps the plugin while texts are on their way through it: two editions in turn, which come from the
/// artefact cache, and every fiftieth time one that has to be compiled. What is held after 200 is held after 1 000.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_reloads_under_load_leave_nothing_behind() -> anyhow::Result<()> {
    const RELOADS: u32 = 1_000;
    const WARM: u32 = 200;
    // What an allocator and a database's caches may still take; a plugin held by mistake is 0.5 MiB each time.
    const SPARE_MIB: u64 = 48;
    const SPARE: usize = 64;
    // Threads for blocking work come with load and go when idle; one left by each reload would be 800.
    const SPARE_THREADS: u64 = 32;
    let (stage, daemon) = started().await?;
    stage.sms.always(Act::Slow(Duration::from_millis(50), Answer::json(200, &json!({}))));
    let (mut warm, mut last) = (None, String::new());
    for n in 1..=RELOADS {
        let next = if n % 50 == 0 { 100 + n } else { 1 + n % 2 };
        stage.home.write("edition.wasm", edition(next))?;
        last = format!("load-{n}");
        daemon.send(&text(LOCATION, &last, &format!("+1586460{n:04}"))).await?;
        let report = daemon.post("/v1/reload", &json!({})).await?.json()?;
        assert_eq!(report["applied"], true, "{n}: {report:#}");
        if n == WARM {
            warm = Some(Held::by(daemon.pid())?);
        }
    }
    daemon.wait_state(&last, "accepted", SOON).await?;
    let (warm, end) = (warm.expect("it was passed"), Held::by(daemon.pid())?);
    assert!(end.resident_mib <= warm.resident_mib + SPARE_MIB, "memory grows: {warm:?}, then {end:?}");
    assert!(end.files <= warm.files + SPARE, "files stay open: {warm:?}, then {end:?}");
    assert!(end.mappings <= warm.mappings + SPARE, "mappings stay: {warm:?}, then {end:?}");
    assert!(end.threads <= warm.threads + SPARE_THREADS, "threads stay: {warm:?}, then {end:?}");
    let kept = std::fs::read_dir(stage.home.file("data/cache"))?.count();
    assert!(kept <= 64, "{kept} artefacts are kept");

    until("all to be delivered", LONG, async || stage.sms.count() >= u64::from(RELOADS)).await?;
    // Whoever wrote a request read its answer, however many editions came in between.
    let by_id: Vec<String> = stage.sms.requests().iter().map(|asked| asked.text()).collect();
    for n in (1..=RELOADS).step_by(37) {
        let id = format!("load-{n}");
        let read = reference(&daemon, &id).await?;
        let written = by_id.iter().find(|body| body.contains(&format!("{id},"))).cloned().unwrap_or_default();
        assert_eq!(written.rsplit(' ').next(), read.rsplit(' ').next(), "{written:?} and {read:?}");
    }
    daemon.stop().await?;
    Ok(())
}

//! The kit, run by the command line: every bundled plugin keeps the contract, and guests that do not are told which
//! promise they break. That each check can fail is shown in the kit's own tests.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{cli, dist};

/// The report on a component, and whether it passed.
async fn report(component: &str, settings: Option<&Value>, cases: u32) -> anyhow::Result<(Value, bool)> {
    let folder = tempfile::tempdir()?;
    let file = dist().join(format!("{component}.wasm")).display().to_string();
    let cases = cases.to_string();
    let mut args = vec!["plugin", "test", &file, "--json", "--cases", &cases];
    if let Some(settings) = settings {
        std::fs::write(folder.path().join("settings.json"), settings.to_string())?;
        args.extend(["--settings", "settings.json"]);
    }
    let output = cli(folder.path())?.run(&args).await?;
    let report = serde_json::from_str(&output.stdout)
        .map_err(|error| anyhow::anyhow!("{component}: {error}:\n{}{}", output.stdout, output.stderr))?;
    Ok((report, output.code == Some(0)))
}

fn broken(report: &Value) -> BTreeSet<String> {
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    let broken = checks.iter().filter(|check| check["broken"].as_u64() > Some(0));
    broken.filter_map(|check| check["name"].as_str().map(str::to_owned)).collect()
}

fn tried(report: &Value, promise: &str) -> Option<u64> {
    let checks = report["checks"].as_array()?;
    checks.iter().find(|check| check["name"] == promise)?["tried"].as_u64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: run `cargo xtask test`"]
async fn every_bundled_plugin_keeps_the_contract() -> anyhow::Result<()> {
    let mut examined = 0;
    for entry in std::fs::read_dir(dist())? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".wasm")) else {
            continue;
        };
        let (report, passed) = report(name, None, 60).await?;
        anyhow::ensure!(passed && broken(&report).is_empty(), "{name}: {report:#}");
        anyhow::ensure!(report["calls"].as_u64() > Some(300), "{name}: {report:#}");
        // Only the plugin's lines are searched for secrets; those of the compiler and the host are tens of thousands.
        let searched = tried(&report, "secrets come out nowhere");
        anyhow::ensure!(searched > Some(0) && searched < report["calls"].as_u64(), "{name}: {report:#}");
        examined += 1;
    }
    anyhow::ensure!(examined >= 4, "only {examined} plugins: run `cargo xtask plugins`");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: run `cargo xtask test`"]
async fn what_a_guest_breaks_is_told() -> anyhow::Result<()> {
    let url = "https://api.example.com/";
    let (ends, in_time) = ("every call ends by itself", "every call is done in time");
    let (hosts, secrets) = ("requests go where the settings say", "secrets come out nowhere");
    for (guest, settings, promises) in [
        ("trapper", json!({ "in": "deliver", "url": url }), &[ends][..]),
        ("trapper", json!({ "in": "receive", "url": url }), &[ends]),
        ("trapper", json!({ "in": "on-lookup-reply", "url": url }), &[ends]),
        ("deep", json!({ "url": url }), &[ends]),
        ("spin", json!({ "in": "on-reply", "url": url }), &[in_time]),
        ("spin", json!({ "in": "lookup", "url": url }), &[in_time]),
        ("thief", json!({ "what": "reveal", "name": "key", "secrets": ["key"] }), &[secrets]),
        ("thief", json!({ "what": "send", "name": "key", "secrets": ["key"] }), &[hosts, secrets]),
    ] {
        let (report, passed) = report(&format!("fixtures/{guest}"), Some(&settings), 3).await?;
        let broken = broken(&report);
        for promise in promises {
            anyhow::ensure!(!passed && broken.contains(*promise), "{guest} with {settings}: {broken:?}");
        }
        let looped = report["given_up"].as_str().is_some_and(|why| why.ends_with("did not end in time"));
        anyhow::ensure!(looped == (guest == "spin"), "{guest} with {settings}: {}", report["given_up"]);
    }
    Ok(())
}

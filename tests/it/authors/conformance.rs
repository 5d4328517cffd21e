//! The kit, run by the command line: every bundled plugin keeps the contract, and guests that do not are told which
//! promise they break. That each check can fail is shown in the kit's own tests.

use std::collections::BTreeSet;

use serde_json::Value;

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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run `cargo xtask test --authors`"]
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
        examined += 1;
    }
    anyhow::ensure!(examined >= 4, "only {examined} plugins: run `cargo xtask plugins`");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run `cargo xtask test --authors`"]
async fn what_a_guest_breaks_is_told() -> anyhow::Result<()> {
    let url = "https://api.example.com/";
    for (guest, settings, promise) in [
        ("trapper", serde_json::json!({ "in": "deliver", "url": url }), "every call ends by itself"),
        ("trapper", serde_json::json!({ "in": "receive", "url": url }), "every call ends by itself"),
        ("trapper", serde_json::json!({ "in": "on-lookup-reply", "url": url }), "every call ends by itself"),
        ("deep", serde_json::json!({ "url": url }), "every call ends by itself"),
        (
            "thief",
            serde_json::json!({ "what": "reveal", "name": "key", "secrets": ["key"] }),
            "secrets come out nowhere",
        ),
        (
            "thief",
            serde_json::json!({ "what": "send", "name": "key", "secrets": ["key"] }),
            "requests go where the settings say",
        ),
        (
            "thief",
            serde_json::json!({ "what": "send", "name": "key", "secrets": ["key"] }),
            "secrets come out nowhere",
        ),
    ] {
        let (report, passed) = report(&format!("fixtures/{guest}"), Some(&settings), 3).await?;
        let broken = broken(&report);
        anyhow::ensure!(!passed && broken.contains(promise), "{guest} with {settings}: {broken:?}");
    }
    Ok(())
}

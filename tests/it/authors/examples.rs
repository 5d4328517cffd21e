//! The plugins in `examples/`: built as their author would, held against the contract, and loaded by the daemon.
//!
//! They are built in `target/authors/examples`, where `cargo xtask bench` finds them, and only when they changed.

use std::fs;
use std::path::{Path, PathBuf};

use dispatch_testkit::{Answer, Caught, Home, HttpCatcher, Launch, Shell, repository};
use serde_json::json;

use super::{BUILDS, Workshop};
use crate::stage::SOON;

const SAMPLE: &str = "exampleMessage000001";

/// Copies what changed, so that what was built of the rest stays fresh. Links are followed: the contract is one.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let made = ["dist", "target", "node_modules", ".venv", "bindings", "__pycache__"];
        if made.iter().any(|made| *made == name) {
            continue;
        }
        let there = to.join(&name);
        if path.is_dir() {
            copy(&path, &there)?;
        } else if fs::read(&there).ok() != Some(fs::read(&path)?) {
            fs::copy(&path, &there)?;
        }
    }
    Ok(())
}

/// An example, built and held against the contract.
async fn built(name: &str) -> anyhow::Result<(Workshop, PathBuf)> {
    let workshop = Workshop::open()?;
    let folder = workshop.folder.join("examples").join(name);
    copy(&repository().join("examples").join(name), &folder)?;
    // The Rust example takes the SDK from where it lies in the repository.
    let plugins = workshop.folder.join("plugins");
    if !plugins.exists() {
        std::os::unix::fs::symlink(repository().join("plugins"), plugins)?;
    }
    let mut shell = Shell::start(&folder, &workshop.env()?)?;
    shell.run("dispatcher plugin test\ndispatcher plugin run\ndispatcher plugin inspect", BUILDS).await?;
    let text = shell.log().text();
    for expected in ["accepted: ", "imports    "] {
        anyhow::ensure!(text.contains(expected), "{expected:?} was not said:\n{text}");
    }
    for wrong in ["BROKEN", "REFUSED", "wasi:"] {
        anyhow::ensure!(!text.contains(wrong), "{wrong:?} was said:\n{text}");
    }
    Ok((workshop, folder))
}

/// What a configuration says of a plugin whose provider is on this machine.
fn backend(
    folder: &Path,
    plugin: &str,
    settings: &str,
    secrets: &str,
    channel: &str,
) -> anyhow::Result<String> {
    let mut components = fs::read_dir(folder.join("dist"))?.filter_map(Result::ok).map(|entry| entry.path());
    let file = components.find(|path| path.extension().is_some_and(|kind| kind == "wasm"));
    let file = file.ok_or_else(|| anyhow::anyhow!("no component in {}", folder.display()))?;
    Ok(format!(
        r#"
[plugins.{plugin}]
file = "{}"
hosts = ["127.0.0.1"]

[backends.provider]
plugin = "{plugin}"
settings = {{ {settings} }}
secrets = {{ {secrets} }}
private_networks = ["127.0.0.0/8"]
plaintext = true

[[routes]]
name = "all"
channel = "{channel}"
deliver = "provider"
"#,
        file.display()
    ))
}

/// Delivers the example's own message, or another, and gives what the provider got.
async fn deliver(
    workshop: &Workshop,
    config: &str,
    provider: &HttpCatcher,
    message: &[u8],
    reference: &str,
) -> anyhow::Result<Vec<Caught>> {
    let home = Home::new()?;
    home.write("key", "key-of-the-provider")?;
    home.configure(config)?;
    let launch = Launch::new(&home);
    let cache = workshop.compiled().display().to_string();
    let daemon = launch.env("DISPATCHER__PLUGIN_HOST__CACHE", cache).start().await?;
    daemon.send(message).await?;
    let message = daemon.wait_state(SAMPLE, "accepted", SOON).await?;
    assert_eq!(message["delivery"]["references"][0], reference, "{message:#}");
    daemon.stop().await?;
    Ok(provider.requests())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the crate registry and a compiler for WebAssembly: run `cargo xtask test`"]
async fn in_rust_a_token_then_the_message() -> anyhow::Result<()> {
    let (workshop, folder) = built("plugin-rust").await?;
    let provider = HttpCatcher::start().await?;
    provider.next(Answer::json(200, &json!({ "token": "t-1" })));
    provider.next(Answer::json(202, &json!({ "id": "c-1" })));
    let settings =
        format!(r#"client_id = "agency", from = "+525598765432", base_url = "{}""#, provider.url());
    let config = backend(&folder, "cometa-mms", &settings, r#"client_secret = { file = "key" }"#, "sms")?;
    let message = fs::read(folder.join("message.json"))?;
    let asked = deliver(&workshop, &config, &provider, &message, "c-1").await?;
    assert_eq!(asked[0].json()?["client_secret"], "key-of-the-provider");
    assert_eq!(asked[1].header("authorization"), Some("Bearer t-1"));
    assert_eq!(asked[1].json()?["to"], "+525512345678");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs componentize-js from npm: run `cargo xtask test`"]
async fn in_javascript() -> anyhow::Result<()> {
    let (workshop, folder) = built("plugin-javascript").await?;
    let provider = HttpCatcher::start().await?;
    provider.always(Answer::json(202, &json!({ "id": "n-1", "status": "queued", "parts": 1 })));
    let settings = format!(r#"from = "+525598765432", base_url = "{}""#, provider.url());
    let config = backend(&folder, "nube-sms", &settings, r#"api_key = { file = "key" }"#, "sms")?;
    let message = fs::read(folder.join("message.json"))?;
    let asked = deliver(&workshop, &config, &provider, &message, "n-1").await?;
    assert_eq!(asked[0].header("authorization"), Some("Bearer key-of-the-provider"));
    assert_eq!(asked[0].json()?["to"], "+525512345678");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs componentize-py from PyPI: run `cargo xtask test`"]
async fn in_python() -> anyhow::Result<()> {
    let (workshop, folder) = built("plugin-python").await?;
    let provider = HttpCatcher::start().await?;
    provider.always(Answer::json(202, &json!({ "id": "m-1" })));
    let settings = format!(r#"base_url = "{}""#, provider.url());
    let config = backend(&folder, "palomar-mail", &settings, r#"api_key = { file = "key" }"#, "email")?;
    let message = fs::read(folder.join("message.json"))?;
    let asked = deliver(&workshop, &config, &provider, &message, "m-1").await?;
    assert_eq!(asked[0].header("authorization"), Some("Bearer key-of-the-provider"));
    assert_eq!(asked[0].json()?["to"], json!(["ana@example.com"]));
    Ok(())
}

#[test]
fn what_they_share_with_the_templates_is_the_same() -> anyhow::Result<()> {
    let shared = [
        ("plugin-javascript", "javascript", &["dispatcher.js", "testing.js"][..]),
        ("plugin-python", "python", &["dispatcher.py", "testing.py", "requirements.txt"]),
    ];
    for (example, language, files) in shared {
        for file in files {
            let ours = fs::read_to_string(repository().join("examples").join(example).join(file))?;
            let theirs =
                repository().join("plugins/templates").join(language).join("all").join(format!("{file}.in"));
            anyhow::ensure!(
                ours == fs::read_to_string(&theirs)?,
                "examples/{example}/{file} is not {}: copy it",
                theirs.display()
            );
        }
    }
    // The manifest has a name of its own; what it builds with is the same.
    let manifest = |path: &str, name: &str| -> anyhow::Result<serde_json::Value> {
        let text = fs::read_to_string(repository().join(path))?;
        Ok(serde_json::from_str(&text.replace("{{name}}", name))?)
    };
    assert_eq!(
        manifest("examples/plugin-javascript/package.json", "")?,
        manifest("plugins/templates/javascript/all/package.json.in", "nube-sms")?
    );
    Ok(())
}

//! `dispatcher plugin inspect`, `run`, `bench` and `stand-in`, with guests that are built anyway.

use dispatch_testkit::{Answer, Client, HttpCatcher, Log, Shell, free_port, repository};

use super::{cli, dist, said};
use crate::stage::SOON;

fn guest(name: &str) -> String {
    dist().join(format!("{name}.wasm")).display().to_string()
}

const TWILIO: &str = r#"account_sid = "AC00000000000000000000000000000000"
from = "+15005550006"
"#;

#[tokio::test]
async fn inspect_shows_what_it_is_and_what_to_grant() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cli = cli(folder.path())?;
    // Settings as TOML, as they would stand in the configuration.
    std::fs::write(folder.path().join("s.toml"), TWILIO)?;
    let shown = said(&cli, 0, &["plugin", "inspect", &guest("twilio"), "--settings", "s.toml"]).await?;
    for expected in [
        "plugin     twilio ",
        "channels   sms",
        "contract   1.0.0 (this dispatcher serves 1.0.0)",
        "sha256     ",
        "kB of memory to begin with",
        "imports    dispatcher:plugin/secrets@1.0.0",
        "exports    dispatcher:plugin/delivery@1.0.0",
        "secrets    auth_token (",
        "features   receive, lookup",
        "asks for   api.twilio.com, the secret auth_token (with s.toml)",
        "hosts = [\"api.twilio.com\"]",
        "from = \"+15005550006\"",
        "secrets = { auth_token = { env = \"AUTH_TOKEN\" } }",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
    // What needs a relay or a session says so in the lines to copy.
    for (plugin, line) in [("smtp", "relay = { host = "), ("smpp", "session = { host = ")] {
        let shown = said(&cli, 0, &["plugin", "inspect", &guest(plugin)]).await?;
        assert!(shown.contains(line), "{line:?} is not in\n{shown}");
    }
    let json = cli.json(&["plugin", "inspect", &guest("twilio"), "--settings", "s.toml"]).await?;
    assert_eq!(json["asks"]["hosts"][0], "api.twilio.com");
    assert_eq!(json["sha256"].as_str().map(str::len), Some(64));
    Ok(())
}

#[tokio::test]
async fn inspect_says_what_would_be_refused_and_what_to_do() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cli = cli(folder.path())?;
    std::fs::write(folder.path().join("core.wasm"), b"\0asm\x01\0\0\0")?;
    std::fs::write(folder.path().join("bad.json"), r#"{ "from": 7 }"#)?;
    let importer = guest("fixtures/importer");
    let (future, twilio) = (guest("fixtures/future"), guest("twilio"));
    for (args, expected) in [
        (
            &["core.wasm"][..],
            &["REFUSED    a core WebAssembly module, not a component", "wasm-tools component new"][..],
        ),
        (&[importer.as_str()], &["REFUSED    it imports `", "wasm32-unknown-unknown"]),
        (
            &[future.as_str()],
            &["REFUSED    built for dispatcher:plugin@", "build it with the SDK of this version"],
        ),
        (
            &[twilio.as_str(), "--settings", "bad.json"],
            &["REFUSED    its settings (bad.json): from: ", "account_sid"],
        ),
        (&["nothing.wasm"], &["nothing.wasm: No such file"]),
    ] {
        let shown = said(&cli, 1, &[&["plugin", "inspect"], args].concat()).await?;
        for words in expected {
            assert!(shown.contains(words), "{words:?} is not in\n{shown}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn run_prints_every_step_from_a_cassette() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cli = cli(folder.path())?;
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    write("s.toml", TWILIO)?;
    std::fs::copy(repository().join("config/samples/sms.json"), folder.path().join("m.json"))?;
    write(
        "c.json",
        r#"[{ "match": { "http": { "method": "POST" } }, "reply": { "http": { "status": 201, "headers": [], "body": "{\"sid\":\"SM1\",\"status\":\"queued\"}" } } }]"#,
    )?;
    let twilio = guest("twilio");
    let run = ["plugin", "run", &twilio, "--settings", "s.toml", "--message", "m.json"];
    let shown = said(&cli, 0, &[&run[..], &["--cassette", "c.json"]].concat()).await?;
    for expected in [
        "step 1, delivers:",
        "POST https://api.twilio.com/",
        "«secret auth_token»",
        "answered by c.json",
        "accepted: SM1",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
    let json = cli.json(&[&run[..], &["--cassette", "c.json"]].concat()).await?;
    assert_eq!(json["end"]["Ok"]["outcome"], "accepted", "{json:#}");

    // Who should answer? And what the cassette has no answer to, is no answer.
    let nobody = said(&cli, 1, &run).await?;
    assert!(nobody.contains("--cassette FILE") && nobody.contains("--live"), "{nobody}");
    write("c.json", "[]")?;
    let none = said(&cli, 0, &[&run[..], &["--cassette", "c.json"]].concat()).await?;
    assert!(
        none.contains("no answer: refused: the cassette has no answer to this: POST https://api.twilio.com"),
        "{none}"
    );
    write("c.json", "{}")?;
    let broken = said(&cli, 1, &[&run[..], &["--cassette", "c.json"]].concat()).await?;
    assert!(broken.contains("c.json: no cassette"), "{broken}");
    write("s.toml", "from = 7\n")?;
    let wrong = said(&cli, 1, &run).await?;
    assert!(
        wrong.contains("from: ") && wrong.contains("the plugin refuses these settings (s.toml)"),
        "{wrong}"
    );
    Ok(())
}

#[tokio::test]
async fn run_refuses_what_the_daemon_would() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cli = cli(folder.path())?;
    // It asks for no host, and sends to one.
    std::fs::write(folder.path().join("s.json"), r#"{ "what": "send", "name": "key", "secrets": ["key"] }"#)?;
    std::fs::write(
        folder.path().join("c.json"),
        r#"[{ "reply": { "http": { "status": 200, "headers": [], "body": "" } } }]"#,
    )?;
    let thief = guest("fixtures/thief");
    let args = ["plugin", "run", &thief, "--settings", "s.json", "--cassette", "c.json"];
    let shown = said(&cli, 0, &args).await?;
    assert!(shown.contains("the host evil.invalid is not granted"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn run_live_really_sends_and_covers_the_secret() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let key = "key-that-nobody-may-see";
    let provider = HttpCatcher::start().await?;
    // A provider that repeats what it was given.
    provider.always(Answer::json(
        401,
        &serde_json::json!({ "code": "20003", "message": format!("no such token: {key}") }),
    ));
    std::fs::write(folder.path().join("s.toml"), format!("{TWILIO}base_url = \"{}\"\n", provider.url()))?;
    let twilio = guest("twilio");
    let run = ["plugin", "run", &twilio, "--settings", "s.toml", "--live"];
    let cli = cli(folder.path())?.env("ACME_KEY", key);

    let missing = said(&cli, 1, &run).await?;
    assert!(missing.contains("the secret auth_token is missing: --secret auth_token=VARIABLE"), "{missing}");
    let run = [&run[..], &["--secret", "auth_token=ACME_KEY"]].concat();
    let refused = said(&cli, 0, &run).await?;
    assert!(refused.contains("plaintext") && provider.count() == 0, "{refused}");
    let refused = said(&cli, 0, &[&run[..], &["--plaintext"]].concat()).await?;
    assert!(refused.contains("127.0.0.1") && provider.count() == 0, "{refused}");

    let shown =
        said(&cli, 0, &[&run[..], &["--plaintext", "--private-network", "127.0.0.0/8"]].concat()).await?;
    assert_eq!(provider.requests()[0].basic().map(|(_, token)| token).as_deref(), Some(key));
    assert!(shown.contains("rejected: account"), "{shown}");
    assert!(shown.contains("no such token: «secret auth_token»") && !shown.contains(key), "{shown}");
    Ok(())
}

/// Answers of a provider that gives a token and then takes a message.
const TOKEN_AND_MESSAGE: &str = r#"[
  { "match": { "http": { "url": "https://a.example/token" } }, "reply": { "http": { "status": 200, "headers": [], "body": "{\"access_token\":\"t\"}" } } },
  { "match": { "http": { "url": "https://a.example/messages" } }, "reply": { "http": { "status": 202, "headers": [], "body": "{\"id\":\"m-1\"}" } } }
]"#;

#[tokio::test]
async fn bench_measures_each_call_of_a_delivery() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cli = cli(folder.path())?;
    std::fs::write(folder.path().join("s.json"), "{}")?;
    // It asks nothing, so nobody has to answer.
    let log = guest("log");
    let bench = ["plugin", "bench", "--calls", "20", "--settings", "s.json"];
    let shown = said(&cli, 0, &[&bench[..], &[&log]].concat()).await?;
    for expected in [
        "plugin     log ",
        "kB (with s.json)",
        "ends       accepted: dry-run",
        "compiled   in ",
        "cached     loaded in ",
        "median µs",
        "deliver ",
        "one after the other",
        "8 at once",
        "64 at once",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
    assert!(!shown.contains("on-reply") && !shown.contains("answered by"), "{shown}");

    // Two steps: each has its time.
    std::fs::write(folder.path().join("s.json"), r#"{ "url": "https://a.example" }"#)?;
    std::fs::write(folder.path().join("c.json"), TOKEN_AND_MESSAGE)?;
    let steps = guest("fixtures/steps");
    let json = cli.json(&[&bench[..], &[&steps, "--cassette", "c.json"]].concat()).await?;
    assert_eq!((&json["plugin"], &json["outcome"]), (&"steps".into(), &"accepted".into()), "{json:#}");
    assert_eq!((&json["settings"], &json["answers"]), (&"s.json".into(), &"c.json".into()), "{json:#}");
    for number in ["size", "compile_ms", "cached_ms"] {
        assert!(json[number].as_f64().is_some_and(|number| number > 0.0), "{number}: {json:#}");
    }
    assert!(json["cached_ms"].as_f64() < json["compile_ms"].as_f64(), "it was compiled twice: {json:#}");
    let calls = json["calls"].as_array().expect("calls");
    let names: Vec<_> = calls.iter().map(|call| call["call"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["deliver", "on-reply 1", "on-reply 2"]);
    for call in calls {
        let (median, p99) = (call["median_us"].as_f64(), call["p99_us"].as_f64());
        assert!(median > Some(0.0) && p99 >= median, "{call:#}");
    }
    let series = json["deliveries"].as_array().expect("deliveries");
    let made: Vec<_> = series.iter().map(|one| (one["at_once"].as_u64(), one["count"].as_u64())).collect();
    // Each of them makes as many as the others.
    assert_eq!(made, [(Some(1), Some(20)), (Some(8), Some(24)), (Some(64), Some(64))]);
    assert!(series.iter().all(|one| one["per_second"].as_f64() > Some(0.0)), "{json:#}");
    assert!(series.iter().all(|one| one["cpu_us"].is_number()), "{json:#}");
    Ok(())
}

#[tokio::test]
async fn bench_says_what_it_cannot_measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cli = cli(folder.path())?;
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
    write("good.toml", TWILIO)?;
    write("bad.json", r#"{ "from": 7 }"#)?;
    write("trap.json", r#"{ "in": "deliver" }"#)?;
    write(
        "elsewhere.json",
        r#"[{ "match": { "http": { "url": "https://elsewhere.example/" } }, "reply": { "http": { "status": 200, "headers": [], "body": "" } } }]"#,
    )?;
    let (twilio, trapper) = (guest("twilio"), guest("fixtures/trapper"));
    for (args, expected) in [
        (
            &[twilio.as_str(), "--settings", "bad.json"][..],
            &["from: ", "the plugin refuses these settings (bad.json)"][..],
        ),
        (
            &[&twilio, "--settings", "good.toml", "--cassette", "elsewhere.json"],
            &["step 1 got no answer (elsewhere.json)", "no answer to this: POST https://api.twilio.com/"],
        ),
        (&[&twilio, "--settings", "good.toml"], &["step 1 got no answer (no cassette: --cassette FILE)"]),
        (&[&trapper, "--settings", "trap.json"], &["the host ended the plugin's call: trap: "]),
    ] {
        let shown = said(&cli, 1, &[&["plugin", "bench"], args].concat()).await?;
        for words in expected {
            assert!(shown.contains(words), "{words:?} is not in\n{shown}");
        }
    }
    let none = said(&cli, 2, &["plugin", "bench", &twilio, "--calls", "0"]).await?;
    assert!(none.contains("--calls"), "{none}");
    Ok(())
}

#[tokio::test]
async fn a_stand_in_answers_from_a_cassette() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(
        folder.path().join("cassette.json"),
        r#"[
          { "match": { "http": { "url": "https://api.example.com/messages", "body": ["bad"] } }, "reply": { "http": { "status": 422, "headers": [], "body": "no" } } },
          { "match": { "http": { "url": "https://api.example.com/messages" } }, "reply": { "http": { "status": 201, "headers": [{ "name": "x-a", "value": "b" }], "body": "yes" } } },
          { "match": { "http": { "url": "https://api.example.com/hang" } }, "reply": { "failed": { "kind": "reset", "detail": "", "may_have_left": true } } }
        ]"#,
    )?;
    let port = free_port();
    let binary = dispatch_testkit::dispatcher_binary()?;
    let mut shell = Shell::start(folder.path(), &[])?;
    shell.run(&format!("{} plugin stand-in --listen 127.0.0.1:{port} &", binary.display()), SOON).await?;
    let log: Log = shell.log().clone();
    log.wait_for("a provider listens on", SOON).await?;
    let mut client = Client::tcp(([127, 0, 0, 1], port).into()).await?;
    let auth = [("authorization", "Bearer key-of-mine")];
    for (body, status) in [("good", 201), ("bad", 422), ("good again", 201)] {
        let answer = client.request("POST", "/messages", &auth, body.as_bytes()).await?;
        assert_eq!(answer.status, status, "{body}");
    }
    assert_eq!(client.request("GET", "/elsewhere", &[], b"").await?.status, 404);
    assert!(client.request("POST", "/hang", &[], b"").await.is_err(), "the connection is broken off");
    log.wait_for("=> broken off", SOON).await?;
    let text = log.text();
    assert!(text.contains("authorization: Bearer «11 bytes»") && !text.contains("key-of-mine"), "{text}");
    assert!(text.contains("good again") && text.contains("=> 422"), "{text}");
    Ok(())
}

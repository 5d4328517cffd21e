//! Each template for mail, from `plugin new` to a delivery, without an edit. The page goes the same way with those for
//! SMS.

use dispatch_testkit::{Answer, Home, HttpCatcher, Launch, Shell};

use super::{BUILDS, Workshop, cli, said};
use crate::stage::SOON;

const SAMPLE: &str = "exampleMessage000001";

async fn mail_in(language: &str) -> anyhow::Result<()> {
    let workshop = Workshop::open()?;
    let folder = workshop.fresh(&format!("template-{language}"))?;
    let mut shell = Shell::start(&folder, &workshop.env()?)?;
    shell.run(&format!("dispatcher plugin new post --lang {language} --channel email"), SOON).await?;
    shell.run("cd post\ndispatcher plugin test --cases 30\ndispatcher plugin run", BUILDS).await?;
    let text = shell.log().text();
    anyhow::ensure!(text.contains("accepted: A1") && !text.contains("BROKEN"), "{text}");

    let home = Home::new()?;
    let provider = HttpCatcher::start().await?;
    provider.always(Answer::json(201, &serde_json::json!({ "id": "mail-%N%" })));
    home.write("key", "key-of-the-provider")?;
    home.configure(&format!(
        r#"
[plugins.post]
file = "{}"
hosts = ["127.0.0.1"]

[backends.post]
plugin = "post"
settings = {{ url = "{}/mails" }}
secrets = {{ api_key = {{ file = "key" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true

[[routes]]
name = "mail"
channel = "email"
deliver = "post"
"#,
        folder.join("post/dist/post.wasm").display(),
        provider.url()
    ))?;
    let daemon =
        Launch::new(&home).env("DISPATCHER__PLUGIN_HOST__CACHE", workshop.compiled().display().to_string());
    let daemon = daemon.start().await?;
    daemon.send(&std::fs::read(folder.join("post/message.json"))?).await?;
    let message = daemon.wait_state(SAMPLE, "accepted", SOON).await?;
    assert_eq!(message["delivery"]["references"][0], "mail-00000001");
    let asked = provider.requests().remove(0);
    assert_eq!(asked.header("authorization"), Some("Bearer key-of-the-provider"));
    assert_eq!(asked.json()?["subject"], "Your appointment");
    daemon.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the crate registry and a compiler for WebAssembly: run `cargo xtask test`"]
async fn mail_in_rust() -> anyhow::Result<()> {
    mail_in("rust").await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs componentize-js from npm: run `cargo xtask test`"]
async fn mail_in_javascript() -> anyhow::Result<()> {
    mail_in("js").await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs componentize-py from PyPI: run `cargo xtask test`"]
async fn mail_in_python() -> anyhow::Result<()> {
    mail_in("python").await
}

#[tokio::test]
async fn a_folder_is_made_once_and_nothing_is_overwritten() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cli = cli(folder.path())?;
    for language in ["rust", "js", "python"] {
        for channel in ["sms", "email"] {
            let name = format!("{language}-{channel}");
            let told =
                said(&cli, 0, &["plugin", "new", &name, "--lang", language, "--channel", channel]).await?;
            assert!(told.contains("dispatcher plugin build") && told.contains("once"), "{told}");
            assert!(folder.path().join(&name).join("README.md").is_file());
        }
    }
    let again = said(&cli, 1, &["plugin", "new", "js-sms", "--lang", "js"]).await?;
    assert!(again.contains("is not empty: nothing was written"), "{again}");
    let bad = said(&cli, 1, &["plugin", "new", "../Acme"]).await?;
    assert!(bad.contains("write a-z, 0-9 and single hyphens"), "{bad}");
    Ok(())
}

//! Each plugin's cassette, `plugins/*/testdata/cassette.json`: the plugin's own message and settings, answered from the
//! file, as `dispatcher plugin run` does it for a plugin's author.

use dispatch_testkit::{Cli, Home, dispatcher_binary, repository};

#[tokio::test(flavor = "multi_thread")]
async fn every_cassette_ends_in_an_acceptance() -> anyhow::Result<()> {
    let home = Home::new()?;
    let cli = Cli::new(dispatcher_binary()?, [], home.path());
    let plugins = repository().join("plugins");
    let mut played = Vec::new();
    for entry in std::fs::read_dir(&plugins)?.flatten() {
        let data = entry.path().join("testdata");
        if !data.join("cassette.json").is_file() {
            continue;
        }
        let name = entry.file_name().into_string().unwrap_or_default();
        let file = |name: &str| data.join(name).display().to_string();
        let component = plugins.join("dist").join(format!("{name}.wasm")).display().to_string();
        let (settings, message, cassette) =
            (file("settings.json"), file("message.json"), file("cassette.json"));
        let options = ["--settings", &settings, "--message", &message, "--cassette", &cassette];
        let arguments = [&["plugin", "run", &component][..], &options].concat();
        let output = cli.run(&arguments).await?;
        assert_eq!(output.code, Some(0), "{name}: {}{}", output.stdout, output.stderr);
        let end = output.stdout.lines().last().unwrap_or_default();
        assert!(end.starts_with("accepted: "), "{name}: {}", output.stdout);
        played.push(name);
    }
    for name in ["twilio", "telnyx", "vonage", "infobip"] {
        assert!(played.iter().any(|played| played == name), "{name} has no cassette; found {played:?}");
    }
    Ok(())
}

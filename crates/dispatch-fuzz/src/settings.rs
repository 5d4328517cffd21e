//! The configuration, from a file of anything.

use dispatch_config::Inputs;

use crate::{Bench, Seen, Verdict};

pub(crate) const CONFIG: &[&str] = &[
    "[server]\n",
    "[[routes]]\n",
    "[[sources]]\n",
    "[backends.a]\n",
    "[locations.x]\n",
    "deliver = [\"a\"]\n",
    "plugin = \"log\"\n",
    "listen = \"systemd\"\n",
    "name = \"x\"\n",
    "\"5s\"",
    "\"10 MiB\"",
    "\"10/s\"",
    "insecure = true\n",
    "secrets = { a = { env = \"GIVEN\" } }\n",
    "when = { phone_prefix = \"+52\" }\n",
    "\"\"\"",
    "include = [\"*.toml\"]\n",
];

/// Not to be seen in anything that is said about the configuration.
const HIDDEN: &str = "a-secret-not-to-be-shown";

/// The configuration: read or refused, every diagnostic drawn, no secret in any.
pub(crate) fn config(bench: &Bench, input: &[u8]) -> Verdict {
    let file = bench.folder.path().join("fuzzed.toml");
    std::fs::write(&file, input).map_err(|error| error.to_string())?;
    let mut inputs = Inputs {
        files: vec![file],
        bundled_plugins: ["twilio", "smtp", "http", "log"].map(str::to_owned).to_vec(),
        ..Inputs::default()
    };
    inputs.environment.insert("GIVEN".into(), HIDDEN.into());
    let (loaded, found) = match dispatch_config::load(&inputs) {
        Ok(loaded) => (true, loaded.warnings),
        Err(problems) => (false, problems),
    };
    if !loaded && found.is_empty() {
        return Err("refused without a word".into());
    }
    let mut seen = Vec::new();
    for diagnostic in &found {
        seen.push(diagnostic.message.clone());
        for colour in [false, true] {
            let text = diagnostic.render(colour);
            if text.contains(HIDDEN) {
                return Err(format!("shows a secret: {text}"));
            }
        }
    }
    seen.sort();
    seen.dedup();
    Ok(Seen::of(&format!("{loaded} {}", seen.join("; "))))
}

//! What a configuration of 100 000 locations costs to load, as CSV and as TOML:
//! `cargo run --release -p dispatch-config --example scale [LOCATIONS]`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dispatch_config::{Inputs, load};

const HEAD: &str = r#"
[[sources]]
name = "highlevel"
path = "/webhooks/highlevel"
verify = ["highlevel"]

[backends.twilio-mx]
plugin = "twilio"
settings = { account_sid = "AC00000000000000000000000000000000", from = "+525512345678" }
secrets = { auth_token = { env = "TWILIO_AUTH_TOKEN" } }

[[routes]]
name = "all"
deliver = "twilio-mx"
"#;

/// Memory of this process in MiB: now, and at most so far.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.unwrap_or_default() / 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the temporary folder can be written");
    path
}

#[expect(clippy::print_stdout, reason = "an example prints what it measured")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let form = arguments.next().unwrap_or_else(|| "csv".to_owned());
    let count: usize = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = String::new();
    let file = match form.as_str() {
        "csv" => {
            text.push_str("location,name,twilio-mx.settings.from,twilio-mx.secrets.auth_token.env\n");
            for n in 0..count {
                writeln!(text, "GKAWb4yu7A4LSc{n:06},Client {n},+52555{n:07},TOKEN_{}", n % 1000)
                    .expect("memory");
            }
            write(folder.path(), "locations.csv", &text);
            write(folder.path(), "config.toml", &format!("locations_file = \"locations.csv\"\n{HEAD}"))
        }
        _ => {
            text.push_str(HEAD);
            for n in 0..count {
                let token = n % 1000;
                writeln!(
                    text,
                    "[locations.GKAWb4yu7A4LSc{n:06}]\nname = \"Client {n}\"\nbackends.twilio-mx = {{ settings = {{ \
                     from = \"+52555{n:07}\" }}, secrets = {{ auth_token = {{ env = \"TOKEN_{token}\" }} }} }}"
                )
                .expect("memory");
            }
            write(folder.path(), "config.toml", &text)
        }
    };
    let megabytes = text.len() / 1_000_000;
    drop(text);
    let tokens = (0..1000).map(|n| (format!("TOKEN_{n}"), format!("token {n}")));
    let environment = tokens.chain([("TWILIO_AUTH_TOKEN".to_owned(), "token".to_owned())]).collect();
    let inputs = Inputs {
        files: vec![file],
        environment,
        bundled_plugins: vec!["twilio".to_owned()],
        ..Inputs::default()
    };
    let (before, _) = memory();
    let start = Instant::now();
    let loaded = load(&inputs).expect("nothing is wrong with this file");
    let took = start.elapsed();
    let (after, most) = memory();
    assert_eq!(loaded.config.locations.len(), count);
    println!(
        "{form}, {count} locations, {megabytes} MB: {took:?}; memory {before} -> {after} MiB, at most {most} MiB"
    );
    let dispatch_config::Loaded { config, document, .. } = loaded;
    drop(document);
    println!("without the document: {} MiB", memory().0);
    drop(config);
    println!("without the configuration: {} MiB", memory().0);
}

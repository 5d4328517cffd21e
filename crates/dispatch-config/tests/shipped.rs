//! The files under `config/` are what the crate says they are.

use std::path::{Path, PathBuf};

use dispatch_config::{Inputs, KnownKeys, Listen, Loaded, json_schema, load};
use dispatch_model::{Channel, Policy};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn inputs(files: Vec<PathBuf>) -> Inputs {
    let bundled_plugins = ["twilio", "smpp", "smtp", "http", "log"].map(str::to_owned).to_vec();
    Inputs { files, bundled_plugins, ..Inputs::default() }
}

#[track_caller]
fn loaded(inputs: &Inputs) -> Loaded {
    load(inputs).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
    })
}

#[test]
fn the_shipped_configuration_starts_with_nothing_set() {
    let loaded = loaded(&inputs(vec![shipped().join("config.toml")]));
    let config = &loaded.config;
    assert_eq!(loaded.warnings, []);
    assert_eq!(config.server.listen, [Listen::Tcp(([127, 0, 0, 1], 8080).into())]);
    assert_eq!(config.sources.len(), 1);
    let source = &config.sources[0];
    assert_eq!((source.name.as_str(), source.path.as_str()), ("highlevel", "/webhooks/highlevel"));
    assert_eq!(source.verify, [KnownKeys::HighLevel]);
    assert!(
        source.keys.is_empty() && source.token.is_none() && source.path_secret.is_none() && !source.insecure
    );
    assert!(config.backends.values().all(|backend| backend.plugin == "log"));
    assert!(
        config.backends.values().all(|backend| backend.private_networks.is_empty() && !backend.plaintext)
    );
    for channel in [Channel::Sms, Channel::Email] {
        assert!(loaded.router.covers(&"any".into(), channel));
    }
    assert_eq!(config.tests.len(), 2);
    assert!(config.tests.iter().all(|test| test.message.is_file()));
}

/// The manual is in the comments, so what stands there must work when the `# ` is taken away.
#[test]
fn the_commented_parts_of_the_shipped_configuration_are_right() {
    let text = std::fs::read_to_string(shipped().join("config.toml")).expect("the shipped file");
    let is_toml = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        line.starts_with('[')
            || (line.contains(" = ") && key.chars().all(|c| c.is_ascii_lowercase() || "_.".contains(c)))
    };
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line))
        .collect();
    assert!(uncommented.len() > 60 && uncommented.contains(&"[backends.twilio]"));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("samples")).expect("a folder");
    for sample in ["sms.json", "email.json"] {
        std::fs::copy(shipped().join("samples").join(sample), folder.path().join("samples").join(sample))
            .expect("a copy");
    }
    for secret in ["gateway.key", "dkim.pem"] {
        std::fs::write(folder.path().join(secret), "key\n").expect("a file");
    }
    // The example of weights takes all SMS, so "all sms" could not be reached beside it.
    let text = uncommented
        .join("\n")
        .replace("[[routes]]\nname = \"all sms\"\nchannel = \"sms\"\ndeliver = \"log\"\n", "");
    let text = text.replace(
        "route = \"all sms\", deliver = \"log\"",
        "route = \"try the gateway with a tenth of all contacts\"",
    );
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).expect("a file");
    let mut inputs = inputs(vec![file]);
    for variable in ["TWILIO_AUTH_TOKEN", "SMSC_PASSWORD", "SMTP_PASSWORD", "ACME_TWILIO_TOKEN"] {
        inputs.environment.insert(variable.to_owned(), "value".to_owned());
    }
    let loaded = loaded(&inputs);
    assert_eq!(loaded.config.backends.len(), 5);
    assert_eq!(loaded.config.locations.len(), 1);
}

#[test]
fn the_defaults_of_a_route_are_those_of_the_model() {
    let loaded = loaded(&inputs(vec![shipped().join("config.toml")]));
    assert_eq!(loaded.config.routes[0].policy, Policy::default());
}

/// `SCHEMA=write cargo test -p dispatch-config --test shipped` writes it anew.
#[test]
fn the_committed_schema_is_not_stale() {
    let path = shipped().join("config.schema.json");
    if std::env::vars().any(|(name, value)| name == "SCHEMA" && value == "write") {
        std::fs::write(&path, json_schema()).expect("write the schema");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    // As values: the order of keys depends on features that other crates of a build switch on.
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    assert!(value(&committed) == value(&json_schema()), "config.schema.json is stale: run with SCHEMA=write");
}

#[test]
fn the_schema_takes_what_the_shipped_files_say() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for file in ["config.toml", "reference.toml"] {
        let text = std::fs::read_to_string(shipped().join(file)).expect("a file");
        let value: serde_json::Value = toml::from_str(&text).expect("TOML");
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{file}");
    }
    for wrong in [r#"{"sever":{}}"#, r#"{"server":{"body_max":"10"}}"#, r#"{"routes":[{"name":"a"}]}"#] {
        let wrong: serde_json::Value = serde_json::from_str(wrong).expect("JSON");
        assert!(!schema.is_valid(&wrong), "{wrong}");
    }
}

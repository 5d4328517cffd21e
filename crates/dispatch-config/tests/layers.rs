//! What is laid over what, and what a value means by where it was written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dispatch_config::{
    Diagnostic, Inputs, Listen, Loaded, Place, RelayTls, SecretFrom, Severity, load, watched_files,
};
use dispatch_model::{Channel, LocationId};
use dispatch_routing::Deliver;

const BASE: &str = r#"
[[sources]]
name = "highlevel"
path = "/webhooks/highlevel"
verify = ["highlevel"]

[backends.twilio-mx]
plugin = "twilio"
settings = { from = "+525512345678", retries = 3, flash = false, nested = { a = 1, b = [1, 2] } }
secrets = { auth_token = { env = "TOKEN" } }
relay = { host = "mail.example.com", user = "me", password = { env = "PASSWORD" } }

[[routes]]
name = "all"
deliver = "twilio-mx"
"#;

struct Home {
    folder: tempfile::TempDir,
    inputs: Inputs,
}

impl Home {
    fn new() -> Self {
        let environment = [("TOKEN", "t0ken"), ("PASSWORD", "pa55word"), ("OTHER", "0ther")];
        let inputs = Inputs {
            environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            bundled_plugins: vec!["twilio".to_owned()],
            ..Inputs::default()
        };
        let mut home = Self { folder: tempfile::tempdir().expect("a folder"), inputs };
        home.layer("base.toml", BASE);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    fn layer(&mut self, name: &str, text: &str) {
        let path = self.file(name, text);
        self.inputs.files.push(path);
    }

    fn environment(&mut self, name: &str, value: &str) {
        self.inputs.environment.insert(name.to_owned(), value.to_owned());
    }

    #[track_caller]
    fn load(&self) -> Loaded {
        load(&self.inputs).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
        })
    }

    #[track_caller]
    fn problems(&self) -> Vec<Diagnostic> {
        load(&self.inputs).expect_err("something is wrong")
    }
}

#[test]
fn later_layers_win_value_by_value() {
    let mut home = Home::new();
    home.layer(
        "overlay.toml",
        "[server]\nlisten = [\"127.0.0.1:1\", \"unix:door.sock\"]\ndrain = \"1s\"\nbody_timeout = \"1s\"\n",
    );
    home.environment("DISPATCHER__SERVER__DRAIN", "2s");
    home.environment("DISPATCHER__SERVER__BODY_TIMEOUT", "2s");
    home.inputs.flags.insert("server.drain".to_owned(), "3s".to_owned());
    let server = home.load().config.server;
    assert_eq!(server.drain, Duration::from_secs(3), "flags are above the environment");
    assert_eq!(server.body_timeout, Duration::from_secs(2), "the environment is above files");
    assert_eq!(server.admit_wait, Duration::from_secs(5), "the defaults are below all");
    let socket = home.path("door.sock");
    assert_eq!(server.listen, [Listen::Tcp(([127, 0, 0, 1], 1).into()), Listen::Unix(socket)]);
}

#[test]
fn a_later_file_replaces_lists_and_secrets_whole_and_merges_tables() {
    let mut home = Home::new();
    home.file("key", "from a file\r\n");
    home.layer(
        "overlay.toml",
        r#"
        routes = [{ name = "other", deliver = ["twilio-mx"] }]
        [backends.twilio-mx]
        settings = { retries = 4, nested = { b = [3] } }
        secrets = { auth_token = { file = "key" } }
        "#,
    );
    let loaded = home.load();
    let backend = &loaded.config.backends["twilio-mx"];
    assert_eq!(loaded.config.routes.len(), 1);
    assert_eq!(loaded.config.routes[0].rule.name.as_str(), "other");
    let expected = serde_json::json!({ "from": "+525512345678", "retries": 4, "flash": false, "nested": { "a": 1, "b": [3] } });
    assert_eq!(serde_json::Value::from(backend.settings.clone()), expected);
    let secret = &backend.secrets["auth_token"];
    assert_eq!(secret.value.expose(), "from a file");
    assert_eq!(secret.from, SecretFrom::File(home.path("key").into()));
}

#[test]
fn an_included_folder_brings_its_routes_in_the_order_of_its_names() {
    let mut home = Home::new();
    home.file(
        "routes.d/20.toml",
        "[[routes]]\nname = \"second\"\nlocation = \"L2\"\ndeliver = \"twilio-mx\"\n",
    );
    home.file("routes.d/10.toml", "[[routes]]\nname = \"first\"\nlocation = \"L1\"\ndeliver = \"extra\"\n\n[backends.extra]\nplugin = \"twilio\"\n");
    home.file("routes.d/ignored.txt", "not TOML");
    home.layer("main.toml", "include = [\"routes.d/*.toml\"]\nroutes = []\n");
    let loaded = home.load();
    let names: Vec<_> = loaded.config.routes.iter().map(|route| route.rule.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert!(loaded.config.backends.contains_key("extra"));
    let watched = watched_files(&loaded);
    for file in ["base.toml", "main.toml", "routes.d", "routes.d/10.toml", "routes.d/20.toml"] {
        assert!(watched.contains(&home.path(file)), "{file} is not watched: {watched:?}");
    }
}

#[test]
fn the_environment_reaches_names_with_dashes_and_keeps_texts() {
    let mut home = Home::new();
    home.environment("DISPATCHER__BACKENDS__TWILIO_MX__SETTINGS__FROM", "+525500000000");
    home.environment("DISPATCHER__BACKENDS__TWILIO_MX__SETTINGS__RETRIES", "7");
    home.environment("DISPATCHER__BACKENDS__TWILIO_MX__SETTINGS__FLASH", "true");
    home.environment("DISPATCHER__BACKENDS__TWILIO_MX__SETTINGS__CODE", "0012");
    home.environment("DISPATCHER__BACKENDS__TWILIO_MX__LIMITS__CONCURRENCY", "3");
    home.environment("DISPATCHER__BACKENDS__TWILIO_MX__SECRETS__AUTH_TOKEN__ENV", "OTHER");
    home.environment("DISPATCHER__BACKENDS__TWILIO_MX__PLAINTEXT", "true");
    home.environment("DISPATCHER__SERVER__CONNECTIONS_MAX", "9");
    home.environment("DISPATCHER_CONFIG", "not ours");
    let config = home.load().config;
    let backend = &config.backends["twilio-mx"];
    assert_eq!(config.server.connections_max, 9);
    assert_eq!(backend.settings["from"], "+525500000000");
    assert_eq!(backend.settings["retries"], 7);
    assert_eq!(backend.settings["flash"], true);
    assert_eq!(backend.settings["code"], "0012");
    assert_eq!(backend.limits.concurrency, 3);
    assert!(backend.plaintext);
    assert_eq!(backend.secrets["auth_token"].value.expose(), "0ther");
}

#[test]
fn a_problem_of_the_environment_names_the_variable() {
    let mut home = Home::new();
    home.environment("DISPATCHER__STORE__FREE_MIN", "lots");
    let problems = home.problems();
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].place,
        Some(Place::Environment { variable: "DISPATCHER__STORE__FREE_MIN".to_owned() })
    );
    assert_eq!(problems[0].path, "store.free_min");
}

#[test]
fn paths_start_from_the_file_they_are_written_in() {
    let mut home = Home::new();
    home.layer(
        "deep/overlay.toml",
        "[store]\npath = \"../data/d.db\"\n\n[plugins.acme]\nfile = \"acme.wasm\"\n",
    );
    home.environment("DISPATCHER__EGRESS__SPOOL", "spool");
    let loaded = home.load();
    let config = &loaded.config;
    assert_eq!(config.store.path, home.path("deep/../data/d.db"));
    assert_eq!(config.data_dir(), home.path("deep/../data"));
    assert_eq!(config.admin.socket, home.path("deep/../data/admin.sock"));
    assert_eq!(config.egress.spool.as_deref(), Some(Path::new("spool")));
    assert!(watched_files(&loaded).contains(&home.path("deep/acme.wasm")));
    let plain = Home::new().load().config;
    assert_eq!(
        plain.store.path,
        Path::new("data/dispatcher.db"),
        "defaults start from the working directory"
    );
}

#[test]
fn one_or_many_are_read_alike() {
    let mut home = Home::new();
    home.layer(
        "routes.toml",
        r#"
        [[routes]]
        name = "one"
        location = "L1"
        when = { phone_prefix = "+52", raw = { a = "1" } }
        deliver = "twilio-mx"
        [[routes]]
        name = "many"
        location = ["L1", "L2"]
        channel = "sms"
        when = { phone_prefix = ["+52", "+1"], raw = { a = ["1", "2"] } }
        deliver = ["twilio-mx"]
        retry = { attempts = 2 }
        [[routes]]
        name = "weighted"
        deliver = [{ backend = "twilio-mx", weight = 3 }]
        "#,
    );
    let routes = home.load().config.routes;
    assert_eq!(routes[0].rule.deliver, routes[1].rule.deliver);
    assert_eq!(routes[0].rule.locations, ["L1".into()]);
    assert_eq!(routes[1].rule.locations, [LocationId::from("L1"), "L2".into()]);
    assert_eq!(routes[1].rule.channel, Some(Channel::Sms));
    assert_eq!(routes[1].rule.when.phone_prefix, ["+52", "+1"]);
    assert_eq!(routes[1].rule.when.raw["a"], ["1", "2"]);
    assert!(matches!(&routes[2].rule.deliver, Deliver::Weighted(list) if list[0].weight == 3));
    assert_eq!(routes[1].policy.retry.attempts, 2, "what the route says");
    assert_eq!(routes[1].policy.retry.first, Duration::from_secs(5), "and what it leaves out");
}

#[test]
fn defaults_of_routes_and_backends_can_be_changed_for_all() {
    let mut home = Home::new();
    home.layer(
        "defaults.toml",
        "[defaults.route]\nretry = { attempts = 9 }\n\n[defaults.backend]\nlimits = { rate = \"5/s\" }\n",
    );
    let config = home.load().config;
    assert_eq!(config.routes[0].policy.retry.attempts, 9);
    assert_eq!(config.backends["twilio-mx"].limits.rate.map(|rate| rate.count), Some(5));
    assert_eq!(config.backends["twilio-mx"].limits.concurrency, 32);
}

const SHEET: &str = "location,name,twilio-mx.settings.from,twilio-mx.settings.retries,twilio-mx.secrets.auth_token.env,\
                     twilio-mx.secrets.auth_token.file,twilio-mx.relay.user,twilio-mx.relay.port,twilio-mx.relay.password.env\n\
                     L1,\"Acme, Inc.\",+525500001111,5,OTHER,,acme,2525,OTHER\n\
                     L2,,5500002222,,,key,,,\n\
                     L3,Nothing of its own,,,,,,,\n";

#[test]
fn a_sheet_says_what_tables_say() {
    let mut by_sheet = Home::new();
    by_sheet.file("key", "from a file");
    by_sheet.file("clients/locations.csv", SHEET);
    by_sheet.file("clients/key", "from a file");
    by_sheet.layer("sheet.toml", "locations_file = \"clients/locations.csv\"\n");
    let mut by_table = Home::new();
    by_table.file("clients/key", "from a file");
    by_table.layer(
        "clients/tables.toml",
        r#"
        [locations.L1]
        name = "Acme, Inc."
        [locations.L1.backends.twilio-mx]
        settings = { from = "+525500001111", retries = 5 }
        secrets = { auth_token = { env = "OTHER" } }
        relay = { user = "acme", port = 2525, password = { env = "OTHER" } }
        [locations.L2]
        backends.twilio-mx = { settings = { from = "5500002222" }, secrets = { auth_token = { file = "key" } } }
        [locations.L3]
        name = "Nothing of its own"
        "#,
    );
    let (sheet, table) = (by_sheet.load(), by_table.load());
    for id in ["L1", "L3"] {
        assert_eq!(sheet.config.locations[id], table.config.locations[id], "{id}");
    }
    let backend = &sheet.config.backends["twilio-mx"];
    let location = &sheet.config.locations["L1"];
    let overlay = &location.backends[0].1;
    assert!(overlay.has_credentials());
    let settings = backend.settings_with(overlay);
    assert_eq!(settings["from"], "+525500001111");
    assert_eq!(settings["retries"], 5, "a cell has the type of the setting it is laid over");
    assert_eq!(settings["nested"]["a"], 1);
    assert_eq!(backend.secrets_with(overlay)["auth_token"].value.expose(), "0ther");
    let relay = overlay.relay.as_deref().expect("a relay");
    assert_eq!((relay.host.as_str(), relay.port, relay.tls), ("mail.example.com", 2525, RelayTls::StartTls));
    let second = &sheet.config.locations["L2"].backends[0].1;
    assert_eq!(second.secrets[0].1.value.expose(), "from a file");
    assert_eq!(backend.settings_with(second)["from"], "5500002222", "digits may be a number to dial");
    let watched = watched_files(&sheet);
    for file in ["clients/locations.csv", "clients/key"] {
        assert!(watched.contains(&by_sheet.path(file)), "{file} is not watched: {watched:?}");
    }
}

#[test]
fn others_hand_problems_by_path() {
    let mut home = Home::new();
    home.file("locations.csv", SHEET);
    home.file("key", "k");
    home.layer(
        "main.toml",
        "locations_file = \"locations.csv\"\n\n[[routes]]\nname = \"all\"\ndeliver = [\"twilio-mx\"]\n",
    );
    home.environment("DISPATCHER__BACKENDS__TWILIO_MX__SETTINGS__RETRIES", "7");
    let document = home.load().document;
    let place = |path: &str| match document.place(path) {
        Some(Place::File { file, line, column, length, .. }) => {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            format!("{name}:{line}:{column}+{length}")
        }
        Some(Place::Environment { variable }) => variable,
        other => format!("{other:?}"),
    };
    for (path, expected) in [
        ("backends.twilio-mx.settings.from", "base.toml:9:21+15"),
        ("backends.twilio-mx.settings.nested.b[1]", "base.toml:9:92+1"),
        ("backends.twilio-mx.settings.account_sid", "base.toml:9:1+8"),
        ("backends.twilio-mx.private_networks", "base.toml:7:11+9"),
        ("backends.twilio-mx.settings.retries", "DISPATCHER__BACKENDS__TWILIO_MX__SETTINGS__RETRIES"),
        ("routes[0].deliver[0]", "main.toml:5:12+11"),
        ("routes[7].deliver", "main.toml:3:3+6"),
        ("locations.L1.backends.twilio-mx.settings.from", "locations.csv:2:17+13"),
        ("locations.L2.backends.twilio-mx.secrets.auth_token", "locations.csv:3:18+3"),
        ("locations.L2.backends.twilio-mx.settings", "locations.csv:3:5+10"),
        ("nothing.like.this", "None"),
    ] {
        assert_eq!(place(path), expected, "{path}");
    }
    let problem = document.diagnostic("routes[0].deliver", "no", Some("yes".to_owned()));
    assert_eq!((problem.severity, problem.hint.as_deref()), (Severity::Error, Some("yes")));
    assert_eq!(document.warning("routes[0]", "hm", None).severity, Severity::Warning);
}

#[test]
fn secrets_appear_nowhere() {
    let mut home = Home::new();
    home.layer("admin.toml", "[admin]\nlisten = \"127.0.0.1:1\"\ntoken = { env = \"OTHER\" }\n");
    let loaded = home.load();
    assert_eq!(loaded.config.admin.token.as_ref().map(|token| token.expose()), Some("0ther"));
    let shown = format!("{loaded:?} {:?}", home.inputs);
    for secret in ["t0ken", "pa55word", "0ther"] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
}

#[test]
fn a_large_file_means_the_same_as_a_small_one() {
    let location = |n: usize| {
        format!(
            "[locations.L{n:05}]\nname = \"Client {n}\"\n[locations.L{n:05}.backends.twilio-mx]\nsettings = {{ from = \"+52{n:010}\" }}\n"
        )
    };
    let many: String = (0..10_000).map(location).collect();
    assert!(many.len() > 1 << 20, "too small to be read in pieces");
    let mut home = Home::new();
    home.layer("many.toml", &format!("[log]\nlevel = \"debug\"\n{many}\n[server]\ndrain = \"7s\"\n"));
    let loaded = home.load();
    assert_eq!(loaded.config.locations.len(), 10_000);
    assert_eq!(
        (loaded.config.log.level.as_str(), loaded.config.server.drain),
        ("debug", Duration::from_secs(7))
    );
    for n in [0, 5_000, 9_999] {
        let overlay = &loaded.config.locations[format!("L{n:05}").as_str()].backends[0].1;
        assert_eq!(overlay.settings[0].1, format!("+52{n:010}"));
        let path = format!("locations.L{n:05}.name");
        let line = 4 * n as u32 + 4;
        assert!(
            matches!(loaded.document.place(&path), Some(Place::File { line: at, .. }) if at == line),
            "{path}"
        );
    }

    // What is wrong across two pieces is found as in one.
    let mut home = Home::new();
    home.layer("twice.toml", &format!("{many}\n[locations.L00000]\nname = \"again\"\n"));
    let problems = home.problems();
    assert!(problems[0].message.contains("duplicate key"), "{}", problems[0]);
    assert!(matches!(problems[0].place, Some(Place::File { line: 40_002, .. })), "{}", problems[0]);

    // A text that looks like a header is still a text.
    let mut home = Home::new();
    home.layer(
        "text.toml",
        &format!("{many}\n[locations.X]\nname = '''\n[locations.Y]\n{}'''\n", "x\n".repeat(600_000)),
    );
    let loaded = home.load();
    assert_eq!(loaded.config.locations.len(), 10_001);
}

#[test]
fn no_more_problems_are_listed_than_people_read() {
    let mut home = Home::new();
    let wrong: String = (0..130).map(|n| format!("[backends.b{n}]\nplugin = \"twillio\"\n")).collect();
    home.layer("wrong.toml", &wrong);
    let problems = home.problems();
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100].message, "30 more of this severity are not shown");
}

#[test]
fn a_diagnostic_has_colours_and_json() {
    let mut home = Home::new();
    home.layer("wrong.toml", "[server]\nlisten = \"nowhere\"\n");
    let problem = &home.problems()[0];
    let coloured = problem.render(true);
    assert!(coloured.starts_with("\u{1b}[1;31merror\u{1b}[0m"), "{coloured:?}");
    assert!(!problem.render(false).contains('\u{1b}'));
    let json = serde_json::to_value(problem).expect("JSON");
    assert_eq!(json["severity"], "error");
    assert_eq!(json["path"], "server.listen");
    assert_eq!(
        (&json["place"]["in"], &json["place"]["line"], &json["place"]["column"]),
        (&"file".into(), &2.into(), &10.into())
    );
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let mut home = Home::new();
    home.layer("wrong.toml", "[server]\nlistn = 1 # \t tab\n\"\\u001b[2J\" = 1\n");
    for problem in home.problems() {
        assert!(!problem.render(false).contains(['\u{1b}', '\t']), "{problem:?}");
    }
}

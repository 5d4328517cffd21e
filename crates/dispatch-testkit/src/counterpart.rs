//! Real servers written by others, for what our own catchers cannot prove: that a client and a
//! server by different authors agree.
//!
//! `cargo xtask test` installs them under `target/counterparts`; tests that need them are marked
//! `#[ignore]`, so that a plain `cargo test` on a new machine says what it left out.

mod moto;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

pub use moto::Moto;

use crate::{Home, Identity, Log, Mail, free_port, until_some};

/// A Node server reads a description of 2 MB before it listens.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// Where they are installed.
pub struct Counterparts {
    folder: PathBuf,
}

/// One of them, running.
pub struct Counterpart {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// What it says.
    pub log: Log,
    _child: Child,
}

impl Counterparts {
    /// Those installed beside the running program.
    pub fn find() -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("finding the running program")?;
        // The profile's folder (debug, release) is the one in which cargo keeps its fingerprints.
        let profile = this.ancestors().find(|folder| folder.join(".fingerprint").is_dir());
        let target = profile.and_then(Path::parent).context("not run from a cargo target folder")?;
        let folder = target.join("counterparts");
        ensure!(folder.is_dir(), "{} is missing: `cargo xtask test` installs it", folder.display());
        Ok(Self { folder })
    }

    /// aiosmtpd: wants STARTTLS and this login; answers recipients as told.
    pub async fn smtp(
        &self,
        home: &Home,
        identity: &Identity,
        (user, password): (&str, &str),
        replies: &Value,
    ) -> anyhow::Result<Counterpart> {
        let (certificate, key) = identity.write(home.path())?;
        let port = free_port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts/smtp_server.py");
        let mut command = Command::new(self.folder.join("python/bin/python"));
        command.arg(script).arg(port.to_string()).arg(certificate).arg(key).args([user, password]);
        command.arg(replies.to_string());
        let server = Counterpart::start(command, port)?;
        server.log.wait_for("READY", STARTS_WITHIN).await.with_context(|| server.log.text())?;
        Ok(server)
    }

    /// What dkimpy thinks of a mail's signature, given what the DNS has under these names.
    pub async fn dkim_verifies(&self, mail: &str, records: &[(&str, String)]) -> anyhow::Result<bool> {
        let records: serde_json::Map<_, _> =
            records.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        let verdict = self.ask_python("verify_dkim.py", &json!({ "mail": mail, "records": records })).await?;
        verdict.as_bool().context("a verdict is true or false")
    }

    /// The encoding and the number of parts of each text, by Twilio's own calculator.
    pub async fn segments_by_twilio(&self, texts: &[String]) -> anyhow::Result<Vec<(String, u64)>> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts/segments.cjs");
        let mut command = Command::new("/usr/bin/env");
        command.arg("node").arg(script).arg(&self.folder);
        segments(&ask(command, &json!(texts)).await?)
    }

    /// The same by smpplib.
    pub async fn segments_by_smpplib(&self, texts: &[String]) -> anyhow::Result<Vec<(String, u64)>> {
        segments(&self.ask_python("segments.py", &json!(texts)).await?)
    }

    async fn ask_python(&self, script: &str, question: &Value) -> anyhow::Result<Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts").join(script);
        let mut command = Command::new(self.folder.join("python/bin/python"));
        command.arg(script);
        ask(command, question).await
    }

    /// A message centre by SMPP 3.4 (npm `smpp`) that lets this account in. What it does with a message stands in the
    /// message: see `counterparts/smsc.js`.
    pub async fn smsc(&self, port: u16, (system_id, password): (&str, &str)) -> anyhow::Result<Counterpart> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts/smsc.js");
        let mut command = Command::new("/usr/bin/env");
        command.arg("node").arg(script).args([&port.to_string(), system_id, password]);
        command.env("COUNTERPARTS", &self.folder);
        let server = Counterpart::start(command, port)?;
        server.log.wait_for("READY", STARTS_WITHIN).await.with_context(|| server.log.text())?;
        Ok(server)
    }

    /// Twilio's official description under Prism.
    pub async fn twilio(&self, home: &Home) -> anyhow::Result<Counterpart> {
        let described = "node_modules/@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json";
        let mut description = read_json(&self.folder.join(described))?;
        let path = "/paths/~12010-04-01~1Accounts~1{AccountSid}~1Messages.json/post";
        let content = format!("{path}/requestBody/content/application~1x-www-form-urlencoded");
        let form = description.pointer_mut(&content).context("the description has no message to create")?;
        // The description does not say how an array is written in a form; Twilio repeats the key.
        form["encoding"] = json!({ "MediaUrl": { "style": "form", "explode": true } });
        self.prism(home, &description).await
    }

    /// One of the descriptions of `counterparts/descriptions.json`, to be changed where it is known to be wrong.
    pub fn description(&self, name: &str) -> anyhow::Result<Value> {
        read_json(&self.folder.join("descriptions").join(format!("{name}.json")))
    }

    /// A description under Prism, which refuses what the description refuses and answers with its examples. The paths
    /// of servers (`servers: [{ url: "https://api.example.com/v1" }]`) are not part of Prism's.
    pub async fn prism(&self, home: &Home, description: &Value) -> anyhow::Result<Counterpart> {
        let port = free_port();
        let copy = home.write(&format!("described-{port}.json"), description.to_string())?;
        let mut command = Command::new("/usr/bin/env");
        command.arg("node").arg(self.folder.join("node_modules/@stoplight/prism-cli/dist/index.js"));
        command.args(["mock", "-h", "127.0.0.1", "-p", &port.to_string()]).arg(copy);
        let server = Counterpart::start(command, port)?;
        let listening = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop);
        let up = until_some("Prism to listen", STARTS_WITHIN, listening).await;
        up.with_context(|| server.log.text())?;
        Ok(server)
    }

    /// What a script of `counterparts/` makes of this input, by the vendors' own libraries: `.cjs` by Node, `.py` by
    /// Python. Both take JSON as their argument and print JSON.
    pub async fn script(&self, name: &str, input: &Value) -> anyhow::Result<Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts").join(name);
        let mut command = if script.extension().is_some_and(|kind| kind == "py") {
            Command::new(self.folder.join("python/bin/python"))
        } else {
            let mut command = Command::new("/usr/bin/env");
            // A module is looked for beside its script: the installed ones are found by this.
            command.arg("node").env("NODE_PATH", self.folder.join("node_modules"));
            command
        };
        let done = command.arg(script).arg(input.to_string()).output().await?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "{name}: {said}");
        serde_json::from_slice(&done.stdout).with_context(|| format!("{name} printed no JSON: {said}"))
    }
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

impl Counterpart {
    fn start(mut command: Command, port: u16) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let log = Log::default();
        log.follow(child.stdout.take().context("standard output is piped")?);
        log.follow(child.stderr.take().context("standard error is piped")?);
        Ok(Self { port, log, _child: child })
    }

    /// What the message centre said behind this word, in order: `SUBMIT`, `ANSWERED`.
    pub fn told(&self, word: &str) -> Vec<Value> {
        let lines = self.log.lines();
        let told = lines.iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        told.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The mails that aiosmtpd took.
    pub fn mails(&self) -> Vec<Mail> {
        let lines = self.log.lines();
        let mails = lines.iter().filter_map(|line| line.strip_prefix("MAIL "));
        mails
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|mail| read_mail(&mail))
            .collect()
    }
}

/// Runs a program that reads one JSON value and writes another.
async fn ask(mut command: Command, question: &Value) -> anyhow::Result<Value> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("starting {command:?}"))?;
    let mut input = child.stdin.take().context("standard input is piped")?;
    let question = question.to_string();
    let write = async {
        input.write_all(question.as_bytes()).await?;
        drop(input);
        anyhow::Ok(())
    };
    let answered = async { tokio::try_join!(write, async { Ok(child.wait_with_output().await?) }) };
    let (_, output) = tokio::time::timeout(STARTS_WITHIN, answered).await.context("no answer in time")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn segments(told: &Value) -> anyhow::Result<Vec<(String, u64)>> {
    let texts = told.as_array().context("a list")?;
    let one = |text: &Value| Some((text["encoding"].as_str()?.to_owned(), text["parts"].as_u64()?));
    texts.iter().map(|text| one(text).context("an encoding and a number of parts")).collect()
}

fn read_mail(mail: &Value) -> Mail {
    let text = |name: &str| mail[name].as_str().unwrap_or_default().to_owned();
    let to = mail["to"].as_array().cloned().unwrap_or_default();
    Mail {
        from: text("from"),
        to: to.iter().filter_map(|to| to.as_str().map(str::to_owned)).collect(),
        data: text("data"),
        tls: mail["tls"] == true,
        user: mail["user"].as_str().map(str::to_owned),
        answered: true,
    }
}

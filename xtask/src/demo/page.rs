//! How the demo looks. Plain text, a little bold where there is a terminal; works without.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use super::stage::Stage;
use super::{mail_lines, request_lines};
use crate::command::root;

/// How often the catchers are looked at while the demo stays up: at once, to a person.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Standard output.
pub(super) struct Page {
    colour: bool,
}

impl Page {
    pub(super) fn new() -> Self {
        Self { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    pub(super) fn line(&self, text: &str) {
        println!("{text}");
    }

    pub(super) fn indented(&self, text: &str) {
        for line in text.lines() {
            println!("{}", if line.trim().is_empty() { String::new() } else { format!("  {line}") });
        }
    }

    fn bold(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn dim(&self, text: &str) -> String {
        if self.colour { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The daemon runs.
    pub(super) fn opened(&self, stage: &Stage) {
        let url = stage.daemon.target().url();
        println!("\n{}", self.bold("dispatcher is ready"));
        self.indented(&format!("webhooks     {url}"));
        self.indented(&format!("SMS catcher  {}   answers like Twilio", stage.sms.url()));
        self.indented(&format!("mail catcher smtp://127.0.0.1:{}", stage.email.port()));
    }

    /// A message begins.
    pub(super) fn chapter(&self, title: &str, file: &str) {
        println!("\n{}  {}", self.bold(title), self.dim(&format!("tests/fixtures/highlevel/{file}.json")));
    }

    /// A message has arrived: what happened, and what the provider saw.
    pub(super) fn delivered(&self, timeline: &str, title: &str, lines: &[String]) {
        println!();
        self.indented(timeline.trim_end());
        self.got(title, lines);
    }

    fn got(&self, title: &str, lines: &[String]) {
        println!("\n  {}", self.bold(title));
        for line in lines {
            println!("    {} {line}", self.dim("│"));
        }
    }

    /// Passes a result on; a failure first shows what the daemon said.
    pub(super) fn told<T>(&self, result: anyhow::Result<T>, stage: &Stage) -> anyhow::Result<T> {
        if result.is_err() {
            eprintln!("\nthe daemon's log:\n{}", stage.daemon.log().text());
        }
        result
    }

    /// What to do while it is up.
    pub(super) fn next_steps(&self, stage: &Stage) {
        let configs: Vec<String> = stage.configs.iter().map(|path| shown(path)).collect();
        let key = shown(&stage.key);
        println!("\n{}", self.bold("It stays up until Ctrl-C. In another terminal, in this folder:"));
        println!("  export DISPATCHER_CONFIG={}", configs.join(","));
        println!("  export PATH=$PWD/target/debug:$PATH");
        for (command, what) in [
            (
                format!("dispatcher send tests/fixtures/highlevel/B1_live_sms_full.json --fresh --key {key}"),
                "",
            ),
            ("dispatcher status".into(), "what it is doing"),
            ("dispatcher messages".into(), "what went through"),
            ("dispatcher explain tests/fixtures/highlevel/A1_doc_sms.json".into(), "which route, and why"),
            ("dispatcher suspend --backend demo-sms".into(), "then send: it waits; `resume` lets it go"),
        ] {
            println!(
                "  {command}{}",
                if what.is_empty() { String::new() } else { self.dim(&format!("   # {what}")) }
            );
        }
        println!("  Edit {} and save: it is applied at once.", configs.last().map_or("", String::as_str));
    }

    /// Shows what the catchers get until Ctrl-C.
    pub(super) async fn watch(&self, stage: &Stage) -> anyhow::Result<()> {
        let (mut requests, mut mails) = (1, 1);
        let mut stopped = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            tokio::select! {
                stopped = &mut stopped => return Ok(stopped?),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            for caught in stage.sms.requests().iter().skip(requests) {
                self.got("the SMS provider was asked", &request_lines(caught));
                requests += 1;
            }
            for mail in stage.email.mails().iter().skip(mails) {
                self.got("the mail relay was given", &mail_lines(mail));
                mails += 1;
            }
        }
    }
}

/// A path as a person in the repository would type it.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

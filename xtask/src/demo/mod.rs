//! `cargo xtask demo`: the whole way of two messages on this machine, nothing set up, nothing sent
//! anywhere else. It is the first thing that a newcomer sees.

mod page;
mod stage;

use std::time::Duration;

use anyhow::Context as _;
use dispatch_testkit::{Caught, Fixture, Mail, fixture, until_some};
use serde_json::Value;

use crate::command::{self, cargo, xtask};
use page::Page;
use stage::Stage;

/// A message takes milliseconds; a debug build on a busy machine more.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);

/// The flags of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave at once: 0 when the catchers accepted both messages
    #[arg(long)]
    once: bool,
    /// Build nothing: the dispatcher beside this program is the one to show
    #[arg(long, hide = true)]
    built: bool,
}

/// Builds, starts, sends, shows.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if !args.built {
        command::run(xtask()?.arg("plugins"))?;
        command::run(cargo().args(["build", "--package", "dispatcher"]))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(show(args.once))
}

async fn show(once: bool) -> anyhow::Result<()> {
    let page = Page::new();
    let stage = Stage::open().await?;
    page.opened(&stage);

    let sms = fixture("A1_doc_sms")?;
    let id = page.told(send(&stage, &sms, "an SMS").await, &stage)?;
    let got = stage.sms.wait_for(1, DELIVERED_WITHIN).await;
    let got = page.told(got, &stage)?;
    page.delivered(&timeline(&stage, &id).await?, "the SMS provider was asked", &request_lines(&got[0]));

    let email = fixture("A2_doc_email")?;
    let id = page.told(send(&stage, &email, "an email").await, &stage)?;
    let got = stage.email.wait_for(1, DELIVERED_WITHIN).await;
    let got = page.told(got, &stage)?;
    page.delivered(&timeline(&stage, &id).await?, "the mail relay was given", &mail_lines(&got[0]));

    if once {
        stage.close().await?;
        page.line("\nBoth were accepted by the catchers.");
        return Ok(());
    }
    page.next_steps(&stage);
    page.watch(&stage).await?;
    stage.close().await
}

/// Posts a fixture as HighLevel would, and gives the id that the dispatcher answered with.
async fn send(stage: &Stage, fixture: &Fixture, what: &str) -> anyhow::Result<String> {
    let page = Page::new();
    page.chapter(&format!("HighLevel posts {what}, signed"), &fixture.name);
    let answer = stage.daemon.send(&fixture.body).await?;
    page.indented(&format!("answered {} {}", answer.status, answer.text().trim()));
    anyhow::ensure!(answer.status == 200, "the webhook was answered {}", answer.status);
    fixture.field("messageId").context("the fixture has a messageId")
}

/// What `dispatcher message ID` says once the provider's word is recorded.
async fn timeline(stage: &Stage, id: &str) -> anyhow::Result<String> {
    let done = until_some("the provider's answer to be recorded", DELIVERED_WITHIN, async || {
        let message: Value = stage.daemon.message(id).await.ok()?;
        (message["delivery"]["state"] == "accepted").then_some(())
    });
    done.await?;
    let output = stage.daemon.cli().run(&["message", id]).await?;
    anyhow::ensure!(output.code == Some(0), "dispatcher message {id}: {}", output.stderr);
    Ok(output.stdout)
}

/// A request to the SMS provider, its form spread out.
fn request_lines(caught: &Caught) -> Vec<String> {
    let mut lines = vec![format!("{} {}", caught.method, caught.target)];
    lines.extend(caught.basic().map(|(user, _)| format!("{:<15}{user} and its token", "Authorization")));
    lines.extend(caught.form().into_iter().map(|(key, value)| format!("{key:<15}{value}")));
    lines
}

/// A mail: the envelope, the headers that people know, and the parts.
fn mail_lines(mail: &Mail) -> Vec<String> {
    let mut lines = vec![format!("MAIL FROM <{}>  RCPT TO <{}>", mail.from, mail.to.join(">, <"))];
    for name in ["From", "To", "Subject", "Content-Type"] {
        lines.extend(mail.header(name).map(|value| format!("{name:<15}{value}")));
    }
    let parts = mail.data.split("\r\n").skip_while(|line| !line.is_empty());
    lines.extend(parts.filter(|line| !line.is_empty()).take(12).map(str::to_owned));
    lines
}

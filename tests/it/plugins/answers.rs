//! Each plugin's table of a provider's answers, run on the component as it was built.
//!
//! The tables are `plugins/*/testdata/answers.json`; what stands in them is explained in the SDK
//! (`plugins/sdk/src/testing/answers.rs`), which runs the same natively and says what a table must not leave out.

use std::collections::BTreeMap;
use std::sync::Arc;

use dispatch_model::{
    Attachment, Body, Content, EmailContent, FailureKind, HttpResponse, MailReply, MailStage, Message,
    Outcome, Pair, RecipientReply, Reply, SmppReply, SmppStage, SmtpReply, Step,
};
use dispatch_plugins::Plugin;
use serde::Deserialize;
use serde_json::Value;

use super::*;

/// When the answers come, as in the SDK: dates of the tables are measured from here.
const NOW_MS: i64 = 1_795_305_600_000;

#[derive(Debug, Deserialize)]
struct Group {
    settings: Value,
    #[serde(default)]
    channel: Option<String>,
    answers: Vec<Answer>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    about: String,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: Option<Value>,
    body: Option<String>,
    mail: Option<RelayAnswer>,
    smpp: Option<CentreAnswer>,
    failed: Option<FailureKind>,
    #[serde(default)]
    may_have_left: bool,
    becomes: String,
    reference: Option<String>,
    state: Option<String>,
    parts: Option<u32>,
    code: Option<String>,
    words: Option<String>,
    retry_after_ms: Option<u64>,
}

/// What a relay says.
#[derive(Debug, Clone, Deserialize)]
struct RelayAnswer {
    stage: MailStage,
    code: u16,
    enhanced: Option<String>,
    text: String,
    #[serde(default)]
    recipients: Vec<RecipientAnswer>,
}

/// What a relay says of a recipient.
#[derive(Debug, Clone, Deserialize)]
struct RecipientAnswer {
    address: String,
    code: u16,
    enhanced: Option<String>,
    text: String,
}

/// What a message centre says.
#[derive(Debug, Clone, Deserialize)]
struct CentreAnswer {
    stage: SmppStage,
    status: u32,
    message_id: Option<String>,
}

/// What bundled plugins have to tell apart.
const OUTCOMES: [&str; 8] = [
    "accepted",
    "deferred",
    "throttled",
    "rejected-recipient",
    "rejected-content",
    "rejected-sender",
    "rejected-account",
    "unknown",
];

#[test]
fn every_bundled_plugin_has_a_table_of_all_that_can_become_of_a_message() {
    let tables = tables();
    // The dry run asks nobody.
    for name in bundled().iter().filter(|name| *name != "log") {
        let Some((_, groups)) = tables.iter().find(|(table, _)| table == name) else {
            panic!("{name} has no testdata/answers.json")
        };
        let answers = || groups.iter().flat_map(|group| &group.answers);
        for outcome in OUTCOMES {
            assert!(answers().any(|answer| answer.becomes == outcome), "{name}: nothing becomes {outcome}");
        }
        for group in groups {
            let http = group.answers.iter().any(|answer| answer.status.is_some());
            let inside = group.answers.iter().any(Answer::is_error_inside_of_a_success);
            assert!(!http || inside, "{name}: no success with an error inside, for {}", group.settings);
        }
    }
}

/// The names of the plugins that the binary has inside.
fn bundled() -> Vec<String> {
    let dist = dispatch_testkit::repository().join("plugins/dist");
    let files = std::fs::read_dir(dist).unwrap().flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".wasm")?.to_owned()));
    let names: Vec<String> = names.collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

#[tokio::test]
async fn every_plugin_makes_of_answers_what_its_table_says() {
    let host = host();
    let mut wrong = Vec::new();
    let tables = tables();
    for (name, groups) in &tables {
        let plugin = load(&host, name).await;
        for group in groups {
            let settings = group.settings.to_string();
            if let Err(problems) = plugin.check(&settings).await.unwrap() {
                wrong.push(format!("{name}: {problems:?}"));
                continue;
            }
            for answer in &group.answers {
                let outcome = judge(&plugin, &settings, message(group), answer.reply()).await;
                let differences = answer.differences(&outcome);
                wrong.extend(differences.into_iter().map(|difference| format!("{name}: {difference}")));
            }
        }
    }
    assert!(tables.iter().any(|(name, _)| name == "twilio"), "the tables are found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tables, by the names of their plugins.
fn tables() -> Vec<(String, Vec<Group>)> {
    let plugins = dispatch_testkit::repository().join("plugins");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(plugins).unwrap().flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path().join("testdata/answers.json")) else { continue };
        let name = entry.file_name().into_string().unwrap();
        let groups = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.push((name, groups));
    }
    found
}

fn message(group: &Group) -> Message {
    let mut message = sms("Hola");
    if group.channel.as_deref() == Some("email") {
        message.submission.content = Content::Email(EmailContent {
            to: vec!["beto@example.com".to_owned()],
            from: Some("ana@acme.example".to_owned()),
            subject: "Hola".to_owned(),
            html: "<p>Hola</p>".to_owned(),
            cc: Vec::new(),
            bcc: Vec::new(),
            text: None,
            in_reply_to: None,
        });
        message.submission.attachments = Vec::<Attachment>::new();
    }
    message
}

/// The outcome of an attempt whose delivering step, the first, is answered so.
async fn judge(plugin: &Plugin, settings: &str, message: Message, reply: Reply) -> Outcome {
    let now = Timestamp::from_millis(NOW_MS);
    let context = Context { now, deadline: now.plus(Duration::from_secs(15)), ..context(settings) };
    let grants = grants(&[]);
    let ask = asked(plugin.deliver(&context, &Arc::new(message), &grants).await.unwrap());
    match plugin.on_reply(&context, &ask.state, &Arc::new(reply), &grants).await.unwrap() {
        Step::Done(outcome) => outcome,
        step => panic!("it asks once more: {step:?}"),
    }
}

impl Answer {
    fn is_error_inside_of_a_success(&self) -> bool {
        let said = self.json.as_ref().and_then(Value::as_object).is_some_and(|said| !said.is_empty());
        said && self.status.is_some_and(|status| (200..300).contains(&status)) && self.becomes != "accepted"
    }

    fn reply(&self) -> Reply {
        if let Some(said) = self.mail.clone() {
            let recipients = said.recipients.into_iter().map(|one| RecipientReply {
                address: one.address,
                reply: SmtpReply { code: one.code, enhanced: one.enhanced, text: one.text },
            });
            let reply = SmtpReply { code: said.code, enhanced: said.enhanced, text: said.text };
            return Reply::Mail(MailReply { stage: said.stage, reply, recipients: recipients.collect() });
        }
        if let Some(CentreAnswer { stage, status, message_id }) = self.smpp.clone() {
            return Reply::Smpp(SmppReply { stage, status, message_id, tlvs: Vec::new() });
        }
        let Some(status) = self.status else {
            let kind = self.failed.unwrap_or_else(|| panic!("{}: no status, and no failure", self.about));
            return Reply::Failed { kind, detail: self.about.clone(), may_have_left: self.may_have_left };
        };
        let mut headers = self.headers.clone();
        if self.json.is_some() {
            headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
        }
        let text = self.json.as_ref().map(Value::to_string).or_else(|| self.body.clone());
        Reply::Http(HttpResponse {
            status,
            headers: headers.into_iter().map(|(name, value)| Pair { name, value }).collect(),
            body: Body::from(text.unwrap_or_default()),
            truncated: false,
        })
    }

    /// What came and should not have.
    fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let mut found = Vec::new();
        let mut hold = |what: &str, came: &dyn std::fmt::Debug, wanted: &dyn std::fmt::Debug| {
            let (came, wanted) = (format!("{came:?}"), format!("{wanted:?}"));
            if came != wanted {
                found.push(format!("{}: {what} is {came}, not {wanted}", self.about));
            }
        };
        let kind = match outcome {
            Outcome::Rejected { kind, .. } => format!("rejected-{}", kind.as_str()),
            other => other.kind().to_owned(),
        };
        hold("it", &kind, &self.becomes);
        match outcome {
            Outcome::Accepted(taken) => {
                let came = (!taken.references.is_empty()).then(|| taken.references.join(" "));
                hold("the reference", &came, &self.reference);
                if self.state.is_some() {
                    hold("the state", &taken.state, &self.state);
                }
                if self.parts.is_some() {
                    hold("the number of parts", &taken.parts, &self.parts);
                }
            }
            other => {
                let reason = other.reason().unwrap();
                hold("the code", &Some(&reason.code), &self.code.as_ref());
                let wait = match other {
                    Outcome::Deferred { retry_after_ms, .. } | Outcome::Throttled { retry_after_ms, .. } => {
                        *retry_after_ms
                    }
                    _ => None,
                };
                hold("the wait", &wait, &self.retry_after_ms);
                if let Some(words) = self.words.as_ref().filter(|words| !reason.message.contains(*words)) {
                    hold("the message", &reason.message, words);
                }
            }
        }
        found
    }
}

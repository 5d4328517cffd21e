//! A table of a provider's answers and of what each must become: `testdata/answers.json` of a plugin.
//!
//! Data and not code, so that the plugin's own tests run it natively and the host's tests run it on the built component,
//! and so that somebody who knows the provider can read it. The file is a list of groups, one for each way to set the
//! plugin up:
//!
//! ```json
//! [{
//!   "settings": { "from": "+525500001111" },
//!   "channel": "sms",
//!   "answers": [
//!     { "about": "taken", "status": 202, "json": { "id": "m-1" }, "becomes": "accepted", "reference": "m-1" },
//!     { "about": "too fast", "status": 429, "headers": { "retry-after": "7" }, "body": "", "becomes": "throttled",
//!       "code": "429", "retry_after_ms": 7000 },
//!     { "about": "a proxy", "status": 502, "headers": { "content-type": "text/html" }, "body": "<html>",
//!       "becomes": "unknown", "code": "502" },
//!     { "about": "no answer", "failed": "timeout", "may_have_left": true, "becomes": "unknown", "code": "timeout" }
//!   ]
//! }]
//! ```
//!
//! What is no HTTP answers in its own terms: a relay with
//! `"mail": { "stage": "content", "code": 250, "enhanced": "2.0.0", "text": "queued as 1", "recipients": [] }`, a message
//! centre with `"smpp": { "stage": "submit", "status": 88, "message_id": "1" }`.
//!
//! An answer's body is `json`, or `body` as it is; without either it is empty. It comes at
//! [`NOW_MS`](super::NOW_MS), from which dates are measured. What must come of it: `becomes` is `accepted` or a word of [`Refusal::kind`]; `reference`
//! (several with a space between), and `code`
//! and `retry_after_ms` of a refusal, are held against the outcome even where they are left out; `state`, `parts` and
//! `words` (a part of the message for a person) only where they are given.

mod spoken;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use self::spoken::{CentreAnswer, RelayAnswer};
use super::{context, email, response, sms};
use crate::{
    Acceptance, Context, Deliver, DeliverSteps, Failure, FailureKind, Message, Outcome, Pair, Plugin,
    Refusal, Reply, Response, Step,
};

/// One way to set the plugin up, and the answers that come then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    settings: Value,
    #[serde(default)]
    channel: Channel,
    answers: Vec<Answer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Channel {
    #[default]
    Sms,
    Email,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    about: String,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: Option<Value>,
    body: Option<String>,
    mail: Option<RelayAnswer>,
    smpp: Option<CentreAnswer>,
    failed: Option<String>,
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

/// Runs a table of answers for a plugin that asks once.
///
/// # Panics
/// With all that is wrong: outcomes that are others, and kinds of answers that the table leaves out.
pub fn answers<P: Deliver>(table: &str) {
    run::<P>(table, |context, message, reply| {
        P::request(context, message)?;
        P::outcome(context, &reply.http()?)
    });
}

/// Runs a table of answers for a plugin of several steps; the answers are those to the step that delivers, which must be
/// the first.
///
/// # Panics
/// With all that is wrong: outcomes that are others, and kinds of answers that the table leaves out.
pub fn answers_of_steps<P: DeliverSteps>(table: &str) {
    run::<P>(table, |context, message, reply| match P::deliver(context, message)? {
        Step::Send(_, state) => match P::on_reply(context, state, reply)? {
            Step::Done(acceptance) => Ok(acceptance),
            _ => panic!("it asks once more: the table is for the answer that ends the attempt"),
        },
        _ => panic!("the first step delivers nothing: the table is for the answer to the one that does"),
    });
}

fn run<P: Plugin>(table: &str, judge: impl Fn(&Context<P::Settings>, &Message, Reply) -> Outcome) {
    let groups: Vec<Group> = serde_json::from_str(table).expect("the table of answers can be read");
    let mut wrong = Vec::new();
    for group in &groups {
        if let Err(problems) = crate::check::<P>(&group.settings.to_string()) {
            wrong.push(format!("settings: {problems:?}"));
            continue;
        }
        let context = context(group.settings.clone());
        let message = match group.channel {
            Channel::Sms => sms("+525512345678", "Hola"),
            Channel::Email => email("ana@acme.example", "beto@example.com", "Hola", "<p>Hola</p>"),
        };
        for answer in &group.answers {
            let outcome = judge(&context, &message, answer.reply());
            wrong.extend(answer.differences(&outcome));
        }
        let spoken = group.answers.iter().any(|one| one.mail.is_some() || one.smpp.is_some());
        let kinds = if spoken { SPOKEN } else { KINDS };
        let lacking = kinds.iter().filter(|(_, is)| !group.answers.iter().any(is));
        wrong.extend(lacking.map(|(kind, _)| format!("no answer of the table is {kind}")));
    }
    assert!(!groups.is_empty() && wrong.is_empty(), "the answers' table:\n{}", wrong.join("\n"));
}

type Is = fn(&Answer) -> bool;

/// What every group of a relay's or a message centre's answers must have one of.
const SPOKEN: &[(&str, Is)] = &[
    ("an acceptance", |one| one.becomes == "accepted"),
    ("a throttling", |one| one.becomes == "throttled"),
    ("a refusal for now", |one| one.failed.is_none() && one.becomes == "deferred"),
    ("a refusal before it was asked to take the message", |one| {
        one.smpp.as_ref().is_some_and(|said| said.stage == "bind")
            || one.mail.as_ref().is_some_and(|said| said.stage == "auth")
    }),
    ("a refusal for good", |one| one.failed.is_none() && one.becomes.starts_with("rejected-")),
    ("an answer that never came", |one| one.failed.is_some() && one.may_have_left),
    ("a connection that broke before it left", |one| one.failed.is_some() && !one.may_have_left),
];

/// What every group of HTTP answers must have one of: providers and what stands before them send all of it.
const KINDS: &[(&str, Is)] = &[
    ("an acceptance", |one| one.becomes == "accepted"),
    ("a 429 with seconds", |one| {
        one.status == Some(429) && one.wait().is_some_and(|wait| wait.parse::<u32>().is_ok())
    }),
    ("a 429 with a date", |one| {
        one.status == Some(429) && one.wait().is_some_and(|wait| wait.ends_with("GMT"))
    }),
    ("a proxy's HTML with a success's status", |one| one.succeeds() && one.text().starts_with('<')),
    ("a proxy's HTML with an error's status", |one| {
        one.status.is_some_and(|status| status >= 500) && one.text().starts_with('<')
    }),
    ("an empty body with a success's status", |one| one.succeeds() && one.text().is_empty()),
    ("truncated JSON", |one| {
        one.succeeds()
            && one.text().starts_with(['{', '['])
            && serde_json::from_str::<Value>(&one.text()).is_err()
    }),
    ("JSON by another content type", |one| {
        let other = |kind: &String| !kind.contains("json");
        one.succeeds()
            && one.headers.get("content-type").is_some_and(other)
            && serde_json::from_str::<Value>(&one.text()).is_ok()
    }),
    ("an answer that never came", |one| one.failed.is_some() && one.may_have_left),
];

impl Answer {
    fn text(&self) -> String {
        match (&self.json, &self.body) {
            (Some(json), None) => json.to_string(),
            (None, Some(body)) => body.clone(),
            (None, None) => String::new(),
            (Some(_), Some(_)) => panic!("{}: there are json and body; write one of them", self.about),
        }
    }

    fn wait(&self) -> Option<&str> {
        self.headers.get("retry-after").map(String::as_str)
    }

    fn succeeds(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    fn reply(&self) -> Reply {
        if let Some(said) = &self.mail {
            return said.reply(&self.about);
        }
        if let Some(said) = &self.smpp {
            return said.reply(&self.about);
        }
        match (self.status, &self.failed) {
            (Some(status), None) => {
                let mut headers: Vec<Pair> = self
                    .headers
                    .iter()
                    .map(|(name, value)| Pair { name: name.clone(), value: value.clone() })
                    .collect();
                if self.json.is_some() && !self.headers.contains_key("content-type") {
                    headers.push(Pair { name: "content-type".into(), value: "application/json".into() });
                }
                Reply::Http(Response { headers, ..response(status, &[], self.text()) })
            }
            (None, Some(kind)) => Reply::Failed(Failure {
                kind: failure(kind).unwrap_or_else(|| panic!("{}: there is no failure {kind}", self.about)),
                detail: self.about.clone(),
                may_have_left: self.may_have_left,
            }),
            _ => panic!("{}: an answer has a status, or has failed", self.about),
        }
    }

    /// What came and should not have.
    fn differences(&self, outcome: &Outcome) -> Vec<String> {
        let mut found = Vec::new();
        let mut hold = |what: &str, came: String, wanted: String| {
            if came != wanted {
                found.push(format!("{}: {what} is {came}, not {wanted}", self.about));
            }
        };
        let show = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
        match outcome {
            Ok(Acceptance { references, state, parts, .. }) => {
                hold("it", "accepted".into(), self.becomes.clone());
                let came = (!references.is_empty()).then(|| references.join(" "));
                hold("the reference", show(&came), show(&self.reference));
                if self.state.is_some() {
                    hold("the state", show(state), show(&self.state));
                }
                if self.parts.is_some() {
                    hold("the number of parts", format!("{parts:?}"), format!("{:?}", self.parts));
                }
            }
            Err(refusal) => {
                let reason = refusal.reason();
                hold("it", refusal.kind().into(), self.becomes.clone());
                hold("the code", reason.code.clone(), show(&self.code));
                hold("the wait", format!("{:?}", wait(refusal)), format!("{:?}", self.retry_after_ms));
                if let Some(words) = self.words.as_ref().filter(|words| !reason.message.contains(*words)) {
                    hold("the message", reason.message.clone(), words.clone());
                }
            }
        }
        found
    }
}

fn wait(refusal: &Refusal) -> Option<u64> {
    match refusal {
        Refusal::Deferred { retry_after_ms, .. } | Refusal::Throttled { retry_after_ms, .. } => {
            *retry_after_ms
        }
        _ => None,
    }
}

fn failure(word: &str) -> Option<FailureKind> {
    use FailureKind::{Connect, Dns, Protocol, Refused, Reset, Timeout, Tls};
    [Dns, Connect, Tls, Timeout, Reset, Protocol, Refused].into_iter().find(|kind| kind.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Check, Description, Request};

    struct Sure;

    impl Plugin for Sure {
        type Settings = BTreeMap<String, String>;

        fn describe() -> Description {
            Description::new("sure", "1.0.0", "A plugin.", &[crate::Channel::Sms], "{}")
        }

        fn check(_: &Self::Settings, _: &mut Check) {}
    }

    impl Deliver for Sure {
        fn request(_: &Context<Self::Settings>, _: &Message) -> Result<Request, Refusal> {
            Ok(Request::post("https://api.example.com"))
        }

        fn outcome(_: &Context<Self::Settings>, response: &Response) -> Result<Acceptance, Refusal> {
            #[derive(Deserialize)]
            struct Taken {
                id: String,
            }
            Ok(Acceptance::reference(response.success()?.json::<Taken>()?.id))
        }
    }

    const WHOLE: &str = r#"[{ "settings": {}, "answers": [
        { "about": "taken", "status": 200, "json": { "id": "1" }, "becomes": "accepted", "reference": "1" },
        { "about": "text", "status": 200, "headers": { "content-type": "text/plain" }, "json": { "id": "1" },
          "becomes": "accepted", "reference": "1" },
        { "about": "page", "status": 200, "body": "<html>", "becomes": "unknown", "code": "unreadable" },
        { "about": "bad page", "status": 502, "body": "<html>", "becomes": "unknown", "code": "502" },
        { "about": "empty", "status": 200, "becomes": "unknown", "code": "unreadable" },
        { "about": "cut", "status": 200, "body": "{\"id\":", "becomes": "unknown", "code": "unreadable" },
        { "about": "seconds", "status": 429, "headers": { "retry-after": "7" }, "becomes": "throttled",
          "code": "429", "retry_after_ms": 7000 },
        { "about": "date", "status": 429, "headers": { "retry-after": "Sun, 22 Nov 2026 00:01:00 GMT" },
          "becomes": "throttled", "code": "429", "retry_after_ms": 60000 },
        { "about": "silence", "failed": "timeout", "may_have_left": true, "becomes": "unknown", "code": "timeout" }
    ] }]"#;

    /// What the runner says of this table.
    fn said(table: &str) -> String {
        let panic = std::panic::catch_unwind(|| answers::<Sure>(table));
        panic.err().map(|panic| *panic.downcast::<String>().expect("words")).unwrap_or_default()
    }

    #[test]
    fn a_table_holds_or_says_what_does_not() {
        assert_eq!(said(WHOLE), "");
        let table = [
            (r#""reference": "1" },"#, r#""reference": "2" },"#, "the reference is 1, not 2"),
            (r#""code": "502""#, r#""code": "500""#, "bad page: the code is 502, not 500"),
            (
                r#""retry_after_ms": 7000"#,
                r#""retry_after_ms": 8000"#,
                "the wait is Some(7000), not Some(8000)",
            ),
            (r#", "retry_after_ms": 60000"#, "", "the wait is Some(60000), not None"),
            (
                r#""becomes": "throttled""#,
                r#""becomes": "deferred""#,
                "seconds: it is throttled, not deferred",
            ),
            ("GMT", "", "no answer of the table is a 429 with a date"),
            ("text/plain", "application/json", "no answer of the table is JSON by another content type"),
            (r#""may_have_left": true"#, r#""may_have_left": false"#, "it is deferred, not unknown"),
        ];
        for (old, new, words) in table {
            let said = said(&WHOLE.replacen(old, new, 1));
            assert!(said.contains(words), "{words:?} is not in {said:?}");
        }
    }
}

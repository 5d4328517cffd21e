//! The steps of a delivery as `plugin run` prints them, secrets covered.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dispatch_engine::Account;
use dispatch_model::{Effect, Exchange, Reply, Secret};
use serde_json::Value;

use crate::exit::Failure;
use crate::verbs::{action, outcome};

/// Of an answer's body, this much is shown.
const ANSWER_SHOWN: usize = 1000;
/// A secret shorter than this stands by chance in many a word.
const SECRET_MIN: usize = 4;

/// The same without the secrets: a provider may repeat one in its answer.
pub(super) fn covered(account: &Account, secrets: &BTreeMap<String, Secret>) -> Result<Account, Failure> {
    let failed = |error: serde_json::Error| Failure::Refused(error.to_string());
    let mut value = serde_json::to_value(account).map_err(failed)?;
    for (name, secret) in secrets {
        if secret.expose().len() >= SECRET_MIN {
            cover(&mut value, secret.expose(), &format!("«secret {name}»"));
        }
    }
    serde_json::from_value(value).map_err(failed)
}

fn cover(value: &mut Value, secret: &str, stand_in: &str) {
    match value {
        Value::String(text) if text.contains(secret) => *text = text.replace(secret, stand_in),
        Value::Array(items) => items.iter_mut().for_each(|item| cover(item, secret, stand_in)),
        Value::Object(table) => table.values_mut().for_each(|item| cover(item, secret, stand_in)),
        _ => {}
    }
}

/// All of it in words.
pub(super) fn text(account: &Account, from: &str) -> String {
    let mut text = String::new();
    for (number, exchange) in account.exchanges.iter().enumerate() {
        step(&mut text, number + 1, exchange, from);
    }
    match &account.end {
        Ok(end) => {
            let _ = write!(text, "{}: {}", end.kind(), outcome::words(end));
        }
        Err(fault) => {
            let _ = write!(text, "fault: {fault}");
        }
    }
    text
}

fn step(text: &mut String, number: usize, exchange: &Exchange, from: &str) {
    let effect = match exchange.effect {
        Effect::None => "delivers nothing",
        Effect::Delivers => "delivers",
    };
    let _ = writeln!(text, "step {number}, {effect}:\n{}", action::shown(&exchange.action, "  "));
    let _ = write!(text, "answered by {from} in {} ms: ", exchange.took_ms);
    match &exchange.reply {
        Reply::Http(response) => {
            let _ = writeln!(text, "{}", response.status);
            for header in &response.headers {
                let _ = writeln!(text, "  {}: {}", header.name, header.value);
            }
            let body: String = response.body.to_text().chars().take(ANSWER_SHOWN).collect();
            if !body.is_empty() {
                let _ = writeln!(
                    text,
                    "\n{}",
                    body.lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end()
                );
            }
        }
        Reply::Mail(mail) => {
            let _ = writeln!(text, "{} {} ({:?})", mail.reply.code, mail.reply.text, mail.stage);
        }
        Reply::Smpp(reply) => {
            let id = reply.message_id.as_deref().unwrap_or("no id");
            let _ = writeln!(text, "{:#x} at {:?}, {id}", reply.status, reply.stage);
        }
        Reply::Failed { kind, detail, may_have_left } => {
            let left = if *may_have_left { "bytes may have left" } else { "no byte left" };
            let _ = writeln!(text, "no answer: {}: {detail} ({left})", kind.as_str());
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use dispatch_model::{
        Action, Body, Credential, HttpRequest, HttpResponse, Outcome, Pair, Reason, Timestamp,
    };

    use super::*;

    #[test]
    fn a_secret_in_an_answer_is_covered() {
        let request = HttpRequest {
            method: "POST".to_owned(),
            url: Vec::new(),
            headers: Vec::new(),
            credential: Credential::None,
            body: Vec::new(),
            redirects: 0,
        };
        let echoed = || "you said s3cret-word".to_owned();
        let response = HttpResponse {
            status: 401,
            headers: vec![Pair { name: "x-echo".to_owned(), value: echoed() }],
            body: Body::from(echoed().into_bytes()),
            truncated: false,
        };
        let account = Account {
            exchanges: vec![Exchange {
                at: Timestamp::from_millis(0),
                action: Action::Http(request),
                effect: Effect::Delivers,
                reply: Reply::Http(response),
                took_ms: 1,
            }],
            end: Ok(Outcome::Unknown { reason: Reason::new("x", echoed()) }),
        };
        let secrets = BTreeMap::from([("api_key".to_owned(), Secret::new("s3cret-word"))]);
        let covered = covered(&account, &secrets).expect("it can be written");
        let text = text(&covered, "the provider");
        assert!(!text.contains("s3cret-word"), "{text}");
        assert_eq!(text.matches("you said «secret api_key»").count(), 3, "{text}");
    }
}

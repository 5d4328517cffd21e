//! Secrets that must not come out: not in the log, not in outcomes, not in requests to hosts that the settings do not
//! name. The guest is let to read all of them, which no operator would: what it does with them then is what counts.

use std::sync::Arc;

use dispatch_engine::Grants;
use dispatch_model::{Action, Ask, LookupQuery, LookupStep, Message, ReceiveStep, Step};
use serde::Serialize;

use crate::examination::{Book, Desk, canary};
use crate::message::{self, context};
use crate::promise::SECRETS;
use crate::{reply, walk};

/// Messages tried.
const MESSAGES: usize = 4;

pub(crate) async fn examine(desk: &Desk<'_>, messages: &[Arc<Message>], book: &mut Book) {
    let grants = Grants { reveal: desk.grants.secrets.keys().cloned().collect(), ..desk.grants.clone() };
    let canaries: Vec<String> = desk.grants.secrets.keys().map(|name| canary(name)).collect();
    let plugin = desk.subject.plugin;
    let context = context(desk.subject.settings, 1);
    // Whom it was told, and what. What earlier calls have logged is told here as well.
    let mut told: Vec<(String, String)> = Vec::new();
    for message in messages.iter().take(MESSAGES) {
        if book.is_full() {
            break;
        }
        let first =
            book.once("deliver", "a secret to read", plugin.deliver(&context, message, &grants)).await;
        let Some(step) = first else { continue };
        told.push(("deliver".to_owned(), said(desk, &step)));
        if let Step::Ask(ask) = step {
            for answer in reply::all(&ask.action) {
                if book.is_full() {
                    break;
                }
                let call = plugin.on_reply(&context, &ask.state, &answer.reply, &grants);
                if let Some(step) = book.once("on-reply", &answer.name, call).await {
                    told.push((format!("on-reply with {}", answer.name), said(desk, &step)));
                }
            }
        }
        let query = LookupQuery { message: Message::clone(message), attempted_at: message::NOW };
        match book.once("lookup", "a secret to read", plugin.lookup(&context, &query, &grants)).await {
            Some(LookupStep::Ask(ask)) => told.push(("lookup".to_owned(), beyond(desk, &ask))),
            Some(end) => told.push(("lookup".to_owned(), text(&end))),
            None => {}
        }
    }
    let mut rng = <rand::rngs::SmallRng as rand::SeedableRng>::seed_from_u64(1);
    for _ in 0..MESSAGES {
        if book.is_full() {
            break;
        }
        let callback = message::callback(&mut rng);
        match book.once("receive", "a secret to read", plugin.receive(&context, &callback, &grants)).await {
            Some(ReceiveStep::Ask(ask)) => told.push(("receive".to_owned(), beyond(desk, &ask))),
            Some(end) => told.push(("receive".to_owned(), text(&end))),
            None => {}
        }
    }
    told.extend((desk.subject.log)().into_iter().map(|line| ("the log".to_owned(), line)));
    for (place, text) in told {
        book.hold(SECRETS, !canaries.iter().any(|canary| text.contains(canary)), &place, || {
            "a secret stands in it, in clear".to_owned()
        });
    }
}

/// What a step tells others than the hosts that the settings name.
fn said(desk: &Desk<'_>, step: &Step) -> String {
    match step {
        Step::Ask(ask) => beyond(desk, ask),
        Step::Done(outcome) => text(outcome),
    }
}

/// What an ask tells others than the hosts that the settings name: the whole of it where it goes elsewhere, else only
/// what the host itself shows, such as the name that is looked up.
fn beyond(desk: &Desk<'_>, ask: &Ask) -> String {
    match &ask.action {
        Action::Http(request) => match walk::host(request) {
            Some(host) if desk.asks.hosts.iter().any(|asked| walk::covers(asked, &host)) => host,
            _ => walk::text_of(&ask.action),
        },
        Action::Mail(mail) => format!("{} {}", mail.sender, mail.recipients.join(" ")),
        // All of it goes to the message centre, and in clear as often as not.
        Action::Smpp(submission) => text(submission),
    }
}

fn text(said: &impl Serialize) -> String {
    serde_json::to_string(said).unwrap_or_default()
}

//! Secrets that must not come out: not in the log, not in outcomes, not in requests to hosts that the settings do not
//! name. The guest is let to read all of them, which no operator would: what it does with them then is what counts.

use dispatch_engine::Grants;
use dispatch_model::{Action, LookupQuery, LookupStep, Message, ReceiveStep, Step};

use crate::examination::{Desk, Meter, canary, check_of};
use crate::message::{self, context};
use crate::report::Check;
use crate::{reply, walk};

const SECRETS: &str = "secrets come out nowhere";
/// Messages tried.
const MESSAGES: usize = 4;

pub(crate) async fn examine(
    desk: &Desk<'_>,
    messages: &[Message],
    checks: &mut Vec<Check>,
    meter: &mut Meter,
) {
    let grants = Grants { reveal: desk.grants.secrets.keys().cloned().collect(), ..desk.grants.clone() };
    let canaries: Vec<String> = desk.grants.secrets.keys().map(|name| canary(name)).collect();
    let plugin = desk.subject.plugin;
    let context = context(desk.subject.settings, 1);
    let check = check_of(checks, SECRETS);
    check.tried();
    // What earlier calls have logged is told here as well.
    let mut told: Vec<(String, String)> = Vec::new();
    for message in messages.iter().take(MESSAGES) {
        let step = meter.once(plugin.deliver(&context, message, &grants)).await;
        told.push(("deliver".to_owned(), said(&step.as_ref().ok())));
        if let Ok(Step::Ask(ask)) = step {
            for answer in reply::all(&ask.action) {
                let step = meter.once(plugin.on_reply(&context, &ask.state, &answer.reply, &grants)).await;
                told.push((format!("on-reply with {}", answer.name), said(&step.as_ref().ok())));
            }
        }
        let query = LookupQuery { message: message.clone(), attempted_at: message::NOW };
        let step = meter.once(plugin.lookup(&context, &query, &grants)).await;
        let step = match step {
            Ok(LookupStep::Ask(ask)) => Ok(Step::Ask(ask)),
            other => Err(other),
        };
        told.push((
            "lookup".to_owned(),
            match &step {
                Ok(step) => said(&Some(step)),
                Err(other) => serde_json::to_string(&other.as_ref().ok()).unwrap_or_default(),
            },
        ));
    }
    let mut rng = <rand::rngs::SmallRng as rand::SeedableRng>::seed_from_u64(1);
    for _ in 0..MESSAGES {
        let callback = message::callback(&mut rng);
        if let Ok(ReceiveStep::Refused(reason)) =
            meter.once(plugin.receive(&context, &callback, &grants)).await
        {
            told.push(("receive".to_owned(), reason.to_string()));
        }
    }
    told.extend((desk.subject.log)().into_iter().map(|line| ("the log".to_owned(), line)));
    for (place, text) in told {
        check.hold(!canaries.iter().any(|canary| text.contains(canary)), &place, || {
            "a secret stands in it".to_owned()
        });
    }
    // What goes to a host that nobody named is seen in `walk`, whatever it carries.
}

/// What a step tells the host beyond a request to a host that the settings name.
fn said(step: &Option<&Step>) -> String {
    match step {
        Some(Step::Ask(ask)) => {
            let url = match &ask.action {
                // A secret in the URL's host would be looked up in the open.
                Action::Http(request) => walk::host(request).unwrap_or_default(),
                Action::Mail(mail) => format!("{} {}", mail.sender, mail.recipients.join(" ")),
            };
            format!("{url} {}", ask.state.to_text())
        }
        step => serde_json::to_string(step).unwrap_or_default(),
    }
}

//! Looking for a mail whose answer was lost: by the metadata field that is our key.

use dispatcher_plugin::{Acceptance, Context, Lookup, LookupStep, Query, Reason, Reply, percent};
use serde::{Deserialize, Serialize};

use crate::{KEY, Postmark, Settings};

/// Postmark's list lags behind what it took.
const LAG_MS: u64 = 120_000;

/// What is looked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    attempted_at_ms: u64,
}

/// A page of mails.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    messages: Vec<Mail>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mail {
    #[serde(rename = "MessageID")]
    message_id: String,
    #[serde(default)]
    status: Option<String>,
    /// Ours among it, where it is ours.
    #[serde(default)]
    metadata: serde_json::Map<String, serde_json::Value>,
}

impl Lookup for Postmark {
    type State = Wanted;

    fn lookup(context: &Context<Settings>, query: &Query) -> Result<LookupStep<Wanted>, Reason> {
        let key = percent(&context.idempotency_key);
        let request = context
            .settings
            .request("GET", &format!("/messages/outbound?count=10&offset=0&metadata_{KEY}={key}"));
        Ok(LookupStep::Ask(request.into(), Wanted { attempted_at_ms: query.attempted_at_ms }))
    }

    fn on_lookup_reply(
        context: &Context<Settings>,
        wanted: Wanted,
        reply: Reply,
    ) -> Result<LookupStep<Wanted>, Reason> {
        let reason = |refusal: dispatcher_plugin::Refusal| refusal.reason().clone();
        let response = reply.http().map_err(reason)?;
        let page: Page = response.success().map_err(reason)?.json().map_err(reason)?;
        let ours = |mail: &&Mail| mail.metadata.get(KEY).is_some_and(|key| *key == context.idempotency_key);
        if let Some(mail) = page.messages.iter().find(ours) {
            let acceptance = Acceptance::reference(&mail.message_id);
            let state = mail.status.clone().unwrap_or_default();
            return Ok(LookupStep::Found(Ok(acceptance.state(state))));
        }
        // A server that knows no such filter would answer with others' mails: then nobody can tell.
        if !page.messages.is_empty() {
            return Err(Reason::new("filter", "the list is not only of mails with our key"));
        }
        let age_ms = context.now_ms.saturating_sub(wanted.attempted_at_ms);
        if age_ms < LAG_MS {
            return Ok(LookupStep::NotYet(LAG_MS - age_ms));
        }
        Ok(LookupStep::Absent)
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::Action;
    use dispatcher_plugin::testing::{NOW_MS, context, email, response};
    use serde_json::{Value, json};

    use super::*;

    fn looked_up(age_ms: u64, status: u16, body: &Value) -> String {
        let message = email("a@b.example", "c@d.example", "x", "");
        let context = context(json!({}));
        let query = Query { message, attempted_at_ms: NOW_MS - age_ms };
        let Ok(LookupStep::Ask(Action::Http(request), wanted)) = Postmark::lookup(&context, &query) else {
            panic!("it asks")
        };
        assert_eq!(
            request.url_text(),
            "https://api.postmarkapp.com/messages/outbound?count=10&offset=0&metadata_dispatcher_key=01hzy3k9q8w7e-1"
        );
        let reply = Reply::Http(response(status, &[], body.to_string()));
        match Postmark::on_lookup_reply(&context, wanted, reply) {
            Ok(LookupStep::Found(Ok(taken))) => {
                format!("{} {}", taken.references.concat(), taken.state.unwrap_or_default())
            }
            Ok(LookupStep::Absent) => "absent".into(),
            Ok(LookupStep::NotYet(wait_ms)) => format!("in {wait_ms}"),
            Ok(step) => format!("{step:?}"),
            Err(reason) => reason.code,
        }
    }

    #[test]
    fn found_absent_or_nobody_knows() {
        let mail = |key: &str| json!({ "Messages": [{ "MessageID": "m-1", "Status": "Sent", "Metadata": { "dispatcher_key": key } }] });
        assert_eq!(looked_up(1000, 200, &mail("01hzy3k9q8w7e-1")), "m-1 Sent");
        assert_eq!(looked_up(600_000, 200, &mail("another")), "filter");
        let none = json!({ "TotalCount": 0, "Messages": [] });
        assert_eq!(looked_up(1000, 200, &none), "in 119000");
        assert_eq!(looked_up(600_000, 200, &none), "absent");
        assert_eq!(looked_up(600_000, 500, &none), "500");
        assert_eq!(looked_up(600_000, 200, &json!("x")), "unreadable");
    }
}

//! Looking for a mail whose answer was lost, among the domain's events: each carries our key.

use dispatcher_plugin::{
    Acceptance, Context, Lookup, LookupStep, Mailbox, Query, Reason, Refusal, Reply, percent,
};
use serde::{Deserialize, Serialize};

use crate::{KEY, Mailgun, Settings, answer};

/// Mailgun's page on polling says that events may come in late, by half an hour; before that, none is no proof.
const LAG_MS: u64 = 1_800_000;

/// Clocks differ: the list begins this much before the attempt.
const BEFORE_MS: u64 = 60_000;

/// What one page may hold.
const PAGE: usize = 300;

/// What is looked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    attempted_at_ms: u64,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Happened>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Happened {
    event: String,
    #[serde(default)]
    user_variables: serde_json::Map<String, serde_json::Value>,
    message: Option<Mail>,
}

#[derive(Debug, Deserialize)]
struct Mail {
    headers: Headers,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Headers {
    message_id: Option<String>,
}

impl Lookup for Mailgun {
    type State = Wanted;

    fn lookup(context: &Context<Settings>, query: &Query) -> Result<LookupStep<Wanted>, Reason> {
        let recipient = query.message.to.iter().find_map(|given| Mailbox::parse(given).ok());
        let recipient = recipient.ok_or(Reason::new("address", "there is no recipient to look for"))?;
        let begin = query.attempted_at_ms.saturating_sub(BEFORE_MS) / 1000;
        let path = format!(
            "/events?begin={begin}&ascending=yes&limit={PAGE}&recipient={}",
            percent(&recipient.address)
        );
        let wanted = Wanted { attempted_at_ms: query.attempted_at_ms };
        Ok(LookupStep::Ask(context.settings.request("GET", &path).into(), wanted))
    }

    fn on_lookup_reply(
        context: &Context<Settings>,
        wanted: Wanted,
        reply: Reply,
    ) -> Result<LookupStep<Wanted>, Reason> {
        let reason = |refusal: Refusal| refusal.reason().clone();
        let response = reply.http().map_err(reason)?;
        let page: Page = response.success().map_err(reason)?.json().map_err(reason)?;
        let ours =
            |one: &&Happened| one.user_variables.get(KEY).is_some_and(|key| *key == context.idempotency_key);
        let mut found = page.items.iter().filter(ours).filter_map(|one| {
            let id = one.message.as_ref()?.headers.message_id.as_deref()?;
            Some(Acceptance::reference(answer::bare(id)).state(one.event.as_str()))
        });
        if let Some(acceptance) = found.next() {
            return Ok(LookupStep::Found(Ok(acceptance)));
        }
        if page.items.len() >= PAGE {
            return Err(Reason::new("too-many", "there are more events than one page has"));
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
        let message = email("a@b.example", "C <c+x@d.example>", "x", "");
        let context = context(json!({ "domain": "mg.acme.example" }));
        let query = Query { message, attempted_at_ms: NOW_MS - age_ms };
        let Ok(LookupStep::Ask(Action::Http(request), wanted)) = Mailgun::lookup(&context, &query) else {
            panic!("it asks")
        };
        let begin = (NOW_MS - age_ms) / 1000 - 60;
        assert_eq!(
            request.url_text(),
            format!(
                "https://api.mailgun.net/v3/mg.acme.example/events?begin={begin}&ascending=yes&limit=300&recipient=c%2Bx%40d.example"
            )
        );
        let reply = Reply::Http(response(status, &[], body.to_string()));
        match Mailgun::on_lookup_reply(&context, wanted, reply) {
            Ok(LookupStep::Found(Ok(taken))) => taken.state.unwrap_or_default(),
            Ok(LookupStep::Absent) => "absent".into(),
            Ok(LookupStep::NotYet(wait_ms)) => format!("in {wait_ms}"),
            Ok(step) => format!("{step:?}"),
            Err(reason) => reason.code,
        }
    }

    #[test]
    fn found_absent_or_nobody_knows() {
        let event = |key: &str| {
            json!({
                "event": "accepted", "user-variables": { "dispatcher_key": key },
                "message": { "headers": { "message-id": "1@mg.acme.example" } },
            })
        };
        let page = |items: Vec<Value>| json!({ "items": items, "paging": {} });
        assert_eq!(looked_up(1000, 200, &page(vec![event("x"), event("01hzy3k9q8w7e-1")])), "accepted");
        assert_eq!(looked_up(1000, 200, &page(vec![event("x")])), "in 1799000");
        assert_eq!(
            looked_up(3_600_000, 200, &page(vec![event("x"), json!({ "event": "stored" })])),
            "absent"
        );
        assert_eq!(looked_up(3_600_000, 200, &page(vec![event("x"); 300])), "too-many");
        assert_eq!(looked_up(3_600_000, 401, &json!({})), "401");
        assert_eq!(looked_up(3_600_000, 200, &json!({})), "unreadable");
        let nobody = Query { message: email("a@b.example", "nobody", "x", ""), attempted_at_ms: 0 };
        let context = context(json!({ "domain": "mg.acme.example" }));
        assert_eq!(Mailgun::lookup(&context, &nobody).unwrap_err().code, "address");
    }
}

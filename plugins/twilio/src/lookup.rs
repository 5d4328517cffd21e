//! Whether an attempt arrived whose answer was lost: by the account's list of messages.
//!
//! Twilio takes no key of ours, so the message is told by recipient, sender, text and time. The list is not narrowed by
//! `DateSent`: messages that still wait in Twilio's queue have none, and one taken for absent would be sent twice. It
//! comes newest first; so the page is whole as soon as it ends, or reaches back before the attempt.

use dispatcher_plugin::{
    Context, Lookup, LookupStep, Outcome, Query, Reason, Reply, Request, percent, status,
};
use serde::{Deserialize, Serialize};

use super::{Sent, Settings, Twilio};

/// Twilio's clock and ours may differ by so much, its whole seconds included.
const SKEW_MS: u64 = 5_000;

/// Twilio shows a message in its list within seconds; before this, its absence says nothing.
const SETTLED_MS: u64 = 60_000;

/// Bytes of a text that can be looked for: four times the 1600 characters that Twilio takes.
const COMPARED_MAX: usize = 6_400;

/// What is looked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    text: String,
    media: usize,
    attempted_at_ms: u64,
}

/// A page of the list.
#[derive(Debug, Deserialize)]
struct Page {
    messages: Vec<Listed>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

/// A message in the list.
#[derive(Debug, Deserialize)]
struct Listed {
    sid: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    num_segments: Option<String>,
    #[serde(default)]
    error_code: Option<u32>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    num_media: Option<String>,
    date_created: String,
    direction: String,
}

impl Listed {
    fn outcome(self) -> Outcome {
        let Self { sid, status, num_segments, error_code, .. } = self;
        Sent { sid, status, num_segments, error_code, error_message: None }.outcome()
    }
}

impl Lookup for Twilio {
    type State = Wanted;

    fn lookup(context: &Context<Settings>, query: &Query) -> Result<LookupStep<Wanted>, Reason> {
        let settings = &context.settings;
        let message = &query.message;
        // The text is what is looked for, and has to fit into what is carried from step to step.
        if message.body().len() > COMPARED_MAX {
            return Err(Reason::new("too-long", "Twilio takes no text of this length, and lists none"));
        }
        let mut url = format!("{}?PageSize=100&To={}", settings.messages_url(), percent(message.recipient()));
        if let Some(from) = &settings.from {
            url.push_str(&format!("&From={}", percent(from)));
        }
        let wanted = Wanted {
            text: message.body().to_owned(),
            media: message.attachments.len(),
            attempted_at_ms: query.attempted_at_ms,
        };
        Ok(LookupStep::Ask(Request::get(url).credential(settings.credential()).into(), wanted))
    }

    fn on_lookup_reply(
        context: &Context<Settings>,
        wanted: Wanted,
        reply: Reply,
    ) -> Result<LookupStep<Wanted>, Reason> {
        let page: Page = reply
            .http()
            .and_then(|response| response.success()?.json())
            .map_err(|refusal| refusal.reason().clone())?;
        let since = wanted.attempted_at_ms.saturating_sub(SKEW_MS);
        let mut reaches_back = page.next_page_uri.as_deref().unwrap_or_default().is_empty();
        for listed in page.messages {
            let created = status::date_ms(&listed.date_created)
                .ok_or_else(|| Reason::new("unreadable", "a date of the list cannot be read"))?;
            if created < since {
                reaches_back = true;
                continue;
            }
            if !listed.direction.starts_with("outbound") {
                continue;
            }
            let media = listed.num_media.as_deref().and_then(|count| count.parse().ok()).unwrap_or(0);
            if listed.body == wanted.text && media == wanted.media {
                return Ok(LookupStep::Found(listed.outcome()));
            }
            // Twilio writes some texts anew, and trial accounts say so in front of each.
            if context.settings.smart_encoded == Some(true) || listed.body.ends_with(&wanted.text) {
                return Err(Reason::new("altered", "there is a message of that time with another text"));
            }
        }
        if !reaches_back {
            return Err(Reason::new("too-many", "the list does not reach back to the attempt"));
        }
        let settled_ms = wanted.attempted_at_ms.saturating_add(SETTLED_MS);
        if context.now_ms < settled_ms {
            return Ok(LookupStep::NotYet(settled_ms - context.now_ms));
        }
        Ok(LookupStep::Absent)
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{NOW_MS, response, sms};
    use dispatcher_plugin::{Action, Credential, Failure, FailureKind};
    use serde_json::{Value, json};

    use super::super::tests::{AC, settings};
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn listed(sid: &str, body: &str, date: &str) -> Value {
        json!({
            "sid": sid, "body": body, "date_created": date, "direction": "outbound-api", "num_media": "0",
            "status": "delivered", "num_segments": "1", "error_code": null, "error_message": null,
        })
    }

    /// The attempt was an hour ago, at 23:00 of the day before.
    fn ask(page: Value, age_ms: u64) -> Result<LookupStep<Wanted>, Reason> {
        let context = settings();
        let query = Query { message: sms("+525512345678", "Hola"), attempted_at_ms: NOW_MS - age_ms };
        let Ok(LookupStep::Ask(Action::Http(request), wanted)) = Twilio::lookup(&context, &query) else {
            panic!("it asks")
        };
        assert_eq!(request.method, "GET");
        assert_eq!(request.credential, Credential::basic(AC, "auth_token"));
        assert!(
            request
                .url_text()
                .ends_with("/Messages.json?PageSize=100&To=%2B525512345678&From=%2B525500001111")
        );
        Twilio::on_lookup_reply(&context, wanted, Reply::Http(response(200, &[], page.to_string())))
    }

    fn word(step: Result<LookupStep<Wanted>, Reason>) -> String {
        match step {
            Ok(LookupStep::Found(Ok(acceptance))) => acceptance.references.concat(),
            Ok(LookupStep::Found(Err(refusal))) => refusal.kind().into(),
            Ok(LookupStep::Absent) => "absent".into(),
            Ok(LookupStep::NotYet(wait_ms)) => format!("in {wait_ms}"),
            Ok(LookupStep::Ask(..)) => "ask".into(),
            Err(reason) => reason.code,
        }
    }

    #[test]
    fn pages_and_findings() {
        let at = "Sat, 21 Nov 2026 23:00:01 +0000";
        let before = "Sat, 21 Nov 2026 22:00:00 +0000";
        let page = |messages: &[Value]| json!({ "messages": messages, "next_page_uri": null });
        let mut failed = listed("SM1", "Hola", at);
        failed["status"] = json!("failed");
        failed["error_code"] = json!(21610);
        let mut inbound = listed("SM1", "Hola", at);
        inbound["direction"] = json!("inbound");
        let mut media = listed("SM1", "Hola", at);
        media["num_media"] = json!("1");
        let table = [
            (page(&[]), "absent"),
            (page(&[listed("SM1", "Hola", at)]), "SM1"),
            (page(&[listed("SM9", "Otra", at), listed("SM1", "Hola", at)]), "SM1"),
            (page(&[listed("SM1", "Hola", before)]), "absent"),
            (page(&[listed("SM1", "Otra", at)]), "absent"),
            (page(&[failed]), "rejected-recipient"),
            (page(&[inbound]), "absent"),
            (page(&[media]), "altered"),
            (page(&[listed("SM1", "Sent from your Twilio trial account - Hola", at)]), "altered"),
            (page(&[listed("SM1", "Hola", "yesterday")]), "unreadable"),
            (json!({ "messages": [listed("SM9", "Otra", at)], "next_page_uri": "/next" }), "too-many"),
            (json!({ "messages": [listed("SM9", "Otra", before)], "next_page_uri": "/next" }), "absent"),
            (json!({}), "unreadable"),
        ];
        for (page, expected) in table {
            assert_eq!(word(ask(page.clone(), HOUR_MS)), expected, "{page}");
        }
    }

    #[test]
    fn absence_takes_time() {
        let page = || json!({ "messages": [] });
        assert_eq!(word(ask(page(), 10_000)), "in 50000");
        assert_eq!(word(ask(page(), SETTLED_MS)), "absent");
    }

    #[test]
    fn no_answer_tells_nothing() {
        let wanted = || Wanted { text: "Hola".into(), media: 0, attempted_at_ms: NOW_MS - HOUR_MS };
        let failure = Failure { kind: FailureKind::Timeout, detail: "slow".into(), may_have_left: true };
        assert_eq!(word(Twilio::on_lookup_reply(&settings(), wanted(), Reply::Failed(failure))), "timeout");
        let denied = Reply::Http(response(401, &[], "no"));
        assert_eq!(word(Twilio::on_lookup_reply(&settings(), wanted(), denied)), "401");
    }
}

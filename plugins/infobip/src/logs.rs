//! Infobip's logs: whether it has a message of our id, and what became of it. They reach 48 hours back.

use dispatcher_plugin::{
    Acceptance, Context, Lookup, LookupStep, Outcome, Query, Reason, Refusal, Reply, Request, Response,
    percent,
};
use serde::Deserialize;

use crate::states::{Fault, Status, Verdict};
use crate::{AGAIN_MAX, Infobip, Settings, authorized, id};

/// A message is in the logs within seconds; before this, its absence says nothing.
const SETTLED_MS: u64 = 60_000;

/// After this it is no longer in them; an hour less than Infobip says.
const KEPT_MS: u64 = 47 * 3_600_000;

#[derive(Debug, Deserialize)]
struct Logs {
    results: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    message_id: String,
    #[serde(default)]
    message_count: Option<u32>,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    error: Option<Fault>,
}

/// The question after messages of these ids.
pub(crate) fn question(context: &Context<Settings>, ids: &[String]) -> Request {
    let ids: Vec<String> = ids.iter().map(|id| percent(id)).collect();
    authorized(Request::get(context.settings.url(&format!("/sms/3/logs?messageId={}", ids.join(",")))))
}

/// What became of them: one that was taken counts, else the last refusal; none where the logs have none of them.
pub(crate) fn answer(ids: &[String], response: &Response) -> Result<Option<Outcome>, Reason> {
    let logs: Logs = response
        .success()
        .and_then(|response| response.json())
        .map_err(|refusal| refusal.reason().clone())?;
    let mut refusals: Vec<(usize, Refusal)> = Vec::new();
    for entry in logs.results {
        let Some(at) = ids.iter().position(|id| *id == entry.message_id) else { continue };
        match entry.status.verdict(entry.error.as_ref()) {
            Verdict::Taken => {
                let parts = entry.message_count.filter(|parts| *parts > 0);
                let acceptance = Acceptance::reference(entry.message_id).state(entry.status.name());
                return Ok(Some(Ok(Acceptance { parts, ..acceptance })));
            }
            Verdict::Refused(refusal) => refusals.push((at, refusal)),
            // The repetition was refused as one, under the same id; it is not what is looked for.
            Verdict::Duplicate => {}
        }
    }
    Ok(refusals.into_iter().max_by_key(|(at, _)| *at).map(|(_, refusal)| Err(refusal)))
}

/// All ids that an attempt may have used.
fn ids(context: &Context<Settings>) -> Vec<String> {
    (0..=AGAIN_MAX).map(|again| id(context, again)).collect()
}

impl Lookup for Infobip {
    type State = u64;

    fn lookup(context: &Context<Settings>, query: &Query) -> Result<LookupStep<u64>, Reason> {
        Ok(LookupStep::Ask(question(context, &ids(context)).into(), query.attempted_at_ms))
    }

    fn on_lookup_reply(
        context: &Context<Settings>,
        attempted_at_ms: u64,
        reply: Reply,
    ) -> Result<LookupStep<u64>, Reason> {
        let response = reply.http().map_err(|refusal| refusal.reason().clone())?;
        if let Some(outcome) = answer(&ids(context), &response)? {
            return Ok(LookupStep::Found(outcome));
        }
        let age = context.now_ms.saturating_sub(attempted_at_ms);
        if age < SETTLED_MS {
            return Ok(LookupStep::NotYet(SETTLED_MS - age));
        }
        if age > KEPT_MS {
            return Err(Reason::new("too-late", "the logs reach 48 hours back"));
        }
        Ok(LookupStep::Absent)
    }
}

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{NOW_MS, response, sms};
    use dispatcher_plugin::{Action, Failure, FailureKind};
    use serde_json::{Value, json};

    use super::*;
    use crate::tests::settings;

    fn ask(logs: Value, age_ms: u64) -> String {
        let context = settings();
        let query = Query { message: sms("+525512345678", "Hola"), attempted_at_ms: NOW_MS - age_ms };
        let step = Infobip::lookup(&context, &query);
        let Ok(LookupStep::Ask(Action::Http(request), state)) = step else { panic!("it asks") };
        assert_eq!(request.method, "GET");
        assert!(request.url_text().ends_with(&format!("/sms/3/logs?messageId={OURS},{OURS}-2,{OURS}-3")));
        let reply = Reply::Http(response(200, &[], logs.to_string()));
        match Infobip::on_lookup_reply(&context, state, reply) {
            Ok(LookupStep::Found(Ok(acceptance))) => acceptance.references.concat(),
            Ok(LookupStep::Found(Err(refusal))) => refusal.kind().into(),
            Ok(LookupStep::Absent) => "absent".into(),
            Ok(LookupStep::NotYet(wait_ms)) => format!("in {wait_ms}"),
            Ok(LookupStep::Ask(..)) => "ask".into(),
            Err(reason) => reason.code,
        }
    }

    fn entry(id: &str, group: u32, state: u32) -> Value {
        json!({ "messageId": id, "status": { "groupId": group, "id": state }, "messageCount": 1 })
    }

    const OURS: &str = "01hzy3k9q8w7e-1";

    #[test]
    fn logs_and_findings() {
        let hour = 3_600_000;
        let failed = |permanent: bool| {
            let mut entry = entry(OURS, 2, 9);
            entry["error"] = json!({ "id": 1, "name": "EC_UNKNOWN_SUBSCRIBER", "permanent": permanent });
            json!({ "results": [entry] })
        };
        let second = format!("{OURS}-2");
        let table = [
            (json!({ "results": [] }), hour, "absent"),
            (json!({ "results": [entry(OURS, 3, 5)] }), hour, OURS),
            (json!({ "results": [entry(OURS, 1, 26)] }), hour, OURS),
            (json!({ "results": [entry("another", 3, 5)] }), hour, "absent"),
            // The refusal of the repetition, and the message itself.
            (json!({ "results": [entry(OURS, 5, 23), entry(OURS, 3, 5)] }), hour, OURS),
            (json!({ "results": [entry(OURS, 5, 52)] }), hour, "rejected-recipient"),
            // Refused for a while, and then taken by another id; and the last refusal of two.
            (json!({ "results": [entry(&second, 1, 26), entry(OURS, 5, 21)] }), hour, second.as_str()),
            (json!({ "results": [entry(&second, 5, 12), entry(OURS, 5, 21)] }), hour, "rejected-account"),
            (failed(true), hour, "rejected-recipient"),
            (failed(false), hour, "deferred"),
            (json!({ "results": [] }), 59_999, "in 1"),
            (json!({ "results": [] }), 60_000, "absent"),
            (json!({ "results": [] }), 48 * hour, "too-late"),
            (json!({}), hour, "unreadable"),
        ];
        for (logs, age, expected) in table {
            assert_eq!(ask(logs.clone(), age), expected, "{logs}");
        }
    }

    #[test]
    fn no_answer_tells_nothing() {
        let failure = Failure { kind: FailureKind::Timeout, detail: "slow".into(), may_have_left: true };
        let told = Infobip::on_lookup_reply(&settings(), 0, Reply::Failed(failure)).unwrap_err();
        assert_eq!(told.code, "timeout");
        let denied = Reply::Http(response(403, &[], "no"));
        assert_eq!(Infobip::on_lookup_reply(&settings(), 0, denied).unwrap_err().code, "403");
    }
}

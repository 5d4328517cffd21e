//! SMS by Infobip.
//!
//! One JSON POST a message, whose id is ours: Infobip refuses an id that it has seen, so a request whose answer was lost
//! can be repeated. What became of the one that it has seen is then read from its logs, since that may itself have been
//! refused.

mod logs;
mod receive;
mod settings;
mod states;

use dispatcher_plugin::{
    Acceptance, Channel, Check, Context, DeliverSteps, Description, Escape, Message, PhoneFormat, Pieces,
    Plugin, Refusal, Reply, Request, Response, Step, export,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use settings::Settings;
use states::{Status, Verdict};

/// The plugin.
pub struct Infobip;

impl Plugin for Infobip {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "infobip",
            env!("CARGO_PKG_VERSION"),
            "SMS by Infobip.",
            &[Channel::Sms],
            include_str!("settings.schema.json"),
        )
        .secret(
            settings::API_KEY,
            "The API key, under Developer Tools > API Keys. Its scopes: sms:message:send, sms:logs:read.",
        )
        .text_max(TEXT_MAX)
        .idempotent()
    }

    fn check(settings: &Settings, check: &mut Check) {
        settings.check(check);
    }
}

/// Characters of a text: 25 parts are the most that Infobip makes of one.
const TEXT_MAX: u32 = 3825;

/// A message under way.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// As Infobip wants it.
    item: Value,
    /// How many times Infobip said that it had refused this message before, for a reason that passes.
    again: u32,
    /// Whether the logs were asked, and not the message posted.
    asked: bool,
}

/// What Infobip says of the messages of a request.
#[derive(Debug, Deserialize)]
struct Taken {
    messages: Vec<One>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    #[serde(default)]
    message_id: String,
    status: Status,
    #[serde(default)]
    details: Option<Details>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(default)]
    message_count: Option<u32>,
}

impl DeliverSteps for Infobip {
    type State = State;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<State>, Refusal> {
        let settings = &context.settings;
        if message.to.len() != 1 {
            return Err(Refusal::recipient("recipients", "an SMS goes to one number"));
        }
        if !message.attachments.is_empty() {
            return Err(Refusal::content("attachments", "Infobip's SMS carry no attachments"));
        }
        if message.body().is_empty() {
            return Err(Refusal::content("empty", "there is no text"));
        }
        // The host holds to it as well; the state carries the text, and has a bound.
        if message.body().chars().count() > TEXT_MAX as usize {
            return Err(Refusal::content("text-length", "Infobip makes at most 25 parts of a text"));
        }
        let mut item = json!({
            "sender": settings.from,
            "destinations": [{ "to": PhoneFormat::Digits.render(message.recipient()) }],
            "content": { "text": message.body() },
        });
        if let Some(seconds) = settings.validity_period {
            item["options"] = json!({ "validityPeriod": { "amount": seconds, "timeUnit": "SECONDS" } });
        }
        if let Some(url) = &context.callback_url {
            item["webhooks"] = json!({
                "delivery": { "url": url, "notify": true },
                "contentType": "application/json",
                "callbackData": message.id,
            });
        }
        Ok(post(context, State { item, again: 0, asked: false }))
    }

    fn on_reply(context: &Context<Settings>, state: State, reply: Reply) -> Result<Step<State>, Refusal> {
        if state.asked {
            return earlier(context, state, reply);
        }
        Ok(match judge(&reply.http()?)? {
            Some(acceptance) => Step::Done(acceptance),
            None => {
                let question = logs::question(context, &[id(context, state.again)]);
                Step::Prepare(question.into(), State { asked: true, ..state })
            }
        })
    }
}

/// The id of this message at Infobip. One that was refused for a reason that passes is tried again by another, since
/// Infobip takes each once; the next is used only when it is known that the one before was refused.
fn id(context: &Context<Settings>, again: u32) -> String {
    match again {
        0 => context.idempotency_key.clone(),
        again => format!("{}-{}", context.idempotency_key, again + 1),
    }
}

/// As many times is a refused message tried by another id; each costs two of the eight steps of an attempt.
const AGAIN_MAX: u32 = 2;

fn post(context: &Context<Settings>, mut state: State) -> Step<State> {
    state.item["destinations"][0]["messageId"] = id(context, state.again).into();
    let request =
        Request::post(context.settings.url("/sms/3/messages")).json(&json!({ "messages": [&state.item] }));
    Step::Send(authorized(request).into(), State { asked: false, ..state })
}

/// The header `Authorization: App KEY`.
fn authorized(request: Request) -> Request {
    let mut value = Pieces::from("App ");
    value.secret(settings::API_KEY, Escape::Raw);
    request.header("authorization", value).header("accept", "application/json")
}

/// What the answer to a message means; none where Infobip has had its id before.
fn judge(response: &Response) -> Result<Option<Acceptance>, Refusal> {
    if !(200..300).contains(&response.status) {
        return Err(states::refusal(response));
    }
    let taken: Taken = response.json()?;
    let unreadable = || Refusal::unknown("unreadable", "the answer has no message in it");
    let one = taken.messages.into_iter().next().ok_or_else(unreadable)?;
    match one.status.verdict(None) {
        Verdict::Taken => {
            let parts = one.details.and_then(|details| details.message_count).filter(|parts| *parts > 0);
            let state = one.status.name().to_owned();
            Ok(Some(Acceptance { parts, ..Acceptance::reference(one.message_id).state(state) }))
        }
        Verdict::Duplicate => Ok(None),
        Verdict::Refused(refusal) => Err(refusal),
    }
}

/// What became of the message of this id that Infobip has had before: the outcome of this attempt as well.
fn earlier(context: &Context<Settings>, state: State, reply: Reply) -> Result<Step<State>, Refusal> {
    // Whatever keeps us from knowing, it was posted once.
    let unknown = |code: &str, words: &str| {
        Refusal::unknown(
            code,
            format!("Infobip has had this message before, and its logs do not say more: {words}"),
        )
    };
    let response =
        reply.http().map_err(|refusal| unknown(&refusal.reason().code, &refusal.reason().message))?;
    match logs::answer(&[id(context, state.again)], &response) {
        Ok(Some(Ok(acceptance))) => Ok(Step::Done(acceptance)),
        Ok(Some(Err(Refusal::Deferred { .. }))) if state.again < AGAIN_MAX => {
            Ok(post(context, State { again: state.again + 1, ..state }))
        }
        Ok(Some(Err(refusal))) => Err(refusal),
        Ok(None) => Err(unknown("duplicate", "it is not in them")),
        Err(reason) => Err(unknown(&reason.code, &reason.message)),
    }
}

export!(Infobip: DeliverSteps, Receive, Lookup);

#[cfg(test)]
mod tests;

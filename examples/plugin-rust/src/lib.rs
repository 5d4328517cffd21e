//! SMS and MMS by Cometa, a provider that wants three kinds of requests: a token, an upload for each file, then the
//! message. Only the last of them delivers, so only the last can leave anything in doubt.
//!
//! ```text
//! POST /v1/token     { "client_id", "client_secret" }          200 { "token": "…" }
//! POST /v1/files     the bytes of one file                     201 { "file": "…" }
//! POST /v1/messages  { "to", "from", "text", "files": ["…"] }  202 { "id": "…" }
//! errors                                                       4xx { "code": "…", "words": "…" }
//! ```

use dispatcher_plugin::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Characters of a text. It is carried from step to step, and what is carried is at most 64 KiB.
const TEXT_MAX: u32 = 1_600;

/// The plugin.
pub struct Cometa;

/// What stands under `settings` in the configuration; `settings.schema.json` says the same.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    client_id: String,
    from: String,
    #[serde(default = "base_url")]
    base_url: String,
}

fn base_url() -> String {
    "https://api.cometa.example".into()
}

/// What is carried from step to step: the host hands it back with each answer.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    to: String,
    text: String,
    /// Files still to be uploaded: their index, and their media type.
    waiting: Vec<(u32, String)>,
    /// Files that Cometa has, by its own ids.
    uploaded: Vec<String>,
    token: Option<String>,
    /// Whether the message itself was asked for.
    sent: bool,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct File {
    file: String,
}

#[derive(Deserialize)]
struct Taken {
    id: String,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    words: String,
}

impl Plugin for Cometa {
    type Settings = Settings;

    fn describe() -> Description {
        let schema = include_str!("../settings.schema.json");
        Description::new(
            "cometa-mms",
            env!("CARGO_PKG_VERSION"),
            "SMS and MMS by Cometa.",
            &[Channel::Sms],
            schema,
        )
        .secret("client_secret", "The secret of the API client, under Developers")
        // The host fetches attachments before it calls `deliver`: at most five, and 5 MB of them.
        .media(Media::Content, 5, 5_000_000)
        .text_max(TEXT_MAX)
    }

    fn check(settings: &Settings, check: &mut Check) {
        check.url("base_url", &settings.base_url);
        check.that(settings.from.starts_with('+'), "from", "write the number with its country: +52…");
        check.that(
            !settings.client_id.is_empty(),
            "client_id",
            "write the id of the API client, under Developers",
        );
    }
}

impl DeliverSteps for Cometa {
    type State = State;

    fn deliver(context: &Context<Settings>, message: &Message) -> Result<Step<State>, Refusal> {
        if message.body().chars().count() > TEXT_MAX as usize {
            return Err(Refusal::content("too_long", format!("Cometa takes {TEXT_MAX} characters")));
        }
        let files =
            (0..).zip(&message.attachments).filter_map(|(index, each)| Some((index, each.file.as_ref()?)));
        let state = State {
            to: message.recipient().into(),
            text: message.body().into(),
            waiting: files.map(|(index, file)| (index, file.media_type.clone())).collect(),
            uploaded: Vec::new(),
            token: None,
            sent: false,
        };
        // The secret is written in by the host as it sends: it is never here.
        let mut body =
            Pieces::from(format!(r#"{{"client_id":{},"client_secret":""#, json!(context.settings.client_id)));
        body.secret("client_secret", Escape::Json).bytes(r#""}"#);
        let request =
            Request::post(format!("{}/v1/token", context.settings.base_url)).body("application/json", body);
        Ok(Step::Prepare(request.into(), state))
    }

    fn on_reply(context: &Context<Settings>, mut state: State, reply: Reply) -> Result<Step<State>, Refusal> {
        let answered = reply.http().and_then(|response| match response.success() {
            Ok(_) => Ok(response),
            Err(refusal) => Err(judged(&response, refusal)),
        });
        if state.sent {
            let taken: Taken = answered?.json()?;
            return Ok(Step::Done(Acceptance::reference(taken.id)));
        }
        // Up to here nothing was asked for that delivers: whatever went wrong, the message can wait.
        let response = answered.map_err(Refusal::nothing_sent)?;
        if state.token.is_none() {
            state.token = Some(response.json::<Token>().map_err(Refusal::nothing_sent)?.token);
        } else {
            state.uploaded.push(response.json::<File>().map_err(Refusal::nothing_sent)?.file);
        }
        Ok(next(context, state))
    }
}

/// The next file, or the message once there is none.
fn next(context: &Context<Settings>, mut state: State) -> Step<State> {
    let base = &context.settings.base_url;
    let authorized = |request: Request| {
        request.header("authorization", format!("Bearer {}", state.token.as_deref().unwrap_or_default()))
    };
    if let Some((index, media_type)) = state.waiting.first().cloned() {
        let mut body = Pieces::new();
        body.attachment(index, Encoding::Raw);
        let request = authorized(Request::post(format!("{base}/v1/files")).body(&media_type, body));
        state.waiting.remove(0);
        return Step::Prepare(request.into(), state);
    }
    let request = authorized(Request::post(format!("{base}/v1/messages")).json(&json!({
        "to": state.to, "from": context.settings.from, "text": state.text, "files": state.uploaded,
    })));
    state.sent = true;
    Step::Send(request.into(), state)
}

/// Cometa's own code where it gives one, else what the status says.
fn judged(response: &Response, refusal: Refusal) -> Refusal {
    let Some(Problem { code, words }) = response.json_if() else { return refusal };
    match code.as_str() {
        "unknown_number" | "opted_out" => Refusal::recipient(code, words),
        "sender_not_allowed" => Refusal::sender(code, words),
        "bad_client" | "no_credit" => Refusal::account(code, words),
        _ => refusal.because(code, words),
    }
}

export!(Cometa: DeliverSteps);

#[cfg(test)]
mod tests {
    use dispatcher_plugin::testing::{context, file, response, sms};

    use super::*;

    fn given() -> Context<Settings> {
        context(serde_json::from_str(include_str!("../settings.json")).expect("settings.json is JSON"))
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply::Http(response(status, &[], body))
    }

    fn request(action: Action) -> Request {
        match action {
            Action::Http(request) => request,
            other => panic!("Cometa is asked by HTTP, and not by {other:?}"),
        }
    }

    #[test]
    fn a_token_a_file_and_then_the_message() {
        let mut message = sms("+525512345678", "Hola");
        message.attachments = vec![file("a.png", "image/png", 3)];
        let Ok(Step::Prepare(action, state)) = Cometa::deliver(&given(), &message) else {
            panic!("a token first")
        };
        let body = request(action).body_text();
        assert_eq!(body, r#"{"client_id":"agency","client_secret":"{secret client_secret}"}"#);

        let Ok(Step::Prepare(action, state)) =
            Cometa::on_reply(&given(), state, reply(200, r#"{"token":"t1"}"#))
        else {
            panic!("then the file")
        };
        let upload = request(action);
        assert_eq!(upload.url_text(), "https://api.cometa.example/v1/files");
        assert_eq!(upload.body_text(), "{attachment 0}");

        let Ok(Step::Send(action, state)) = Cometa::on_reply(&given(), state, reply(201, r#"{"file":"f1"}"#))
        else {
            panic!("then the message")
        };
        let body = request(action).body_text();
        assert_eq!(body, r#"{"files":["f1"],"from":"+525598765432","text":"Hola","to":"+525512345678"}"#);

        let end = Cometa::on_reply(&given(), state, reply(202, r#"{"id":"c1"}"#)).expect("accepted");
        assert_eq!(end, Step::Done(Acceptance::reference("c1")));
    }

    #[test]
    fn a_text_that_cometa_does_not_take_is_refused() {
        let deliver = |text: &str| Cometa::deliver(&given(), &sms("+525512345678", text));
        assert!(deliver(&"ñ".repeat(1_600)).is_ok());
        let refused = deliver(&"ñ".repeat(1_601)).expect_err("too long");
        assert_eq!(refused.kind(), "rejected-content");
    }

    #[test]
    fn only_the_message_leaves_doubt() {
        let kind = |sent, status, body: &str| {
            let state = State {
                to: String::new(),
                text: String::new(),
                waiting: Vec::new(),
                uploaded: Vec::new(),
                token: None,
                sent,
            };
            Cometa::on_reply(&given(), state, reply(status, body)).expect_err("refused").kind()
        };
        assert_eq!(kind(false, 500, ""), "deferred");
        assert_eq!(kind(false, 200, "<html>"), "deferred");
        assert_eq!(kind(true, 500, ""), "unknown");
        assert_eq!(kind(true, 202, "<html>"), "unknown");
        assert_eq!(kind(false, 401, r#"{"code":"bad_client","words":"who?"}"#), "rejected-account");
        assert_eq!(kind(true, 422, r#"{"code":"opted_out","words":"no"}"#), "rejected-recipient");
    }
}

//! A message and its answers, and what happens with one that Infobip has had before.

use dispatcher_plugin::testing::{self, context, link, response, sms};
use dispatcher_plugin::{Action, Failure, FailureKind};

use super::*;

pub(crate) fn settings() -> Context<Settings> {
    context(json!({ "base_url": "https://abc12.api.infobip.com", "from": "ACME" }))
}

fn request(context: &Context<Settings>, message: &Message) -> Request {
    match Infobip::deliver(context, message).expect("a request") {
        Step::Send(Action::Http(request), _) => request,
        step => panic!("the request delivers: {step:?}"),
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_str(&request.body_text()).expect("JSON")
}

#[test]
fn an_sms_becomes_json() {
    let mut context = settings();
    context.callback_url = Some("https://d.example/callbacks/t0k3n".into());
    let request = request(&context, &sms("+525512345678", "Hola «\"tú\"»"));
    assert_eq!(request.url_text(), "https://abc12.api.infobip.com/sms/3/messages");
    assert_eq!(request.headers[1].0, "authorization");
    assert_eq!(request.headers[1].1.to_text(), "App {secret api_key}");
    assert_eq!(
        body(&request),
        json!({ "messages": [{
            "sender": "ACME",
            "destinations": [{ "to": "525512345678", "messageId": "01hzy3k9q8w7e-1" }],
            "content": { "text": "Hola «\"tú\"»" },
            "webhooks": {
                "delivery": { "url": "https://d.example/callbacks/t0k3n", "notify": true },
                "contentType": "application/json", "callbackData": "01hzy3k9q8w7e",
            },
        }] })
    );
}

#[test]
fn every_setting_has_its_field() {
    let context: Context<Settings> = context(json!({
        "base_url": "https://abc12.api.infobip.com/", "from": "525500001111", "validity_period": 3600,
    }));
    let request = request(&context, &sms("+525512345678", "x"));
    assert_eq!(request.url_text(), "https://abc12.api.infobip.com/sms/3/messages");
    let message = &body(&request)["messages"][0];
    assert_eq!(message["options"]["validityPeriod"], json!({ "amount": 3600, "timeUnit": "SECONDS" }));
    assert_eq!(message["webhooks"], Value::Null);
}

#[test]
fn what_cannot_be_sent_is_not_asked() {
    let kind = |message: &Message| Infobip::deliver(&settings(), message).unwrap_err().kind();
    assert_eq!(kind(&sms("+525512345678", "")), "rejected-content");
    let mut message = sms("+525512345678", "x");
    message.attachments = vec![link("https://f.example/a.png")];
    assert_eq!(kind(&message), "rejected-content");
    message.attachments.clear();
    message.to.clear();
    assert_eq!(kind(&message), "rejected-recipient");
}

#[test]
fn answers_and_outcomes() {
    testing::answers_of_steps::<Infobip>(include_str!("../testdata/answers.json"));
}

const KEY: &str = "01hzy3k9q8w7e-1";

fn reply(status: u16, body: Value) -> Reply {
    Reply::Http(response(status, &[], body.to_string()))
}

fn duplicate() -> Reply {
    let status = json!({ "groupId": 5, "id": 23, "name": "REJECTED_DUPLICATE_MESSAGE_ID" });
    reply(200, json!({ "messages": [{ "messageId": KEY, "status": status }] }))
}

fn log(id: &str, group: u32, state: u32) -> Reply {
    reply(200, json!({ "results": [{ "messageId": id, "status": { "groupId": group, "id": state } }] }))
}

/// The request of a step, which answers `Prepare` by its URL and `Send` by the id in it, and the state.
fn asked(step: Result<Step<State>, Refusal>) -> (String, State) {
    match step {
        Ok(Step::Prepare(Action::Http(request), state)) => (request.url_text(), state),
        Ok(Step::Send(Action::Http(request), state)) => {
            let id = body(&request)["messages"][0]["destinations"][0]["messageId"].clone();
            (id.as_str().expect("an id").to_owned(), state)
        }
        other => panic!("it asks: {other:?}"),
    }
}

fn ended(step: Result<Step<State>, Refusal>) -> String {
    match step {
        Ok(Step::Done(acceptance)) => acceptance.references.concat(),
        Ok(step) => panic!("it ends here: {step:?}"),
        Err(refusal) => format!("{} {}", refusal.kind(), refusal.reason().code),
    }
}

#[test]
fn a_message_that_infobip_has_is_asked_after() {
    let context = settings();
    let on_reply = |state, reply| Infobip::on_reply(&context, state, reply);
    let question = || {
        let (id, state) = asked(Infobip::deliver(&context, &sms("+525512345678", "Hola")));
        assert_eq!(id, KEY);
        let (url, state) = asked(on_reply(state, duplicate()));
        assert_eq!(url, format!("https://abc12.api.infobip.com/sms/3/logs?messageId={KEY}"));
        state
    };
    assert_eq!(ended(on_reply(question(), log(KEY, 3, 5))), KEY);
    assert_eq!(ended(on_reply(question(), log(KEY, 5, 12))), "rejected-account 12");
    assert_eq!(ended(on_reply(question(), log("another", 3, 5))), "unknown duplicate");
    assert_eq!(ended(on_reply(question(), reply(200, json!({})))), "unknown unreadable");
    assert_eq!(ended(on_reply(question(), reply(401, json!({})))), "unknown 401");
    // Even one that certainly did not leave: the message itself did, earlier.
    let failure = Failure { kind: FailureKind::Connect, detail: "no".into(), may_have_left: false };
    assert_eq!(ended(on_reply(question(), Reply::Failed(failure))), "unknown connect");
}

#[test]
fn a_refusal_that_passes_is_tried_by_another_id() {
    let context = settings();
    let on_reply = |state, reply| Infobip::on_reply(&context, state, reply);
    let (_, mut state) = asked(Infobip::deliver(&context, &sms("+525512345678", "Hola")));
    for (before, after) in [(KEY.to_owned(), format!("{KEY}-2")), (format!("{KEY}-2"), format!("{KEY}-3"))] {
        let (url, asking) = asked(on_reply(state, duplicate()));
        assert!(url.ends_with(&format!("messageId={before}")), "{url}");
        let (id, posted) = asked(on_reply(asking, log(&before, 5, 21)));
        assert_eq!(id, after);
        state = posted;
    }
    let (_, asking) = asked(on_reply(state, duplicate()));
    assert_eq!(ended(on_reply(asking, log(&format!("{KEY}-3"), 5, 21))), "deferred 21");
}

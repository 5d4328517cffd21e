//! Every check can fail: a plugin that keeps the contract passes, and one that breaks a single promise is told so.

mod stub;

use std::sync::atomic::{AtomicU32, Ordering};

use dispatch_conformance::{Effort, Report, Subject, examine};
use dispatch_model::{
    Ask, Asks, Body, Effect, Fault, HttpAnswer, LookupStep, Outcome, Reason, ReceiveStep, Received,
    Rejection, Reply, SettingProblem, Step,
};
use stub::{SETTINGS, Stub, accepted, ask, honest_reply, post, schema};

const EFFORT: Effort = Effort { cases: 20, seed: 1 };

async fn report(stub: &Stub) -> Report {
    let log = || std::mem::take(&mut *stub.log.lock().expect("no panic"));
    examine(&Subject { plugin: stub, settings: SETTINGS, schema: &schema, log: &log }, EFFORT).await
}

/// The promise that is broken, and no other.
#[track_caller]
fn check(stub: Stub, promise: &str) {
    let report =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(report(&stub));
    let broken: Vec<_> = report.checks.iter().filter(|check| check.broken > 0).collect();
    let names: Vec<_> = broken.iter().map(|check| check.name).collect();
    assert_eq!(names, [promise], "{broken:#?}");
    assert!(!report.passed());
}

fn done(outcome: Outcome) -> Result<Step, Fault> {
    Ok(Step::Done(outcome))
}

#[tokio::test]
async fn who_keeps_the_contract_passes() {
    let report = report(&Stub::honest()).await;
    let broken: Vec<_> = report.checks.iter().filter(|check| check.broken > 0).collect();
    assert!(report.passed() && broken.is_empty(), "{broken:#?}");
    let names: Vec<_> = report.checks.iter().map(|check| check.name).collect();
    assert_eq!(names.len(), 14, "all but those for callbacks and lookups that ask: {names:?}");
    assert_eq!(report.given_up, None);
    assert!(report.calls > 500 && report.checks.iter().all(|check| check.tried > 0));
}

#[test]
fn a_setting_without_words() {
    let mut stub = Stub::honest();
    stub.description.settings_schema =
        stub.description.settings_schema.replace("\"description\"", "\"$comment\"");
    check(stub, "the description is complete");
}

#[test]
fn settings_that_are_refused() {
    let refuse =
        |_: &str| Ok(Err(vec![SettingProblem { path: "url".to_owned(), message: "not today".to_owned() }]));
    check(Stub { check: Box::new(refuse), ..Stub::honest() }, "the given settings are accepted");
}

#[test]
fn settings_that_are_all_accepted() {
    let accept = |_: &str| Ok(Ok(Asks { hosts: vec!["api.example.com".to_owned()], ..Asks::default() }));
    check(Stub { check: Box::new(accept), ..Stub::honest() }, "wrong settings are refused, with words");
}

#[test]
fn a_schema_that_knows_less_than_check() {
    let stub = Stub::honest();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let lax = |_: &str| Vec::new();
    let subject = Subject { plugin: &stub, settings: SETTINGS, schema: &lax, log: &Vec::new };
    let report = runtime.block_on(examine(&subject, EFFORT));
    let broken: Vec<_> =
        report.checks.iter().filter(|check| check.broken > 0).map(|check| check.name).collect();
    assert_eq!(broken, ["the schema refuses what check refuses"]);
}

#[test]
fn a_trap_on_a_hostile_callback() {
    let trap = |callback: &dispatch_model::Callback| match matches!(callback, dispatch_model::Callback::Http(http) if http.body.is_empty())
    {
        true => Ok(ReceiveStep::Refused(Reason::new("empty", "empty"))),
        false => Err(Fault::Trap { detail: "unreachable".to_owned() }),
    };
    check(Stub { receive: Box::new(trap), ..Stub::honest() }, "every call ends by itself");
}

#[test]
fn a_trap_on_an_unreadable_answer() {
    let trap = |asked: &[u8], reply: &Reply| match reply {
        Reply::Http(response) if response.body.starts_with(&[0xff]) => {
            Err(Fault::Trap { detail: "unreachable".to_owned() })
        }
        _ => honest_reply(asked, reply),
    };
    check(Stub { on_reply: Box::new(trap), ..Stub::honest() }, "every call ends by itself");
}

#[test]
fn too_slow_for_a_large_message() {
    let slow = |context: &dispatch_model::Context, message: &dispatch_model::Message| {
        let size = serde_json::to_string(message).expect("JSON").len();
        if size > 50_000 { Err(Fault::Deadline { limit_ms: 250 }) } else { Ok(Step::Ask(post(context))) }
    };
    check(Stub { deliver: Box::new(slow), ..Stub::honest() }, "every call is done in time");
}

/// Each such call has taken the whole of its time: a few tell the story.
#[tokio::test]
async fn who_never_ends_is_given_up() {
    let never =
        |_: &dispatch_model::Context, _: &dispatch_model::Message| Err(Fault::Deadline { limit_ms: 250 });
    let stub = Stub { deliver: Box::new(never), ..Stub::honest() };
    let counted = AtomicU32::new(0);
    let log = || {
        counted.fetch_add(1, Ordering::Relaxed);
        Vec::new()
    };
    let report =
        examine(&Subject { plugin: &stub, settings: SETTINGS, schema: &schema, log: &log }, EFFORT).await;
    let late = report.checks.iter().find(|check| check.name == "every call is done in time");
    assert_eq!(late.map(|check| check.broken), Some(4), "{report:#?}");
    assert_eq!(report.given_up.as_deref(), Some("4 calls did not end in time"));
    assert_eq!(counted.into_inner(), 1, "what it has logged is looked at all the same");
}

#[test]
fn something_is_kept_between_calls() {
    let calls = AtomicU32::new(0);
    let counts = move |context: &dispatch_model::Context, _: &dispatch_model::Message| {
        let mut ask = post(context);
        ask.state = Body::from(calls.fetch_add(1, Ordering::Relaxed).to_string().into_bytes());
        Ok(Step::Ask(ask))
    };
    check(Stub { deliver: Box::new(counts), ..Stub::honest() }, "the same input gives the same output");
}

#[test]
fn it_asks_for_ever() {
    let on = |state: &[u8], _: &Reply| {
        let count = state.len() as u8;
        Ok(Step::Ask(Ask {
            state: Body::from(vec![b'x'; usize::from(count) + 1]),
            ..ask("https://api.example.com/")
        }))
    };
    check(Stub { on_reply: Box::new(on), ..Stub::honest() }, "every path ends in an outcome within 32 steps");
    let same = |_: &[u8], _: &Reply| Ok(Step::Ask(ask("https://api.example.com/again")));
    check(
        Stub { on_reply: Box::new(same), ..Stub::honest() },
        "every path ends in an outcome within 32 steps",
    );
}

#[test]
fn outcomes_against_the_answer() {
    let optimist = |_: &[u8], _: &Reply| done(accepted());
    check(
        Stub { on_reply: Box::new(optimist), ..Stub::honest() },
        "an outcome does not go against the answer",
    );
    let pessimist = |_: &[u8], _: &Reply| {
        done(Outcome::Rejected { kind: Rejection::Recipient, reason: Reason::new("no", "no") })
    };
    check(
        Stub { on_reply: Box::new(pessimist), ..Stub::honest() },
        "an outcome does not go against the answer",
    );
    let careless = |_: &[u8], reply: &Reply| match reply {
        Reply::Failed { .. } => {
            done(Outcome::Deferred { reason: Reason::new("x", "y"), retry_after_ms: None })
        }
        reply => honest_reply(&[], reply),
    };
    check(
        Stub { on_reply: Box::new(careless), ..Stub::honest() },
        "an outcome does not go against the answer",
    );
}

#[test]
fn a_request_to_another_host() {
    let elsewhere = |context: &dispatch_model::Context, _: &dispatch_model::Message| {
        let ask = ask("https://evil.example/");
        let dispatch_model::Action::Http(mut request) = ask.action else { unreachable!("it is HTTP") };
        // With a credential it would be a secret at the wrong place as well.
        request.credential = dispatch_model::Credential::None;
        request.body =
            vec![dispatch_model::Piece::Bytes(Body::from(context.idempotency_key.clone().into_bytes()))];
        Ok(Step::Ask(Ask { action: dispatch_model::Action::Http(request), ..ask }))
    };
    check(Stub { deliver: Box::new(elsewhere), ..Stub::honest() }, "requests go where the settings say");
}

#[test]
fn an_honest_message_is_refused() {
    let refuse = |_: &dispatch_model::Context, _: &dispatch_model::Message| {
        done(Outcome::Rejected { kind: Rejection::Content, reason: Reason::new("no", "no") })
    };
    check(Stub { deliver: Box::new(refuse), ..Stub::honest() }, "an honest message is delivered");
}

#[test]
fn idempotency_is_claimed_and_no_key_goes_along() {
    let without = |_: &dispatch_model::Context, _: &dispatch_model::Message| {
        Ok(Step::Ask(ask("https://api.example.com/")))
    };
    check(Stub { deliver: Box::new(without), ..Stub::honest() }, "the idempotency key goes along");
}

#[test]
fn a_lookup_that_delivers() {
    let mut stub = Stub::honest();
    stub.description.looks_up = true;
    stub.lookup = Box::new(|context| Ok(LookupStep::Ask(post(context))));
    check(stub, "a callback or a lookup delivers nothing");
}

#[test]
fn a_lookup_without_end() {
    let quiet = || Ask { effect: Effect::None, ..ask("https://api.example.com/") };
    let mut stub = Stub::honest();
    stub.description.looks_up = true;
    stub.lookup = Box::new(move |_| Ok(LookupStep::Ask(quiet())));
    stub.on_lookup_reply = Box::new(move |state, _| {
        let state = Body::from(vec![b'x'; state.len() + 1]);
        Ok(LookupStep::Ask(Ask { state, ..quiet() }))
    });
    check(stub, "every callback and lookup ends within 32 steps");
}

#[test]
fn features_that_are_not_described() {
    let mut stub = Stub::honest();
    stub.lookup = Box::new(|_| Ok(LookupStep::Absent));
    check(stub, "what is not described is refused");
    let mut stub = Stub::honest();
    stub.receive = Box::new(|_| {
        let answer = HttpAnswer { status: 200, content_type: None, body: Body::default() };
        Ok(ReceiveStep::Received(Received { answer, events: Vec::new() }))
    });
    check(stub, "what is not described is refused");
}

#[test]
fn a_secret_in_the_log_or_in_an_outcome() {
    let mut stub = Stub::honest();
    stub.chatty = true;
    check(stub, "secrets come out nowhere");
    let mut stub = Stub::honest();
    stub.reveals = true;
    check(stub, "secrets come out nowhere");
}

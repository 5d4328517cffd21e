//! The two calls of a delivery as native code: what they would take if there were no sandbox.
//!
//! ```text
//! cargo bench --package dispatcher-plugin-twilio --bench native
//! ```
//!
//! With message, settings and answer of `testdata/`, which `cargo xtask bench` gives to `dispatcher plugin bench` as well.
//! Like the guest, each call reads its settings from JSON. What crosses the sandbox's edge is what is being compared, so
//! nothing is converted here. Prints microseconds at the median, as JSON.

#![expect(clippy::print_stdout, reason = "a program that prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use dispatcher_plugin::{Context, Deliver as _, Message, Response, settings, testing};
use serde_json::{Value, json};

// The package is a component and nothing that could be linked: rust optimises over its crates only then.
#[path = "../src/lib.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "of the whole plugin, two functions are called")]
mod twilio;

use twilio::{Settings, Twilio};

const CALLS: usize = 100_000;
/// As `dispatcher plugin bench` tells it.
const CALLBACK_URL: &str = "https://dispatcher.example/callbacks/bench/AAAAAAAAAAAAAAAAAAAAAAAA";

fn main() {
    let settings_json = include_str!("../testdata/settings.json");
    let message = message();
    let response = response();
    let deliver = median(|| {
        let request = Twilio::request(&context(black_box(settings_json)), black_box(&message));
        drop(black_box(request.expect("the message is asked for")));
    });
    let on_reply = median(|| {
        let outcome = Twilio::outcome(&context(black_box(settings_json)), black_box(&response));
        drop(black_box(outcome.expect("the answer is an acceptance")));
    });
    println!("{}", json!({ "deliver_us": deliver, "on_reply_us": on_reply }));
}

/// What a call is told, made for it.
fn context(json: &str) -> Context<Settings> {
    Context {
        settings: settings(json).expect("the settings can be read"),
        now_ms: testing::NOW_MS,
        deadline_ms: testing::NOW_MS + 30_000,
        number: 1,
        idempotency_key: "01hzy3k9q8w7e-1".to_owned(),
        callback_url: Some(CALLBACK_URL.to_owned()),
    }
}

fn message() -> Message {
    let body: Value =
        serde_json::from_str(include_str!("../testdata/message.json")).expect("a webhook's body");
    let text = |name: &str| body[name].as_str().expect("a text").to_owned();
    testing::sms(&text("phone"), &text("message"))
}

fn response() -> Response {
    let cassette: Value =
        serde_json::from_str(include_str!("../testdata/cassette.json")).expect("a cassette");
    let http = &cassette[0]["reply"]["http"];
    let status = http["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    let text = |name: &str, header: &Value| header[name].as_str().expect("a header").to_owned();
    let headers = http["headers"].as_array().expect("headers").iter();
    let headers: Vec<_> = headers.map(|header| (text("name", header), text("value", header))).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = http["body"].as_str().expect("a body");
    testing::response(status, &headers, body)
}

/// Microseconds; the first tenth warms caches and is not counted.
fn median(mut call: impl FnMut()) -> f64 {
    (0..CALLS / 10).for_each(|_| call());
    let mut seconds: Vec<f64> = (0..CALLS)
        .map(|_| {
            let began = Instant::now();
            call();
            began.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[CALLS / 2] * 1e6
}

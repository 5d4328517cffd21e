//! What routing one message costs with 10 and with 100 000 locations:
//! `cargo run --release -p dispatch-routing --example route`

use std::hint::black_box;
use std::time::Instant;

use dispatch_model::{Channel, Content, Direction, PhoneNumber, SmsContent, Submission, Timestamp};
use dispatch_routing::{Conditions, Deliver, Router, Rule};

/// Submissions routed in one measurement.
const ROUNDS: usize = 200_000;

fn rule(name: String, location: Option<String>, channel: Option<Channel>) -> Rule {
    let locations = location.into_iter().map(Into::into).collect();
    let deliver = Deliver::InOrder(vec!["twilio".into(), "telnyx".into()]);
    Rule { name: name.into(), locations, channel, when: Conditions::default(), deliver }
}

fn id(number: usize) -> String {
    format!("GKAWb4yu7A4LSc{number:06}")
}

fn submission(location: String) -> Submission {
    let to = PhoneNumber { original: "+525512345678".into(), e164: Some("+525512345678".into()) };
    Submission {
        direction: Direction::Outbound,
        source: "highlevel".into(),
        location: location.into(),
        external_id: "GKJxs4P5L8dWc5CFUITM".into(),
        contact: Some("GKBhT6BfwY9mjzXAU3sq".into()),
        received_at: Timestamp::from_millis(0),
        content: Content::Sms(SmsContent { to, text: "hello".into() }),
        attachments: Vec::new(),
        extra: serde_json::Map::new(),
        problem: None,
    }
}

#[expect(clippy::print_stdout, reason = "an example prints what it measured")]
fn main() {
    for locations in [10, 1_000, 100_000] {
        let mut rules: Vec<_> =
            (0..locations).map(|n| rule(format!("client {n}"), Some(id(n)), Some(Channel::Sms))).collect();
        rules.push(rule("rest".to_owned(), None, None));
        let start = Instant::now();
        let router = Router::new(rules).expect("nothing is wrong with these rules");
        let built = start.elapsed();
        // A stride that visits locations all over the table, and a few messages of unknown ones.
        let submissions: Vec<_> =
            (0..1024).map(|n| submission(id(n * 7919 % (locations + locations / 8 + 1)))).collect();
        let start = Instant::now();
        for round in 0..ROUNDS {
            black_box(router.route(black_box(&submissions[round % submissions.len()])));
        }
        let each = start.elapsed().as_nanos() / ROUNDS as u128;
        println!("{locations:>7} locations: {each} ns a message; index built in {built:?}");
    }
}

//! Callbacks that nobody signed, and lookups with every kind of answer.

use std::collections::HashSet;

use dispatch_model::{Ask, Channel, Effect, LookupQuery, LookupStep, ReceiveStep};
use rand::rngs::SmallRng;

use crate::examination::{Desk, Effort, Meter, check_of};
use crate::message::{self, context};
use crate::reply;
use crate::report::Check;
use crate::walk::{ENDS, SAME};

const STEPS_MAX: usize = 8;
const QUESTIONS: &str = "a question delivers nothing";
const REFUSES: &str = "without the feature, it is refused";
const LOOKUPS: &str = "every lookup ends within 8 steps";

pub(crate) async fn examine(
    desk: &Desk<'_>,
    effort: Effort,
    rng: &mut SmallRng,
    checks: &mut Vec<Check>,
    meter: &mut Meter,
) {
    for _ in 0..effort.cases {
        let callback = message::callback(rng);
        receive(desk, &callback, checks, meter).await;
    }
    for channel in &desk.subject.plugin.description().channels {
        lookup(desk, *channel, checks, meter).await;
    }
}

async fn receive(
    desk: &Desk<'_>,
    callback: &dispatch_model::Callback,
    checks: &mut Vec<Check>,
    meter: &mut Meter,
) {
    let plugin = desk.subject.plugin;
    let context = context(desk.subject.settings, 1);
    let start: String = callback.body.to_text().chars().take(80).collect();
    let input = format!("callback {} {start}", callback.method);
    let (step, same) = meter.twice(|| plugin.receive(&context, callback, &desk.grants)).await;
    check_of(checks, SAME).hold(same, &input, || "receive gave two results".to_owned());
    let check = check_of(checks, ENDS);
    check.tried();
    match step {
        Err(fault) => check.broken(input, format!("receive: {fault}")),
        Ok(ReceiveStep::Ask(ask)) => {
            question(&ask, &input, checks);
            for answer in reply::all(&ask.action) {
                let step = meter
                    .once(plugin.on_receive_reply(&context, &ask.state, &answer.reply, &desk.grants))
                    .await;
                let input = format!("{input}; then {}", answer.name);
                let check = check_of(checks, ENDS);
                check.hold(step.is_ok(), &input, || {
                    step.err().map(|fault| fault.to_string()).unwrap_or_default()
                });
            }
        }
        Ok(ReceiveStep::Received(_)) if !plugin.description().receives => {
            check_of(checks, REFUSES).hold(false, &input, || {
                "receive believes a callback, and the description has not the feature".to_owned()
            });
        }
        Ok(_) => check_of(checks, REFUSES).tried(),
    }
}

async fn lookup(desk: &Desk<'_>, channel: Channel, checks: &mut Vec<Check>, meter: &mut Meter) {
    let plugin = desk.subject.plugin;
    let context = context(desk.subject.settings, 1);
    let query = LookupQuery { message: message::sample(channel), attempted_at: message::NOW };
    let (first, same) = meter.twice(|| plugin.lookup(&context, &query, &desk.grants)).await;
    let input = format!("lookup of an honest {channel}");
    check_of(checks, SAME).hold(same, &input, || "lookup gave two results".to_owned());
    let check = check_of(checks, ENDS);
    check.tried();
    let first = match first {
        Ok(LookupStep::Ask(ask)) => ask,
        Ok(step) => {
            let looks_up = plugin.description().looks_up;
            check_of(checks, REFUSES).hold(
                looks_up || matches!(step, LookupStep::CannotTell(_)),
                &input,
                || "lookup answers, and the description has not the feature".to_owned(),
            );
            return;
        }
        Err(fault) => return check.broken(input, format!("lookup: {fault}")),
    };
    let mut places = vec![(first, 1)];
    let mut seen = HashSet::new();
    while let Some((ask, steps)) = places.pop() {
        question(&ask, &input, checks);
        if !seen.insert(serde_json::to_string(&ask).unwrap_or_default()) {
            continue;
        }
        for answer in reply::all(&ask.action) {
            let input = format!("{input}; then {}", answer.name);
            let (step, same) = meter
                .twice(|| plugin.on_lookup_reply(&context, &ask.state, &answer.reply, &desk.grants))
                .await;
            check_of(checks, SAME).hold(same, &input, || "on-lookup-reply gave two results".to_owned());
            check_of(checks, ENDS).tried();
            match step {
                Err(fault) => check_of(checks, ENDS).broken(input, format!("on-lookup-reply: {fault}")),
                Ok(LookupStep::Ask(next)) if steps < STEPS_MAX => places.push((next, steps + 1)),
                Ok(step) => {
                    let on = matches!(step, LookupStep::Ask(_));
                    check_of(checks, LOOKUPS).hold(!on, &input, || "it asks on".to_owned());
                }
            }
        }
    }
}

fn question(ask: &Ask, input: &str, checks: &mut Vec<Check>) {
    check_of(checks, QUESTIONS).hold(ask.effect == Effect::None, input, || {
        "an action that delivers, in answer to a question".to_owned()
    });
}

//! Callbacks that nobody signed, and lookups, with every kind of answer.

use std::collections::HashSet;
use std::sync::Arc;

use dispatch_model::{Ask, Callback, Channel, Context, Effect, LookupQuery, LookupStep, ReceiveStep, Reply};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;

use crate::examination::{Book, Desk, Effort};
use crate::message::{self, context};
use crate::promise::{ANSWERS, FEATURES, QUESTIONS};
use crate::reply::{self, Answer};
use crate::walk;

/// Steps of a question; the contract names the number.
const STEPS_MAX: usize = 32;
/// Callbacks whose asks meet every kind of answer; those of the others meet one.
const THOROUGH: usize = 4;

pub(crate) async fn examine(desk: &Desk<'_>, effort: Effort, rng: &mut SmallRng, book: &mut Book) {
    let mut thorough = THOROUGH;
    for _ in 0..effort.cases {
        if book.is_full() {
            return;
        }
        receive(desk, &message::callback(rng), &mut thorough, rng, book).await;
    }
    for channel in &desk.subject.plugin.description().channels {
        if book.is_full() {
            return;
        }
        lookup(desk, *channel, rng, book).await;
    }
}

async fn receive(
    desk: &Desk<'_>,
    callback: &Callback,
    thorough: &mut usize,
    rng: &mut SmallRng,
    book: &mut Book,
) {
    let plugin = desk.subject.plugin;
    let context = context(desk.subject.settings, 1);
    let said = serde_json::to_string(callback).unwrap_or_default();
    let input = format!("callback {}", said.chars().take(160).collect::<String>());
    let step = book.twice("receive", &input, || plugin.receive(&context, callback, &desk.grants)).await;
    let receives = plugin.description().receives;
    match step {
        Some(ReceiveStep::Ask(ask)) => {
            let question = Question { desk, context: &context, kind: Kind::Receive, whole: *thorough > 0 };
            *thorough = thorough.saturating_sub(1);
            question.walk(ask, &input, rng, book).await;
        }
        Some(ReceiveStep::Received(_)) => book.hold(FEATURES, receives, &input, || {
            "receive believes a callback, and the description has not the feature".to_owned()
        }),
        Some(ReceiveStep::Refused(_)) => book.check(FEATURES).tried(),
        None => {}
    }
}

async fn lookup(desk: &Desk<'_>, channel: Channel, rng: &mut SmallRng, book: &mut Book) {
    let plugin = desk.subject.plugin;
    let context = context(desk.subject.settings, 1);
    let query = LookupQuery { message: message::sample(channel), attempted_at: message::NOW };
    let input = format!("lookup of an honest {channel}");
    let step = book.twice("lookup", &input, || plugin.lookup(&context, &query, &desk.grants)).await;
    let Some(step) = step else { return };
    let honest = plugin.description().looks_up || matches!(step, LookupStep::CannotTell(_));
    book.hold(FEATURES, honest, &input, || {
        "lookup answers, and the description has not the feature".to_owned()
    });
    if let LookupStep::Ask(ask) = step {
        let question = Question { desk, context: &context, kind: Kind::Lookup, whole: true };
        question.walk(ask, &input, rng, book).await;
    }
}

/// Which of the two.
#[derive(Clone, Copy)]
enum Kind {
    Receive,
    Lookup,
}

/// A question under way.
struct Question<'a> {
    desk: &'a Desk<'a>,
    context: &'a Context,
    kind: Kind,
    /// Whether every kind of answer is tried, or one.
    whole: bool,
}

impl Question<'_> {
    /// Goes all ways from an ask.
    async fn walk(&self, first: Ask, input: &str, rng: &mut SmallRng, book: &mut Book) {
        let mut places = vec![(first, 1, input.to_owned())];
        let mut seen = HashSet::new();
        while let Some((ask, steps, input)) = places.pop() {
            book.hold(QUESTIONS, ask.effect == Effect::None, &input, || {
                "an action that delivers, in answer to a question".to_owned()
            });
            walk::hosts(self.desk, &ask, &input, book);
            if !seen.insert(serde_json::to_string(&ask).unwrap_or_default()) {
                continue;
            }
            let answers = reply::all(&ask.action);
            let tried: Vec<&Answer> =
                if self.whole { answers.iter().collect() } else { answers.choose(rng).into_iter().collect() };
            for answer in tried {
                if book.is_full() {
                    return;
                }
                let input = format!("{input}; then {}", answer.name);
                match self.reply(&ask, &answer.reply, &input, book).await {
                    Some(Some(next)) if steps < STEPS_MAX => places.push((next, steps + 1, input)),
                    Some(next) => book.hold(ANSWERS, next.is_none(), &input, || "it asks on".to_owned()),
                    None => {}
                }
            }
        }
    }

    /// What it asks next, if it does.
    async fn reply(
        &self,
        ask: &Ask,
        reply: &Arc<Reply>,
        input: &str,
        book: &mut Book,
    ) -> Option<Option<Ask>> {
        let (plugin, grants, state) = (self.desk.subject.plugin, &self.desk.grants, &ask.state);
        match self.kind {
            Kind::Receive => {
                let call = || plugin.on_receive_reply(self.context, state, reply, grants);
                let step: Option<ReceiveStep> = book.twice("on-receive-reply", input, call).await;
                step.map(|step| if let ReceiveStep::Ask(ask) = step { Some(ask) } else { None })
            }
            Kind::Lookup => {
                let call = || plugin.on_lookup_reply(self.context, state, reply, grants);
                let step: Option<LookupStep> = book.twice("on-lookup-reply", input, call).await;
                step.map(|step| if let LookupStep::Ask(ask) = step { Some(ask) } else { None })
            }
        }
    }
}

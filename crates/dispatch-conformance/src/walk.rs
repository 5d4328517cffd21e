//! Every path through `deliver` and `on-reply`: with each kind of answer, until an outcome, within the bound of steps.

use std::collections::{HashMap, HashSet};

use dispatch_model::{Action, Ask, Channel, Effect, HttpRequest, Message, Outcome, Piece, Reply, Step};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;

use crate::examination::{Desk, Meter, check_of};
use crate::message::context;
use crate::reply::{self, Answer};
use crate::report::Check;

/// Steps of an attempt; the contract names the number.
const STEPS_MAX: usize = 8;
/// Messages that meet every kind of answer; the others meet one each.
const THOROUGH: usize = 4;
/// Different asks whose answers are tried, for one message: more are sampled.
const ASKS_MAX: usize = 64;

pub(crate) const ENDS: &str = "every call ends by itself";
pub(crate) const SAME: &str = "the same input gives the same output";
const PATHS: &str = "every path ends in an outcome within 8 steps";
const HONEST: &str = "an outcome does not go against the answer";
const HOSTS: &str = "requests go where the settings say";
const DELIVERS: &str = "an honest message is delivered";
const KEY: &str = "the idempotency key goes along";

pub(crate) async fn examine(
    desk: &Desk<'_>,
    messages: &[Message],
    rng: &mut SmallRng,
    checks: &mut Vec<Check>,
    meter: &mut Meter,
) {
    for name in [ENDS, SAME, PATHS, HONEST, HOSTS, DELIVERS] {
        check_of(checks, name);
    }
    for (index, message) in messages.iter().enumerate() {
        let walk = Walk { desk, message, name: name(index, message), thorough: index < THOROUGH };
        walk.run(rng, checks, meter).await;
    }
    for channel in &desk.subject.plugin.description().channels {
        delivers(desk, *channel, checks, meter).await;
    }
}

fn name(index: usize, message: &Message) -> String {
    let text = serde_json::to_string(&message.submission.content).unwrap_or_default();
    let start: String = text.chars().take(160).collect();
    format!("message {}: {start}", index + 1)
}

/// That there is one answer with which an honest message is accepted cannot be known without the provider; that a request
/// which delivers is made can.
async fn delivers(desk: &Desk<'_>, channel: Channel, checks: &mut Vec<Check>, meter: &mut Meter) {
    let plugin = desk.subject.plugin;
    let message = crate::sample(channel);
    let mut asked = Vec::new();
    for number in [1, 2] {
        let context = context(desk.subject.settings, number);
        asked.push(meter.once(plugin.deliver(&context, &message, &desk.grants)).await);
    }
    let began = asked.iter().all(|step| matches!(step, Ok(Step::Ask(_) | Step::Done(Outcome::Accepted(_)))));
    check_of(checks, DELIVERS)
        .hold(began, &format!("an honest {channel}"), || format!("it ends at once: {:?}", asked[0]));
    if !plugin.description().idempotent {
        return;
    }
    for step in asked.into_iter().flatten() {
        let Step::Ask(Ask { action, effect: Effect::Delivers, .. }) = step else { continue };
        let key = context(desk.subject.settings, 1).idempotency_key;
        check_of(checks, KEY).hold(text_of(&action).contains(&key), &format!("an honest {channel}"), || {
            "the description claims idempotency, and the request that delivers does not carry the key"
                .to_owned()
        });
    }
}

struct Walk<'a> {
    desk: &'a Desk<'a>,
    message: &'a Message,
    name: String,
    thorough: bool,
}

/// An ask on the way, and how it was come to.
struct Place {
    ask: Ask,
    path: Vec<String>,
    /// The asks before it: one that comes again would come for ever.
    before: Vec<String>,
}

impl Walk<'_> {
    async fn run(&self, rng: &mut SmallRng, checks: &mut Vec<Check>, meter: &mut Meter) {
        let plugin = self.desk.subject.plugin;
        let context = context(self.desk.subject.settings, 1);
        let (first, same) = meter.twice(|| plugin.deliver(&context, self.message, &self.desk.grants)).await;
        check_of(checks, SAME).hold(same, &self.name, || "deliver gave two results".to_owned());
        let first = match first {
            Ok(step) => step,
            Err(fault) => {
                check_of(checks, ENDS).hold(false, &self.name, || format!("deliver: {fault}"));
                return;
            }
        };
        check_of(checks, ENDS).tried();
        let Step::Ask(ask) = first else {
            check_of(checks, PATHS).tried();
            return;
        };
        let mut places = vec![Place { ask, path: Vec::new(), before: Vec::new() }];
        let mut seen = HashSet::new();
        let mut answers: HashMap<bool, Vec<Answer>> = HashMap::new();
        while let Some(place) = places.pop() {
            self.ask(&place.ask, &place.path, checks);
            let own = print(&place.ask);
            if !seen.insert(own.clone()) || seen.len() > ASKS_MAX {
                continue;
            }
            let is_http = matches!(place.ask.action, Action::Http(_));
            let answers = answers.entry(is_http).or_insert_with(|| reply::all(&place.ask.action));
            let tried: Vec<&Answer> = match self.thorough {
                true => answers.iter().collect(),
                false => answers.choose(rng).into_iter().collect(),
            };
            for answer in tried {
                let mut path = place.path.clone();
                path.push(answer.name.clone());
                let state = &place.ask.state;
                let (step, same) =
                    meter.twice(|| plugin.on_reply(&context, state, &answer.reply, &self.desk.grants)).await;
                let input = || format!("{}; then {}", self.name, path.join(", then "));
                check_of(checks, SAME).hold(same, &input(), || "on-reply gave two results".to_owned());
                check_of(checks, ENDS).tried();
                match step {
                    Err(fault) => check_of(checks, ENDS).broken(input(), format!("on-reply: {fault}")),
                    Ok(Step::Done(outcome)) => {
                        check_of(checks, PATHS).tried();
                        let check = check_of(checks, HONEST);
                        check.tried();
                        if let Some(why) = against(&outcome, &answer.reply) {
                            check.broken(input(), why);
                        }
                    }
                    Ok(Step::Ask(ask)) => {
                        let mut before = place.before.clone();
                        before.push(own.clone());
                        let again = before.contains(&print(&ask));
                        if again || path.len() >= STEPS_MAX {
                            let what = if again {
                                "it asks the same again, and would for ever"
                            } else {
                                "it asks on"
                            };
                            check_of(checks, PATHS).tried();
                            check_of(checks, PATHS).broken(input(), what);
                        } else {
                            places.push(Place { ask, path, before });
                        }
                    }
                }
            }
        }
    }

    /// Whether an action is one that the settings speak of.
    fn ask(&self, ask: &Ask, path: &[String], checks: &mut Vec<Check>) {
        let wrong = match &ask.action {
            Action::Mail(_) if !self.desk.asks.relay => {
                Some("a mail, and check did not ask for a relay".to_owned())
            }
            Action::Mail(_) => None,
            Action::Http(request) => {
                let host = host(request);
                let asked = host
                    .as_ref()
                    .is_some_and(|host| self.desk.asks.hosts.iter().any(|asked| covers(asked, host)));
                (!asked).then(|| match host {
                    Some(host) => format!("a request to {host}, which check did not ask for"),
                    None => "a request whose URL has no host in its first bytes".to_owned(),
                })
            }
        };
        let input = if path.is_empty() {
            self.name.clone()
        } else {
            format!("{}; then {}", self.name, path.join(", then "))
        };
        check_of(checks, HOSTS).hold(wrong.is_none(), &input, || wrong.clone().unwrap_or_default());
    }
}

/// What makes two asks the same.
fn print(ask: &Ask) -> String {
    serde_json::to_string(ask).unwrap_or_default()
}

/// Why an outcome cannot follow from an answer, where it cannot.
fn against(outcome: &Outcome, reply: &Reply) -> Option<String> {
    let accepted = matches!(outcome, Outcome::Accepted(_));
    match reply {
        Reply::Failed { .. } if accepted => Some("accepted, and there was no answer".to_owned()),
        Reply::Failed { may_have_left: true, .. } if matches!(outcome, Outcome::Deferred { .. }) => {
            Some("deferred, and bytes may have left: it is unknown (the host would overrule)".to_owned())
        }
        Reply::Http(response) if accepted && response.status >= 300 => {
            Some(format!("accepted, and the provider answered {}", response.status))
        }
        Reply::Http(response) if response.status == 429 && matches!(outcome, Outcome::Rejected { .. }) => {
            Some("rejected for good, and the provider only asked to wait (429)".to_owned())
        }
        Reply::Mail(mail) if accepted && mail.reply.code >= 400 => {
            Some(format!("accepted, and the relay answered {}", mail.reply.code))
        }
        _ => None,
    }
}

/// The host of a request's URL, in lower case and without its port.
pub(crate) fn host(request: &HttpRequest) -> Option<String> {
    let Some(Piece::Bytes(start)) = request.url.first() else { return None };
    let start = start.to_text();
    let (_, rest) = start.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => &authority[..=rest.find(']')? + 1],
        None => authority.split(':').next()?,
    };
    (!host.is_empty() && !authority.contains('@')).then(|| host.to_ascii_lowercase())
}

/// Whether a host pattern, exact or `*.` for one label, covers a host.
pub(crate) fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// All that an action says, as text; secrets and attachments are names.
pub(crate) fn text_of(action: &Action) -> String {
    let mut text = String::new();
    let mut take = |pieces: &[Piece]| {
        for piece in pieces {
            if let Piece::Bytes(bytes) = piece {
                text.push_str(&bytes.to_text());
            }
        }
        text.push('\n');
    };
    match action {
        Action::Http(request) => {
            take(&request.url);
            request.headers.iter().for_each(|header| take(&header.value));
            take(&request.body);
        }
        Action::Mail(mail) => take(&mail.body),
    }
    text
}

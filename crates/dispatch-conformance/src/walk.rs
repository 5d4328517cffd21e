//! Every path through `deliver` and `on-reply`: with each kind of answer, until an outcome, within the bound of steps.

use std::collections::{HashMap, HashSet};
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use dispatch_model::{Action, Ask, Channel, Credential, Effect, HttpRequest, Message, Outcome, Piece, Step};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;

use crate::examination::{Book, Desk, canary};
use crate::honest;
use crate::message::context;
use crate::promise::{DELIVERS, HONEST, HOSTS, KEY, PATHS};
use crate::reply::{self, Answer};

/// Steps of an attempt; the contract names the number.
const STEPS_MAX: usize = 32;
/// Messages that meet every kind of answer; the others meet one each.
const THOROUGH: usize = 4;
/// Different asks whose answers are tried, for one message: more are sampled.
const ASKS_MAX: usize = 64;

pub(crate) async fn examine(desk: &Desk<'_>, messages: &[Arc<Message>], rng: &mut SmallRng, book: &mut Book) {
    for (index, message) in messages.iter().enumerate() {
        if book.is_full() {
            return;
        }
        let context = crate::message::contexts(desk.subject.settings, index);
        let walk = Walk { desk, message, context, name: name(index, message), thorough: index < THOROUGH };
        walk.run(rng, book).await;
    }
    for channel in &desk.subject.plugin.description().channels {
        delivers(desk, *channel, book).await;
    }
}

fn name(index: usize, message: &Message) -> String {
    let text = serde_json::to_string(&message.submission.content).unwrap_or_default();
    let start: String = text.chars().take(160).collect();
    format!("message {}: {start}", index + 1)
}

/// That there is one answer with which an honest message is accepted cannot be known without the provider; that a request
/// is made for it can.
async fn delivers(desk: &Desk<'_>, channel: Channel, book: &mut Book) {
    let plugin = desk.subject.plugin;
    let message = Arc::new(crate::sample(channel));
    let input = format!("an honest {channel}");
    for number in [1, 2] {
        if book.is_full() {
            return;
        }
        let context = context(desk.subject.settings, number);
        let call = plugin.deliver(&context, &message, &desk.grants);
        let Some(step) = book.once("deliver", &input, call).await else { continue };
        let began = matches!(step, Step::Ask(_) | Step::Done(Outcome::Accepted(_)));
        book.hold(DELIVERS, began, &input, || format!("it ends at once: {step:?}"));
        if let Step::Ask(Ask { action, effect: Effect::Delivers, .. }) = step
            && plugin.description().idempotent
        {
            book.hold(KEY, text_of(&action).contains(&context.idempotency_key), &input, || {
                "the description claims idempotency, and the request that delivers does not carry the key"
                    .to_owned()
            });
        }
    }
}

struct Walk<'a> {
    desk: &'a Desk<'a>,
    message: &'a Arc<Message>,
    context: dispatch_model::Context,
    name: String,
    thorough: bool,
}

/// An ask on the way, and how it was come to.
struct Place {
    ask: Ask,
    path: Vec<String>,
    /// The asks before it: one that comes again would come for ever.
    before: Vec<String>,
    /// Whether anything that delivers was asked for, this ask included.
    delivering: bool,
}

impl Walk<'_> {
    async fn run(&self, rng: &mut SmallRng, book: &mut Book) {
        let plugin = self.desk.subject.plugin;
        let call = || plugin.deliver(&self.context, self.message, &self.desk.grants);
        let Some(first) = book.twice("deliver", &self.name, call).await else { return };
        let Step::Ask(ask) = first else {
            book.check(PATHS).tried();
            return;
        };
        let delivering = ask.effect == Effect::Delivers;
        let mut places = vec![Place { ask, path: Vec::new(), before: Vec::new(), delivering }];
        let mut seen = HashSet::new();
        let mut answers: HashMap<Discriminant<Action>, Vec<Answer>> = HashMap::new();
        while let Some(place) = places.pop() {
            hosts(self.desk, &place.ask, &self.input(&place.path), book);
            if !seen.insert(print(&place.ask)) || seen.len() > ASKS_MAX {
                continue;
            }
            let answers = answers
                .entry(discriminant(&place.ask.action))
                .or_insert_with(|| reply::all(&place.ask.action));
            let tried: Vec<&Answer> = match self.thorough {
                true => answers.iter().collect(),
                false => answers.choose(rng).into_iter().collect(),
            };
            for answer in tried {
                if book.is_full() {
                    return;
                }
                places.extend(self.answer(&place, answer, book).await);
            }
        }
    }

    /// What comes of one answer; the next place, where it asks on.
    async fn answer(&self, place: &Place, answer: &Answer, book: &mut Book) -> Option<Place> {
        let plugin = self.desk.subject.plugin;
        let path = [place.path.as_slice(), std::slice::from_ref(&answer.name)].concat();
        let input = self.input(&path);
        let state = &place.ask.state;
        let call = || plugin.on_reply(&self.context, state, &answer.reply, &self.desk.grants);
        match book.twice("on-reply", &input, call).await? {
            Step::Done(outcome) => {
                book.check(PATHS).tried();
                let why = honest::against(&outcome, &answer.reply, place.ask.effect, place.delivering);
                book.hold(HONEST, why.is_none(), &input, || why.unwrap_or_default());
                None
            }
            Step::Ask(ask) => {
                let before = [place.before.as_slice(), &[print(&place.ask)]].concat();
                let again = before.contains(&print(&ask));
                if again || path.len() >= STEPS_MAX {
                    let what =
                        if again { "it asks the same again, and would for ever" } else { "it asks on" };
                    book.hold(PATHS, false, &input, || what.to_owned());
                    return None;
                }
                let delivering = place.delivering || ask.effect == Effect::Delivers;
                Some(Place { ask, path, before, delivering })
            }
        }
    }

    fn input(&self, path: &[String]) -> String {
        if path.is_empty() {
            self.name.clone()
        } else {
            format!("{}; then {}", self.name, path.join(", then "))
        }
    }
}

/// Whether an action goes where the settings say.
pub(crate) fn hosts(desk: &Desk<'_>, ask: &Ask, input: &str, book: &mut Book) {
    let wrong = match &ask.action {
        Action::Mail(_) if !desk.asks.relay => Some("a mail, and check did not ask for a relay".to_owned()),
        Action::Smpp(_) if !desk.asks.session => {
            Some("a short message, and check did not ask for a session".to_owned())
        }
        Action::Mail(_) | Action::Smpp(_) => None,
        Action::Http(request) => {
            let token = match &request.credential {
                Credential::OAuth2ClientCredentials(client) => Some(host_of(&client.token_url)),
                _ => None,
            };
            let strange = |host: Option<String>| match host {
                Some(host) if desk.asks.hosts.iter().any(|asked| covers(asked, &host)) => None,
                Some(host) => Some(format!("a request to {host}, which check did not ask for")),
                None => Some("a request whose URL has no host in its first bytes".to_owned()),
            };
            strange(host(request)).or_else(|| token.and_then(strange))
        }
    };
    book.hold(HOSTS, wrong.is_none(), input, || wrong.unwrap_or_default());
}

/// What makes two asks the same.
fn print(ask: &Ask) -> String {
    serde_json::to_string(ask).unwrap_or_default()
}

/// The host of a request's URL, in lower case and without its port.
pub(crate) fn host(request: &HttpRequest) -> Option<String> {
    match request.url.first() {
        Some(Piece::Bytes(start)) => host_of(&start.to_text()),
        _ => None,
    }
}

fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
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

/// All that an action says, as text: secrets as they would stand there, attachments left out.
pub(crate) fn text_of(action: &Action) -> String {
    let mut text = String::new();
    let mut take = |pieces: &[Piece]| {
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => text.push_str(&bytes.to_text()),
                Piece::Secret { name, .. } => text.push_str(&canary(name)),
                Piece::Attachment { .. } => {}
            }
        }
        text.push('\n');
    };
    match action {
        Action::Http(request) => {
            take(&request.url);
            request.headers.iter().for_each(|header| take(&header.value));
            take(&request.body);
            match &request.credential {
                Credential::None => {}
                Credential::Basic { secret, .. } | Credential::Bearer { secret } => {
                    text.push_str(&canary(secret))
                }
                Credential::SigV4(key) => text.push_str(&canary(&key.secret)),
                Credential::OAuth2ClientCredentials(client) => text.push_str(&canary(&client.secret)),
            }
        }
        Action::Mail(mail) => take(&mail.body),
        Action::Smpp(submission) => text.push_str(&submission.short_message.to_text()),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_the_egress_reads_them() {
        for (url, host) in [
            ("https://api.Example.com:8443/x", Some("api.example.com")),
            ("http://[::1]:80/", Some("[::1]")),
            ("https://a@b.example/", None),
            ("https:///x", None),
            ("x", None),
        ] {
            assert_eq!(host_of(url).as_deref(), host, "{url}");
        }
        assert!(covers("*.example.com", "a.example.com") && !covers("*.example.com", "a.b.example.com"));
        assert!(!covers("*.example.com", "example.com"));
    }
}

//! A plugin that is a script: one request that delivers, and an answer read by its status.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use dispatch_engine::{Backend, Grants};
use dispatch_model::*;
use parking_lot::Mutex;

/// What the plugin does with a message.
#[derive(Clone, Debug)]
pub enum Deliver {
    /// One request that delivers.
    Once,
    /// A request for a token first, which delivers nothing.
    TokenFirst,
    /// It traps at once.
    Trap,
    /// It traps at the answer.
    TrapAtReply,
    /// The machine has no memory for its first step, so many times.
    Starved(usize),
    /// Nor for the answer, ever.
    StarvedAtReply,
    /// It asks and asks, without delivering.
    Endless,
    /// It knows the end without asking.
    Done(Outcome),
}

/// What it says to a lookup, after one question.
pub struct Plugin {
    pub description: Description,
    pub digest: String,
    pub deliver: Mutex<Deliver>,
    pub lookup: Mutex<LookupStep>,
    /// Calls of `deliver`.
    pub calls: AtomicUsize,
}

impl Plugin {
    pub fn new() -> Self {
        Self {
            description: Description {
                name: "script".into(),
                version: "1".into(),
                summary: String::new(),
                channels: vec![Channel::Sms, Channel::Email],
                settings_schema: "{}".into(),
                secrets: Vec::new(),
                limits: ProviderLimits {
                    text_max: None,
                    media: MediaSupport::Content,
                    media_max: 3,
                    media_bytes_max: 1000,
                },
                receives: true,
                looks_up: false,
                idempotent: false,
            },
            digest: "d1".into(),
            deliver: Mutex::new(Deliver::Once),
            lookup: Mutex::new(LookupStep::CannotTell(reason("no-idea"))),
            calls: AtomicUsize::new(0),
        }
    }

    pub fn set(&self, deliver: Deliver) {
        *self.deliver.lock() = deliver;
    }

    fn ask(context: &Context, message: &Message, effect: Effect, state: &str) -> Ask {
        Ask {
            action: Action::Http(HttpRequest {
                method: "POST".into(),
                url: vec![
                    Piece::text(format!("https://{}/{}/{state}", context.settings, message.id)),
                    Piece::Secret { name: "token".into(), escape: Escape::Percent },
                ],
                headers: vec![Header {
                    name: "idempotency-key".into(),
                    value: vec![Piece::text(context.idempotency_key.clone())],
                }],
                credential: Credential::None,
                body: vec![Piece::Bytes(Body::from(serde_json::to_vec(message).expect("plain data")))],
                redirects: 0,
            }),
            effect,
            state: Body::from(state.to_owned()),
        }
    }
}

pub fn reason(code: &str) -> Reason {
    Reason::new(code, "words of the provider")
}

/// A naive plugin's reading: no answer is "try later", which the host has to overrule.
pub fn read(reply: &Reply) -> Outcome {
    let Reply::Http(response) = reply else {
        return Outcome::Deferred { reason: reason("no-answer"), retry_after_ms: None };
    };
    let retry_after_ms = response
        .header("retry-after")
        .and_then(|value| value.parse::<u64>().ok())
        .map(|seconds| seconds * 1000);
    let code = response.status.to_string();
    let rejected = |kind| Outcome::Rejected { kind, reason: reason(&code) };
    match response.status {
        200 => match serde_json::from_slice::<Acceptance>(&response.body) {
            Ok(acceptance) => Outcome::Accepted(acceptance),
            Err(_) => Outcome::Accepted(Acceptance {
                references: vec![response.body.to_text()],
                ..Acceptance::default()
            }),
        },
        401 => rejected(Rejection::Account),
        403 => rejected(Rejection::Sender),
        404 => rejected(Rejection::Recipient),
        413 => rejected(Rejection::Content),
        429 => Outcome::Throttled { reason: reason(&code), retry_after_ms },
        502 => Outcome::Unknown { reason: reason(&code) },
        _ => Outcome::Deferred { reason: reason(&code), retry_after_ms },
    }
}

fn trap() -> Fault {
    Fault::Trap { detail: "unreachable".into() }
}

#[async_trait]
impl Backend for Plugin {
    fn description(&self) -> &Description {
        &self.description
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    async fn check(&self, _: &str) -> Result<Result<Asks, Vec<SettingProblem>>, Fault> {
        Ok(Ok(Asks::default()))
    }

    async fn deliver(&self, context: &Context, message: &Arc<Message>, _: &Grants) -> Result<Step, Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let ask = |effect, state| Ok(Step::Ask(Self::ask(context, message, effect, state)));
        match self.deliver.lock().clone() {
            Deliver::Starved(times) if call < times => Err(Fault::Starved),
            Deliver::Once | Deliver::TrapAtReply | Deliver::Starved(_) | Deliver::StarvedAtReply => {
                ask(Effect::Delivers, "send")
            }
            Deliver::TokenFirst => ask(Effect::None, "token"),
            Deliver::Endless => ask(Effect::None, "again"),
            Deliver::Trap => Err(trap()),
            Deliver::Done(outcome) => Ok(Step::Done(outcome)),
        }
    }

    async fn on_reply(
        &self,
        context: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        _: &Grants,
    ) -> Result<Step, Fault> {
        match (self.deliver.lock().clone(), state) {
            (Deliver::TrapAtReply, _) => Err(trap()),
            (Deliver::StarvedAtReply, _) => Err(Fault::Starved),
            (Deliver::TokenFirst, b"token") if matches!(&**reply, Reply::Http(_)) => {
                let Reply::Http(response) = &**reply else { unreachable!("just seen") };
                let message: Message = serde_json::from_slice(&response.body).expect("the provider echoes");
                Ok(Step::Ask(Self::ask(context, &message, Effect::Delivers, "send")))
            }
            (Deliver::Endless, _) => {
                let Reply::Http(response) = &**reply else { return Ok(Step::Done(read(reply))) };
                let message: Message = serde_json::from_slice(&response.body).expect("the provider echoes");
                Ok(Step::Ask(Self::ask(context, &message, Effect::None, "again")))
            }
            _ => Ok(Step::Done(read(reply))),
        }
    }

    async fn receive(
        &self,
        context: &Context,
        callback: &Callback,
        _: &Grants,
    ) -> Result<ReceiveStep, Fault> {
        let Callback::Http(callback) = callback else { return Ok(ReceiveStep::Refused(reason("not-http"))) };
        let ask = |effect| {
            ReceiveStep::Ask(Ask {
                action: Action::Http(HttpRequest {
                    method: "GET".into(),
                    url: vec![Piece::text(format!("https://{}/certificate", context.settings))],
                    headers: Vec::new(),
                    credential: Credential::None,
                    body: Vec::new(),
                    redirects: 0,
                }),
                effect,
                state: callback.body.clone(),
            })
        };
        Ok(match &callback.body[..] {
            b"forged" => ReceiveStep::Refused(reason("signature")),
            b"deliver" => ask(Effect::Delivers),
            b"trap" => return Err(trap()),
            _ => ask(Effect::None),
        })
    }

    async fn on_receive_reply(
        &self,
        _: &Context,
        state: &[u8],
        _: &Arc<Reply>,
        _: &Grants,
    ) -> Result<ReceiveStep, Fault> {
        Ok(ReceiveStep::Received(Received {
            answer: HttpAnswer::default(),
            events: vec![Event::Receipt(Receipt {
                reference: String::from_utf8_lossy(state).into_owned(),
                key: None,
                recipient: None,
                state: ReceiptState::Delivered,
                reason: None,
                at: None,
            })],
        }))
    }

    async fn lookup(&self, context: &Context, query: &LookupQuery, _: &Grants) -> Result<LookupStep, Fault> {
        Ok(LookupStep::Ask(Self::ask(context, &query.message, Effect::None, "lookup")))
    }

    async fn on_lookup_reply(
        &self,
        _: &Context,
        _: &[u8],
        _: &Arc<Reply>,
        _: &Grants,
    ) -> Result<LookupStep, Fault> {
        Ok(self.lookup.lock().clone())
    }
}

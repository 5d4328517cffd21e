//! A plugin in this process, whose parts are replaced one by one.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use dispatch_engine::{Backend, Grants};
use dispatch_model::{
    Acceptance, Action, Ask, Asks, Body, Callback, Channel, Context, Credential, Description, Effect,
    FailureKind, Fault, HttpRequest, LookupQuery, LookupStep, MediaSupport, Message, Outcome, Piece,
    ProviderLimits, Reason, ReceiveStep, Rejection, Reply, SecretAsk, SettingProblem, Step,
};
use serde_json::{Value, json};

/// What it accepts.
pub(crate) const SETTINGS: &str = r#"{"url":"https://api.example.com/"}"#;

type Checked = Result<Result<Asks, Vec<SettingProblem>>, Fault>;
type Call<A, B> = Box<dyn Fn(&A) -> Result<B, Fault> + Send + Sync>;
type Delivering = Box<dyn Fn(&Context, &Message) -> Result<Step, Fault> + Send + Sync>;
type Reading<B> = Box<dyn Fn(&[u8], &Reply) -> Result<B, Fault> + Send + Sync>;

/// The plugin.
pub(crate) struct Stub {
    pub(crate) description: Description,
    pub(crate) check: Box<dyn Fn(&str) -> Checked + Send + Sync>,
    pub(crate) deliver: Delivering,
    pub(crate) on_reply: Reading<Step>,
    pub(crate) receive: Call<Callback, ReceiveStep>,
    pub(crate) lookup: Call<Context, LookupStep>,
    pub(crate) on_lookup_reply: Reading<LookupStep>,
    /// Writes the secrets that it may read to the log.
    pub(crate) chatty: bool,
    /// Ends with a secret that it may read.
    pub(crate) reveals: bool,
    pub(crate) log: Mutex<Vec<String>>,
}

impl Stub {
    /// One that keeps the contract.
    pub(crate) fn honest() -> Self {
        let url = json!({ "type": "string", "description": "Where messages go." });
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["url"], "properties": { "url": url },
        });
        let limits =
            ProviderLimits { text_max: None, media: MediaSupport::None, media_max: 0, media_bytes_max: 0 };
        let secret = SecretAsk { name: "api_key".to_owned(), summary: "The key".to_owned(), required: true };
        Self {
            description: Description {
                name: "stub".to_owned(),
                version: "1".to_owned(),
                summary: "A stub.".to_owned(),
                channels: vec![Channel::Sms, Channel::Email],
                settings_schema: schema.to_string(),
                secrets: vec![secret],
                limits,
                receives: false,
                looks_up: false,
                idempotent: true,
            },
            check: Box::new(|settings| {
                let problems = schema_of(settings);
                let hosts = vec!["api.example.com".to_owned()];
                Ok(if problems.is_empty() { Ok(Asks { hosts, ..Asks::default() }) } else { Err(problems) })
            }),
            deliver: Box::new(|context, _| Ok(Step::Ask(post(context)))),
            on_reply: Box::new(honest_reply),
            receive: Box::new(|_| Ok(ReceiveStep::Refused(Reason::new("no", "no callbacks")))),
            lookup: Box::new(|_| Ok(LookupStep::CannotTell(Reason::new("no", "no lookups")))),
            on_lookup_reply: Box::new(|_, _| Ok(LookupStep::Absent)),
            chatty: false,
            reveals: false,
            log: Mutex::default(),
        }
    }
}

/// What the schema alone finds.
pub(crate) fn schema(settings: &str) -> Vec<SettingProblem> {
    schema_of(settings)
}

fn schema_of(settings: &str) -> Vec<SettingProblem> {
    let value: Value = serde_json::from_str(settings).unwrap_or_default();
    let right = value.as_object().is_some_and(|table| table.len() == 1 && table["url"].is_string());
    if right {
        Vec::new()
    } else {
        vec![SettingProblem { path: String::new(), message: "not so".to_owned() }]
    }
}

/// A request that delivers.
pub(crate) fn ask(url: &str) -> Ask {
    let request = HttpRequest {
        method: "POST".to_owned(),
        url: vec![Piece::Bytes(Body::from(url.as_bytes().to_vec()))],
        headers: Vec::new(),
        credential: Credential::Bearer { secret: "api_key".to_owned() },
        body: Vec::new(),
        redirects: 0,
    };
    Ask { action: Action::Http(request), effect: Effect::Delivers, state: Body::default() }
}

/// The same with the idempotency key.
pub(crate) fn post(context: &Context) -> Ask {
    ask(&format!("https://api.example.com/?key={}", context.idempotency_key))
}

/// The provider took it.
pub(crate) fn accepted() -> Outcome {
    Outcome::Accepted(Acceptance { references: vec!["1".to_owned()], ..Acceptance::default() })
}

/// What an honest plugin makes of an answer.
pub(crate) fn honest_reply(_: &[u8], reply: &Reply) -> Result<Step, Fault> {
    let reason = Reason::new("x", "as the provider says");
    Ok(Step::Done(match reply {
        Reply::Http(response) => match response.status {
            200..=299 => accepted(),
            429 => Outcome::Throttled { reason, retry_after_ms: None },
            500.. => Outcome::Unknown { reason },
            _ => Outcome::Rejected { kind: Rejection::Content, reason },
        },
        Reply::Failed { kind: FailureKind::Refused, .. } => {
            Outcome::Rejected { kind: Rejection::Account, reason }
        }
        Reply::Failed { may_have_left: false, .. } => Outcome::Deferred { reason, retry_after_ms: None },
        _ => Outcome::Unknown { reason },
    }))
}

#[async_trait]
impl Backend for Stub {
    fn description(&self) -> &Description {
        &self.description
    }

    fn digest(&self) -> &str {
        "stub"
    }

    async fn check(&self, settings: &str) -> Checked {
        (self.check)(settings)
    }

    async fn deliver(
        &self,
        context: &Context,
        message: &Arc<Message>,
        grants: &Grants,
    ) -> Result<Step, Fault> {
        for name in grants.reveal.iter() {
            let secret = grants.secrets[name].expose().to_owned();
            if self.chatty {
                self.log.lock().expect("no panic").push(format!("the key is {secret}"));
            }
            if self.reveals {
                return Ok(Step::Done(Outcome::Unknown { reason: Reason::new("x", secret) }));
            }
        }
        (self.deliver)(context, message)
    }

    async fn on_reply(
        &self,
        _: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        _: &Grants,
    ) -> Result<Step, Fault> {
        (self.on_reply)(state, reply)
    }

    async fn receive(&self, _: &Context, callback: &Callback, _: &Grants) -> Result<ReceiveStep, Fault> {
        (self.receive)(callback)
    }

    async fn on_receive_reply(
        &self,
        _: &Context,
        _: &[u8],
        _: &Arc<Reply>,
        _: &Grants,
    ) -> Result<ReceiveStep, Fault> {
        Ok(ReceiveStep::Refused(Reason::new("no", "no callbacks")))
    }

    async fn lookup(&self, context: &Context, _: &LookupQuery, _: &Grants) -> Result<LookupStep, Fault> {
        (self.lookup)(context)
    }

    async fn on_lookup_reply(
        &self,
        _: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        _: &Grants,
    ) -> Result<LookupStep, Fault> {
        (self.on_lookup_reply)(state, reply)
    }
}

//! A loaded plugin as the engine sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dispatch_engine::{Backend, Grants};
use dispatch_model::{
    Asks, Callback, Context, Description, Fault, LookupQuery, LookupStep, Message, ReceiveStep, Reply,
    SettingProblem, Step,
};
use wasmtime::component::{ComponentNamedList, Lift, Lower};

use crate::call::{CallState, Code};
use crate::contract::{
    CHECK, DELIVER, Function, LOOKUP, ON_LOOKUP_REPLY, ON_RECEIVE_REPLY, ON_REPLY, RECEIVE, Replied,
    Signature,
};
use crate::crew::{Lane, Turn};
use crate::imports::{Journal, Subject, Vault, Voice};
use crate::schema::SettingsSchema;
use crate::{lift, lower};

/// What is known of a plugin's bytes, whatever they are called.
pub(crate) struct Loaded {
    pub(crate) digest: String,
    pub(crate) code: Arc<Code>,
    pub(crate) description: Description,
    pub(crate) schema: SettingsSchema,
    pub(crate) uses_secrets: bool,
}

/// Before a call is tried once more for which the machine had no memory: a second and a half in all, and an attempt has
/// ten times as long.
const STARVED_WAITS: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
    Duration::from_millis(900),
];

/// A plugin, loaded and ready. Each call is served by an instance of its own.
pub struct Plugin {
    name: Arc<str>,
    loaded: Arc<Loaded>,
    lane: Lane,
    voice: Arc<Voice>,
    /// By [`Function`]: seconds a call took on its thread.
    seconds: Vec<metrics::Histogram>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("digest", &self.loaded.digest)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    pub(crate) fn new(name: &str, loaded: Arc<Loaded>, lane: Lane) -> Self {
        let name: Arc<str> = name.into();
        let seconds = Function::ALL
            .iter()
            .map(|function| {
                metrics::histogram!("dispatcher_plugin_call_seconds", "plugin" => name.to_string(), "call" => function.name())
            })
            .collect();
        Self { voice: Voice::new(Arc::clone(&name)), name, loaded, lane, seconds }
    }

    /// What the operator calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its schema alone finds wrong with settings (JSON).
    pub fn schema_problems(&self, settings: &str) -> Vec<SettingProblem> {
        self.loaded.schema.problems(settings)
    }

    /// What it says about itself.
    pub(crate) fn about(&self) -> &Description {
        &self.loaded.description
    }

    /// One call, and again where the machine had no memory for it: a pure function may be asked as often as one likes,
    /// and what a provider has answered is not asked for twice. `work` takes along what the call is given.
    async fn call<T, W>(
        &self,
        function: Function,
        whose: impl Fn() -> Subject,
        grants: Option<&Grants>,
        work: impl Fn() -> W,
    ) -> Result<T, Fault>
    where
        W: FnOnce(Call<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        for wait in STARVED_WAITS {
            match self.once(function, whose(), grants, work()).await {
                Err(Fault::Starved) => tokio::time::sleep(wait).await,
                done => return done,
            }
        }
        self.once(function, whose(), grants, work()).await
    }

    /// On another thread, in a fresh instance, its result held against the contract there.
    async fn once<T, W>(
        &self,
        function: Function,
        whose: Subject,
        grants: Option<&Grants>,
        work: W,
    ) -> Result<T, Fault>
    where
        W: FnOnce(Call<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let loaded = Arc::clone(&self.loaded);
        let journal = Journal::new(Arc::clone(&self.voice), whose);
        let vault = grants.filter(|_| loaded.uses_secrets).map(Vault::new).unwrap_or_default();
        let seconds = self.seconds[function as usize].clone();
        let result = self
            .lane
            .run(move |turn| {
                let started = Instant::now();
                let state = CallState::new(loaded.code.bounds(), journal, vault);
                let result = work(Call { code: &loaded.code, state, turn });
                seconds.record(started.elapsed());
                result
            })
            .await;
        if let Err(fault) = &result {
            metrics::counter!(
                "dispatcher_plugin_faults_total",
                "plugin" => self.name.to_string(), "call" => function.name(), "kind" => fault.kind()
            )
            .increment(1);
        }
        result
    }

    /// One of the three calls that go on with what was replied.
    async fn replied<R, T>(
        &self,
        signature: Replied<R>,
        accept: fn(R) -> Result<T, Fault>,
        context: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        grants: &Grants,
    ) -> Result<T, Fault>
    where
        R: Lift + Send + 'static,
        (R,): ComponentNamedList + Lift,
        T: Send + 'static,
    {
        let work = || {
            let (context, state, reply) = (context.clone(), state.to_vec(), Arc::clone(reply));
            move |call: Call<'_>| {
                call.of(signature, (lower::context(&context), &*state, lower::reply(&reply))).and_then(accept)
            }
        };
        self.call(signature.function, || subject(context, grants), Some(grants), work).await
    }
}

/// A call that may be made now, on this thread.
struct Call<'a> {
    code: &'a Code,
    state: CallState,
    turn: &'a Arc<Turn>,
}

impl Call<'_> {
    fn of<P, R>(self, signature: Signature<P, R>, params: P) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower,
        R: Lift + 'static,
        (R,): ComponentNamedList + Lift,
    {
        self.code.call(signature, self.state, params, self.turn)
    }
}

fn subject(context: &Context, grants: &Grants) -> Subject {
    Subject { owner: grants.owner.clone(), key: context.idempotency_key.clone(), attempt: context.number }
}

#[async_trait]
impl Backend for Plugin {
    fn description(&self) -> &Description {
        &self.loaded.description
    }

    fn digest(&self) -> &str {
        &self.loaded.digest
    }

    /// The schema's problems and the plugin's own, at once. Where both speak of one field, the schema's
    /// words stand: the plugin then mostly repeats that it cannot read it.
    async fn check(&self, settings: &str) -> Result<Result<Asks, Vec<SettingProblem>>, Fault> {
        let mut problems = self.loaded.schema.problems(settings);
        let given: Arc<str> = settings.into();
        let work = || {
            let given = Arc::clone(&given);
            move |call: Call<'_>| match call.of(CHECK, (&*given,))? {
                Ok(asks) => lift::asks(asks).map(Ok),
                Err(problems) => lift::problems(problems).map(Err),
            }
        };
        let own = self.call(CHECK.function, Subject::default, None, work).await;
        if problems.is_empty() {
            return own;
        }
        // A plugin may rely on its schema, so a fault on settings that break it says nothing new.
        if let Ok(Err(found)) = own {
            found.into_iter().filter(|one| !one.path.is_empty()).for_each(|one| {
                if !problems.iter().any(|known| related(&known.path, &one.path)) {
                    problems.push(one);
                }
            });
        }
        Ok(Err(problems))
    }

    async fn deliver(
        &self,
        context: &Context,
        message: &Arc<Message>,
        grants: &Grants,
    ) -> Result<Step, Fault> {
        let work = || {
            let (context, message) = (context.clone(), Arc::clone(message));
            move |call: Call<'_>| {
                call.of(DELIVER, (lower::context(&context), lower::message(&message))).and_then(lift::step)
            }
        };
        self.call(DELIVER.function, || subject(context, grants), Some(grants), work).await
    }

    async fn on_reply(
        &self,
        context: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        grants: &Grants,
    ) -> Result<Step, Fault> {
        self.replied(ON_REPLY, lift::step, context, state, reply, grants).await
    }

    async fn receive(
        &self,
        context: &Context,
        callback: &Callback,
        grants: &Grants,
    ) -> Result<ReceiveStep, Fault> {
        let work = || {
            let (context, callback) = (context.clone(), callback.clone());
            move |call: Call<'_>| {
                call.of(RECEIVE, (lower::context(&context), lower::callback(&callback)))
                    .and_then(lift::receive_step)
            }
        };
        self.call(RECEIVE.function, || subject(context, grants), Some(grants), work).await
    }

    async fn on_receive_reply(
        &self,
        context: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        grants: &Grants,
    ) -> Result<ReceiveStep, Fault> {
        self.replied(ON_RECEIVE_REPLY, lift::receive_step, context, state, reply, grants).await
    }

    async fn lookup(
        &self,
        context: &Context,
        query: &LookupQuery,
        grants: &Grants,
    ) -> Result<LookupStep, Fault> {
        let work = || {
            let (context, query) = (context.clone(), query.clone());
            move |call: Call<'_>| {
                call.of(LOOKUP, (lower::context(&context), lower::query(&query))).and_then(lift::lookup_step)
            }
        };
        self.call(LOOKUP.function, || subject(context, grants), Some(grants), work).await
    }

    async fn on_lookup_reply(
        &self,
        context: &Context,
        state: &[u8],
        reply: &Arc<Reply>,
        grants: &Grants,
    ) -> Result<LookupStep, Fault> {
        self.replied(ON_LOOKUP_REPLY, lift::lookup_step, context, state, reply, grants).await
    }
}

/// Whether one path is the other, or lies within it.
fn related(a: &str, b: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    a.is_empty() || within(a, b) || within(b, a)
}

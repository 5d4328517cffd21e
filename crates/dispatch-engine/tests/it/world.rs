//! One engine with all that is around it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dispatch_engine::*;
use dispatch_model::*;
use dispatch_routing::{Conditions, Deliver, Router, Rule, Weighted};
use dispatch_store::{Admitted, MemoryStore, MessageView, Store};
use dispatch_text::OptOutWords;
use tokio::time::Instant;

use crate::plugin::Plugin;
use crate::provider::Provider;
use crate::store::Moody;

/// Follows tokio's time, so that paused time moves the wall as well.
pub struct TokioClock {
    began: Instant,
}

impl TokioClock {
    pub const BASE: i64 = 1_795_000_000_000;
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(Self::BASE).plus(self.began.elapsed())
    }
}

/// A configuration to be.
#[derive(Clone)]
pub struct Draft {
    pub generation: u64,
    pub rules: Vec<Rule>,
    /// For messages from people.
    pub inbound: Vec<Rule>,
    pub policies: HashMap<RouteName, Policy>,
    pub backends: Vec<(String, Limits)>,
    pub overlays: Vec<(String, String, bool)>,
    pub plugins: HashMap<String, Arc<Plugin>>,
    pub plugin: Arc<Plugin>,
    /// Part of the settings, to tell one version from another.
    pub secret: String,
}

impl Draft {
    /// One route `all` to these backends in order, each with the shared scripted plugin.
    pub fn to(backends: &[&str]) -> Self {
        let names = backends.iter().map(|name| BackendName::from(*name)).collect();
        Self {
            generation: 1,
            rules: vec![rule("all", Deliver::InOrder(names))],
            inbound: Vec::new(),
            policies: HashMap::from([("all".into(), Policy::default())]),
            backends: backends.iter().map(|name| ((*name).to_owned(), Limits::default())).collect(),
            overlays: Vec::new(),
            plugins: HashMap::new(),
            plugin: Arc::new(Plugin::new()),
            secret: "s1".into(),
        }
    }

    pub fn weighted(weights: &[(&str, u32)]) -> Self {
        let names: Vec<&str> = weights.iter().map(|(name, _)| *name).collect();
        let mut draft = Self::to(&names);
        draft.rules[0].deliver = Deliver::Weighted(
            weights
                .iter()
                .map(|(name, weight)| Weighted { backend: (*name).into(), weight: *weight })
                .collect(),
        );
        draft
    }

    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(self.policies.entry("all".into()).or_default());
        self
    }

    pub fn limits(mut self, change: impl Fn(&mut Limits)) -> Self {
        self.backends.iter_mut().for_each(|(_, limits)| change(limits));
        self
    }

    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugin = Arc::new(plugin);
        self
    }

    /// Another plugin for one backend.
    pub fn plugin_of(mut self, backend: &str, plugin: Plugin) -> Self {
        self.plugins.insert(backend.into(), Arc::new(plugin));
        self
    }

    pub fn overlay(mut self, backend: &str, location: &str, own_lane: bool) -> Self {
        self.overlays.push((backend.into(), location.into(), own_lane));
        self
    }

    pub fn setup(&self) -> Setup {
        let backend = |(name, limits): &(String, Limits)| {
            let setup = BackendSetup {
                name: name.as_str().into(),
                plugin: Arc::clone(self.plugins.get(name).unwrap_or(&self.plugin)) as Arc<dyn Backend>,
                settings: name.as_str().into(),
                grants: self.grants(name),
                limits: *limits,
                dry_run: false,
            };
            (setup.name.clone(), Arc::new(setup))
        };
        let overlay = |(name, location, own_lane): &(String, String, bool)| {
            let overlay = Overlay {
                settings: format!("{name}@{location}").into(),
                grants: self.grants(name),
                own_lane: *own_lane,
            };
            ((name.as_str().into(), location.as_str().into()), Arc::new(overlay))
        };
        Setup {
            generation: self.generation,
            router: Router::new(self.rules.clone()).expect("the rules of a test are right"),
            inbound: Router::new(self.inbound.clone()).expect("the rules of a test are right"),
            opt_out: OptOutWords::usual([], [], []),
            policies: self.policies.clone(),
            backends: self.backends.iter().map(backend).collect(),
            overlays: self.overlays.iter().map(overlay).collect(),
            callbacks: Some(CallbackUrls::new("https://public", &[7; CALLBACK_KEY_LEN])),
        }
    }

    fn grants(&self, name: &str) -> Arc<Grants> {
        let secrets = [("token".to_owned(), Secret::new(self.secret.as_str()))].into();
        Arc::new(Grants { owner: name.into(), secrets: Arc::new(secrets), ..Grants::default() })
    }

    pub async fn start(self) -> World {
        World::start(self, Arc::new(MemoryStore::new())).await
    }
}

pub fn rule(name: &str, deliver: Deliver) -> Rule {
    Rule { name: name.into(), locations: Vec::new(), channel: None, when: Conditions::default(), deliver }
}

/// An engine with all that is around it.
pub struct World {
    pub draft: Draft,
    pub store: Arc<Moody>,
    pub provider: Arc<Provider>,
    pub clock: Arc<TokioClock>,
    pub engine: Arc<Engine>,
    sent: AtomicUsize,
}

impl World {
    pub async fn start(draft: Draft, store: Arc<dyn Store>) -> Self {
        Self::start_with(draft, store, Arc::new(Provider::default()), EngineConfig::default(), Instant::now())
            .await
    }

    pub async fn start_with(
        draft: Draft,
        store: Arc<dyn Store>,
        provider: Arc<Provider>,
        config: EngineConfig,
        began: Instant,
    ) -> Self {
        let store = Arc::new(Moody::over(store));
        let clock = Arc::new(TokioClock { began });
        let engine = Engine::start(EngineDeps {
            store: Arc::clone(&store) as Arc<dyn Store>,
            egress: Arc::clone(&provider) as Arc<dyn Egress>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            setup: draft.setup(),
            seed: 7,
            config,
        })
        .await
        .expect("a store in memory starts");
        Self { draft, store, provider, clock, engine, sent: AtomicUsize::new(0) }
    }

    /// The same store after the process died, and a new engine over it.
    pub async fn crash(self) -> Self {
        let draft = self.draft.clone();
        self.crash_into(draft).await
    }

    pub async fn crash_into(self, draft: Draft) -> Self {
        self.store.dead.store(true, Ordering::SeqCst);
        let (store, began) = (Arc::clone(&self.store.inner), self.clock.began);
        Self::start_with(draft, store, Arc::default(), EngineConfig::default(), began).await
    }

    pub fn submission(&self, location: &str, to: &str, text: &str) -> Submission {
        let number = self.sent.fetch_add(1, Ordering::SeqCst);
        Submission {
            direction: Direction::Outbound,
            source: "test".into(),
            location: location.into(),
            external_id: format!("{}-{number}", self.clock.now().as_millis()),
            contact: Some(format!("contact-{to}").into()),
            received_at: self.clock.now(),
            content: Content::Sms(SmsContent {
                to: PhoneNumber { original: to.into(), e164: Some(to.into()) },
                text: text.into(),
            }),
            attachments: Vec::new(),
            extra: serde_json::Map::new(),
            problem: None,
        }
    }

    pub async fn admit(&self, submission: Submission) -> Arc<Message> {
        match self.store.admit(submission).await.expect("a store in memory admits") {
            Admitted::Fresh(message) | Admitted::Waiting(message) => message,
            Admitted::Duplicate(id) => panic!("{id} is a duplicate"),
        }
    }

    /// Admits a message and tells the engine.
    pub async fn submit(&self, submission: Submission) -> MessageId {
        match self.store.admit(submission).await.expect("it is admitted") {
            Admitted::Fresh(message) => {
                let id = message.id;
                self.engine.admitted(message);
                id
            }
            Admitted::Waiting(message) => message.id,
            Admitted::Duplicate(id) => panic!("{id} is a duplicate"),
        }
    }

    pub async fn send_to(&self, location: &str, to: &str) -> MessageId {
        self.submit(self.submission(location, to, "hello")).await
    }

    pub async fn send(&self) -> MessageId {
        let number = self.sent.load(Ordering::SeqCst);
        self.send_to("loc", &format!("+52155{number:08}")).await
    }

    pub async fn view(&self, id: MessageId) -> MessageView {
        self.store.message(id).await.expect("it answers").expect("it was admitted")
    }

    pub async fn delivery(&self, id: MessageId) -> Delivery {
        self.view(id).await.delivery
    }

    /// Waits until the delivery is in this state.
    pub async fn until(&self, id: MessageId, state: DeliveryState) -> MessageView {
        let became = wait_until(|| async { self.delivery(id).await.state == state }).await;
        let view = self.view(id).await;
        assert!(became, "never {state}: {:#?}", view.delivery);
        view
    }

    /// Waits until it was tried, and is to be tried again.
    pub async fn deferred(&self, id: MessageId) {
        let waits =
            |delivery: Delivery| delivery.state == DeliveryState::Scheduled && delivery.attempts_total > 0;
        let became = wait_until(|| async { waits(self.delivery(id).await) }).await;
        assert!(became, "never deferred: {:#?}", self.delivery(id).await);
    }

    /// Sends one and waits until it is in this state.
    pub async fn ends(&self, state: DeliveryState) -> MessageView {
        let id = self.send().await;
        self.until(id, state).await
    }

    pub async fn lane(&self, name: &str) -> LaneStatus {
        let status = self.engine.status().await;
        status.lanes.into_iter().find(|lane| lane.name == name).unwrap_or_else(|| panic!("no lane {name}"))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Waits in paused time, at most two days, with ever longer looks; whether it came about.
pub async fn wait_until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) -> bool {
    let end = Instant::now() + Duration::from_secs(48 * 3600);
    let mut step = Duration::from_millis(1);
    while Instant::now() < end {
        if condition().await {
            return true;
        }
        tokio::time::sleep(step).await; // between two looks at the condition
        step = (step * 2).min(Duration::from_secs(1));
    }
    false
}

/// The outcomes of a message's attempts, with the backend of each.
pub fn outcomes(view: &MessageView) -> Vec<(String, &'static str)> {
    view.attempts.iter().map(|attempt| (attempt.backend.to_string(), attempt.outcome.kind())).collect()
}

//! What all parts of the engine share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use ahash::{AHashMap, AHashSet};
use arc_swap::ArcSwap;
use dispatch_model::{
    Access, BackendName, Channel, Clock, Facts, Lane, LocationId, Message, MessageId, Place, Policy,
    Timestamp,
};
use dispatch_store::{Store, StoreError, Suspension};
use parking_lot::{Mutex, RwLock};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attachments::Spool;
use crate::gate::{Gate, Room};
use crate::meters::Meters;
use crate::suppressed::Suppressed;
use crate::{BackendSetup, Egress, EngineConfig, Limits, Setup};

/// A store that refuses is logged once in so many milliseconds: every lane asks it again each second.
const REFUSAL_EVERY_MS: i64 = 5000;

/// What all parts of the engine share.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) egress: Arc<dyn Egress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: EngineConfig,
    pub(crate) setup: ArcSwap<Setup>,
    pub(crate) suspensions: ArcSwap<HashMap<Suspension, Timestamp>>,
    /// Who wants no messages.
    pub(crate) suppressed: Suppressed,
    pub(crate) spool: Spool,
    /// Room for messages that only wait for a slot.
    pub(crate) room: Room,
    /// Claims under way, over all lanes.
    pub(crate) claims: Arc<Semaphore>,
    /// Messages on their way into a plan: a scan of the store passes over them.
    pub(crate) planning: Mutex<AHashSet<MessageId>>,
    /// The door to the planner.
    pub(crate) queue: mpsc::Sender<Arc<Message>>,
    /// Whether the store holds unplanned messages that are not in the queue.
    pub(crate) unscanned: AtomicBool,
    pub(crate) scan: Notify,
    /// Lanes that the scheduler should look at; each at most once.
    pub(crate) listed: Mutex<Vec<Arc<Gate>>>,
    pub(crate) listed_any: Notify,
    pub(crate) tasks: TaskTracker,
    /// For what begins on a thread of the store.
    pub(crate) runtime: Handle,
    /// Nothing new is taken up.
    pub(crate) stop: CancellationToken,
    /// What is under way is broken off.
    pub(crate) abort: CancellationToken,
    pub(crate) fatal: watch::Sender<Option<String>>,
    pub(crate) attempts: AtomicUsize,
    pub(crate) broken_off: AtomicUsize,
    last_settled: AtomicI64,
    refusal_logged: AtomicI64,
    seed: u64,
    gates: RwLock<AHashMap<Lane, Arc<Gate>>>,
    meters: Mutex<AHashMap<BackendName, Arc<Meters>>>,
    siblings: ArcSwap<AHashMap<BackendName, Duration>>,
}

/// The parts a [`Core`] is made of.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) egress: Arc<dyn Egress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: EngineConfig,
    pub(crate) setup: Setup,
    pub(crate) seed: u64,
    pub(crate) queue: mpsc::Sender<Arc<Message>>,
    pub(crate) suspensions: HashMap<Suspension, Timestamp>,
    pub(crate) suppressed: Suppressed,
}

impl Core {
    pub(crate) fn new(parts: Parts) -> Self {
        let siblings = siblings(&parts.setup);
        Self {
            store: parts.store,
            egress: parts.egress,
            clock: parts.clock,
            setup: ArcSwap::from_pointee(parts.setup),
            suspensions: ArcSwap::from_pointee(parts.suspensions),
            suppressed: parts.suppressed,
            spool: Spool::default(),
            room: Room::default(),
            claims: Arc::new(Semaphore::new(parts.config.claims.max(1))),
            config: parts.config,
            planning: Mutex::default(),
            queue: parts.queue,
            unscanned: AtomicBool::new(true),
            scan: Notify::new(),
            listed: Mutex::default(),
            listed_any: Notify::new(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            fatal: watch::Sender::new(None),
            attempts: AtomicUsize::new(0),
            broken_off: AtomicUsize::new(0),
            last_settled: AtomicI64::new(i64::MIN),
            refusal_logged: AtomicI64::new(i64::MIN),
            seed: parts.seed,
            gates: RwLock::default(),
            meters: Mutex::default(),
            siblings: ArcSwap::from_pointee(siblings),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Randomness for one decision: the same seed, message and turn give the same jitter, and no lock is shared.
    pub(crate) fn rng(&self, message: MessageId, turn: u32) -> SmallRng {
        SmallRng::seed_from_u64(self.seed ^ message.as_i64() as u64 ^ (u64::from(turn) << 48))
    }

    /// The gate of a lane; made when first asked for.
    pub(crate) fn gate(&self, lane: &Lane) -> Arc<Gate> {
        if let Some(gate) = self.gates.read().get(lane) {
            return Arc::clone(gate);
        }
        let meters = Arc::clone(
            self.meters
                .lock()
                .entry(lane.backend.clone())
                .or_insert_with(|| Arc::new(Meters::new(&lane.backend))),
        );
        let mut gates = self.gates.write();
        Arc::clone(gates.entry(lane.clone()).or_insert_with(|| {
            let gate = Arc::new(Gate::new(lane.clone(), meters));
            // Under the lock: a reload at this moment either is seen here or finds the gate there.
            self.configure(&gate, &self.setup.load());
            gate
        }))
    }

    /// All gates.
    pub(crate) fn all_gates(&self) -> Vec<Arc<Gate>> {
        self.gates.read().values().cloned().collect()
    }

    /// Works by another setup from now on; tells which one it was.
    pub(crate) fn swap_setup(&self, setup: Setup) -> Arc<Setup> {
        let setup = Arc::new(setup);
        self.siblings.store(Arc::new(siblings(&setup)));
        let old = self.setup.swap(Arc::clone(&setup));
        let now = self.now();
        self.gates.write().retain(|lane, gate| setup.has_lane(lane) || !gate.is_idle(now));
        for gate in self.all_gates() {
            self.configure(&gate, &setup);
        }
        old
    }

    fn configure(&self, gate: &Gate, setup: &Setup) {
        let backend = &gate.lane.backend;
        let limits: Option<Limits> =
            setup.backends.get(backend).filter(|_| setup.has_lane(&gate.lane)).map(|it| it.limits);
        gate.configure(limits, self.siblings.load().get(backend).copied());
        gate.suspend(self.is_suspended(&Suspension::Backend(backend.clone())));
    }

    pub(crate) fn is_suspended(&self, what: &Suspension) -> bool {
        let suspensions = self.suspensions.load();
        !suspensions.is_empty() && suspensions.contains_key(what)
    }

    /// How a backend can be had for a location's message of this channel.
    pub(crate) fn place(
        &self,
        setup: &Setup,
        backend: &BackendName,
        location: &LocationId,
        channel: Channel,
    ) -> Place {
        let lane = setup.lane(backend, location);
        let carries = |it: &Arc<BackendSetup>| it.plugin.description().channels.contains(&channel);
        let access = match setup.backends.get(backend) {
            Some(known) if carries(known) => self.gate(&lane).access(self.now()),
            _ => Access::Gone,
        };
        Place { lane, access }
    }

    /// The facts for planning, where nothing was tried yet.
    pub(crate) fn plan_facts<'a>(
        &self,
        policy: &'a Policy,
        place: &'a dyn Fn(&BackendName) -> Place,
    ) -> Facts<'a> {
        Facts {
            policy,
            place,
            pause_default: Duration::ZERO,
            pause_max: Duration::ZERO,
            looks_up: false,
            idempotent: false,
        }
    }

    /// The scheduler should look at a lane.
    pub(crate) fn enlist(&self, gate: &Arc<Gate>) {
        if gate.enlist() {
            self.listed.lock().push(Arc::clone(gate));
            self.listed_any.notify_one();
        }
    }

    /// Work waits in a lane, due then.
    pub(crate) fn tell(&self, lane: &Lane, due: Timestamp) {
        let gate = self.gate(lane);
        gate.tell(due);
        self.enlist(&gate);
    }

    /// The planner should read back what the store holds unplanned.
    pub(crate) fn rescan(&self) {
        self.unscanned.store(true, Ordering::Release);
        self.scan.notify_one();
    }

    /// An attempt was recorded.
    pub(crate) fn settled_at(&self, at: Timestamp) {
        self.last_settled.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    /// When one was last recorded.
    pub(crate) fn last_settled(&self) -> Option<Timestamp> {
        let millis = self.last_settled.load(Ordering::Relaxed);
        (millis != i64::MIN).then_some(Timestamp::from_millis(millis))
    }

    /// Notes a store's refusal where nobody else handles it: one that cannot be lived with stops the engine.
    pub(crate) fn store_failed(&self, doing: &'static str, error: &StoreError) {
        if let StoreError::Fatal { detail } = error {
            let first = self.fatal.send_if_modified(|known| {
                let first = known.is_none();
                known.get_or_insert_with(|| detail.clone());
                first
            });
            if first {
                tracing::error!(doing, error = %error, "engine.stopped");
            }
            self.stop.cancel();
        } else {
            let now = self.now().as_millis();
            let last = self.refusal_logged.load(Ordering::Relaxed);
            if now.saturating_sub(last) >= REFUSAL_EVERY_MS {
                self.refusal_logged.store(now, Ordering::Relaxed);
                tracing::warn!(doing, error = %error, "engine.store_refused");
            }
        }
    }
}

/// For each backend that shares a route with others: the least patience of those routes. Only its waiting
/// work can go elsewhere, so only its lanes are swept while they cannot be had.
fn siblings(setup: &Setup) -> AHashMap<BackendName, Duration> {
    let mut siblings: AHashMap<BackendName, Duration> = AHashMap::new();
    for rule in setup.router.rules().iter().chain(setup.inbound.rules()) {
        if rule.deliver.backends().nth(1).is_none() {
            continue;
        }
        let patience = setup
            .policies
            .get(&rule.name)
            .map_or_else(|| Policy::default().patience, |policy| policy.patience);
        for backend in rule.deliver.backends() {
            let least = siblings.entry(backend.clone()).or_insert(patience);
            *least = patience.min(*least);
        }
    }
    siblings
}

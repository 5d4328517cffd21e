//! The engine as its owner sees it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dispatch_model::{Callback, Delivery, Event, Lane, Message, MessageId, Timestamp};
use dispatch_store::{StoreError, Suppression, SuppressionFilter, Suspension};
use tokio::sync::{mpsc, watch};

use crate::admission::Foreman;
use crate::attempt::Means;
use crate::core::{Core, Parts};
use crate::suppressed::Suppressed;
use crate::{
    CallbackEnd, Caller, EngineDeps, EngineStatus, Explanation, LookupOutcome, Setup, SuspensionStatus,
    Tally, callback, explain, planner, question, record, scheduler,
};

/// Attempts that were broken off get this long to record it; what is then left is left leased, and
/// recovered at the next start.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The engine: takes admitted messages to their recorded outcomes.
pub struct Engine {
    core: Arc<Core>,
}

/// What was left when a drain ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Whether all attempts ended by themselves within the bound.
    pub finished: bool,
    /// Attempts that were broken off; they are recorded as released or unknown.
    pub broken_off: usize,
}

impl Engine {
    /// Takes over from the last process (old leases are voided), reads what lanes were paused or open,
    /// and begins to work.
    pub async fn start(deps: EngineDeps) -> Result<Arc<Self>, StoreError> {
        let EngineDeps { store, egress, clock, setup, seed, config } = deps;
        let (released, unknown) = store.recover(clock.now()).await?;
        if released + unknown > 0 {
            tracing::info!(released, unknown, "engine.recovered");
        }
        let suspensions = store.suspensions().await?.into_iter().collect();
        let records = store.lane_records().await?;
        let waiting = store.lanes().await?;
        let (queue, planned) = mpsc::channel(config.queue.max(1));
        let suppressed = Suppressed::load(&*store).await?;
        let parts = Parts { store, egress, clock, config, setup, seed, queue, suspensions, suppressed };
        let core = Arc::new(Core::new(parts));
        for (lane, record) in records {
            core.gate(&lane).restore(record, core.now());
        }
        let engine = Arc::new(Self { core: Arc::clone(&core) });
        engine.open_lanes();
        for count in waiting {
            core.tell(&count.lane, count.first_due);
        }
        engine.relane(|_| true);
        core.store.plan_with(Arc::new(Foreman(Arc::downgrade(&core))));
        core.tasks.spawn(planner::run(Arc::clone(&core), planned));
        core.tasks.spawn(scheduler::run(Arc::clone(&core)));
        Ok(engine)
    }

    /// A message has been admitted. Never blocks; when the queue is full the message is read back from
    /// the store, where it is.
    pub fn admitted(&self, message: Arc<Message>) {
        if self.core.queue.try_send(message).is_err() {
            self.core.rescan();
        }
    }

    /// Works by another setup from now on: all of it. Attempts under way finish on what they started with.
    pub fn reload(&self, setup: Setup) {
        let core = &self.core;
        let old = core.swap_setup(setup);
        let setup = core.setup.load_full();
        let now = core.now();
        self.open_lanes();
        for gate in core.all_gates() {
            if changed(&old, &setup, &gate.lane) {
                // Perhaps what was wrong is right now: credentials, most of all.
                gate.probe_now(now);
                record::save(core, &gate);
            }
            core.enlist(&gate);
        }
        self.relane(|lane| old.has_lane(lane));
        tracing::info!(generation = setup.generation, "engine.reloaded");
    }

    /// The setup that is in force.
    pub fn setup(&self) -> Arc<Setup> {
        self.core.setup.load_full()
    }

    /// Suspends a backend, a route or a location, durably. `Ok(false)` when it was.
    pub async fn suspend(&self, what: Suspension) -> Result<bool, StoreError> {
        self.set_suspended(what, true).await
    }

    /// Resumes it. `Ok(false)` when it was not suspended.
    pub async fn resume(&self, what: Suspension) -> Result<bool, StoreError> {
        self.set_suspended(what, false).await
    }

    /// Looks for work anew: after a redrive, a resolve or a cancel wrote to the store.
    pub fn wake(&self) {
        self.core.rescan();
        let core = Arc::clone(&self.core);
        self.core.tasks.spawn(async move {
            match core.store.lanes().await {
                Ok(counts) => counts.iter().for_each(|count| core.tell(&count.lane, count.first_due)),
                Err(error) => core.store_failed("asking for waiting work", &error),
            }
        });
    }

    /// What an operator sees.
    pub async fn status(&self) -> EngineStatus {
        let core = &self.core;
        let now = core.now();
        let waiting: Option<HashMap<Lane, u64>> = match core.store.lanes().await {
            Ok(counts) => Some(counts.into_iter().map(|count| (count.lane, count.waiting)).collect()),
            Err(_) => None,
        };
        let count = |lane: &Lane| waiting.as_ref().map(|all| all.get(lane).copied().unwrap_or(0));
        let mut lanes: Vec<_> = core
            .all_gates()
            .iter()
            .filter(|gate| gate.lane.location.is_none() || !gate.is_idle(now) || count(&gate.lane) > Some(0))
            .map(|gate| gate.status(now, count(&gate.lane)))
            .collect();
        lanes.sort_by(|a, b| a.lane.cmp(&b.lane));
        let mut suspensions: Vec<_> = core
            .suspensions
            .load()
            .iter()
            .map(|(what, since)| SuspensionStatus { what: what.clone(), since: *since })
            .collect();
        suspensions.sort_by(|a, b| a.what.cmp(&b.what));
        EngineStatus {
            generation: core.setup.load().generation,
            draining: core.stop.is_cancelled(),
            fatal: core.fatal.borrow().clone(),
            planning: core.queue.max_capacity() - core.queue.capacity(),
            attempts: core.attempts.load(Ordering::Relaxed),
            last_settled_at: core.last_settled(),
            lanes,
            suspensions,
        }
    }

    /// What would be done with a message now.
    pub async fn explain(&self, message: &Message) -> Explanation {
        let setup = self.setup();
        explain::explain_now(&self.core, &setup, message).await
    }

    /// Takes a provider's callback: the plugin reads it, and what it says is kept.
    pub async fn callback(&self, caller: &Caller, callback: &Callback) -> CallbackEnd {
        let setup = self.setup();
        callback::callback(&self.core, &setup, caller, callback).await
    }

    /// Keeps what a provider said by another way than a callback, for example a session that the host holds. When it
    /// returns `Ok` all of it is on disk, and the provider may be told so.
    pub async fn hear(&self, caller: &Caller, events: Vec<Event>) -> Result<Tally, StoreError> {
        callback::hear(&self.core, caller, events).await
    }

    /// Suppresses people, durably; how many were not before.
    pub async fn suppress(&self, people: Vec<Suppression>) -> Result<usize, StoreError> {
        let core = &self.core;
        let _alone = core.suppressed.changing().await;
        let new = core.store.suppress(people.clone()).await?;
        people.iter().for_each(|one| core.suppressed.add(one));
        Ok(new)
    }

    /// Lifts suppressions, durably; how many.
    pub async fn unsuppress(&self, filter: SuppressionFilter) -> Result<usize, StoreError> {
        let core = &self.core;
        let _alone = core.suppressed.changing().await;
        let lifted = core.store.unsuppress(filter.clone()).await?;
        match (filter.channel, &filter.address) {
            (Some(channel), Some(address)) => core.suppressed.refresh(&*core.store, channel, address).await?,
            _ => core.suppressed.refresh_all(&*core.store).await?,
        }
        Ok(lifted)
    }

    /// Asks the provider what became of a message's last attempt. Changes nothing.
    pub async fn lookup(&self, message: MessageId) -> Result<LookupOutcome, StoreError> {
        let Some(view) = self.core.store.message(message).await?.filter(|view| !view.content_purged) else {
            return Ok(LookupOutcome::NoMessage);
        };
        let mut delivery: Delivery = view.delivery;
        if let Some(last) = view.attempts.last() {
            delivery.plan.chain = vec![last.backend.clone()];
            delivery.position = 0;
        }
        let setup = self.setup();
        let Some(means) = Means::of(&setup, &delivery) else { return Ok(LookupOutcome::NotSupported) };
        let mut exchanges = Vec::new();
        let answer =
            question::ask_provider(&self.core, &setup, &means, &view.message, &delivery, &mut exchanges)
                .await;
        answer.map_err(|_| StoreError::Unavailable { detail: "the engine is stopping".to_owned() })
    }

    /// Why the engine stopped for good, once it did: the store failed. The process should end.
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.core.fatal.subscribe()
    }

    /// Stops taking up work, waits at most `bound` for attempts under way, and breaks off the rest: what
    /// had not left is given back, what may have left is recorded as unknown.
    pub async fn drain(&self, bound: Duration) -> Drained {
        let core = &self.core;
        core.stop.cancel();
        core.tasks.close();
        let finished = tokio::time::timeout(bound, core.tasks.wait()).await.is_ok();
        if !finished {
            core.abort.cancel();
            if tokio::time::timeout(LAST_WORDS, core.tasks.wait()).await.is_err() {
                tracing::warn!(attempts = core.attempts.load(Ordering::Relaxed), "engine.left_leased");
            }
        }
        Drained { finished, broken_off: core.broken_off.load(Ordering::Relaxed) }
    }

    async fn set_suspended(&self, what: Suspension, suspended: bool) -> Result<bool, StoreError> {
        let core = &self.core;
        let now = core.now();
        let changed = core.store.suspend(what.clone(), suspended, now).await?;
        core.suspensions.rcu(|known| {
            let mut next: HashMap<Suspension, Timestamp> = (**known).clone();
            if suspended {
                next.entry(what.clone()).or_insert(now);
            } else {
                next.remove(&what);
            }
            next
        });
        if let Suspension::Backend(backend) = &what {
            for gate in core.all_gates().iter().filter(|gate| gate.lane.backend == *backend) {
                gate.suspend(suspended);
                core.enlist(gate);
            }
        }
        // What was passed over has no timer: the store says where it waits.
        self.wake();
        Ok(changed)
    }

    /// The shared lane of every backend is there from the start, so that `status` shows it.
    fn open_lanes(&self) {
        for backend in self.core.setup.load().backends.keys() {
            self.core.gate(&Lane::shared(backend.clone()));
        }
    }

    /// Moves what waits in lanes of locations that have none of their own any more.
    fn relane(&self, was: impl Fn(&Lane) -> bool) {
        let setup = self.setup();
        for gate in self.core.all_gates() {
            let lane = &gate.lane;
            if lane.location.is_some()
                && was(lane)
                && !setup.has_lane(lane)
                && setup.backends.contains_key(&lane.backend)
            {
                scheduler::relane(&self.core, lane.clone());
            }
        }
    }
}

/// An engine that nobody holds any more stops: what it had under way is recovered at the next start.
impl Drop for Engine {
    fn drop(&mut self) {
        self.core.stop.cancel();
        self.core.abort.cancel();
    }
}

/// Whether settings, secrets or plugin of a lane differ between two setups.
fn changed(old: &Setup, new: &Setup, lane: &Lane) -> bool {
    let of = |setup: &Setup| {
        let backend = setup.backends.get(&lane.backend)?;
        let digest = backend.plugin.digest().to_owned();
        Some((setup.settings(backend, lane.location.as_ref()), digest))
    };
    of(old) != of(new)
}

//! The door as a whole: accepts, counts, opens and closes.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use dispatch_model::Clock;
use dispatch_store::Store;
use metrics::gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admit::Handoff;
use crate::answer::{Busy, Situation};
use crate::callback::{AT_ONCE, Callbacks};
use crate::config::{IngressConfig, Limits};
use crate::connection::{serve, turn_away};
use crate::gate::Gate;
use crate::listener::{Listener, Origin, Socket};
use crate::memory::Memory;
use crate::notary::Notary;

/// Connections beyond the bound that wait for a place instead of being left in the backlog, where
/// nobody would tell them to come again.
const WAITING_ROOM: usize = 64;

/// Between two failures to accept: out of file descriptors is over when others have closed theirs.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long requests under way may take once the door is shut.
const CLOSING_TIME: Duration = Duration::from_secs(10);

/// The door. Cheap to clone: all clones are one.
#[derive(Clone)]
pub struct Ingress(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) live: ArcSwap<Live>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) handoff: Arc<dyn Handoff>,
    pub(crate) callbacks: Arc<dyn Callbacks>,
    /// Callbacks that may be read at once.
    pub(crate) reading: Arc<Semaphore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) notary: Notary,
    /// Admissions under way; they outlive their connections. Closed at the first end of `serve`, which
    /// only means that one can wait for it to be empty.
    pub(crate) admissions: TaskTracker,
    gate: watch::Sender<Gate>,
}

/// The configuration in force and what is counted under it.
pub(crate) struct Live {
    pub(crate) config: IngressConfig,
    pub(crate) memory: Memory,
    connections: Arc<Semaphore>,
}

impl Live {
    /// Counters go on where their bound is the same as before.
    fn new(config: IngressConfig, before: Option<&Self>) -> Self {
        let limits = &config.limits;
        let same = |bound: fn(&Limits) -> usize| {
            before.filter(|before| bound(&before.config.limits) == bound(limits))
        };
        let memory = same(|limits| limits.memory_max)
            .map_or_else(|| Memory::new(limits.memory_max), |before| before.memory.clone());
        let connections = same(|limits| limits.connections_max).map_or_else(
            || Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS))),
            |before| before.connections.clone(),
        );
        Self { config, memory, connections }
    }
}

impl Shared {
    pub(crate) fn gate(&self) -> Gate {
        *self.gate.borrow()
    }
}

impl Ingress {
    /// A door that is [`Gate::Starting`].
    pub fn new(
        config: IngressConfig,
        store: Arc<dyn Store>,
        handoff: Arc<dyn Handoff>,
        callbacks: Arc<dyn Callbacks>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Shared {
            live: ArcSwap::from_pointee(Live::new(config, None)),
            store,
            handoff,
            callbacks,
            reading: Arc::new(Semaphore::new(AT_ONCE)),
            clock,
            notary: Notary::default(),
            admissions: TaskTracker::new(),
            gate: watch::Sender::new(Gate::Starting),
        }))
    }

    /// Opens or closes the door. Requests under way are not touched.
    pub fn set_gate(&self, gate: Gate) {
        self.0.gate.send_replace(gate);
    }

    /// Whether the door is open.
    pub fn gate(&self) -> Gate {
        self.0.gate()
    }

    /// Puts another configuration in force. Requests under way end under the old one, and connections
    /// keep the time-outs they began with. Where a bound over all changed it is counted anew, so that
    /// for a moment both the old and the new may be used in full.
    pub fn reload(&self, config: IngressConfig) {
        let before = self.0.live.load();
        self.0.live.store(Arc::new(Live::new(config, Some(&before))));
    }

    /// Serves a listener until `shutdown`, or, on an inherited one, until the door is draining.
    /// Returns when the requests under way have ended, at most 10 seconds later, and all admissions
    /// are settled. Several listeners may be served at once.
    pub async fn serve(&self, listener: Listener, origin: Origin, shutdown: CancellationToken) {
        let shared = &self.0;
        let connections = TaskTracker::new();
        // Ends idle connections, and busy ones after their request.
        let close = CancellationToken::new();
        let abort = CancellationToken::new();
        let waiting_room = Arc::new(Semaphore::new(WAITING_ROOM));
        let mut gate = shared.gate.subscribe();
        let handed_over = async {
            if origin == Origin::Own {
                std::future::pending::<()>().await;
            }
            // The sender lives in `shared`: it cannot be gone.
            let _ = gate.wait_for(|gate| matches!(gate, Gate::Draining | Gate::HandingOver)).await;
        };
        let accepting = async {
            loop {
                let socket = match listener.accept().await {
                    Ok(socket) => socket,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let live = shared.live.load_full();
                let place = live.connections.clone().try_acquire_owned().ok();
                let seat = match place {
                    Some(_) => None,
                    None => waiting_room.clone().acquire_owned().await.ok(),
                };
                let connection = connection(shared.clone(), live, socket, place, seat, close.clone());
                connections.spawn(abort.clone().run_until_cancelled_owned(connection));
            }
        };
        tokio::select! {
            () = accepting => {}
            () = shutdown.cancelled() => {}
            () = handed_over => {}
        }
        drop(listener);
        close.cancel();
        connections.close();
        if timeout(CLOSING_TIME, connections.wait()).await.is_err() {
            abort.cancel();
            connections.wait().await;
        }
        // What was read is stored: these end by themselves, within `admit_wait` and one store call.
        shared.admissions.close();
        shared.admissions.wait().await;
    }
}

async fn connection(
    shared: Arc<Shared>,
    live: Arc<Live>,
    socket: Socket,
    place: Option<OwnedSemaphorePermit>,
    seat: Option<OwnedSemaphorePermit>,
    close: CancellationToken,
) {
    let limits = live.config.limits.clone();
    let place = match place {
        Some(place) => place,
        None => match timeout(limits.admit_wait, live.connections.clone().acquire_owned()).await {
            Ok(Ok(place)) => place,
            _ => return turn_away(socket, Situation::Busy(Busy::Connections)).await,
        },
    };
    drop(seat);
    gauge!("dispatcher_connections").increment(1.0);
    let _counted = Counted;
    serve(shared, socket, limits, close).await;
    drop(place);
}

/// Takes a connection off the gauge, also when its task is aborted.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!("dispatcher_connections").decrement(1.0);
    }
}

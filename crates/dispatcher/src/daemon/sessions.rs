//! Joins the SMPP sessions to the engine: which are held, and where goes what comes over them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dispatch_egress::{Heard, Held, Listener, NetworkEgress};
use dispatch_engine::{CallbackEnd, Caller, Engine, Setup};
use dispatch_model::{Callback, Lane, SmppDelivery};

/// How long goodbyes may take at the end: what is under way has been waited for.
const CLOSE: Duration = Duration::from_secs(10);

/// The sessions of the configuration in force.
pub(crate) struct Sessions {
    egress: Arc<NetworkEgress>,
    engine: Arc<Engine>,
    ear: Arc<dyn Listener>,
}

impl Sessions {
    pub(crate) fn new(egress: Arc<NetworkEgress>, engine: Arc<Engine>) -> Self {
        let ear = Arc::new(Ear(Arc::clone(&engine)));
        Self { egress, engine, ear }
    }

    /// Holds those of the setup in force, and lets go of all others.
    pub(crate) fn hold(&self) {
        self.egress.hold(&held(&self.engine.setup()), &self.ear);
    }

    /// Says goodbye to all message centres.
    pub(crate) async fn close(&self) {
        self.egress.close(CLOSE).await;
    }
}

/// One for each lane that has one.
fn held(setup: &Setup) -> Vec<Held> {
    let shared = setup.backends.values().map(|backend| (Lane::shared(backend.name.clone()), &backend.grants));
    let own = setup.overlays.iter().filter(|(_, overlay)| overlay.own_lane);
    let own = own.map(|((backend, location), overlay)| {
        (Lane { backend: backend.clone(), location: Some(location.clone()) }, &overlay.grants)
    });
    let with_session = shared.chain(own).filter(|(_, grants)| grants.session.is_some());
    with_session.map(|(lane, grants)| Held { lane, grants: Arc::clone(grants) }).collect()
}

/// Gives what message centres say to the lane's plugin, and what the plugin makes of it to the store.
struct Ear(Arc<Engine>);

#[async_trait]
impl Listener for Ear {
    async fn hear(&self, lane: &Lane, delivery: SmppDelivery) -> Heard {
        let caller = Caller::standing(lane.backend.clone(), lane.location.clone());
        match self.0.callback(&caller, &Callback::Smpp(delivery)).await {
            CallbackEnd::Taken { .. } => Heard::Kept,
            CallbackEnd::Refused(reason) => {
                tracing::warn!(lane = %lane, code = reason.code, "smpp.delivery_refused");
                Heard::Refused
            }
            CallbackEnd::NotReceiving => Heard::Refused,
            CallbackEnd::Fault(fault) => {
                tracing::warn!(lane = %lane, fault = fault.kind(), "smpp.delivery_fault");
                Heard::Later
            }
            // The message centre has it, and brings it again.
            CallbackEnd::Store(_) | CallbackEnd::Stopping => Heard::Later,
        }
    }
}

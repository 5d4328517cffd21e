//! What becomes of a message in the write that admits it: a slot and a lease, a place in the lobby, or in the store alone.

use std::sync::{Arc, Weak};

use dispatch_model::{Access, Delivery, DeliveryState, Lease, Message, OnUnknown, Timestamp};
use dispatch_store::{Arrival, Claimed, Planned, Planner, RecipientKey, Stands, Waits};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::Setup;
use crate::attempt::{Slot, claimed_attempt};
use crate::core::Core;
use crate::gate::{Gate, Newcomer, Way};
use crate::planner::{fresh, goes_at_once, planned};

/// Plans what is to be tried while it is admitted. Whatever it leaves out is planned from the queue.
pub(crate) struct Foreman(pub(crate) Weak<Core>);

impl Planner for Foreman {
    fn waits(&self, message: &Arc<Message>, bytes: usize) -> Option<Waits> {
        let core = self.0.upgrade()?;
        // Before the look: a drain that it does not see waits for this.
        let under_way = core.tasks.token();
        if core.stop.is_cancelled() {
            return None;
        }
        let setup = core.setup.load_full();
        let planned = planned(&core, &setup, message, fresh(message));
        let (recipient, now) = (RecipientKey::of(message), core.now());
        let gate = core.gate(planned.lane.as_ref().filter(|_| planned.state == DeliveryState::Scheduled)?);
        let best = match goes_at_once(&core, &setup, &planned, message, now) {
            true if may_enter(&setup, &planned) => Way::Enters,
            true => Way::Lobby,
            false => Way::Store,
        };
        let (delivery, message) = (planned.clone(), Arc::clone(message));
        let (stands, arrival): (_, Box<dyn Arrival>) = match gate.arriving(recipient, best, now) {
            Way::Enters => {
                let inside = Some((delivery, Slot::new(&core, &gate, recipient, false)));
                (Stands::Leased, Box::new(Entrant { message, inside, _under_way: under_way }))
            }
            way => {
                let place = (way == Way::Lobby).then(|| core.room.place(bytes)).flatten();
                let newcomer = place.map(|place| Newcomer { message, delivery, recipient, place });
                let in_line = newcomer.is_none() && gate.access(now) == Access::Open;
                let stands = if in_line { Stands::InLine } else { Stands::Behind };
                (stands, Box::new(Waiter { core: self.0.clone(), gate, due: planned.due_at, newcomer }))
            }
        };
        Some(Waits { planned: Planned { delivery: planned, recipient }, stands, arrival })
    }
}

/// Whether a message may be marked before its request is near: should the process die between, it is taken for one that may
/// have been sent, and where that is not simply tried again somebody would have to look at it in vain.
fn may_enter(setup: &Setup, planned: &Delivery) -> bool {
    let policy = planned.plan.route.as_ref().and_then(|route| setup.policies.get(route));
    policy.is_none_or(|policy| policy.on_unknown == OnUnknown::Retry)
}

/// A message on its way into the store behind a gate. The gate counts it as long as this lives.
struct Waiter {
    core: Weak<Core>,
    gate: Arc<Gate>,
    due: Timestamp,
    /// What may be attempted as soon as there is a slot.
    newcomer: Option<Newcomer>,
}

impl Arrival for Waiter {
    fn written(mut self: Box<Self>, _: Option<Lease>) {
        let Some(core) = self.core.upgrade() else { return };
        match self.newcomer.take() {
            Some(newcomer) => self.gate.greet(newcomer, core.now()),
            None => self.gate.tell(self.due),
        }
        core.enlist(&self.gate);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.gate.arrived();
    }
}

/// A message on its way into the store that has its slot already.
struct Entrant {
    message: Arc<Message>,
    /// Taken out as its attempt begins.
    inside: Option<(Delivery, Slot)>,
    /// A drain waits for it.
    _under_way: TaskTrackerToken,
}

impl Arrival for Entrant {
    fn written(mut self: Box<Self>, lease: Option<Lease>) {
        // None: its route or location was suspended a moment ago.
        let Some(lease) = lease else {
            if let Some((delivery, slot)) = &self.inside {
                slot.gate.tell(delivery.due_at);
            }
            return;
        };
        let Some((mut delivery, slot)) = self.inside.take() else { return };
        delivery.leased(lease, true);
        let core = Arc::clone(&slot.core);
        let claimed = Claimed { message: Arc::clone(&self.message), delivery, recipient: slot.recipient };
        let attempt = Box::pin(claimed_attempt(Arc::clone(&core), claimed, slot));
        // The store's thread is none of the runtime's.
        core.tasks.spawn_on(attempt, &core.runtime);
    }
}

impl Drop for Entrant {
    fn drop(&mut self) {
        if let Some((_, slot)) = &self.inside {
            slot.gate.unused();
        }
    }
}

//! Claims due work, lane by lane, with slots and tokens already in hand.
//!
//! One task looks at lanes that somebody listed (work arrived, a slot is free, a pause was set) and at
//! lanes whose timer ended. A lane with nothing to do has no timer and costs nothing, so that thousands
//! of them do. Claims of different lanes run at once, so that they share a commit of the store.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dispatch_model::{End, Lane};
use dispatch_store::{ClaimRequest, Claimed};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::attempt::{Slot, claimed_attempt, newcomers_attempt};
use crate::core::Core;
use crate::gate::{ClaimTurn, Gate, Turn};
use crate::record::give_back;

/// After a refusal of the store the lane's next claim waits so long.
const RETRY: Duration = Duration::from_secs(1);
/// Deliveries that one call of the store moves to another lane.
const RELANE_BATCH: usize = 1000;

struct Timer {
    at: Instant,
    gate: Arc<Gate>,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// Claims until the engine stops.
pub(crate) async fn run(core: Arc<Core>) {
    let mut timers: BinaryHeap<Reverse<Timer>> = BinaryHeap::new();
    loop {
        let listed = std::mem::take(&mut *core.listed.lock());
        for gate in listed {
            gate.delist();
            look(&core, gate, &mut timers).await;
        }
        let now = Instant::now();
        while timers.peek().is_some_and(|Reverse(timer)| timer.at <= now) {
            let Some(Reverse(timer)) = timers.pop() else { break };
            look(&core, timer.gate, &mut timers).await;
        }
        let next = timers.peek().map(|Reverse(timer)| timer.at);
        let sleep = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            () = core.listed_any.notified() => {}
            () = sleep => {}
        }
    }
}

/// Does what a lane needs now.
async fn look(core: &Arc<Core>, gate: Arc<Gate>, timers: &mut BinaryHeap<Reverse<Timer>>) {
    match gate.turn(core.now(), core.config.claim_batch.max(1)) {
        Turn::Idle => {}
        Turn::Attempt(newcomers, probe) => {
            for newcomer in newcomers {
                let slot = Slot::new(core, &gate, newcomer.recipient, probe);
                // Boxed, since a task is moved some times before it runs, and this one is large.
                core.tasks.spawn(Box::pin(newcomers_attempt(Arc::clone(core), newcomer, slot)));
            }
            // For what waits in the store until later.
            core.enlist(&gate);
        }
        Turn::Wait(at) => {
            if gate.set_timer(at, Instant::now()) {
                timers.push(Reverse(Timer { at, gate }));
            }
        }
        Turn::Claim(turn) => {
            let Ok(permit) = Arc::clone(&core.claims).acquire_owned().await else { return };
            let core_too = Arc::clone(core);
            core.tasks.spawn(async move {
                claim(&core_too, &gate, turn).await;
                drop(permit);
                core_too.enlist(&gate);
            });
        }
    }
}

async fn claim(core: &Arc<Core>, gate: &Arc<Gate>, turn: ClaimTurn) {
    let request = ClaimRequest {
        lane: gate.lane.clone(),
        now: core.now(),
        want: turn.want,
        after: turn.after.clone(),
        busy: Arc::clone(&turn.busy),
    };
    let claims = match core.store.claim(request).await {
        Ok(claims) => claims,
        Err(error) => {
            core.store_failed("claiming", &error);
            return gate.unclaimed(&turn, RETRY);
        }
    };
    gate.claimed(&turn, &claims, core.now());
    if turn.sweep {
        return sweep(core, gate, claims.claimed).await;
    }
    for claimed in claims.claimed {
        let slot = Slot::new(core, gate, claimed.recipient, turn.probe);
        core.tasks.spawn(Box::pin(claimed_attempt(Arc::clone(core), claimed, slot)));
    }
}

/// Moves deliveries of a lane that cannot be had on to wherever they can go.
async fn sweep(core: &Arc<Core>, gate: &Arc<Gate>, claimed: Vec<Claimed>) {
    if claimed.is_empty() {
        return;
    }
    let moved = Arc::new(AtomicUsize::new(0));
    let mut settling = JoinSet::new();
    for one in claimed {
        let (core, gate, moved) = (Arc::clone(core), Arc::clone(gate), Arc::clone(&moved));
        settling.spawn(async move {
            let lane = give_back(&core, one.delivery, &one.message, End::Released).await;
            if lane.as_ref() != Some(&gate.lane) {
                moved.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while settling.join_next().await.is_some() {}
    if moved.load(Ordering::Relaxed) == 0 {
        gate.swept_in_vain();
    }
}

/// Moves what waits in a lane that the configuration no longer puts deliveries in to the backend's own.
pub(crate) fn relane(core: &Arc<Core>, from: Lane) {
    let core_too = Arc::clone(core);
    core.tasks.spawn(async move {
        let to = Lane::shared(from.backend.clone());
        loop {
            let moved = tokio::select! {
                () = core_too.stop.cancelled() => return,
                moved = core_too.store.relane(from.clone(), to.clone(), RELANE_BATCH) => moved,
            };
            match moved {
                Ok(0) => return,
                Ok(_) => core_too.tell(&to, core_too.now()),
                // The lane is swept as well: what is left behind here moves one by one.
                Err(error) => return core_too.store_failed("moving work to another lane", &error),
            }
        }
    });
}

//! The threads that run guests.
//!
//! Guests compute and wait for nothing, so a few OS threads serve all of them, and the asynchronous runtime
//! never stands still for one: a guest that loops costs a thread here until its deadline, and no timer of
//! the daemon.
//!
//! ```text
//! caller --place in its plugin's lane (waits, async)--> lane --\
//! caller --place ...-----------------------------------> lane --+--turn by turn--> thread --oneshot--> caller
//! ```
//!
//! Each plugin has a lane of its own, and lanes are served in turn, so that a plugin with a thousand calls
//! waiting delays another one's call by one of its own. What a call that computes for long does to the
//! others is bounded as well (rota.rs): it stops counting against the calls that may run at once, and its
//! plugin's further calls go to threads of their own until they are short again.
//!
//! A lane is bounded by places, and a caller waits for one without holding anything; so a burst of a
//! thousand calls is served in turn and none is refused. The call of a caller that went away is left out if
//! it has not begun, and runs to its end otherwise.

mod rota;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dispatch_model::Fault;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Semaphore, oneshot};

use self::rota::{LaneId, Pace, Rota};
use crate::error::HostError;

/// A call that waits, and the plugin it is of.
type Entry = (Arc<str>, Job);
type Job = Box<dyn FnOnce(&Arc<Turn>) + Send>;

/// Stack of a thread, beyond what guests may use: the host's own frames below and above the guest's.
const STACK_SPARE: usize = 1 << 20;

/// Threads for each brisk call that may run at once. A lane that turns out to be long holds at most one share of them
/// until its calls' deadline, so seven plugins may go bad at the same moment and an eighth one still finds a thread.
/// Those asleep cost a page or two; the pool has twice as many slots.
const BRISK_PER_THREAD: usize = 8;

/// The threads. They end when it and all lanes are dropped and nothing waits.
pub(crate) struct Crew {
    board: Arc<Board>,
}

/// What threads and lanes share.
struct Board {
    state: Mutex<State>,
    /// Where each thread sleeps.
    beds: Vec<Condvar>,
}

struct State {
    rota: Rota<Entry>,
    /// Threads asleep, by pace. The last that fell asleep is woken first: what it needs is still in its core's cache.
    idle: [Vec<usize>; 2],
    /// Threads that were woken and are not there yet, by pace.
    coming: [usize; 2],
    closed: bool,
}

impl State {
    /// Who is to be woken for what can be taken now, at most one of each pace. Nobody is woken in vain: a wakeup is a
    /// system call, and a thread that finds nothing costs two changes of thread.
    fn wanted(&mut self) -> [Option<usize>; 2] {
        [Pace::Brisk, Pace::Slow].map(|pace| {
            let coming = &mut self.coming[pace as usize];
            if !self.rota.waits_beside(pace, *coming) {
                return None;
            }
            let bed = self.idle[pace as usize].pop()?;
            *coming += 1;
            Some(bed)
        })
    }
}

impl Crew {
    /// Starts the threads: `threads` is how many calls may compute at once.
    pub(crate) fn start(threads: usize, stack: usize) -> Result<Self, HostError> {
        let threads = threads.max(1);
        let state =
            State { rota: Rota::new(threads), idle: Default::default(), coming: [0; 2], closed: false };
        let brisk = (0..threads * BRISK_PER_THREAD).map(|number| (Pace::Brisk, format!("guest-{number}")));
        let slow = (0..threads.div_ceil(2)).map(|number| (Pace::Slow, format!("guest-slow-{number}")));
        let names: Vec<_> = brisk.chain(slow).collect();
        let beds = names.iter().map(|_| Condvar::new()).collect();
        let crew = Self { board: Arc::new(Board { state: Mutex::new(state), beds }) };
        for (bed, (pace, name)) in names.into_iter().enumerate() {
            let board = Arc::clone(&crew.board);
            std::thread::Builder::new()
                .name(name)
                .stack_size(stack + STACK_SPARE)
                .spawn(move || board.serve(pace, bed))
                .map_err(HostError::Thread)?;
        }
        Ok(crew)
    }

    /// A lane for the calls of one plugin, of which so many may wait.
    pub(crate) fn lane(self: &Arc<Self>, plugin: &str, places: usize) -> Lane {
        Lane {
            id: self.board.state.lock().rota.open(),
            plugin: plugin.into(),
            places: Arc::new(Semaphore::new(places.max(1))),
            crew: Arc::clone(self),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.board.state.lock().closed = true;
        for bed in &self.board.beds {
            bed.notify_one();
        }
    }
}

/// Where the calls of one plugin wait.
pub(crate) struct Lane {
    id: LaneId,
    plugin: Arc<str>,
    places: Arc<Semaphore>,
    /// The threads serve for as long as there is a lane.
    crew: Arc<Crew>,
}

impl Lane {
    /// Runs `work` on one of the threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Turn>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        let (send, receive) = oneshot::channel();
        let job: Job = Box::new(move |turn| {
            if send.is_closed() {
                return;
            }
            let result = work(turn);
            drop(place);
            // The caller may have gone meanwhile; then nobody wants to know.
            let _ = send.send(result);
        });
        self.crew.board.push(self.id, (Arc::clone(&self.plugin), job));
        // The sender is dropped unsent only by a panic: of the host, since guests trap.
        receive
            .await
            .unwrap_or_else(|_| Err(Fault::Trap { detail: "the host itself failed in this call".to_owned() }))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.crew.board.state.lock().rota.close(self.id);
    }
}

/// A call on its thread.
pub(crate) struct Turn {
    board: Arc<Board>,
    lane: LaneId,
    plugin: Arc<str>,
    pace: Pace,
    long: AtomicBool,
}

impl Turn {
    /// The call has computed for longer than calls do. Its thread does not count any more, and its plugin's
    /// next calls take the slow lane.
    pub(crate) fn overran(&self) {
        if self.long.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut state = self.board.state.lock();
        let news = state.rota.overran(self.lane, self.pace);
        self.board.wake(state);
        if news {
            tracing::warn!(plugin = %self.plugin, "plugin.slow");
        }
    }
}

impl Board {
    fn push(&self, lane: LaneId, entry: Entry) {
        let mut state = self.state.lock();
        state.rota.push(lane, entry);
        self.wake(state);
    }

    /// Wakes a thread for what can be taken now.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let wanted = state.wanted();
        drop(state);
        for bed in wanted.into_iter().flatten() {
            self.beds[bed].notify_one();
        }
    }

    fn serve(self: &Arc<Self>, pace: Pace, bed: usize) {
        let mut state = self.state.lock();
        while let Some((turn, job)) = self.next(state, pace, bed) {
            let turn = Arc::new(turn);
            // A panic of the host must not cost a thread: with the last of them deliveries would stop.
            if std::panic::catch_unwind(AssertUnwindSafe(|| job(&turn))).is_err() {
                tracing::error!("plugin.call.panicked");
            }
            state = self.state.lock();
            state.rota.ended(turn.lane, pace, turn.long.load(Ordering::Relaxed));
        }
    }

    /// What this thread does next, asleep until there is something; none at the end.
    fn next(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        pace: Pace,
        bed: usize,
    ) -> Option<(Turn, Job)> {
        loop {
            // Taken before others are woken for the rest: what it takes itself, nobody is woken for.
            let taken = state.rota.take(pace);
            if let Some((lane, (plugin, job))) = taken {
                self.wake(state);
                let board = Arc::clone(self);
                return Some((Turn { board, lane, plugin, pace, long: AtomicBool::new(false) }, job));
            }
            if state.closed {
                return None;
            }
            // The call that ended may have set its lane free for threads of the other pace.
            for other in state.wanted().into_iter().flatten() {
                self.beds[other].notify_one();
            }
            state.idle[pace as usize].push(bed);
            while !state.closed && state.idle[pace as usize].contains(&bed) {
                self.beds[bed].wait(&mut state);
            }
            if !state.closed {
                state.coming[pace as usize] -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The threads that run guests.
//!
//! Guests compute and wait for nothing, so a few OS threads serve all of them, and the asynchronous runtime
//! never stands still for one: a guest that loops costs a thread here until its deadline, and no timer of
//! the daemon.
//!
//! ```text
//! caller --place in the queue (waits, async)--> queue --> thread: the whole call --oneshot--> caller
//! ```
//!
//! The queue is bounded by places, and a caller waits for one without holding anything; so a burst of a
//! thousand calls is served in turn and none is refused. A caller that goes away leaves its call to run to
//! its end, on the place it took.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use dispatch_model::Fault;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Semaphore, oneshot};

use crate::error::HostError;

type Job = Box<dyn FnOnce() + Send>;

/// Stack of a thread, beyond what guests may use: the host's own frames below and above the guest's.
const STACK_SPARE: usize = 1 << 20;

/// The threads and their queue. Threads end when it is dropped and the queue is empty.
pub(crate) struct Crew {
    queue: Arc<Queue>,
    places: Arc<Semaphore>,
}

struct Queue {
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Threads asleep: with none, nobody need be woken, and a wakeup is a system call.
    idle: usize,
    closed: bool,
}

impl Crew {
    /// Starts the threads.
    pub(crate) fn start(threads: usize, places: usize, stack: usize) -> Result<Self, HostError> {
        let queue = Arc::new(Queue { waiting: Mutex::default(), ready: Condvar::new() });
        let crew = Self { queue: Arc::clone(&queue), places: Arc::new(Semaphore::new(places.max(1))) };
        for number in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("guest-{number}"))
                .stack_size(stack + STACK_SPARE)
                .spawn(move || queue.serve())
                .map_err(HostError::Thread)?;
        }
        Ok(crew)
    }

    /// Runs `work` on one of the threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        let (send, receive) = oneshot::channel();
        self.queue.push(Box::new(move || {
            let result = work();
            drop(place);
            // The caller may be gone; then nobody wants to know.
            let _ = send.send(result);
        }));
        // The sender is dropped unsent only by a panic: of the host, since guests trap.
        receive
            .await
            .unwrap_or_else(|_| Err(Fault::Trap { detail: "the host itself failed in this call".to_owned() }))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.queue.waiting.lock().closed = true;
        self.queue.ready.notify_all();
    }
}

impl Queue {
    fn push(&self, job: Job) {
        let mut waiting = self.waiting.lock();
        waiting.jobs.push_back(job);
        let wake = waiting.idle > 0;
        drop(waiting);
        if wake {
            self.ready.notify_one();
        }
    }

    fn serve(&self) {
        while let Some(job) = self.next() {
            // A panic of the host must not cost a thread: with the last of them deliveries would stop.
            if std::panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("plugin.call.panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle += 1;
            self.ready.wait(&mut waiting);
            waiting.idle -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn all_calls_are_answered_in_a_bounded_queue() {
        let crew = Arc::new(Crew::start(2, 4, 0).unwrap());
        let most = Arc::new(AtomicUsize::new(0));
        let calls: Vec<_> = (0..1000)
            .map(|number| {
                let (crew, most) = (Arc::clone(&crew), Arc::clone(&most));
                tokio::spawn(async move {
                    let queue = Arc::clone(&crew.queue);
                    crew.run(move || {
                        most.fetch_max(queue.waiting.lock().jobs.len(), Ordering::Relaxed);
                        Ok(number)
                    })
                    .await
                })
            })
            .collect();
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.unwrap(), Ok(number));
        }
        assert!(most.load(Ordering::Relaxed) <= 4, "{most:?} were queued");
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_and_the_thread_goes_on() {
        let crew = Crew::start(1, 1, 0).unwrap();
        let fault = crew.run::<()>(|| panic!("a bug of ours")).await.unwrap_err();
        assert_eq!(fault.kind(), "trap");
        assert_eq!(crew.run(|| Ok(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_gives_its_place_back() {
        let crew = Crew::start(1, 1, 0).unwrap();
        let (hold, held) = mpsc::channel::<()>();
        let (began, begin) = oneshot::channel();
        let call = crew.run(move || {
            let _ = began.send(());
            let _ = held.recv();
            Ok(())
        });
        tokio::select! {
            _ = call => unreachable!("it is held"),
            _ = begin => {}
        }
        drop(hold);
        assert_eq!(crew.run(|| Ok(2)).await, Ok(2));
    }
}

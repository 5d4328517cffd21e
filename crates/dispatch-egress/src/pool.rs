//! Idle connections, for HTTP and SMTP alike.
//!
//! Our own and small, since a general pool hides the connection, and "may bytes have left?" is a question to the
//! connection. Keys hold the owner, so nothing is ever shared between two backends or lanes. The connection used
//! last is used first: under little load the others age and are closed.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A connection that can lie idle.
pub(crate) trait Idle: Send {
    /// Whether it can still be used, as far as the kernel knows.
    fn usable(&self) -> bool;
}

/// Idle connections by key.
pub(crate) struct Pool<K, C> {
    bounds: Bounds,
    state: Mutex<State<K, C>>,
}

/// How many, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) per_key: usize,
    pub(crate) total: usize,
    pub(crate) timeout: Duration,
}

struct State<K, C> {
    idle: HashMap<K, Vec<(Instant, C)>, ahash::RandomState>,
    total: usize,
}

impl<K: Eq + Hash + Clone, C: Idle> Pool<K, C> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, state: Mutex::new(State { idle: HashMap::default(), total: 0 }) }
    }

    /// An idle connection that is still usable. The looking happens outside the lock.
    pub(crate) fn take(&self, key: &K) -> Option<C> {
        loop {
            let (since, connection) = {
                let mut state = self.state.lock();
                let taken = state.idle.get_mut(key)?.pop()?;
                state.total -= 1;
                taken
            };
            if since.elapsed() < self.bounds.timeout && connection.usable() {
                return Some(connection);
            }
        }
    }

    /// Puts a connection back. At a bound the longest idle one makes room: of its key first, else of any.
    pub(crate) fn put(&self, key: &K, connection: C) {
        if self.bounds.per_key == 0 || self.bounds.total == 0 {
            return;
        }
        let mut state = self.state.lock();
        let evicted = if state.idle.get(key).is_some_and(|list| list.len() >= self.bounds.per_key) {
            state.idle.get_mut(key).map(|list| list.remove(0))
        } else if state.total >= self.bounds.total {
            let oldest = state
                .idle
                .iter()
                .filter_map(|(key, list)| Some((list.first()?.0, key)))
                .min_by_key(|(since, _)| *since);
            let key = oldest.map(|(_, key)| key.clone());
            key.and_then(|key| state.idle.get_mut(&key)).map(|list| list.remove(0))
        } else {
            None
        };
        state.total = state.total + 1 - usize::from(evicted.is_some());
        match state.idle.get_mut(key) {
            Some(list) => list.push((Instant::now(), connection)),
            None => {
                state.idle.insert(key.clone(), vec![(Instant::now(), connection)]);
            }
        }
        drop(state);
        // Closing is a system call: not under the lock.
        drop(evicted);
    }

    /// Closes what is too old or has been closed from the other side, and forgets empty keys.
    pub(crate) fn sweep(&self) {
        let mut state = self.state.lock();
        let mut closed = Vec::new();
        for list in state.idle.values_mut() {
            closed.extend(list.extract_if(.., |(since, connection)| {
                since.elapsed() >= self.bounds.timeout || !connection.usable()
            }));
        }
        state.idle.retain(|_, list| !list.is_empty());
        state.total -= closed.len();
        drop(state);
        drop(closed);
    }

    /// Idle connections in all.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let state = self.state.lock();
        assert_eq!(state.total, state.idle.values().map(Vec::len).sum::<usize>());
        state.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Fake(u32, Arc<AtomicBool>);

    impl Idle for Fake {
        fn usable(&self) -> bool {
            self.1.load(Ordering::Relaxed)
        }
    }

    fn fake(number: u32) -> Fake {
        Fake(number, Arc::new(AtomicBool::new(true)))
    }

    fn pool(per_key: usize, total: usize, timeout: Duration) -> Pool<&'static str, Fake> {
        Pool::new(Bounds { per_key, total, timeout })
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn gives_the_newest_of_its_key_only() {
        let pool = pool(8, 8, LONG);
        pool.put(&"a", fake(1));
        pool.put(&"a", fake(2));
        assert!(pool.take(&"b").is_none());
        assert_eq!(pool.take(&"a").unwrap().0, 2);
        assert_eq!(pool.take(&"a").unwrap().0, 1);
        assert!(pool.take(&"a").is_none());
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn is_bounded_per_key_and_in_all() {
        let pool = pool(2, 3, LONG);
        for number in 0..5 {
            pool.put(&"a", fake(number));
        }
        assert_eq!(pool.len(), 2);
        pool.put(&"b", fake(10));
        pool.put(&"c", fake(11));
        assert_eq!(pool.len(), 3);
        assert_eq!(pool.take(&"a").unwrap().0, 4, "the oldest made room");
        assert!(pool.take(&"a").is_none());
    }

    #[test]
    fn drops_the_dead_and_the_old() {
        let pool = pool(8, 8, LONG);
        let alive = fake(1);
        let dead = fake(2);
        dead.1.store(false, Ordering::Relaxed);
        pool.put(&"a", alive);
        pool.put(&"a", dead);
        assert_eq!(pool.take(&"a").unwrap().0, 1);

        let dead = fake(3);
        dead.1.store(false, Ordering::Relaxed);
        pool.put(&"a", dead);
        pool.put(&"b", fake(4));
        pool.sweep();
        assert_eq!(pool.len(), 1);

        let old = super::Pool::new(Bounds { per_key: 8, total: 8, timeout: Duration::ZERO });
        old.put(&"a", fake(1));
        assert!(old.take(&"a").is_none());
        old.put(&"a", fake(1));
        old.sweep();
        assert_eq!(old.len(), 0);
    }
}

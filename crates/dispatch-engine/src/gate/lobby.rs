//! Messages that were written a moment ago and only wait for a slot: they need not be looked for in the store.
//!
//! A lobby holds all that is due in its lane, or nothing: whatever waits in the store alone empties it, since only
//! the store knows the order of both. So nobody in it is lost or overtakes, and leaving it costs a claim and no more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahash::AHashMap;
use dispatch_model::{Delivery, LocationId, Message};
use dispatch_store::RecipientKey;

/// Bytes of messages in all lobbies together: a bulk action of ten thousand texts.
const BYTES: usize = 32 << 20;

/// What a delivery takes beside its message.
const DELIVERY: usize = 1 << 10;

/// A delivery that waits in its lane, with its message.
pub(crate) struct Newcomer {
    pub(crate) message: Arc<Message>,
    pub(crate) delivery: Delivery,
    pub(crate) recipient: RecipientKey,
    pub(crate) place: Place,
}

/// The room that all lobbies share.
#[derive(Clone, Default)]
pub(crate) struct Room {
    taken: Arc<AtomicUsize>,
}

/// A message's part of it, given back when dropped.
pub(crate) struct Place {
    room: Room,
    bytes: usize,
}

impl Room {
    /// A place for a message of so many bytes, if there is one left.
    pub(crate) fn place(&self, bytes: usize) -> Option<Place> {
        let place = Place { room: self.clone(), bytes: DELIVERY + bytes };
        let taken = self.taken.fetch_add(place.bytes, Ordering::Relaxed) + place.bytes;
        (taken <= BYTES).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Round robin over locations, as the store claims.
#[derive(Default)]
pub(super) struct Lobby {
    lines: AHashMap<LocationId, VecDeque<Newcomer>>,
    turns: VecDeque<LocationId>,
}

impl Lobby {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(super) fn push(&mut self, newcomer: Newcomer) {
        let location = &newcomer.delivery.location;
        if let Some(line) = self.lines.get_mut(location) {
            return line.push_back(newcomer);
        }
        self.turns.push_back(location.clone());
        self.lines.insert(location.clone(), VecDeque::from([newcomer]));
    }

    /// The first of the location whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Newcomer> {
        let location = self.turns.pop_front()?;
        let line = self.lines.get_mut(&location)?;
        let first = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&location);
        } else {
            self.turns.push_back(location);
        }
        first
    }
}

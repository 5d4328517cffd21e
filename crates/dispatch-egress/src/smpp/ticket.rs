//! Whether a PDU has begun to leave: said once, and by whoever comes first.
//!
//! Many messages share a connection, so what the connection has written says nothing about one of them. A ticket goes
//! with each: the writer marks it before the first byte, or finds that nobody waits any more and leaves it out. Either
//! way both sides agree, whatever deadline ends the waiting.

use std::sync::atomic::{AtomicU8, Ordering};

const QUEUED: u8 = 0;
const WITHDRAWN: u8 = 1;
const LEAVING: u8 = 2;

/// The state of one PDU on its way out.
#[derive(Debug, Default)]
pub(crate) struct Ticket(AtomicU8);

impl Ticket {
    /// The writer is about to write it. False where it was withdrawn: then it must not.
    pub(crate) fn begin(&self) -> bool {
        self.0.compare_exchange(QUEUED, LEAVING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The writer could not get rid of a single byte of it.
    pub(crate) fn stayed(&self) {
        self.0.store(WITHDRAWN, Ordering::Release);
    }

    /// Whoever waited does so no more. True where certainly no byte has left nor will.
    pub(crate) fn withdraw(&self) -> bool {
        match self.0.compare_exchange(QUEUED, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(state) => state == WITHDRAWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_wins() {
        let written = Ticket::default();
        assert!(written.begin() && !written.withdraw());
        let withdrawn = Ticket::default();
        assert!(withdrawn.withdraw() && !withdrawn.begin() && withdrawn.withdraw());
        let stuck = Ticket::default();
        assert!(stuck.begin());
        stuck.stayed();
        assert!(stuck.withdraw());
    }
}

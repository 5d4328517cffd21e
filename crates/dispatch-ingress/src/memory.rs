//! The bound over all bodies in flight.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// What a permit stands for. Small bodies cost one.
const UNIT: usize = 1024;

/// Bytes that bodies may take together. Room is taken as bytes arrive and not as they are
/// announced: else a few clients that announce much and send nothing would shut out all others.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Semaphore>);

/// Room taken; given back when dropped.
#[derive(Default)]
pub(crate) struct Reservation {
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

/// No room, and none came free in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Grows a reservation to `bytes`, waiting for room until `until`.
    pub(crate) async fn grow(
        &self,
        reservation: &mut Reservation,
        bytes: usize,
        until: Instant,
    ) -> Result<(), NoRoom> {
        let held = reservation.bytes.div_ceil(UNIT);
        let missing = u32::try_from(bytes.div_ceil(UNIT).saturating_sub(held)).map_err(|_| NoRoom)?;
        reservation.bytes = bytes;
        if missing == 0 {
            return Ok(());
        }
        let permit = match self.0.clone().try_acquire_many_owned(missing) {
            Ok(permit) => permit,
            Err(_) => timeout_at(until, self.0.clone().acquire_many_owned(missing))
                .await
                .map_err(|_| NoRoom)?
                .map_err(|_| NoRoom)?,
        };
        match &mut reservation.permit {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn room_is_waited_for_and_given_back() {
        let memory = Memory::new(10 * UNIT);
        let soon = || Instant::now() + Duration::from_secs(5);
        let mut first = Reservation::default();
        memory.grow(&mut first, 4 * UNIT, soon()).await.unwrap();
        memory.grow(&mut first, 8 * UNIT, soon()).await.unwrap();
        let mut second = Reservation::default();
        let started = Instant::now();
        assert_eq!(memory.grow(&mut second, 3 * UNIT, soon()).await, Err(NoRoom));
        assert_eq!(started.elapsed().as_secs(), 5);
        let mut third = Reservation::default();
        let (waited, ()) = tokio::join!(memory.grow(&mut third, 3 * UNIT, soon()), async { drop(first) });
        assert_eq!(waited, Ok(()));
    }
}

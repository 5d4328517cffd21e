//! Our message ids: time-ordered, never going back, never the same twice.

use dispatch_model::{MessageId, Timestamp};

use crate::StoreError;

/// The last millisecond that an id can carry (43 bits).
const LAST_MILLISECOND: i64 = (1 << 43) - 1;

/// Makes ids. Whoever keeps one over a restart begins it with the last id that was ever given out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence {
    last: MessageId,
}

impl Sequence {
    /// Goes on after `last`.
    pub(crate) fn after(last: MessageId) -> Self {
        Self { last }
    }

    /// The id for a message received at that time: its millisecond, or the next id after the last one
    /// where the clock went back or the millisecond is not over.
    pub(crate) fn next(&mut self, received_at: Timestamp) -> Result<MessageId, StoreError> {
        if !(0..=LAST_MILLISECOND).contains(&received_at.as_millis()) {
            return Err(StoreError::Invalid {
                detail: format!("received at {received_at}, which is before 1970 or after 2248"),
            });
        }
        let next = MessageId::first_at(received_at).max(self.last.next());
        if next < self.last {
            return Err(StoreError::Fatal { detail: "the message ids are used up".into() });
        }
        self.last = next;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_back_does_not_take_the_ids_back() {
        let mut ids = Sequence::after(MessageId::ZERO);
        let first = ids.next(Timestamp::from_millis(2_000)).unwrap();
        let second = ids.next(Timestamp::from_millis(1_000)).unwrap();
        let third = ids.next(Timestamp::from_millis(3_000)).unwrap();
        assert!(first < second && second < third);
        assert_eq!(third.at(), Timestamp::from_millis(3_000));
    }

    #[test]
    fn times_that_no_id_can_carry_are_refused() {
        let mut ids = Sequence::after(MessageId::ZERO);
        for millis in [-1, 1 << 43, i64::MAX] {
            assert!(ids.next(Timestamp::from_millis(millis)).is_err(), "{millis}");
        }
    }
}

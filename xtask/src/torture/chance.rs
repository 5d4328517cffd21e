//! Chance from a seed: a run that failed is drawn again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SplitMix64: a few lines, and the same draws on every machine and in every release.
pub(super) struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    pub(super) fn of(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// Another one each time; it is printed.
    pub(super) fn any() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a seed that nobody gave is drawn from the time")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::of(now.as_secs() % 1_000_000)
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// At least `low`, less than `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (mixed ^ (mixed >> 31)) % (high - low).max(1)
    }

    pub(super) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again() {
        let draw = |seed| {
            let mut chance = Chance::of(seed);
            (0..100).map(|_| chance.between(5, 17)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|drawn| (5..17).contains(drawn)));
    }
}

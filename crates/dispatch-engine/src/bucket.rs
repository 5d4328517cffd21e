//! The rate of a lane as a bucket of tokens.
//!
//! The bucket holds a tenth of a second's worth (at least one token), so that a rate of 10/s is one
//! attempt every 100 ms and 1 000/s still starts a hundred with one claim. In any second at most a tenth
//! more than the rate can start.

use std::time::Duration;

use tokio::time::Instant;

use crate::Rate;

/// How much of a second's tokens the bucket holds.
const BURST_SECONDS: f64 = 0.1;

/// Tokens of a lane.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Option<Rate>,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(rate: Option<Rate>, now: Instant) -> Self {
        Self { rate, tokens: rate.map_or(0.0, burst), at: now }
    }

    /// Goes on with another rate.
    pub(crate) fn set_rate(&mut self, rate: Option<Rate>, now: Instant) {
        if self.rate != rate {
            *self = Self::new(rate, now);
        }
    }

    /// How many tokens there are; no rate is no bound.
    pub(crate) fn available(&mut self, now: Instant) -> usize {
        self.refill(now);
        match self.rate {
            None => usize::MAX,
            // A hair of tolerance: tokens are summed in floating point.
            Some(_) => (self.tokens + 1e-6) as usize,
        }
    }

    /// Takes tokens that are available.
    pub(crate) fn take(&mut self, count: usize) {
        if self.rate.is_some() {
            self.tokens -= count as f64;
        }
    }

    /// Puts unused ones back.
    pub(crate) fn give_back(&mut self, count: usize) {
        if let Some(rate) = self.rate {
            self.tokens = (self.tokens + count as f64).min(burst(rate));
        }
    }

    /// When it is worth looking again: half a bucket, so that a fast lane is not claimed token by token.
    pub(crate) fn ready_at(&self, now: Instant) -> Instant {
        let Some(rate) = self.rate else { return now };
        let wanted = (burst(rate) / 2.0).max(1.0);
        now + Duration::from_secs_f64(((wanted - self.tokens) / per_second(rate)).clamp(0.001, 86_400.0))
    }

    fn refill(&mut self, now: Instant) {
        if let Some(rate) = self.rate {
            let span = now.saturating_duration_since(self.at).as_secs_f64();
            self.tokens = (self.tokens + span * per_second(rate)).min(burst(rate));
        }
        self.at = now;
    }
}

fn per_second(rate: Rate) -> f64 {
    // A rate of nothing would wait for ever; the configuration refuses it, and here it is once a day.
    (f64::from(rate.count) / rate.per.as_secs_f64().max(0.001)).max(1.0 / 86_400.0)
}

fn burst(rate: Rate) -> f64 {
    (per_second(rate) * BURST_SECONDS).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(rate: Rate, seconds: u64) -> usize {
        let begin = Instant::now();
        let mut bucket = Bucket::new(Some(rate), begin);
        let mut started = 0;
        let mut now = begin;
        while now < begin + Duration::from_secs(seconds) {
            let got = bucket.available(now);
            bucket.take(got);
            started += got;
            now = bucket.ready_at(now);
        }
        started
    }

    #[test]
    fn a_rate_is_held_and_reached() {
        for (rate, seconds, expected) in [
            (Rate { count: 10, per: Duration::from_secs(1) }, 10, 100),
            (Rate { count: 1000, per: Duration::from_secs(1) }, 3, 3000),
            (Rate { count: 6, per: Duration::from_secs(60) }, 60, 6),
        ] {
            let count = started(rate, seconds);
            assert!(
                count >= expected * 9 / 10 && count <= expected + expected / 10 + 1,
                "{rate:?}: {count}, expected about {expected}"
            );
        }
    }

    #[test]
    fn no_rate_is_no_bound_and_unused_tokens_come_back() {
        let now = Instant::now();
        let mut free = Bucket::new(None, now);
        free.take(1_000_000);
        assert_eq!(free.available(now), usize::MAX);
        let mut bucket = Bucket::new(Some(Rate { count: 100, per: Duration::from_secs(1) }), now);
        assert_eq!(bucket.available(now), 10);
        bucket.take(10);
        assert_eq!(bucket.available(now), 0);
        bucket.give_back(4);
        assert_eq!(bucket.available(now), 4);
    }
}

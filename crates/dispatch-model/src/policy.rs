//! What a route wants done with the outcomes of its deliveries.

use std::time::Duration;

use rand::{Rng, RngCore};
use serde::{Deserialize, Serialize};

use crate::TextPolicy;

/// The policy of a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// When to try again at the same backend.
    pub retry: RetrySchedule,
    /// After how long a message is no longer worth delivering.
    pub expires_after: Duration,
    /// How long a delivery waits for a paused backend before it goes to the next one.
    pub patience: Duration,
    /// What to do when it may have been delivered.
    pub on_unknown: OnUnknown,
    /// How long after an attempt of which nobody knows whether it arrived the provider is asked, where it can be: the
    /// lists of providers lag, and before this their silence is no word.
    pub lookup_after: Duration,
    /// Whether refused content is tried at the next backend.
    pub failover_on_content: bool,
    /// What to do about attachments that the backend cannot take or the host cannot fetch.
    pub attachments: AttachmentPolicy,
    /// How text messages are written.
    pub text: TextPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry: RetrySchedule::default(),
            expires_after: Duration::from_secs(24 * 3600),
            patience: Duration::from_secs(60),
            on_unknown: OnUnknown::Retry,
            lookup_after: Duration::from_secs(75),
            failover_on_content: false,
            attachments: AttachmentPolicy::Link,
            text: TextPolicy::default(),
        }
    }
}

/// Exponential backoff with a ceiling and jitter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrySchedule {
    /// Attempts at one backend before the next one is tried; at least 1.
    pub attempts: u32,
    /// The wait after the first attempt.
    pub first: Duration,
    /// What each wait is multiplied with.
    pub factor: f64,
    /// The longest wait, the provider's wish excepted.
    pub max: Duration,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self { attempts: 6, first: Duration::from_secs(5), factor: 3.0, max: Duration::from_secs(3600) }
    }
}

impl RetrySchedule {
    /// The wait after attempt `number` (from 1): between half and all of the exponential step, so
    /// that a thousand deliveries deferred together do not come back together.
    pub fn wait_after(&self, number: u32, rng: &mut dyn RngCore) -> Duration {
        let exponent = i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX);
        let step = self.first.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let capped = step.min(self.max.as_secs_f64()).max(0.0);
        Duration::from_secs_f64(capped * rng.random_range(0.5..=1.0))
    }
}

/// What to do when it may have been delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    /// Try the same backend again with the same idempotency key; recorded as a possible double.
    #[default]
    Retry,
    /// Wait for an operator.
    Hold,
    /// Give it up as a dead letter.
    Fail,
}

/// What to do about attachments that cannot go along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttachmentPolicy {
    /// Reject the message.
    Fail,
    /// Leave them out, with a note in the timeline.
    Drop,
    /// Append their links to the text.
    #[default]
    Link,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_ceiling(
            number in 1u32..10_000,
            first in 0u64..100_000,
            factor in -5.0f64..50.0,
            max in 0u64..1_000_000,
            seed: u64,
        ) {
            let schedule = RetrySchedule {
                attempts: 3,
                first: Duration::from_millis(first),
                factor,
                max: Duration::from_millis(max),
            };
            let mut rng = rand::rngs::SmallRng::seed_from_u64(seed);
            prop_assert!(schedule.wait_after(number, &mut rng) <= Duration::from_millis(max));
        }
    }
}

//! The examination: what is looked at, in which order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dispatch_engine::{Backend, Grants};
use dispatch_model::{Asks, Fault, Secret};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::report::{Check, Report};
use crate::{canary, message, questions, settings, walk};

/// What is examined.
pub struct Subject<'a> {
    /// The plugin, as the host loaded it.
    pub plugin: &'a dyn Backend,
    /// Settings it should accept, as JSON.
    pub settings: &'a str,
    /// The lines that the plugin has logged since the last time.
    pub log: &'a dyn Fn() -> Vec<String>,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Made-up messages for each channel, and made-up callbacks and settings.
    pub cases: u32,
    /// What they are made from.
    pub seed: u64,
}

impl Default for Effort {
    fn default() -> Self {
        Self { cases: 100, seed: 1 }
    }
}

/// Looks at everything.
pub async fn examine(subject: &Subject<'_>, effort: Effort) -> Report {
    let mut rng = SmallRng::seed_from_u64(effort.seed);
    let mut meter = Meter::default();
    let mut checks = vec![settings::description(subject)];
    let asks = settings::examine(subject, effort, &mut rng, &mut checks, &mut meter).await;
    // Settings that are refused leave nothing to deliver by.
    if let Some(asks) = asks {
        let desk = Desk { subject, asks: &asks, grants: grants(subject, &asks) };
        let messages = message::all(subject.plugin.description(), effort.cases, &mut rng);
        walk::examine(&desk, &messages, &mut rng, &mut checks, &mut meter).await;
        questions::examine(&desk, effort, &mut rng, &mut checks, &mut meter).await;
        canary::examine(&desk, &messages, &mut checks, &mut meter).await;
    }
    let slowest_us = u64::try_from(meter.slowest.as_micros()).unwrap_or(u64::MAX);
    Report { seed: effort.seed, calls: meter.calls, slowest_us, checks }
}

/// What the checks work with.
pub(crate) struct Desk<'a> {
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) asks: &'a Asks,
    pub(crate) grants: Grants,
}

/// A secret that would be known anywhere.
pub(crate) fn canary(name: &str) -> String {
    format!("canary-of-{name}-c4n4ry")
}

/// What the plugin asks for, and a canary for every secret.
fn grants(subject: &Subject<'_>, asks: &Asks) -> Grants {
    let named = subject.plugin.description().secrets.iter().map(|ask| &ask.name).chain(&asks.secrets);
    let secrets: BTreeMap<String, Secret> =
        named.map(|name| (name.clone(), Secret::new(canary(name)))).collect();
    Grants { owner: "examination".to_owned(), hosts: asks.hosts.clone(), secrets, ..Grants::default() }
}

/// Calls and the time they take.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    calls: u64,
    slowest: Duration,
}

impl Meter {
    /// Makes a call twice: the same input gives the same output, or the second half of the pair says what was different.
    pub(crate) async fn twice<T, F>(&mut self, mut call: impl FnMut() -> F) -> (Result<T, Fault>, bool)
    where
        F: Future<Output = Result<T, Fault>>,
        T: PartialEq,
    {
        let first = self.once(call()).await;
        let second = self.once(call()).await;
        let same = match (&first, &second) {
            (Ok(first), Ok(second)) => first == second,
            (Err(first), Err(second)) => first.kind() == second.kind(),
            _ => false,
        };
        (first, same)
    }

    pub(crate) async fn once<T>(&mut self, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let result = call.await;
        self.calls += 1;
        self.slowest = self.slowest.max(began.elapsed());
        result
    }
}

/// The check of this name among those that are under way.
pub(crate) fn check_of<'a>(checks: &'a mut Vec<Check>, name: &'static str) -> &'a mut Check {
    let index = checks.iter().position(|check| check.name == name).unwrap_or_else(|| {
        checks.push(Check::new(name));
        checks.len() - 1
    });
    &mut checks[index]
}

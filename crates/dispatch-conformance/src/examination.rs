//! The examination: what is looked at, in which order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dispatch_engine::{Backend, Grants};
use dispatch_model::{Asks, Fault, Secret, SettingProblem};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::promise::{ENDS, SAME, TIME};
use crate::report::{Check, Report};
use crate::{canary, message, questions, settings, walk};

/// What is examined.
pub struct Subject<'a> {
    /// The plugin, as the host loaded it.
    pub plugin: &'a dyn Backend,
    /// Settings it should accept, as JSON.
    pub settings: &'a str,
    /// What the plugin's schema alone finds wrong with settings.
    pub schema: &'a (dyn Fn(&str) -> Vec<SettingProblem> + Sync),
    /// The lines that the plugin has logged since the last time.
    pub log: &'a (dyn Fn() -> Vec<String> + Sync),
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
    let mut book = Book::default();
    settings::description(subject, &mut book);
    let asks = settings::examine(subject, effort, &mut rng, &mut book).await;
    // Settings that are refused leave nothing to deliver by.
    if let Some(asks) = asks {
        let desk = Desk { subject, asks: &asks, grants: grants(subject, &asks) };
        let messages = message::all(subject.plugin.description(), effort.cases, &mut rng);
        walk::examine(&desk, &messages, &mut rng, &mut book).await;
        questions::examine(&desk, effort, &mut rng, &mut book).await;
        canary::examine(&desk, &messages, &mut book).await;
    }
    let slowest_us = u64::try_from(book.slowest.as_micros()).unwrap_or(u64::MAX);
    let given_up = book.given_up();
    let checks = book.checks.into_iter().filter(|check| check.tried > 0).collect();
    Report { seed: effort.seed, calls: book.calls, slowest_us, given_up, checks }
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
    Grants {
        owner: "examination".into(),
        hosts: asks.hosts.clone(),
        secrets: Arc::new(secrets),
        ..Grants::default()
    }
}

/// The checks under way, the calls and the time they take.
#[derive(Debug)]
pub(crate) struct Book {
    checks: Vec<Check>,
    calls: u64,
    slowest: Duration,
    faults: u64,
    late: u64,
}

/// Calls that failed, after which no more is tried: the story is told.
const FAULTS_MAX: u64 = 20;
/// The same for those that the host ended, each of which has taken the whole of its time.
const LATE_MAX: u64 = 4;

impl Default for Book {
    fn default() -> Self {
        let checks = crate::promise::ALL.into_iter().map(Check::new).collect();
        Self { checks, calls: 0, slowest: Duration::ZERO, faults: 0, late: 0 }
    }
}

impl Book {
    /// The check of this promise.
    pub(crate) fn check(&mut self, name: &'static str) -> &mut Check {
        let index = self.checks.iter().position(|check| check.name == name);
        &mut self.checks[index.expect("each promise has its check")]
    }

    /// Puts a promise to the test: `what` says what is wrong, where something is.
    pub(crate) fn hold(
        &mut self,
        name: &'static str,
        right: bool,
        input: &str,
        what: impl FnOnce() -> String,
    ) {
        self.check(name).hold(right, input, what);
    }

    /// Whether enough has gone wrong.
    pub(crate) fn is_full(&self) -> bool {
        self.given_up().is_some()
    }

    /// Why no more is tried, where that is so.
    fn given_up(&self) -> Option<String> {
        if self.late >= LATE_MAX {
            return Some(format!("{} calls did not end in time", self.late));
        }
        (self.faults >= FAULTS_MAX).then(|| format!("{} calls failed", self.faults))
    }

    /// Makes a call. None where the host had to end it, which is told.
    pub(crate) async fn once<T>(
        &mut self,
        function: &str,
        input: &str,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Option<T> {
        let began = Instant::now();
        let result = call.await;
        self.calls += 1;
        self.slowest = self.slowest.max(began.elapsed());
        let late = matches!(result, Err(Fault::Deadline { .. }));
        self.faults += u64::from(result.is_err());
        self.late += u64::from(late);
        self.check(TIME).tried();
        self.check(ENDS).tried();
        result
            .inspect_err(|fault| {
                self.check(if late { TIME } else { ENDS }).broken(input, format!("{function}: {fault}"));
            })
            .ok()
    }

    /// Makes a call twice: the same input gives the same output. One that fails at once is told, and not repeated.
    pub(crate) async fn twice<T: PartialEq, F>(
        &mut self,
        function: &str,
        input: &str,
        mut call: impl FnMut() -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let first = self.once(function, input, call()).await?;
        let second = self.once(function, input, call()).await;
        self.hold(SAME, second.as_ref() == Some(&first), input, || {
            format!("two calls of {function} gave two results")
        });
        Some(first)
    }
}

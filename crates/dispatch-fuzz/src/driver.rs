//! Runs a target again and again: what leads somewhere new joins the pool, and what breaks it is made small and kept.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use crate::mutation::mutated;
use crate::{Bench, Seen, Target, Verdict};

/// One input takes at most so long; a debug build on a busy machine needs milliseconds.
const TOO_LONG: Duration = Duration::from_secs(5);
/// Inputs in the pool: past it the oldest finds go, the corpus stays.
const POOL: usize = 4_096;
/// Tries to make a finding smaller.
const SMALLER: usize = 2_000;

/// What broke a target.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What happened.
    pub what: String,
    /// The input, made as small as it would become.
    pub input: Vec<u8>,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs tried.
    pub inputs: u64,
    /// Different results seen.
    pub seen: usize,
    /// The first that broke it; the run ends there.
    pub finding: Option<Finding>,
}

/// Tries the corpus as it is, then mutations of it and of what led somewhere new, for so long.
pub fn fuzz(target: &Target, bench: &Bench, corpus: &[Vec<u8>], seed: u64, time: Duration) -> Report {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut report, mut seen) = (Report::default(), HashSet::new());
    let mut pool = corpus.to_vec();
    let (mut first, mut began) = (corpus.iter(), Instant::now());
    loop {
        let input = match first.next() {
            Some(input) => input.clone(),
            None if began.elapsed() >= time => break,
            None => mutated(&pool, target.words, &mut rng),
        };
        report.inputs += 1;
        match replay(target, bench, &input) {
            Ok(result) => {
                // The corpus stands in the pool already, and its time is not the mutations'.
                if report.inputs <= corpus.len() as u64 {
                    seen.insert(result);
                    began = Instant::now();
                } else if seen.insert(result) {
                    if pool.len() >= POOL {
                        pool.swap_remove(rng.random_range(corpus.len()..POOL));
                    }
                    pool.push(input);
                }
            }
            Err(what) => {
                report.finding = Some(smaller(target, bench, Finding { what, input }, &mut rng));
                break;
            }
        }
    }
    report.seen = seen.len();
    report
}

/// Leaves out pieces of a finding, as long as something is found.
fn smaller(target: &Target, bench: &Bench, mut finding: Finding, rng: &mut SmallRng) -> Finding {
    let began = Instant::now();
    for _ in 0..SMALLER {
        if finding.input.is_empty() || began.elapsed() > TOO_LONG {
            break;
        }
        let from = rng.random_range(0..finding.input.len());
        let most = (finding.input.len() - from).min(finding.input.len() / 2 + 1);
        let mut input = finding.input.clone();
        input.drain(from..from + rng.random_range(1..=most));
        if let Err(what) = replay(target, bench, &input) {
            finding = Finding { what, input };
        }
    }
    finding
}

/// Tries one input.
///
/// # Errors
/// What is wrong with what came of it.
pub fn replay(target: &Target, bench: &Bench, input: &[u8]) -> Result<Seen, String> {
    let began = Instant::now();
    let done: Result<Verdict, _> = catch_unwind(AssertUnwindSafe(|| (target.run)(bench, input)));
    let took = began.elapsed();
    match done {
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panicked: {}", words.unwrap_or_default()))
        }
        Ok(Ok(_)) if took > TOO_LONG => Err(format!("took {took:?}")),
        Ok(done) => done,
    }
}

//! What was looked at, and what was found.

use serde::Serialize;

/// Findings kept of one check: the first ones tell the story.
const FINDINGS_MAX: usize = 5;

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The seed that the inputs were made from.
    pub seed: u64,
    /// Calls of the plugin.
    pub calls: u64,
    /// Microseconds of the slowest call, the host's part and the wait for a processor included.
    pub slowest_us: u64,
    /// Why not everything was looked at, in words, where so much went wrong that the rest was left out.
    pub given_up: Option<String>,
    /// What was looked at.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing was found.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.findings.is_empty())
    }
}

/// One promise of the contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The promise.
    pub name: &'static str,
    /// How often it was put to the test.
    pub tried: u64,
    /// Where it was not kept; the first few.
    pub findings: Vec<Finding>,
    /// How often it was not kept.
    pub broken: u64,
}

impl Check {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, tried: 0, findings: Vec::new(), broken: 0 }
    }

    pub(crate) fn tried(&mut self) {
        self.tried += 1;
    }

    pub(crate) fn broken(&mut self, input: impl Into<String>, what: impl Into<String>) {
        self.broken += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { input: input.into(), what: what.into() });
        }
    }

    /// Puts it to the test: `what` says what is wrong, where something is.
    pub(crate) fn hold(&mut self, right: bool, input: &str, what: impl FnOnce() -> String) {
        self.tried += 1;
        if !right {
            self.broken(input, what());
        }
    }
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// With what.
    pub input: String,
    /// What is wrong.
    pub what: String,
}

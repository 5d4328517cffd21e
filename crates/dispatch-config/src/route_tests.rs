//! The `[[tests]]` of the file: what is expected of the routes.

use std::path::PathBuf;

use dispatch_model::{BackendName, RouteName, Submission};
use dispatch_routing::{Explanation, Router};
use serde::Serialize;

use crate::suggestion::listed;
use crate::{Config, Expect, RouteTest};

/// What became of one test.
#[derive(Debug, Clone, Serialize)]
pub struct TestResult {
    /// Which of `[[tests]]`, from 0; its path is `tests[index]`.
    pub index: usize,
    /// Its message file.
    pub message: PathBuf,
    /// How routing came to its plan, where the message could be read.
    pub explanation: Option<Explanation>,
    /// Why it failed; none if it passed.
    pub failure: Option<String>,
}

impl TestResult {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// Bytes of a test's message at most: no sender posts more by default.
const MESSAGE_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// The routes that are tested.
#[derive(Clone, Copy)]
pub struct Routers<'a> {
    /// Those of messages to people.
    pub outbound: &'a Router,
    /// Those of messages from people.
    pub inbound: &'a Router,
}

/// Makes a submission of a payload, as the ingress would, or, where told so, of a message from a person.
type Parse<'a> = dyn Fn(&[u8], bool) -> Result<Submission, String> + 'a;

/// Runs the tests of the file.
pub fn run_tests(config: &Config, routers: Routers<'_>, parse: &Parse) -> Vec<TestResult> {
    let run = |(index, test): (usize, &RouteTest)| {
        let router = if test.inbound { routers.inbound } else { routers.outbound };
        let (explanation, failure) = match read(test).and_then(|bytes| parse(&bytes, test.inbound)) {
            Err(failure) => (None, Some(failure)),
            Ok(submission) => {
                let explanation = router.explain(&submission);
                let failure = difference(&test.expect, &explanation);
                (Some(explanation), failure)
            }
        };
        TestResult { index, message: test.message.clone(), explanation, failure }
    };
    config.tests.iter().enumerate().map(run).collect()
}

fn read(test: &RouteTest) -> Result<Vec<u8>, String> {
    let describe = |error: std::io::Error| format!("cannot read {}: {error}", test.message.display());
    let size = std::fs::metadata(&test.message).map_err(describe)?.len();
    if size > MESSAGE_BYTES_MAX {
        return Err(format!("{} is larger than {MESSAGE_BYTES_MAX} bytes", test.message.display()));
    }
    std::fs::read(&test.message).map_err(describe)
}

fn difference(expect: &Expect, explanation: &Explanation) -> Option<String> {
    let plan = &explanation.plan;
    match (expect, &plan.route) {
        (Expect::None, None) => None,
        (Expect::None, Some(route)) => Some(format!("expected no route, but \"{route}\" matches")),
        (Expect::Plan { route: Some(route), .. }, None) => {
            Some(format!("expected route \"{route}\", but no route matches"))
        }
        (Expect::Plan { route: None, .. }, None) => Some("no route matches".to_owned()),
        (Expect::Plan { route, deliver }, Some(matched)) => {
            route_difference(route.as_ref(), matched, explanation)
                .or_else(|| chain_difference(deliver.as_deref()?, &plan.chain))
        }
    }
}

fn route_difference(
    expected: Option<&RouteName>,
    matched: &RouteName,
    explanation: &Explanation,
) -> Option<String> {
    let expected = expected.filter(|expected| *expected != matched)?;
    let tried = explanation.tried.iter().find(|tried| tried.route == *expected);
    let why = match tried.map(|tried| &tried.verdict) {
        Some(dispatch_routing::Verdict::Other { because }) => format!(", since {because}"),
        _ => ", which stands before it".to_owned(),
    };
    Some(format!("expected route \"{expected}\", but \"{matched}\" matches{why}"))
}

fn chain_difference(expected: &[BackendName], chain: &[BackendName]) -> Option<String> {
    let named = |names: &[BackendName]| {
        listed(&names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>(), "then")
    };
    (expected != chain)
        .then(|| format!("expected delivery by {}, but it is {}", named(expected), named(chain)))
}

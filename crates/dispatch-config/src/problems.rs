//! The problems found so far.

use ahash::AHashSet;

use crate::diagnostic::{Diagnostic, Severity};
use crate::node::Origin;
use crate::origins::Origins;

/// Problems of each severity that are reported at once. A mistake in a generated file is made 100 000
/// times, and nobody reads that.
const REPORTED_MAX: usize = 100;

/// Problems, in the order they are found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<Diagnostic>,
    /// Of each severity, how many there are, reported or not.
    counts: [usize; 2],
    /// The first two segments of the paths that have errors (`routes[3]`), so that what follows from an
    /// error is not reported as another.
    spoiled: AHashSet<String>,
}

impl Problems {
    pub(crate) fn error(
        &mut self,
        origins: &Origins,
        path: &str,
        origin: Origin,
        message: String,
        hint: Option<String>,
    ) {
        let place = origins.place(origin);
        self.add(Diagnostic {
            severity: Severity::Error,
            path: path.to_owned(),
            message,
            place: Some(place),
            hint,
        });
    }

    pub(crate) fn warning(
        &mut self,
        origins: &Origins,
        path: &str,
        origin: Origin,
        message: String,
        hint: Option<String>,
    ) {
        let place = origins.place(origin);
        self.add(Diagnostic {
            severity: Severity::Warning,
            path: path.to_owned(),
            message,
            place: Some(place),
            hint,
        });
    }

    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.spoiled.insert(item(&diagnostic.path).to_owned());
        }
        let count = &mut self.counts[diagnostic.severity as usize];
        *count += 1;
        if *count <= REPORTED_MAX {
            self.found.push(diagnostic);
        }
    }

    /// Whether an error was found in this item (`routes[3]`, `backends.twilio`).
    pub(crate) fn spoils(&self, path: &str) -> bool {
        self.spoiled.contains(item(path))
    }

    /// The items with errors so far.
    pub(crate) fn spoiled(&self) -> AHashSet<String> {
        self.spoiled.clone()
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.counts[Severity::Error as usize] > 0
    }

    /// All of them, as a person works through them: errors first, then by file and line.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| (a.severity, &a.place).cmp(&(b.severity, &b.place)));
        for severity in [Severity::Error, Severity::Warning] {
            let more = self.counts[severity as usize].saturating_sub(REPORTED_MAX);
            if more > 0 {
                let message = format!("{more} more of this severity are not shown");
                self.found.push(Diagnostic {
                    severity,
                    path: String::new(),
                    message,
                    place: None,
                    hint: None,
                });
            }
        }
        self.found
    }
}

/// `routes[3]` of `routes[3].when.user`; `backends.twilio` of `backends.twilio.limits`.
fn item(path: &str) -> &str {
    let first = path.find('.').unwrap_or(path.len());
    if path[..first].ends_with(']') {
        return &path[..first];
    }
    let rest = path.get(first + 1..).unwrap_or_default();
    let second = rest.find('.').map_or(path.len(), |at| first + 1 + at);
    &path[..second]
}

//! The rules, indexed.

use ahash::{AHashMap, AHashSet};
use dispatch_model::{BackendName, Channel, LocationId, Plan, RouteName, Submission};

use crate::choice::{Choice, chain};
use crate::explanation::{Explanation, Mismatch, Tried, Verdict};
use crate::index::Index;
use crate::problem::{RouteProblem, RouteProblemKind};
use crate::rule::{Deliver, Rule};
use crate::shadow;

/// Rules that are not for the message's location or channel are listed by an explanation up to this
/// many: enough to see a mistyped id, and still readable with 100 000 clients.
const LISTED_MAX: usize = 50;

/// The rules, indexed: a message costs the same with 10 and with 100 000 locations.
#[derive(Clone, Debug, Default)]
pub struct Router {
    rules: Vec<Rule>,
    index: Index,
    by_name: AHashMap<RouteName, u32>,
}

impl Router {
    /// Indexes the rules, or says all that is wrong with them.
    pub fn new(mut rules: Vec<Rule>) -> Result<Self, Vec<RouteProblem>> {
        let mut router = Self::default();
        share_names(&mut rules);
        let mut problems = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let mut found =
                |kind| problems.push(RouteProblem { index: number, name: rule.name.clone(), kind });
            if let Some(kind) = list_problem(&rule.deliver) {
                found(kind);
            }
            let short = u32::try_from(number).expect("four thousand million rules do not fit in memory");
            if let Some(first) = router.by_name.get(&rule.name) {
                found(RouteProblemKind::DuplicateName { first: *first as usize });
            } else {
                router.by_name.insert(rule.name.clone(), short);
            }
            router.index.add(short, rule);
        }
        router.rules = rules;
        problems.extend(shadow::find(&router.rules, &router.index));
        problems.sort_by_key(|problem| problem.index);
        if problems.is_empty() { Ok(router) } else { Err(problems) }
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of this name.
    pub fn rule(&self, name: &RouteName) -> Option<&Rule> {
        self.by_name.get(name).map(|number| &self.rules[*number as usize])
    }

    /// Whether some rule can be for this location and channel, conditions aside.
    pub fn covers(&self, location: &LocationId, channel: Channel) -> bool {
        self.index.candidates(location, channel).next().is_some()
    }

    /// What to do with a submission (or with a message, which is one).
    pub fn route(&self, submission: &Submission) -> Plan {
        match self.first_match(submission) {
            Some(number) => self.plan(number, submission).0,
            None => unrouted(submission),
        }
    }

    /// How [`route`](Self::route) comes to its plan.
    pub fn explain(&self, submission: &Submission) -> Explanation {
        let matched = self.first_match(submission);
        let end = matched.map_or(self.rules.len(), |number| number as usize);
        let (mut tried, mut foreign) = (Vec::new(), 0);
        for (index, rule) in self.rules[..end].iter().enumerate() {
            let Some(because) = rule.mismatch(submission) else { continue };
            if !matches!(because, Mismatch::Condition { .. }) {
                foreign += 1;
                if foreign > LISTED_MAX {
                    continue;
                }
            }
            tried.push(Tried { index, route: rule.name.clone(), verdict: Verdict::Other { because } });
        }
        let skipped = foreign.saturating_sub(LISTED_MAX);
        let Some(number) = matched else {
            return Explanation { tried, skipped, choice: None, plan: unrouted(submission) };
        };
        let rule = &self.rules[number as usize];
        let verdict = Verdict::Matched { by: rule.grounds(submission) };
        tried.push(Tried { index: number as usize, route: rule.name.clone(), verdict });
        let (plan, choice) = self.plan(number, submission);
        Explanation { tried, skipped, choice, plan }
    }

    /// The first rule in file order that is for the submission.
    fn first_match(&self, submission: &Submission) -> Option<u32> {
        // The index has settled location and channel; only the conditions are left to ask.
        self.index
            .candidates(&submission.location, submission.channel())
            .find(|number| self.rules[*number as usize].when.mismatch(submission).is_none())
    }

    fn plan(&self, number: u32, submission: &Submission) -> (Plan, Option<Choice>) {
        let rule = &self.rules[number as usize];
        let (chain, choice) = chain(&rule.deliver, submission);
        let mut reasons = vec![format!("route \"{}\": {}", rule.name, rule.grounds(submission))];
        reasons.extend(choice.as_ref().map(|choice| {
            let Choice { backend, weight, total, .. } = choice;
            format!("backend \"{backend}\": by its weight of {weight} in {total}, by location and contact")
        }));
        (Plan { route: Some(rule.name.clone()), chain, reasons }, choice)
    }
}

/// Makes all rules that name a backend share one text of its name: a plan clones it, and the shared one
/// is at hand in the cache.
fn share_names(rules: &mut [Rule]) {
    let mut known: AHashSet<BackendName> = AHashSet::new();
    for name in rules.iter_mut().flat_map(|rule| rule.deliver.backends_mut()) {
        match known.get(name) {
            Some(shared) => *name = shared.clone(),
            None => drop(known.insert(name.clone())),
        }
    }
}

fn unrouted(submission: &Submission) -> Plan {
    let channel = submission.channel();
    let reason = match submission.inbound_from() {
        None => {
            format!("no route matches a message of location {} and channel {channel}", submission.location)
        }
        Some(_) => format!("no inbound route matches what backend {} brings by {channel}", submission.source),
    };
    Plan { route: None, chain: Vec::new(), reasons: vec![reason] }
}

/// What is wrong with a list of backends in itself.
fn list_problem(deliver: &Deliver) -> Option<RouteProblemKind> {
    let names: Vec<_> = deliver.backends().collect();
    if names.is_empty() {
        return Some(RouteProblemKind::NoBackend);
    }
    if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Some(RouteProblemKind::DuplicateBackend { backend: (*twice).clone() });
    }
    match deliver {
        Deliver::Weighted(list) if list.iter().all(|entry| entry.weight == 0) => {
            Some(RouteProblemKind::NoWeight)
        }
        _ => None,
    }
}

//! Rules that no message can reach.
//!
//! A rule is a set of cells, one for each of its locations (or "any other location") and channels,
//! narrowed by its conditions. It is unreachable if each of its cells is taken whole by one earlier
//! rule. That is exact for location and channel. Of conditions only plain implication is seen, value
//! by value: two earlier rules that together cover all phone prefixes are not.
//!
//! An unconditional earlier rule is found by looking at the head of two lists, so that the search
//! stays linear for a file of 100 000 clients; only conditional rules are compared with each other.

use dispatch_model::{Channel, LocationId};

use crate::index::{Index, channels};
use crate::problem::{RouteProblem, RouteProblemKind};
use crate::rule::{Conditions, Rule};

/// All rules that no message can reach.
pub(crate) fn find(rules: &[Rule], index: &Index) -> Vec<RouteProblem> {
    let search = Search {
        rules,
        index,
        takes_all: CHANNELS.map(|channel| first_taking_all(rules, index.any(channel))),
    };
    let unreachable = (0..rules.len()).filter_map(|number| {
        let by = search.shadows(number)?;
        let by = by.into_iter().map(|by| (by, rules[by].name.clone())).collect();
        let kind = RouteProblemKind::Unreachable { by };
        Some(RouteProblem { index: number, name: rules[number].name.clone(), kind })
    });
    unreachable.collect()
}

const CHANNELS: [Channel; 2] = [Channel::Sms, Channel::Email];

struct Search<'a> {
    rules: &'a [Rule],
    index: &'a Index,
    /// The first rule without conditions for any location, by channel.
    takes_all: [Option<u32>; 2],
}

fn first_taking_all(rules: &[Rule], list: &[u32]) -> Option<u32> {
    list.iter().copied().find(|number| rules[*number as usize].when.is_empty())
}

impl Search<'_> {
    /// The earlier rules that take all messages of this one; none if it can be reached.
    fn shadows(&self, number: usize) -> Option<Vec<usize>> {
        let rule = &self.rules[number];
        let mut by = Vec::new();
        let mut add = |shadow: usize| {
            if !by.contains(&shadow) {
                by.push(shadow);
            }
        };
        for channel in channels(rule) {
            match rule.locations.as_slice() {
                [] => add(self.shadow_of_cell(number, None, channel)?),
                named => {
                    for location in named {
                        add(self.shadow_of_cell(number, Some(location), channel)?);
                    }
                }
            }
        }
        by.sort_unstable();
        Some(by)
    }

    fn shadow_of_cell(
        &self,
        number: usize,
        location: Option<&LocationId>,
        channel: Channel,
    ) -> Option<usize> {
        let slot = CHANNELS.iter().position(|known| *known == channel)?;
        let earlier = |candidate: &u32| (*candidate as usize) < number;
        if let Some(all) = self.takes_all[slot].filter(earlier) {
            return Some(all as usize);
        }
        let wanted = &self.rules[number].when;
        let implied = |candidate: &u32| implies(wanted, &self.rules[*candidate as usize].when);
        let named = location.map_or(&[][..], |location| self.index.named(location, channel));
        let mut found = named.iter().copied().take_while(earlier).find(implied);
        // Without conditions of its own a rule implies no conditional one, and all unconditional ones were seen.
        if found.is_none() && !wanted.is_empty() {
            found = self.index.any(channel).iter().copied().take_while(earlier).find(implied);
        }
        found.map(|found| found as usize)
    }
}

/// Whether whatever meets `narrow` meets `wide` too.
fn implies(narrow: &Conditions, wide: &Conditions) -> bool {
    within(&narrow.received_by, &wide.received_by, |a, b| a == b)
        && within(&narrow.phone_prefix, &wide.phone_prefix, |a, b| a.starts_with(b))
        && within(&narrow.to_domain, &wide.to_domain, |a, b| bare(a).eq_ignore_ascii_case(bare(b)))
        && within(&narrow.from, &wide.from, sender_within)
        && within(&narrow.user, &wide.user, |a, b| a == b)
        && (wide.has_attachments.is_none() || narrow.has_attachments == wide.has_attachments)
        && wide.raw.iter().all(|(name, values)| {
            narrow.raw.get(name).is_some_and(|narrow| within(narrow, values, |a, b| a == b))
        })
}

/// Whether each value that `narrow` allows is one that `wide` allows. An empty list allows all.
fn within<T: AsRef<str>>(narrow: &[T], wide: &[T], covers: impl Fn(&str, &str) -> bool) -> bool {
    let covered = |a: &T| wide.iter().any(|b| covers(a.as_ref(), b.as_ref()));
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(covered))
}

fn sender_within(narrow: &str, wide: &str) -> bool {
    narrow.eq_ignore_ascii_case(wide)
        || (wide.starts_with('@')
            && narrow.len() > wide.len()
            && narrow.is_char_boundary(narrow.len() - wide.len())
            && narrow[narrow.len() - wide.len()..].eq_ignore_ascii_case(wide))
}

fn bare(domain: &str) -> &str {
    domain.trim_start_matches('@')
}

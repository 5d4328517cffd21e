//! What works, but perhaps not as meant: backends that nothing uses, locations served on one channel only.

use std::collections::BTreeSet;

use dispatch_model::{Channel, LocationId};
use dispatch_routing::Router;

use crate::Config;
use crate::document::find;
use crate::node::Node;
use crate::origins::Origins;
use crate::problems::Problems;
use crate::suggestion::listed;

/// A configuration without errors, looked at once more.
pub(crate) struct Coverage<'a> {
    pub(crate) config: &'a Config,
    pub(crate) router: &'a Router,
    pub(crate) root: &'a Node,
    pub(crate) origins: &'a Origins,
    pub(crate) problems: &'a mut Problems,
}

impl Coverage<'_> {
    pub(crate) fn all(&mut self) {
        self.unused_backends();
        for (routed, missing) in [(Channel::Sms, Channel::Email), (Channel::Email, Channel::Sms)] {
            self.half_routed(routed, missing);
        }
    }

    fn unused_backends(&mut self) {
        let rules = self.router.rules().iter();
        let inbound = self.config.inbound.iter().map(|route| &route.rule);
        let mut used: BTreeSet<_> = BTreeSet::new();
        for rule in rules.chain(inbound) {
            // One that only receives is used as well.
            used.extend(rule.deliver.backends().chain(&rule.when.received_by));
        }
        for name in self.config.backends.keys().filter(|name| !used.contains(name)) {
            let hint = "name it under `deliver` of a route, or take it away".to_owned();
            self.warn(
                &format!("backends.{name}"),
                format!("no route delivers by the backend \"{name}\""),
                hint,
            );
        }
    }

    /// One warning for all such locations: in a file where no route takes mail it concerns every client.
    fn half_routed(&mut self, routed: Channel, missing: Channel) {
        let rules = self.router.rules();
        let in_routes = rules.iter().flat_map(|rule| &rule.locations);
        let half = |id: &&LocationId| self.router.covers(id, routed) && !self.router.covers(id, missing);
        let half: BTreeSet<&LocationId> =
            self.config.locations.keys().chain(in_routes).filter(half).collect();
        let hint = format!(
            "add a route with channel = \"{missing}\"; without one its {missing} messages become dead letters"
        );
        let Some(first) = half.iter().next() else {
            let none =
                |channel| !rules.iter().any(|rule| rule.channel.is_none_or(|wanted| wanted == channel));
            if none(missing) && !none(routed) {
                let last = format!("routes[{}]", rules.len() - 1);
                self.warn(&last, format!("no route takes {missing}"), hint);
            }
            return;
        };
        let path = match self.config.locations.contains_key(*first) {
            true => format!("locations.{first}"),
            false => {
                let rule = rules.iter().position(|rule| rule.locations.contains(first)).unwrap_or_default();
                format!("routes[{rule}].location")
            }
        };
        let names: Vec<String> = half.iter().map(|id| self.name(id)).collect();
        let message = format!("{} routed for {routed} and not for {missing}", subject(&names));
        self.warn(&path, message, hint);
    }

    /// A location as people know it.
    fn name(&self, id: &LocationId) -> String {
        match self.config.locations.get(id).and_then(|location| location.name.as_deref()) {
            Some(name) => format!("{name} ({id})"),
            None => id.to_string(),
        }
    }

    fn warn(&mut self, path: &str, message: String, hint: String) {
        if let Some(origin) = find(self.root, path) {
            self.problems.warning(self.origins, path, origin, message, Some(hint));
        }
    }
}

fn subject(names: &[String]) -> String {
    match names {
        [one] => format!("the location {one} is"),
        _ => format!("the locations {} are", listed(names, "and")),
    }
}

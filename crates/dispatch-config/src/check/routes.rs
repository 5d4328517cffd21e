//! What the routes and their tests say: backends that must exist, conditions that can hold, names that tell them apart.

use std::collections::BTreeSet;

use dispatch_model::Channel;

use super::{Check, find_list, has};
use crate::suggestion::nearest;
use crate::{Expect, Route};

impl Check<'_> {
    pub(super) fn routes(&mut self) {
        let config = self.config;
        for (index, route) in config.routes.iter().enumerate() {
            let at = format!("routes[{index}]");
            let several = find_list(self.root, &format!("{at}.deliver"));
            for (position, name) in route.rule.deliver.backends().enumerate() {
                if !config.backends.contains_key(name) {
                    let item =
                        if several { format!("{at}.deliver[{position}]") } else { format!("{at}.deliver") };
                    let weighted = format!("{item}.backend");
                    self.unknown_backend(if has(self.root, &weighted) { &weighted } else { &item }, name);
                }
            }
            let when = &route.rule.when;
            let for_email = [("to_domain", !when.to_domain.is_empty()), ("from", !when.from.is_empty())];
            let for_sms = [("phone_prefix", !when.phone_prefix.is_empty())];
            let given =
                |list: &[(&'static str, bool)]| list.iter().find(|(_, given)| *given).map(|(name, _)| *name);
            let clash = match route.rule.channel {
                Some(Channel::Sms) => given(&for_email).map(|name| (name, Channel::Email)),
                Some(Channel::Email) => given(&for_sms).map(|name| (name, Channel::Sms)),
                None => {
                    given(&for_email).filter(|_| given(&for_sms).is_some()).map(|name| (name, Channel::Email))
                }
            };
            if let Some((name, channel)) = clash {
                let message = format!("this route can never match: `{name}` is a condition for {channel}");
                self.error(&format!("{at}.when.{name}"), message, "take it away, or make two routes");
            }
            self.waits(route, &at);
        }
    }

    pub(super) fn inbound(&mut self) {
        let config = self.config;
        for (index, route) in config.inbound.iter().enumerate() {
            let at = format!("inbound[{index}]");
            let when = &route.rule.when.received_by;
            for (key, names) in [
                ("backend", when.iter().collect::<Vec<_>>()),
                ("to", route.rule.deliver.backends().collect()),
            ] {
                let several = find_list(self.root, &format!("{at}.{key}"));
                for (position, name) in names.into_iter().enumerate() {
                    let item =
                        if several { format!("{at}.{key}[{position}]") } else { format!("{at}.{key}") };
                    if !config.backends.contains_key(name) {
                        self.unknown_backend(&item, name);
                    } else if key == "to" && when.contains(name) {
                        let message = format!("what \"{name}\" brings would go out by it, to our own number");
                        self.error(
                            &item,
                            message,
                            "hand it on to another backend, for example one of plugin http",
                        );
                    }
                }
            }
            let named =
                |other: &&Route| other.rule.name == route.rule.name && !route.rule.name.as_str().is_empty();
            if config.routes.iter().any(|other| named(&other)) {
                let message = format!("there is another route named \"{}\"", route.rule.name);
                self.error(&format!("{at}.name"), message, "names tell routes apart, inbound ones too");
            }
            self.waits(route, &at);
        }
    }

    fn waits(&mut self, route: &Route, at: &str) {
        let retry = &route.policy.retry;
        let half_read = self.problems.spoils(at) || self.problems.spoils("defaults.route");
        if retry.first > retry.max && !half_read {
            self.error(
                &format!("{at}.retry.first"),
                "the first wait is longer than the longest",
                "write at most what `max` is",
            );
        }
        if route.policy.lookup_after >= route.policy.expires_after && !half_read {
            self.error(
                &format!("{at}.lookup_after"),
                "the provider would be asked only when the message is no longer worth delivering",
                "write less than what `retry.expires_after` is",
            );
        }
    }

    pub(super) fn tests(&mut self) {
        let config = self.config;
        let names = |routes: &'_ [Route]| -> BTreeSet<String> {
            routes.iter().map(|route| route.rule.name.to_string()).collect()
        };
        let (outbound, inbound) = (names(&config.routes), names(&config.inbound));
        for (index, test) in config.tests.iter().enumerate() {
            let at = format!("tests[{index}]");
            let routes = if test.inbound { &inbound } else { &outbound };
            let key = if test.inbound { "inbound" } else { "message" };
            if !test.message.as_os_str().is_empty() && !test.message.is_file() {
                let message = format!("there is no file {}", test.message.display());
                self.error(
                    &format!("{at}.{key}"),
                    message,
                    "the path is relative to the file it is written in",
                );
            }
            match ["message", "inbound"].map(|key| has(self.root, &format!("{at}.{key}"))) {
                [true, true] => {
                    self.error(&at, "a test has either `message` or `inbound`, not both", "take one away");
                }
                [false, false] => {
                    self.error(&at, "a test needs `message` or `inbound`", "add message = \"FILE\"");
                }
                _ => {}
            }
            let Expect::Plan { route, deliver } = &test.expect else {
                if find_list(self.root, &format!("{at}.expect.deliver"))
                    || has(self.root, &format!("{at}.expect.route"))
                {
                    self.error(
                        &format!("{at}.expect"),
                        "none = true leaves nothing else to expect",
                        "take `none` away, or all else",
                    );
                }
                continue;
            };
            if route.is_none() && deliver.is_none() && !self.problems.spoils(&at) {
                self.error(
                    &format!("{at}.expect"),
                    "nothing is expected",
                    "write route = \"NAME\", deliver = [\"BACKEND\"] or none = true",
                );
            }
            if let Some(route) = route.as_ref().filter(|route| !routes.contains(route.as_str())) {
                let hint = nearest(route.as_str(), routes.iter().map(String::as_str))
                    .map(|meant| format!("did you mean \"{meant}\"?"));
                self.report(&format!("{at}.expect.route"), format!("there is no route \"{route}\""), hint);
            }
            for name in deliver.iter().flatten().filter(|name| !config.backends.contains_key(*name)) {
                self.unknown_backend(&format!("{at}.expect.deliver"), name);
            }
        }
    }
}

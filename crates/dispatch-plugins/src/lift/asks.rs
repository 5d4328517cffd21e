//! What `check` says of settings.

use dispatch_model::{Asks, Fault, SettingProblem};

use super::bounded;
use crate::contract::wit;
use crate::description::secret_name;
use crate::fault::contract;
use crate::text;

/// Hosts, and bytes of one: a DNS name has at most 253.
const HOSTS_MAX: usize = 100;
const HOST_MAX: usize = 253;
/// Secrets of one backend.
const SECRETS_MAX: usize = 64;
/// Problems shown at once; more would not be read.
const PROBLEMS_MAX: usize = 100;
const PATH_MAX: usize = 256;
const PROBLEM_MAX: usize = 1024;

pub(crate) fn asks(asks: wit::Asks) -> Result<Asks, Fault> {
    bounded("hosts", asks.hosts.len(), HOSTS_MAX)?;
    bounded("secrets", asks.secrets.len(), SECRETS_MAX)?;
    for host in &asks.hosts {
        bounded("bytes of a host", host.len(), HOST_MAX)?;
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || text::unprintable(c)) {
            return Err(contract("a host that is empty or has spaces in it"));
        }
    }
    if let Some(name) = asks.secrets.iter().find(|name| !secret_name(name)) {
        return Err(contract(format!(
            "the secret name {:?}, which is not 1 to 64 of `A-Za-z0-9_-`",
            text::clip(name, 64)
        )));
    }
    Ok(Asks { hosts: asks.hosts, relay: asks.relay, session: asks.session, secrets: asks.secrets })
}

/// A refusal without a problem would leave the operator with nothing to do.
pub(crate) fn problems(problems: Vec<wit::Problem>) -> Result<Vec<SettingProblem>, Fault> {
    if problems.is_empty() {
        return Err(contract("`check` refuses the settings and names no problem"));
    }
    Ok(problems
        .into_iter()
        .take(PROBLEMS_MAX)
        .map(|problem| SettingProblem {
            path: text::clip(&problem.path, PATH_MAX),
            message: text::clip(&problem.message, PROBLEM_MAX),
        })
        .collect())
}

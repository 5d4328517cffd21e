//! Who may depend on whom. A crate depends only on lower levels, by these edges; some libraries are
//! named by one crate alone, so that replacing them touches one crate.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

use crate::command::{cargo, output};

/// A crate of ours, its level and what it may depend on.
struct House {
    name: &'static str,
    level: u8,
    edges: &'static [&'static str],
}

const fn at(level: u8, name: &'static str, edges: &'static [&'static str]) -> House {
    House { name, level, edges }
}

/// The house, from the ground up.
const HOUSE: &[House] = &[
    at(0, "dispatch-model", &[]),
    at(0, "dispatch-author", &[]),
    at(1, "dispatch-highlevel", &["dispatch-model"]),
    at(1, "dispatch-text", &["dispatch-model"]),
    at(1, "dispatch-routing", &["dispatch-model"]),
    at(1, "dispatch-store", &["dispatch-model"]),
    at(2, "dispatch-ingress", &["dispatch-model", "dispatch-store", "dispatch-highlevel", "dispatch-text"]),
    at(2, "dispatch-engine", &["dispatch-model", "dispatch-store", "dispatch-routing", "dispatch-text"]),
    at(3, "dispatch-plugins", &["dispatch-model", "dispatch-engine"]),
    at(3, "dispatch-egress", &["dispatch-model", "dispatch-engine"]),
    at(3, "dispatch-conformance", &["dispatch-model", "dispatch-engine"]),
    at(3, "dispatch-admin", &["dispatch-model", "dispatch-engine", "dispatch-store"]),
    at(3, "dispatch-config", &["dispatch-model", "dispatch-routing"]),
    at(
        4,
        "dispatcher",
        &[
            "dispatch-model",
            "dispatch-highlevel",
            "dispatch-text",
            "dispatch-routing",
            "dispatch-store",
            "dispatch-ingress",
            "dispatch-engine",
            "dispatch-plugins",
            "dispatch-egress",
            "dispatch-admin",
            "dispatch-config",
            "dispatch-author",
            "dispatch-conformance",
        ],
    ),
    at(5, "dispatch-testkit", &["dispatch-model"]),
    at(
        5,
        "dispatch-fuzz",
        &[
            "dispatch-model",
            "dispatch-highlevel",
            "dispatch-text",
            "dispatch-ingress",
            "dispatch-engine",
            "dispatch-plugins",
            "dispatch-config",
        ],
    ),
    at(6, "dispatcher-tests", &["dispatch-model", "dispatch-testkit"]),
    at(6, "xtask", &["dispatch-testkit", "dispatch-author", "dispatch-highlevel"]),
];

/// Libraries that belong to one crate, and why.
const OWNED: &[(&str, &[&str], &str)] = &[
    ("wasmtime", &["dispatch-plugins"], "the sandbox has one wrapper"),
    ("figment", &["dispatch-config"], "one crate knows the file format"),
    ("toml", &["dispatch-config"], "one crate knows the file format"),
    ("lettre", &["dispatch-egress"], "all that leaves, leaves there"),
    ("rustls", &["dispatch-egress", "dispatcher", "dispatch-testkit"], "all that leaves, leaves there"),
    ("rusqlite", &["dispatch-store"], "one crate knows the database"),
];

/// All edges that are not on the list.
pub(super) fn check() -> anyhow::Result<Vec<String>> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("reading cargo's metadata")?;
    let packages = metadata["packages"].as_array().context("cargo's metadata has packages")?;
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        let edges = dependencies.iter().map(|dependency| {
            let kind = dependency["kind"].as_str().unwrap_or("normal");
            (dependency["name"].as_str().unwrap_or_default(), kind == "dev")
        });
        findings.extend(check_package(name, edges));
    }
    Ok(findings)
}

fn check_package<'a>(name: &str, edges: impl Iterator<Item = (&'a str, bool)>) -> Vec<String> {
    let levels: BTreeMap<&str, u8> = HOUSE.iter().map(|house| (house.name, house.level)).collect();
    let Some(house) = HOUSE.iter().find(|house| house.name == name) else {
        return vec![format!(
            "{name}: a crate that the house does not know; place it in xtask/src/tidy/edges.rs"
        )];
    };
    let mut findings = Vec::new();
    for (to, dev) in edges {
        if let Some(level) = levels.get(to) {
            // A test may look at anything below it, and use the testkit.
            let allowed =
                house.edges.contains(&to) || dev && (to == "dispatch-testkit" || *level < house.level);
            if !allowed {
                findings.push(format!("{name} -> {to}: not an edge of the house (xtask/src/tidy/edges.rs)"));
            }
        }
        if let Some((_, owners, why)) = OWNED.iter().find(|(library, ..)| *library == to)
            && !dev
            && !owners.contains(&name)
        {
            findings.push(format!("{name} -> {to}: only {} may name it, since {why}", owners.join(" and ")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, edges: &[(&'static str, bool)]) -> usize {
        check_package(name, edges.iter().copied()).len()
    }

    #[test]
    fn only_listed_edges_pass() {
        assert_eq!(findings("dispatch-ingress", &[("dispatch-store", false), ("hyper", false)]), 0);
        assert_eq!(findings("dispatch-ingress", &[("dispatch-engine", false)]), 1);
        assert_eq!(findings("dispatch-store", &[("dispatch-engine", true)]), 1);
        assert_eq!(findings("dispatch-engine", &[("dispatch-testkit", true)]), 0);
        assert_eq!(findings("dispatch-engine", &[("dispatch-testkit", false)]), 1);
        assert_eq!(findings("dispatch-surprise", &[]), 1);
    }

    #[test]
    fn a_library_has_its_owner() {
        assert_eq!(findings("dispatch-plugins", &[("wasmtime", false)]), 0);
        assert_eq!(findings("dispatch-engine", &[("wasmtime", false)]), 1);
        assert_eq!(findings("dispatcher-tests", &[("rusqlite", true)]), 0);
    }

    #[test]
    fn the_list_itself_goes_downwards() {
        for house in HOUSE {
            for edge in house.edges {
                let below = HOUSE.iter().find(|other| other.name == *edge).expect("a crate of the house");
                assert!(below.level < house.level, "{} -> {edge}", house.name);
            }
        }
    }
}

//! Measurements that need a crate's inside: its own example makes them, and prints one JSON object a
//! line with at least `name`.

use serde_json::Value;

use super::table::Row;
use crate::command::{cargo, output};

/// The two calls of a delivery, sandboxed and native.
pub(super) fn plugins(scale: usize) -> anyhow::Result<Vec<Row>> {
    example("dispatch-plugins", "calls", scale, "<= 60 us over native")
}

/// One plan among 10 locations and among 100 000.
pub(super) fn routing(scale: usize) -> anyhow::Result<Vec<Row>> {
    example("dispatch-routing", "flat", scale, "flat")
}

fn example(package: &str, name: &str, scale: usize, goal: &'static str) -> anyhow::Result<Vec<Row>> {
    let args = ["run", "--release", "--quiet", "--package", package, "--example", name, "--"];
    let printed = output(cargo().args(args).arg(scale.to_string()))?;
    let rows = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|line| {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        Row { cpu_us: line["us"].as_f64(), ..Row::new(text("name")).note(text("note")).goal(goal) }
    });
    Ok(rows.collect())
}

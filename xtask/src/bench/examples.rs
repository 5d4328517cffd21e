//! Measurements that need a crate's inside: its own example makes and prints them, and each of its
//! lines is shown as it is.

use std::process::Command;

use super::table::Row;
use crate::command::{output, root, target};

/// What 20 MiB of attachments cost the guest and the host.
pub(super) fn attachments(scale: usize) -> anyhow::Result<Vec<Row>> {
    let calls = (2_000 / scale).to_string();
    example("attachment_costs", &["plugins/dist", &calls], "20 MiB attached", "the same; one buffer each")
}

/// One plan among 10 locations and among 100 000.
pub(super) fn routing() -> anyhow::Result<Vec<Row>> {
    example("route", &[], "routing", "flat")
}

fn example(program: &str, args: &[&str], name: &str, goal: &'static str) -> anyhow::Result<Vec<Row>> {
    let mut command = Command::new(target()?.join("release/examples").join(program));
    let printed = output(command.args(args).current_dir(root()))?;
    let lines = printed.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut rows: Vec<Row> = lines.map(|line| Row::new(name).note(line)).collect();
    if let Some(last) = rows.pop() {
        rows.push(last.goal(goal));
    }
    Ok(rows)
}

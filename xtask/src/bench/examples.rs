//! Measurements that need a crate's inside: its own example makes and prints them, and each of its
//! lines is shown as it is.

use std::process::Command;

use super::table::Row;
use crate::command::{output, root, target};

/// The two calls of a delivery in the sandbox, for the bundled plugin and for those of the examples in other languages
/// that are built: the tests leave them under the target folder.
pub(super) fn plugins() -> anyhow::Result<Vec<Row>> {
    let mut rows =
        example("plugin_bench", &["plugins/dist/twilio.wasm"], "plugin, Rust", "<= 60 us over native")?;
    for (folder, component, name, goal) in [
        ("plugin-javascript", "nube-sms", "plugin, JavaScript", "both calls < 1.5 ms"),
        ("plugin-python", "plugin-python", "plugin, Python", "both calls < 3 ms"),
    ] {
        let folder = target()?.join("authors/examples").join(folder);
        let component = folder.join("dist").join(format!("{component}.wasm")).display().to_string();
        if std::path::Path::new(&component).is_file() {
            let settings = folder.join("settings.json").display().to_string();
            rows.extend(example("plugin_bench", &[&component, &settings], name, goal)?);
        } else {
            rows.push(
                Row::new(name).note(format!("not built: run `cargo xtask test`, which leaves {component}")),
            );
        }
    }
    Ok(rows)
}

/// What each bundled plugin takes for a message: SMS, and email without attachments.
pub(super) fn costs(scale: usize) -> anyhow::Result<Vec<Row>> {
    let calls = (5_000 / scale).to_string();
    example("plugin_costs", &["plugins/dist", &calls], "both calls", "< 150 us each")
}

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

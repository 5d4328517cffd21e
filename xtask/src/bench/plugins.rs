//! What plugins cost, by `plugin bench` of the daemon that is measured, and beside native code.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use dispatch_testkit::dispatcher_binary;
use serde::Deserialize;

use super::material::{self, Material};
use super::table::Row;
use crate::command::{self, cargo, root, target};

/// The two calls of a delivery in the sandbox, for the bundled plugin and for those of the examples in other languages
/// that are built: the tests leave them under the target folder.
pub(super) fn languages(scale: usize) -> anyhow::Result<Vec<Row>> {
    let caches = tempfile::tempdir()?;
    let calls = 5_000 / scale;
    let twilio = dist("twilio");
    let given = Material::of(&root().join("plugins/twilio/testdata"), String::new());
    let rust = Measured::of(caches.path(), calls, &twilio, Some(&given))?;
    let (native, sandboxed) = (native()?, rust.both(|call| call.median_us));
    let both = native.deliver_us + native.on_reply_us;
    let mut rows = rust.rows("plugin, Rust", "");
    rows.push(
        Row::new("the same, native")
            .note(format!(
                "native: {:.1} + {:.1} us; the sandbox takes {:.1} us more",
                native.deliver_us,
                native.on_reply_us,
                sandboxed - both
            ))
            .goal("<= 60 us over native"),
    );
    for (folder, component, name, goal) in [
        ("plugin-javascript", "nube-sms", "plugin, JavaScript", "both calls < 1.5 ms"),
        ("plugin-python", "plugin-python", "plugin, Python", "both calls < 3 ms"),
    ] {
        let folder = target()?.join("authors/examples").join(folder);
        let component = folder.join("dist").join(format!("{component}.wasm"));
        if component.is_file() {
            rows.extend(Measured::of(caches.path(), calls, &folder, None)?.rows(name, goal));
        } else {
            let component = component.display();
            rows.push(
                Row::new(name).note(format!("not built: run `cargo xtask test`, which leaves {component}")),
            );
        }
    }
    Ok(rows)
}

/// What each bundled plugin takes for a message: SMS, and email without attachments.
pub(super) fn costs(scale: usize) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let mut names: Vec<String> = std::fs::read_dir(root().join("plugins/dist"))?
        .flatten()
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".wasm")?.to_owned()))
        .collect();
    names.sort();
    let mut rows = Vec::new();
    for name in names {
        for given in material::of(&name, folder.path())? {
            let measured =
                Measured::of(&folder.path().join("caches"), 3_000 / scale, &dist(&name), Some(&given))?;
            rows.push(Row::new(format!("{name}{}", given.about)).note(measured.words()));
        }
    }
    let last = rows.pop().context("plugins/dist has a plugin")?;
    rows.push(last.goal("both calls < 150 us each"));
    Ok(rows)
}

fn dist(name: &str) -> PathBuf {
    root().join("plugins/dist").join(format!("{name}.wasm"))
}

/// What `plugin bench --json` says.
#[derive(Deserialize)]
struct Measured {
    size: u64,
    outcome: String,
    compile_ms: f64,
    cached_ms: f64,
    calls: Vec<Call>,
    deliveries: Vec<Series>,
}

#[derive(Deserialize)]
struct Call {
    call: String,
    median_us: f64,
    p99_us: f64,
}

#[derive(Deserialize)]
struct Series {
    at_once: u32,
    cpu_us: f64,
    per_second: f64,
}

impl Measured {
    /// A component with these files, or a plugin's folder with its own.
    fn of(caches: &Path, calls: usize, path: &Path, given: Option<&Material>) -> anyhow::Result<Self> {
        let mut command = Command::new(dispatcher_binary()?);
        command.args(["plugin", "bench", "--json", "--calls", &calls.to_string()]).arg(path);
        for (option, file) in given.into_iter().flat_map(Material::options) {
            command.args([OsStr::new(option), file.as_os_str()]);
        }
        // The user's own caches stay as they are.
        let said = command::output(command.env("XDG_CACHE_HOME", caches))?;
        let measured: Self = serde_json::from_str(&said).context("reading what `plugin bench` measured")?;
        ensure!(
            measured.outcome == "accepted",
            "{}: the delivery ended {}",
            path.display(),
            measured.outcome
        );
        Ok(measured)
    }

    /// Of all calls of a delivery.
    fn both(&self, of: impl Fn(&Call) -> f64) -> f64 {
        self.calls.iter().map(of).sum()
    }

    fn words(&self) -> String {
        let each: Vec<String> =
            self.calls.iter().map(|call| format!("{} {:.1}", call.call, call.median_us)).collect();
        let (median, p99) = (self.both(|call| call.median_us), self.both(|call| call.p99_us));
        format!("{} = {median:.1} us at the median, {p99:.1} us at p99", each.join(" + "))
    }

    fn rows(&self, name: &str, goal: &'static str) -> Vec<Row> {
        let size = self.size.div_ceil(1000);
        let ready = format!(
            "{size} kB, compiled in {:.0} ms, from the cache in {:.1} ms",
            self.compile_ms, self.cached_ms
        );
        let series = self.deliveries.iter().map(|series| {
            Row::new(format!("{name}, {} at once", series.at_once)).rate(series.per_second).cpu(series.cpu_us)
        });
        let first = [Row::new(name).note(ready), Row::new(name).note(self.words()).goal(goal)];
        first.into_iter().chain(series).collect()
    }
}

/// What `plugins/twilio/benches/native.rs` prints.
#[derive(Deserialize)]
struct Native {
    deliver_us: f64,
    on_reply_us: f64,
}

fn native() -> anyhow::Result<Native> {
    let mut command = cargo();
    command.current_dir(root().join("plugins")).env("CARGO_TARGET_DIR", target()?.join("guests-native"));
    command.args(["bench", "--quiet", "--package", "dispatcher-plugin-twilio", "--bench", "native"]);
    serde_json::from_str(&command::output(&mut command)?).context("reading what native code takes")
}

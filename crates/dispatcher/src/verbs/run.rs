//! `run`: the daemon.

use std::collections::BTreeMap;

use dispatch_config::LogFormat as ConfiguredFormat;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::Place;
use crate::cli::{LogFormat, RunArgs};
use crate::exit::Failure;
use crate::{configuration, daemon, logging, out};

/// A core of a crash would hold every credential. One byte and not none: the kernel hands a core to a
/// handler behind a pipe (as systemd's) whatever the limit is, but for this one.
const CORE: Rlimit = Rlimit { current: Some(1), maximum: Some(1) };

pub(super) fn run(place: &Place, args: &RunArgs) -> Result<(), Failure> {
    if let Err(error) = setrlimit(Resource::Core, CORE) {
        out::talk(&format!("dispatcher: a crash may leave a core with secrets: {error}"));
    }
    let mut flags = BTreeMap::new();
    if !args.listen.is_empty() {
        flags.insert("server.listen".to_owned(), args.listen.join(","));
    }
    let inputs = configuration::inputs(&place.config, flags);
    let loaded = configuration::load(&inputs)?;
    let format = args.log_format.unwrap_or(match loaded.config.log.format {
        ConfiguredFormat::Auto => LogFormat::Auto,
        ConfiguredFormat::Text => LogFormat::Text,
        ConfiguredFormat::Json => LogFormat::Json,
    });
    logging::start(format, &loaded.config.log.level).map_err(Failure::Config)?;
    for warning in &loaded.warnings {
        tracing::warn!(path = warning.path, "config.warning: {}", warning.message);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut signals = daemon::Signals::listen()?;
        let daemon = tokio::select! {
            built = daemon::Daemon::build(inputs, loaded) => built?,
            // Also while it waits for its predecessor's lock: nothing was promised yet.
            signal = signals.end() => {
                tracing::info!(reason = signal, "daemon.stopped: before it was ready");
                return Ok(());
            }
        };
        daemon.run(signals).await
    });
    // What is still running after the drain was told to stop and did not: it ends with the process.
    runtime.shutdown_background();
    ended
}

//! Structured logs: text on a terminal, JSON otherwise.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::LogFormat;

/// Starts the log on standard error. `level` is a filter: `info`, or `info,dispatch_engine=debug`.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| format!("log level {level:?}: {error}"))?;
    let text = match format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if text {
        registry.with(layer.with_ansi(std::io::stderr().is_terminal()).with_target(false)).try_init()
    } else {
        registry
            .with(layer.json().flatten_event(true).with_current_span(false).with_span_list(false))
            .try_init()
    };
    started.map_err(|error| error.to_string())
}

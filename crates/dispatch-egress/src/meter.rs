//! What is counted, and the one line a reader of logs gets for each action. Never a URL, an address or a word of
//! what was sent: the backend, the kind and the result say enough.

use std::time::Duration;

use ahash::AHashMap;
use dispatch_engine::{FetchError, Spooled};
use dispatch_model::{Action, Lane, Reply};
use metrics::{Counter, Histogram};
use parking_lot::RwLock;

/// A connection was opened. Hands back the counters of bytes in and out, so that reading and writing need not
/// look them up each time.
pub(crate) fn connection_opened() -> (metrics::Counter, metrics::Counter) {
    metrics::counter!("dispatcher_egress_connections_opened_total").increment(1);
    let bytes = |direction| metrics::counter!("dispatcher_egress_bytes_total", "direction" => direction);
    (bytes("in"), bytes("out"))
}

/// The span around an action.
pub(crate) fn span(owner: &str, action: &Action) -> tracing::Span {
    tracing::debug_span!("egress.perform", owner, kind = kind(action))
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::Http(_) => "http",
        Action::Mail(_) => "mail",
        Action::Smpp(_) => "smpp",
    }
}

/// A kind of action and its result.
type Taken = (&'static str, &'static str);

/// What is counted of actions, by backend. Handles are kept: to look one up by its labels takes five allocations.
#[derive(Default)]
pub(crate) struct Meters(RwLock<AHashMap<String, OfBackend>>);

type OfBackend = AHashMap<Taken, (Counter, Histogram)>;

impl Meters {
    fn count(&self, backend: &str, taken: Taken, took: Duration) {
        if let Some((count, seconds)) = self.0.read().get(backend).and_then(|known| known.get(&taken)) {
            count.increment(1);
            return seconds.record(took.as_secs_f64());
        }
        let (kind, result) = taken;
        let name = || backend.to_owned();
        let count = metrics::counter!(
            "dispatcher_egress_requests_total", "backend" => name(), "kind" => kind, "result" => result
        );
        let seconds = metrics::histogram!("dispatcher_egress_seconds", "backend" => name(), "kind" => kind);
        self.0.write().entry(name()).or_default().insert(taken, (count, seconds));
        self.count(backend, taken, took);
    }
}

/// An action was taken.
pub(crate) fn action(meters: &Meters, owner: &str, action: &Action, reply: &Reply, took: Duration) {
    let kind = kind(action);
    let result = match reply {
        Reply::Http(response) => status_class(response.status),
        Reply::Mail(mail) => status_class(mail.reply.code),
        Reply::Smpp(reply) if reply.status == 0 => "taken",
        Reply::Smpp(_) => "not-taken",
        Reply::Failed { kind, .. } => kind.as_str(),
    };
    // Locations are too many for labels.
    let backend = owner.split_once('@').map_or(owner, |(backend, _)| backend);
    meters.count(backend, (kind, result), took);
    if let Reply::Failed { kind: failure, may_have_left, .. } = reply {
        tracing::debug!(owner, kind, failure = failure.as_str(), may_have_left, "egress failed");
    }
}

/// A session with a message centre was bound, or is no more.
pub(crate) fn smpp_bound(lane: &Lane, bound: bool) {
    let gauge = metrics::gauge!("dispatcher_smpp_sessions", "backend" => lane.backend.to_string());
    gauge.increment(if bound { 1.0 } else { -1.0 });
}

/// A message centre said something on its own.
pub(crate) fn smpp_delivery(lane: &Lane, result: &'static str) {
    metrics::counter!(
        "dispatcher_smpp_deliveries_total", "backend" => lane.backend.to_string(), "result" => result
    )
    .increment(1);
}

/// An attachment was fetched, or not.
pub(crate) fn fetch(fetched: &Result<Spooled, FetchError>) {
    let result = match fetched {
        Ok(_) => "ok",
        Err(FetchError::Refused(_)) => "refused",
        Err(FetchError::TooLarge(_)) => "too-large",
        Err(FetchError::Missing(_)) => "missing",
        Err(FetchError::Transient(_)) => "transient",
    };
    metrics::counter!("dispatcher_egress_fetches_total", "result" => result).increment(1);
    if let Ok(spooled) = fetched {
        metrics::counter!("dispatcher_egress_fetched_bytes_total").increment(spooled.file.size);
    }
}

fn status_class(status: u16) -> &'static str {
    match status {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    }
}

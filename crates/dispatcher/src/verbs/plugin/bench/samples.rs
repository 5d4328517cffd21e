//! A recorder that keeps each sample of the plugin host's own histogram of calls.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;

/// Seconds, by the name of the call.
#[derive(Clone, Default)]
pub(super) struct Samples(Arc<Mutex<HashMap<String, Arc<Series>>>>);

#[derive(Default)]
struct Series(Mutex<Vec<f64>>);

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.0.lock().push(value);
    }
}

impl Samples {
    /// The samples of a call since the last time, in the order in which they came.
    pub(super) fn take(&self, call: &str) -> Vec<f64> {
        self.0.lock().get(call).map_or_else(Vec::new, |series| std::mem::take(&mut *series.0.lock()))
    }
}

impl Recorder for Samples {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let call = key.labels().find(|label| label.key() == "call").map_or("", |label| label.value());
        Histogram::from_arc(Arc::clone(self.0.lock().entry(call.to_owned()).or_default()))
    }
}

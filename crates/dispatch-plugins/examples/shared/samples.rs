//! A recorder that keeps each sample of the host's own histogram of calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

#[derive(Clone, Default)]
pub(crate) struct Samples(Arc<Mutex<HashMap<String, Arc<Series>>>>);

#[derive(Default)]
struct Series(Mutex<Vec<f64>>);

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.0.lock().expect("no panic while recording").push(value);
    }
}

impl Samples {
    /// The samples of a call since the last time.
    pub(crate) fn take(&self, call: &str) -> Vec<f64> {
        let all = self.0.lock().expect("no panic while recording");
        let series = all.get(call);
        series.map_or_else(Vec::new, |series| {
            std::mem::take(&mut *series.0.lock().expect("no panic while recording"))
        })
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
        let mut all = self.0.lock().expect("no panic while recording");
        Histogram::from_arc(Arc::clone(all.entry(call.to_owned()).or_default()))
    }
}

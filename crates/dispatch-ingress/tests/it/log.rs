//! What is written down of a webhook: one line, with ids, never with addresses or texts.

use std::io::Write;
use std::sync::Arc;

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::door::{Door, PATH, key, sms};
use crate::store::Fault;
use crate::wire::post;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// The canonical lines so far, and forgets them.
    fn take(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock())).unwrap();
        for secret in ["+5255", "1234 5678", "hola mundo", "ana@example.com"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].take())
            .filter(|fields| fields["message"] == "webhook" || fields.get("outcome").is_some())
            .collect()
    }
}

/// Counts what is counted.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<Vec<(String, u64)>>>);

struct One(Counts, String);

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.0.0.lock().push((self.1.clone(), value));
    }

    fn absolute(&self, _: u64) {}
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key.labels().map(|label| label.value().to_owned()).collect();
        Counter::from_arc(Arc::new(One(self.clone(), format!("{} {}", key.name(), labels.join(" ")))))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn one_line_and_one_count_for_each_webhook() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(lines.clone())
        .finish();
    // Both for this thread, on which the whole test runs.
    let _logging = tracing::subscriber::set_default(subscriber);
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let door = Door::open().await;

    let text = r#"{"type":"SMS","locationId":"Loc","messageId":"Msg","phone":"+525512345678","message":"hola mundo"}"#;
    let bad =
        r#"{"type":"SMS","locationId":"Loc","messageId":"Bad","phone":"1234 5678","message":"hola mundo"}"#;
    let mail = r#"{"type":"Email","locationId":"Loc","messageId":"Mail","emailTo":"ana@example.com"}"#;
    let check = async |body: &str, outcome: &str, status: u64, fields: &[(&str, &str)]| {
        door.webhook(body.as_bytes()).await;
        let written = lines.take();
        assert_eq!(written.len(), 1, "{written:?}");
        assert_eq!(written[0]["outcome"], outcome);
        assert_eq!(written[0]["status"], status);
        assert_eq!(written[0]["source"], "highlevel");
        assert_eq!(written[0]["bytes"], body.len());
        assert!(written[0]["took_ms"].as_f64().is_some_and(|took| took > 0.0));
        for (name, value) in fields {
            assert_eq!(written[0][name], *value, "{name} in {written:?}");
        }
        let counted = std::mem::take(&mut *counts.0.lock());
        assert_eq!(counted, [(format!("dispatcher_webhooks_total highlevel {outcome}"), 1)]);
    };
    check(text, "accepted", 200, &[("location", "Loc"), ("external_id", "Msg"), ("proof", "signature")])
        .await;
    check(text, "duplicate", 200, &[("external_id", "Msg")]).await;
    check(bad, "accepted", 200, &[("problem", "bad-recipient")]).await;
    check(mail, "accepted", 200, &[("external_id", "Mail")]).await;
    check("hola mundo", "quarantined", 200, &[]).await;
    check("{}", "ping", 200, &[]).await;
    door.store.fail_always(Fault::Fatal);
    check(text, "busy-store-failed", 429, &[]).await;
    door.store.fail_always(Fault::Panic);
    check(text, "busy-panic", 429, &[]).await;

    for (request, outcome) in [
        (post(PATH, &[], &sms("M")), "proof-missing"),
        (post(PATH, &[("x-ghl-signature", &key().sign(b"x"))], &sms("M")), "proof-wrong"),
        (post(PATH, &[], b"{}"), "unsigned-ping"),
        (post("/x", &[], b""), "unknown-path"),
        (b"GET /webhooks/highlevel HTTP/1.1\r\n\r\n".to_vec(), "wrong-method"),
        (b"nonsense\r\n\r\n".to_vec(), "malformed"),
    ] {
        let mut wire = door.connect().await;
        wire.send(&request).await;
        wire.reply().await.unwrap();
        drop(wire);
        crate::door::until("it is counted", || !counts.0.lock().is_empty()).await;
        let written = lines.take();
        assert_eq!(written.len(), 1, "{written:?}");
        assert_eq!(written[0]["outcome"], outcome);
        counts.0.lock().clear();
    }
}

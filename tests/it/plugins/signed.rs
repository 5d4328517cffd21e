//! Callbacks that the vendors' own libraries sign, or believe, are believed; with one byte changed they are not.

use dispatch_model::{Body, Callback, Event, HttpCallback, Pair, ReceiptState, ReceiveStep};
use dispatch_testkit::Counterparts;
use serde_json::{Value, json};

use super::*;

const URL: &str = "https://d.example.com/callbacks/t0k3n?x=1";
const SECRET: &str = "a-signing-secret-of-no-worth-at-all";

/// A callback and what must be known to believe it.
struct Signed {
    plugin: &'static str,
    settings: Value,
    secret: &'static str,
    callback: HttpCallback,
    /// When it was signed.
    seconds: i64,
}

impl Signed {
    fn new(
        plugin: &'static str,
        settings: Value,
        secret: &'static str,
        seconds: i64,
        headers: &Value,
    ) -> Self {
        let pair = |(name, value): (&String, &Value)| Pair {
            name: name.clone(),
            value: value.as_str().expect("text").to_owned(),
        };
        let headers = headers.as_object().expect("headers").iter().map(pair).collect();
        let callback =
            HttpCallback { method: "POST".to_owned(), url: URL.to_owned(), headers, body: Body::default() };
        Self { plugin, settings, secret, callback, seconds }
    }

    fn body(mut self, body: &str) -> Self {
        self.callback.body = Body::from(body.to_owned());
        self
    }

    async fn receive(&self, host: &Arc<PluginHost>, callback: &HttpCallback) -> ReceiveStep {
        let plugin = load(host, self.plugin).await;
        let now = Timestamp::from_millis(self.seconds * 1000);
        let context = Context { now, ..context(&self.settings.to_string()) };
        plugin
            .receive(&context, &Callback::Http(callback.clone()), &grants(&[(self.secret, SECRET)]))
            .await
            .unwrap()
    }

    /// Believed as it is: a receipt of this reference. Not believed with one byte of anything changed.
    async fn prove(&self, host: &Arc<PluginHost>, reference: &str) {
        let step = self.receive(host, &self.callback).await;
        let ReceiveStep::Received(received) = step else { panic!("{}: {step:?}", self.plugin) };
        let [Event::Receipt(receipt)] = &received.events[..] else { panic!("{}: {received:?}", self.plugin) };
        assert_eq!((receipt.reference.as_str(), receipt.state), (reference, ReceiptState::Delivered));

        let body = self.callback.body.to_text().to_string();
        // Of a form, `+` and `%20` are the same: the last byte of the value before is changed.
        for at in [0, body.len() / 3, body.len() / 2, body.len() - 1] {
            let mut bytes = body.clone().into_bytes();
            bytes[at] ^= 1;
            let callback = HttpCallback { body: Body::from(bytes), ..self.callback.clone() };
            let step = self.receive(host, &callback).await;
            assert!(matches!(step, ReceiveStep::Refused(_)), "{}, byte {at}: {step:?}", self.plugin);
        }
        for (at, header) in self.callback.headers.iter().enumerate() {
            if header.name == "content-type" {
                continue;
            }
            let mut callback = self.callback.clone();
            let middle = header.value.len() / 2;
            let other = if header.value.as_bytes()[middle] == b'7' { "8" } else { "7" };
            callback.headers[at].value.replace_range(middle..=middle, other);
            let step = self.receive(host, &callback).await;
            assert!(matches!(step, ReceiveStep::Refused(_)), "{}, {}: {step:?}", self.plugin, header.name);
        }
    }
}

#[tokio::test]
#[ignore = "needs the vendors' libraries: run `cargo xtask test`"]
async fn what_the_vendors_sign_is_believed_and_nothing_else() {
    let bodies = json!({
        "twilio": "AccountSid=AC1&MessageSid=SM1&MessageStatus=delivered&To=%2B525512345678",
        "telnyx": json!({ "data": { "event_type": "message.finalized", "payload": {
            "id": "m-1", "to": [{ "phone_number": "+525512345678", "status": "delivered" }],
        } } }).to_string(),
        "vonage": json!({ "message_uuid": "m-2", "status": "delivered", "to": "525512345678" }).to_string(),
    });
    let counterparts = Counterparts::find().unwrap();
    let input = json!({ "url": URL, "secret": SECRET, "bodies": bodies });
    let signed = counterparts.script("sign_callbacks.cjs", &input).await.unwrap();
    let seconds = signed["time"].as_i64().unwrap();
    let host = host();

    let settings = json!({ "account_sid": "AC0123456789abcdef0123456789abcdef", "from": "+525500001111" });
    let twilio = Signed::new("twilio", settings, "auth_token", seconds, &signed["twilio"]["headers"]);
    twilio.body(bodies["twilio"].as_str().unwrap()).prove(&host, "SM1").await;

    let settings = json!({ "from": "+525500001111", "public_key": signed["telnyx"]["public_key"] });
    let telnyx = Signed::new("telnyx", settings, "api_key", seconds, &signed["telnyx"]["headers"]);
    telnyx.body(bodies["telnyx"].as_str().unwrap()).prove(&host, "m-1").await;

    let settings = json!({ "api_key": "abcd1234", "from": "ACME" });
    let vonage = Signed::new("vonage", settings, "signature_secret", seconds, &signed["vonage"]["headers"]);
    vonage.body(bodies["vonage"].as_str().unwrap()).prove(&host, "m-2").await;
}

#[tokio::test]
#[ignore = "needs the vendors' libraries: run `cargo xtask test`"]
async fn what_vonage_signs_for_sms_is_believed_and_nothing_else() {
    let counterparts = Counterparts::find().unwrap();
    let host = host();
    for method in ["sha256", "sha512", "sha1"] {
        let fields = json!({
            "messageId": "0B01", "status": "delivered", "err-code": "0", "msisdn": "525512345678", "to": "ACME",
            "client-ref": "a&b=c", "nonce": "n", "timestamp": "1795305600",
        });
        let input = json!({ "secret": SECRET, "method": method, "fields": fields });
        let signed = counterparts.script("sign_vonage_sms.py", &input).await.unwrap();
        let settings = json!({ "mode": "sms", "api_key": "abcd1234", "from": "ACME", "signature": method });
        let headers = json!({ "content-type": "application/json" });
        let sms = Signed::new("vonage", settings, "signature_secret", 1_795_305_600, &headers);
        sms.body(&signed.to_string()).prove(&host, "0B01").await;
    }
}

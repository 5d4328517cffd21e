//! SendGrid's events: thousands in one callback, signed as SendGrid signs, with a key of this test.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatch_testkit::{Act, Client, Launch};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::stage::{LOCATION, SOON, Stage, outcomes};

const PUBLIC: &str = "https://hooks.example.com";

/// What stands before the point in a public key of P-256.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// More than fit into a thousand; SendGrid bounds its batches by bytes.
const EVENTS: usize = 4_000;

/// SendGrid, as far as its signature goes.
struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    fn new() -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
            .and_then(|pkcs8| Ok(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)?))
            .map_err(|_| anyhow::anyhow!("no key"))?;
        Ok(Self { key, random })
    }

    /// As the console shows it.
    fn public_key(&self) -> String {
        BASE64_STANDARD.encode([&SPKI[..], self.key.public_key().as_ref()].concat())
    }

    fn sign(&self, timestamp: &str, body: &str) -> anyhow::Result<String> {
        let signed = [timestamp.as_bytes(), body.as_bytes()].concat();
        let signature = self.key.sign(&self.random, &signed).map_err(|_| anyhow::anyhow!("not signed"))?;
        Ok(BASE64_STANDARD.encode(signature))
    }
}

fn config(stage: &Stage, signer: &Signer) -> String {
    format!(
        r#"
[backends.mails]
plugin = "sendgrid"
settings = {{ base_url = "{}", webhook_public_key = "{}" }}
secrets = {{ api_key = {{ file = "{}" }} }}
private_networks = ["127.0.0.0/8"]
plaintext = true

[[routes]]
name = "mail"
channel = "email"
deliver = "mails"
on_unknown = "hold"
"#,
        stage.sms.url(),
        signer.public_key(),
        stage.home.file("token").display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_thousands_is_taken_whole_and_settles_what_nobody_knew() -> anyhow::Result<()> {
    let (stage, signer) = (Stage::new().await?, Signer::new()?);
    stage.home.configure(&config(&stage, &signer))?;
    let daemon = Launch::new(&stage.home).env("DISPATCHER__SERVER__PUBLIC_URL", PUBLIC).start().await?;
    // SendGrid takes the mail, and the answer is lost. It cannot be asked, so the mail is held.
    stage.sms.next(Act::ResetAfterReading);
    daemon.send(&dispatch_testkit::email(LOCATION, 1)).await?;
    daemon.wait_state("E0000000000000000001", "held", SOON).await?;
    let sent = stage.sms.requests()[0].json()?;
    let key = sent["personalizations"][0]["custom_args"]["dispatcher_key"].clone();

    let event = |key: Value, number: usize| {
        json!({
            "event": "delivered", "email": format!("person{number}@example.com"), "timestamp": 1_795_305_600,
            "sg_event_id": format!("event-{number:08}"), "dispatcher_key": key,
        })
    };
    // Ours comes last, behind those of another installation that shares the account.
    let mut events: Vec<Value> =
        (1..EVENTS).map(|number| event(json!(format!("elsewhere-{number}")), number)).collect();
    events.push(event(key, 0));
    let body = Value::from(events).to_string();
    assert!(body.len() < 2 << 20, "{} bytes: a callback has 2 MiB at most", body.len());
    let listed = daemon.cli().json(&["callbacks"]).await?;
    let path = listed[0]["url"].as_str().and_then(|url| url.strip_prefix(PUBLIC)).unwrap_or_default();
    let call = async |body: &str| -> anyhow::Result<u16> {
        let signature = signer.sign("1795305600", body)?;
        let headers = [
            ("content-type", "application/json"),
            ("x-twilio-email-event-webhook-timestamp", "1795305600"),
            ("x-twilio-email-event-webhook-signature", signature.as_str()),
        ];
        let mut client = Client::tcp(stage.home.ingress()).await?;
        Ok(client.request("POST", path, &headers, body.as_bytes()).await?.status)
    };
    assert_eq!(call(&body).await?, 200);
    let message = daemon.message("E0000000000000000001").await?;
    assert_eq!(message["delivery"]["state"], "delivered", "{message:#}");
    assert_eq!(message["delivery"]["possible_double"], false, "{message:#}");
    assert_eq!((outcomes(&message), stage.sms.count()), (vec!["unknown".to_owned()], 1), "it was sent once");
    let status = daemon.ask("/v1/status").await?;
    assert_eq!(status["store"]["parked_receipts"], EVENTS - 1, "none is lost");
    // The same batch again changes nothing.
    assert_eq!(call(&body).await?, 200);
    let status = daemon.ask("/v1/status").await?;
    assert_eq!(status["store"]["parked_receipts"], EVENTS - 1);
    daemon.stop().await?;
    Ok(())
}

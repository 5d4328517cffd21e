//! A callback that takes several steps: Amazon signs its notifications with a certificate that has to be
//! fetched before they can be believed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dispatch_model::{Action, Body, Callback, Effect, Event, HttpResponse, ReceiptState, ReceiveStep, Reply};
use serde_json::{Value, json};

use super::*;

const URL: &str = "https://sns.eu-west-1.amazonaws.com";
const SETTINGS: &str = r#"{"url":"https://sns.eu-west-1.amazonaws.com","topic":"arn:t"}"#;

fn testdata(name: &str) -> Vec<u8> {
    let file = dist().join("../fixtures/testdata").join(name);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A notification, signed as Amazon does: names and values, a line each, in the order of the names.
fn notification(message: &str) -> Value {
    let mut body = json!({
        "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:t", "Message": message,
        "Timestamp": "2026-11-22T00:00:00.000Z", "SignatureVersion": "2",
        "SigningCertURL": format!("{URL}/cert.pem"),
    });
    let signed: String = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"]
        .map(|name| format!("{name}\n{}\n", body[name].as_str().expect("a text")))
        .concat();
    let key = ring::signature::RsaKeyPair::from_pkcs8(&testdata("sns.key.der")).expect("a key");
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&ring::signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("signed");
    body["Signature"] = STANDARD.encode(signature).into();
    body
}

/// All steps, with the certificate as the answer to each request.
async fn receive(sns: &Plugin, body: &Value) -> (Vec<String>, ReceiveStep) {
    let (context, grants) = (context(SETTINGS), grants(&[]));
    let callback = Callback {
        method: "POST".to_owned(),
        url: "https://d.example.com/callbacks/t0k3n".to_owned(),
        headers: Vec::new(),
        body: Body::from(body.to_string()),
    };
    let certificate = Reply::Http(HttpResponse {
        status: 200,
        headers: Vec::new(),
        body: Body::from(testdata("sns.cert.pem")),
        truncated: false,
    });
    let mut asked = Vec::new();
    let mut step = sns.receive(&context, &callback, &grants).await.unwrap();
    while let ReceiveStep::Ask(ask) = &step {
        assert_eq!(ask.effect, Effect::None);
        let Action::Http(request) = &ask.action else { panic!("{ask:?}") };
        asked.push(calls::text(&request.url));
        step = sns.on_receive_reply(&context, &ask.state, &certificate, &grants).await.unwrap();
    }
    (asked, step)
}

#[tokio::test]
async fn a_notification_is_believed_in_two_steps() {
    let host = host();
    let sns = load(&host, "fixtures/sns").await;
    let message = r#"{"eventType":"Delivery","mail":{"messageId":"ses-1"}}"#;
    let (asked, step) = receive(&sns, &notification(message)).await;
    assert_eq!(asked, [format!("{URL}/cert.pem")]);
    let ReceiveStep::Received(received) = step else { panic!("{step:?}") };
    let [Event::Receipt(receipt)] = &received.events[..] else { panic!("{received:?}") };
    assert_eq!((receipt.reference.as_str(), receipt.state), ("ses-1", ReceiptState::Delivered));
}

#[tokio::test]
async fn a_forged_one_is_refused_at_its_step() {
    let host = host();
    let sns = load(&host, "fixtures/sns").await;
    let mut forged = notification(r#"{"eventType":"Delivery","mail":{"messageId":"ses-1"}}"#);
    forged["Message"] = r#"{"eventType":"Delivery","mail":{"messageId":"ses-2"}}"#.into();
    let (asked, step) = receive(&sns, &forged).await;
    assert_eq!(asked.len(), 1);
    assert!(matches!(&step, ReceiveStep::Refused(reason) if reason.code == "signature"), "{step:?}");
    let mut elsewhere = notification("{}");
    elsewhere["SigningCertURL"] = "https://evil.example/cert.pem".into();
    let (asked, step) = receive(&sns, &elsewhere).await;
    assert!(asked.is_empty() && matches!(step, ReceiveStep::Refused(_)), "{asked:?} {step:?}");
}

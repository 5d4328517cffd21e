//! The presets of `examples/http-presets/`: each delivers its sample, and reads its provider's refusals.

use dispatch_testkit::{Act, Answer, Caught, HttpCatcher};
use serde_json::{Value, json};

use super::{Example, SAMPLE, loopback};
use crate::stage::SOON;

/// A preset, what its provider answers, and what becomes of it.
struct Preset {
    /// Its folder.
    name: &'static str,
    /// Its backend, and the path of its URL.
    backend: &'static str,
    path: &'static str,
    /// The provider takes it, and this is the reference.
    taken: Answer,
    reference: Value,
    /// Refusals, with the code and the outcome that each becomes. What stops the backend comes last.
    refused: Vec<(Act, &'static str, &'static str)>,
}

impl Preset {
    /// Runs it; gives back the first request.
    async fn run(self) -> anyhow::Result<Caught> {
        let example = Example::new(&format!("http-presets/{}", self.name))?;
        let provider = HttpCatcher::start().await?;
        let url = format!("url = \"{}{}\"", provider.url(), self.path);
        let daemon = example.start(&loopback(self.backend, &url)).await?;
        daemon.expect_error("lane.changed");
        provider.next(self.taken);
        let sample = String::from_utf8(example.sample("sms.json")?)?;
        daemon.send(sample.as_bytes()).await?;
        let message = daemon.wait_state(SAMPLE, "accepted", SOON).await?;
        assert_eq!(message["delivery"]["references"][0], self.reference, "{}", self.name);
        for (at, (answer, code, kind)) in self.refused.into_iter().enumerate() {
            // To whoever asks: what is deferred comes again in between.
            provider.always(answer);
            let id = format!("exampleMessage00{at:04}x");
            daemon.send(sample.replace(SAMPLE, &id).as_bytes()).await?;
            let attempted = async || {
                let message = daemon.message(&id).await.ok()?;
                let outcome = message["attempts"].get(0)?["outcome"].clone();
                (!outcome["outcome"].is_null()).then_some(outcome)
            };
            let outcome = dispatch_testkit::until_some("an attempt", SOON, attempted).await?;
            let came = match outcome["kind"].as_str() {
                Some(kind) => format!("rejected-{kind}"),
                None => outcome["outcome"].as_str().unwrap_or_default().to_owned(),
            };
            assert_eq!(
                (came.as_str(), outcome["reason"]["code"].as_str()),
                (kind, Some(code)),
                "{}",
                self.name
            );
        }
        daemon.stop().await?;
        Ok(provider.requests().remove(0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn labsmobile() -> anyhow::Result<()> {
    let refused =
        |status, code: &str| Answer::json(status, &json!({ "code": code, "message": "words" })).into();
    let asked = Preset {
        name: "labsmobile",
        backend: "labsmobile",
        path: "/json/send",
        taken: Answer::json(200, &json!({ "code": "0", "message": "sent", "subid": "s-1" })),
        reference: json!("s-1"),
        refused: vec![
            (refused(400, "23"), "23", "rejected-recipient"),
            (refused(400, "27"), "27", "rejected-content"),
            (refused(200, "30"), "30", "deferred"),
            (Answer::text(200, "<html>").into(), "unreadable", "unknown"),
            (refused(401, "401"), "401", "rejected-account"),
        ],
    }
    .run()
    .await?;
    assert_eq!(asked.basic(), Some(("you@agency.example".to_owned(), "token-of-labsmobile".to_owned())));
    let body = asked.json()?;
    assert_eq!(body["recipient"], json!([{ "msisdn": "525512345678" }]));
    assert_eq!(body["message"], "Tu cita es mañana a las 10.");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sms_masivos() -> anyhow::Result<()> {
    let refused = |code: &str| {
        Answer::json(200, &json!({ "success": false, "message": "words", "status": 200, "code": code }))
            .into()
    };
    let asked = Preset {
        name: "sms-masivos",
        backend: "masivos",
        path: "/sms/send",
        taken: Answer::json(
            200,
            &json!({ "success": true, "code": "sms_11", "references": [{ "reference": "r-1", "number": "5512345678" }] }),
        ),
        reference: json!("r-1"),
        refused: vec![
            (refused("sms_03"), "sms_03", "rejected-sender"),
            (refused("sms_06"), "sms_06", "rejected-account"),
        ],
    }
    .run()
    .await?;
    assert_eq!(asked.header("apikey"), Some("key-of-sms-masivos"));
    let field = |name: &str| asked.field(name);
    assert_eq!(field("numbers").as_deref(), Some("5512345678"));
    assert_eq!(field("country_code").as_deref(), Some("52"));
    assert_eq!(field("message").as_deref(), Some("Tu cita es mañana a las 10."));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clicksend() -> anyhow::Result<()> {
    let answer = |status: &str, id: Value| {
        let message = json!({ "message_id": id, "status": status, "to": "+525512345678" });
        let data = json!({ "messages": [message], "queued_count": 1 });
        let whole =
            json!({ "http_code": 200, "response_code": "SUCCESS", "response_msg": "queued", "data": data });
        Answer::json(200, &whole)
    };
    let denied =
        json!({ "http_code": 401, "response_code": "UNAUTHORIZED", "response_msg": "no", "data": null });
    let asked = Preset {
        name: "clicksend",
        backend: "clicksend",
        path: "/v3/sms/send",
        taken: answer("SUCCESS", json!("BF7AD270")),
        reference: json!("BF7AD270"),
        refused: vec![
            (answer("INVALID_RECIPIENT", Value::Null).into(), "INVALID_RECIPIENT", "rejected-recipient"),
            (answer("INVALID_SENDER_ID", Value::Null).into(), "INVALID_SENDER_ID", "rejected-sender"),
            (answer("THROTTLED", Value::Null).into(), "THROTTLED", "deferred"),
            (answer("SOMETHING_IS_WRONG", Value::Null).into(), "SOMETHING_IS_WRONG", "unknown"),
            (Answer::json(401, &denied).into(), "401", "rejected-account"),
        ],
    }
    .run()
    .await?;
    assert_eq!(asked.basic(), Some(("agency".to_owned(), "key-of-clicksend".to_owned())));
    assert_eq!(asked.json()?["messages"][0]["to"], "+525512345678");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kannel() -> anyhow::Result<()> {
    let asked = Preset {
        name: "kannel",
        backend: "kannel",
        path: "/cgi-bin/sendsms?username=dispatcher&password={secret.password}&to={to_digits}&text={text}",
        taken: Answer::text(202, "0: Accepted for delivery"),
        reference: Value::Null,
        refused: vec![
            (Answer::text(503, "Temporal failure, try again later.").into(), "503", "deferred"),
            (Answer::text(202, "5: something").into(), "5", "deferred"),
            (Answer::text(400, "Empty text").into(), "400", "rejected-content"),
            (Answer::text(403, "Authorization failed for sendsms").into(), "403", "rejected-account"),
        ],
    }
    .run()
    .await?;
    let fields = "&to=525512345678&text=Tu%20cita%20es%20ma%C3%B1ana%20a%20las%2010.";
    assert!(asked.target.ends_with(fields), "{}", asked.target);
    assert!(asked.target.contains("&password=password%26of%3Dkannel&"), "{}", asked.target);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn smsgate() -> anyhow::Result<()> {
    let state = json!({ "id": "g-1", "state": "Pending", "recipients": [] });
    let asked = Preset {
        name: "smsgate",
        backend: "telephone",
        path: "/3rdparty/v1/messages",
        taken: Answer::json(202, &state),
        reference: json!("g-1"),
        refused: vec![
            (Answer::json(400, &json!({ "message": "bad number" })).into(), "400", "rejected-content"),
            (Answer::json(429, &json!({ "message": "too many" })).into(), "429", "throttled"),
        ],
    }
    .run()
    .await?;
    assert_eq!(asked.basic(), Some(("AB12CD".to_owned(), "password-of-the-telephone".to_owned())));
    let body = asked.json()?;
    assert_eq!(body["phoneNumbers"], json!(["+525512345678"]));
    assert!(body["id"].as_str().is_some_and(|id| !id.is_empty() && id.len() <= 36), "{body:#}");
    Ok(())
}

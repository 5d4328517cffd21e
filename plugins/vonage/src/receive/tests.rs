//! Callbacks as Vonage documents them, signed by the stand-in's own digests.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dispatcher_plugin::secrets::{self, Algorithm};
use dispatcher_plugin::testing::{NOW_MS, context, set_secrets};
use dispatcher_plugin::{Pair, percent};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;

const NOW: u64 = NOW_MS / 1000;

fn receive(settings: Value, callback: &Callback) -> Result<Event, Reason> {
    match Vonage::receive(&context(settings), callback)? {
        ReceiveStep::Received(mut received) => {
            assert_eq!((received.status, received.events.len()), (200, 1));
            Ok(received.events.remove(0))
        }
        step => panic!("Vonage's callbacks are judged at once: {step:?}"),
    }
}

fn pair(name: &str, value: String) -> Pair {
    Pair { name: name.into(), value }
}

mod messages {
    use super::*;

    fn settings() -> Value {
        json!({ "api_key": "abcd1234", "from": "ACME" })
    }

    fn token(header: Value, claims: Value) -> String {
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let digest =
            secrets::hmac("signature_secret", Algorithm::HmacSha256, signed.as_bytes()).expect("a secret");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(digest))
    }

    fn claims(body: &str, iat: u64) -> Value {
        let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "iat": iat, "jti": "x", "iss": "Vonage", "payload_hash": hash, "api_key": "abcd1234" })
    }

    fn signed(body: &Value, iat: u64) -> Callback {
        let body = body.to_string();
        let token = token(json!({ "alg": "HS256", "typ": "JWT" }), claims(&body, iat));
        Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/t0k3n".into(),
            headers: vec![
                pair("content-type", "application/json".into()),
                pair("authorization", format!("Bearer {token}")),
            ],
            body: body.into_bytes(),
        }
    }

    fn status(word: &str) -> Value {
        json!({
            "message_uuid": "m1", "to": "525512345678", "from": "ACME", "timestamp": "2026-11-22T00:00:01.500Z",
            "status": word, "channel": "sms", "client_ref": "x", "usage": { "currency": "EUR", "price": "0.03" },
        })
    }

    #[test]
    fn statuses_become_receipts() {
        set_secrets(&[("signature_secret", "s")]);
        let table = [
            ("submitted", ReceiptState::Pending),
            ("delivered", ReceiptState::Delivered),
            ("read", ReceiptState::Delivered),
            ("rejected", ReceiptState::Undelivered),
            ("undeliverable", ReceiptState::Undelivered),
            ("dreaming", ReceiptState::Pending),
        ];
        for (word, state) in table {
            let event = receive(settings(), &signed(&status(word), NOW)).expect("believed");
            let Event::Receipt(receipt) = event else { panic!("{event:?}") };
            assert_eq!((receipt.reference.as_str(), receipt.state), ("m1", state), "{word}");
            assert_eq!((receipt.at_ms, receipt.reason), (Some(NOW_MS + 1500), None));
        }
        let mut body = status("rejected");
        body["error"] = json!({
            "type": "https://developer.vonage.com/api-errors/messages#1240", "title": 1240, "detail": "opted out",
        });
        let Ok(Event::Receipt(receipt)) = receive(settings(), &signed(&body, NOW)) else {
            panic!("a receipt")
        };
        assert_eq!(receipt.reason, Some(Reason::new("1240", "1240: opted out")));
    }

    #[test]
    fn messages_to_us() {
        set_secrets(&[("signature_secret", "s")]);
        let base = json!({ "channel": "mms", "message_uuid": "m2", "to": "12345", "from": "525512345678", "timestamp": "x" });
        let arrive = |more: Value| {
            let mut body = base.clone();
            body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            match receive(settings(), &signed(&body, NOW)) {
                Ok(Event::Inbound(inbound)) => {
                    assert_eq!((inbound.from.as_str(), inbound.to.as_str()), ("+525512345678", "12345"));
                    (inbound.text, inbound.media)
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(arrive(json!({ "text": "ALTO ñ" })), ("ALTO ñ".into(), vec![]));
        let image = json!({ "message_type": "image", "image": { "url": "https://v.example/1", "caption": "Mira", "name": "x" } });
        assert_eq!(arrive(image), ("Mira".into(), vec!["https://v.example/1".into()]));
        let several = json!({ "content": [{ "type": "image", "url": "https://v.example/1" }, { "type": "file", "url": "https://v.example/2" }] });
        assert_eq!(arrive(several).1.len(), 2);
    }

    #[test]
    fn forgeries_are_refused() {
        set_secrets(&[("signature_secret", "s")]);
        let good = signed(&status("delivered"), NOW);
        assert!(receive(settings(), &good).is_ok());
        let refused = |change: &dyn Fn(&mut Callback)| {
            let mut callback = good.clone();
            change(&mut callback);
            receive(settings(), &callback).unwrap_err().code
        };
        // A genuine token with another body: what the payload's hash is for.
        assert_eq!(refused(&|c| c.body[10] ^= 1), "payload");
        assert_eq!(refused(&|c| c.body.push(b' ')), "payload");
        assert_eq!(refused(&|c| c.body.clear()), "payload");
        assert_eq!(refused(&|c| c.headers.truncate(1)), "unsigned");
        assert_eq!(refused(&|c| c.headers[1].value = "Basic x".into()), "unsigned");
        assert_eq!(refused(&|c| c.headers[1].value = "Bearer".into()), "unsigned");
        assert_eq!(refused(&|c| c.headers[1].value = "Bearer a.b".into()), "token");
        assert_eq!(refused(&|c| c.headers[1].value = "Bearer a.b.c".into()), "token");
        assert_eq!(refused(&|c| c.headers[1].value.push('*')), "token");
        assert_eq!(refused(&|c| c.headers[1].value.push('A')), "signature");
        assert_eq!(refused(&|c| c.headers[1].value.replace_range(7..8, "f")), "token");
        let body = status("delivered").to_string();
        let with = |header: Value, claims: Value| {
            refused(&|c| c.headers[1].value = format!("Bearer {}", token(header.clone(), claims.clone())))
        };
        assert_eq!(with(json!({ "alg": "none" }), claims(&body, NOW)), "algorithm");
        assert_eq!(with(json!({ "alg": "HS512" }), claims(&body, NOW)), "algorithm");
        assert_eq!(with(json!({ "alg": "HS256" }), json!({ "iat": NOW })), "token");
        let mut other = claims(&body, NOW);
        other["payload_hash"] = json!("");
        assert_eq!(with(json!({ "alg": "HS256" }), other), "payload");
        // Genuine, and no notice.
        assert_eq!(receive(settings(), &signed(&json!([]), NOW)).unwrap_err().code, "unreadable");
        set_secrets(&[("signature_secret", "another")]);
        assert_eq!(receive(settings(), &good).unwrap_err().code, "signature");
        set_secrets(&[]);
        assert_eq!(receive(settings(), &good).unwrap_err().code, "secret");
    }

    #[test]
    fn what_is_old_is_refused() {
        set_secrets(&[("signature_secret", "s")]);
        let mut settings = settings();
        let mut code = |tolerance: Option<u64>, iat: u64| {
            if let Some(tolerance) = tolerance {
                settings["tolerance"] = tolerance.into();
            }
            receive(settings.clone(), &signed(&status("delivered"), iat)).err().map(|reason| reason.code)
        };
        assert_eq!(code(None, NOW - 86_400), None);
        assert_eq!(code(None, NOW - 86_401), Some("timestamp".into()));
        assert_eq!(code(Some(60), NOW - 60), None);
        assert_eq!(code(Some(60), NOW + 61), Some("timestamp".into()));
        assert_eq!(code(Some(60), u64::MAX), Some("timestamp".into()));
    }
}

mod sms {
    use super::*;

    fn settings(signature: &str) -> Value {
        json!({ "mode": "sms", "api_key": "abcd1234", "from": "ACME", "signature": signature })
    }

    fn form(fields: &[(&str, &str)]) -> Callback {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/t0k3n".into(),
            headers: vec![pair("content-type", "application/x-www-form-urlencoded".into())],
            body: body.join("&").into_bytes(),
        }
    }

    const RECEIPT: [(&str, &str); 6] = [
        ("msisdn", "525512345678"),
        ("to", "ACME"),
        ("messageId", "0B01"),
        ("status", "delivered"),
        ("err-code", "0"),
        ("price", "0.03"),
    ];

    #[test]
    fn receipts_by_any_road() {
        let posted = form(&RECEIPT);
        let query = String::from_utf8(posted.body.clone()).expect("text");
        let got = Callback {
            method: "GET".into(),
            url: format!("{}?{query}", posted.url),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let tree: Map<String, Value> =
            RECEIPT.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let json = Callback {
            headers: vec![pair("content-type", "application/json; charset=utf-8".into())],
            body: Value::Object(tree).to_string().into_bytes(),
            ..posted.clone()
        };
        for callback in [posted, got, json] {
            let event = receive(settings("none"), &callback).expect("believed");
            let Event::Receipt(receipt) = event else { panic!("{event:?}") };
            assert_eq!(
                (receipt.reference.as_str(), receipt.state, receipt.reason),
                ("0B01", ReceiptState::Delivered, None)
            );
        }
    }

    #[test]
    fn statuses_become_receipts() {
        let table = [
            ("accepted", "0", ReceiptState::Pending, None),
            ("buffered", "0", ReceiptState::Pending, None),
            ("delivered", "0", ReceiptState::Delivered, None),
            ("expired", "1", ReceiptState::Undelivered, Some("1")),
            ("failed", "9", ReceiptState::Undelivered, Some("9")),
            ("rejected", "6", ReceiptState::Undelivered, Some("6")),
            ("unknown", "99", ReceiptState::Undelivered, Some("99")),
            ("unknown", "0", ReceiptState::Pending, None),
        ];
        for (word, code, state, reason) in table {
            let event =
                receive(settings("none"), &form(&[("messageId", "1"), ("status", word), ("err-code", code)]));
            let Ok(Event::Receipt(receipt)) = event else { panic!("{event:?}") };
            assert_eq!(receipt.state, state, "{word} {code}");
            assert_eq!(receipt.reason.as_ref().map(|reason| reason.code.as_str()), reason, "{word} {code}");
        }
    }

    #[test]
    fn a_message_to_us() {
        let fields = [
            ("msisdn", "525512345678"),
            ("to", "12345"),
            ("messageId", "0B02"),
            ("text", "BAJA ñ"),
            ("type", "unicode"),
            ("keyword", "BAJA"),
            ("api-key", "abcd1234"),
            ("message-timestamp", "2026-11-22 00:00:00"),
        ];
        let event = receive(settings("none"), &form(&fields)).expect("believed");
        let Event::Inbound(inbound) = event else { panic!("{event:?}") };
        assert_eq!((inbound.from.as_str(), inbound.to.as_str()), ("+525512345678", "12345"));
        assert_eq!((inbound.id.as_str(), inbound.text.as_str()), ("0B02", "BAJA ñ"));
    }

    #[test]
    fn what_is_neither_is_refused() {
        let code = |callback: &Callback| receive(settings("none"), callback).unwrap_err().code;
        assert_eq!(code(&form(&[])), "incomplete");
        assert_eq!(code(&form(&[("messageId", "1")])), "incomplete");
        assert_eq!(code(&form(&[("messageId", ""), ("status", "delivered")])), "incomplete");
        let mut other = form(&RECEIPT);
        other.headers.clear();
        assert_eq!(code(&other), "content-type");
        other.headers = vec![pair("content-type", "application/json".into())];
        assert_eq!(code(&other), "unreadable");
    }

    /// Signed as Vonage's page on signing messages says.
    fn signed(algorithm: Algorithm, time: &str) -> Callback {
        let mut fields = RECEIPT.to_vec();
        fields.extend([("client-ref", "a&b=c"), ("nonce", "n"), ("timestamp", time)]);
        let mut sorted = fields.clone();
        sorted.sort_unstable();
        let data: String = sorted
            .iter()
            .map(|(name, value)| format!("&{name}={}", value.replace(['&', '='], "_")))
            .collect();
        let digest = secrets::hmac("signature_secret", algorithm, data.as_bytes()).expect("a secret");
        let sig: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        let mut callback = form(&fields);
        callback.body.extend_from_slice(format!("&sig={sig}").as_bytes());
        callback
    }

    #[test]
    fn signatures() {
        set_secrets(&[("signature_secret", "s")]);
        let now = NOW.to_string();
        for (name, algorithm) in [
            ("sha1", Algorithm::HmacSha1),
            ("sha256", Algorithm::HmacSha256),
            ("sha512", Algorithm::HmacSha512),
        ] {
            assert!(receive(settings(name), &signed(algorithm, &now)).is_ok(), "{name}");
        }
        let good = signed(Algorithm::HmacSha256, &now);
        let refused = |change: &dyn Fn(&mut Callback)| {
            let mut callback = good.clone();
            change(&mut callback);
            receive(settings("sha256"), &callback).unwrap_err().code
        };
        assert_eq!(refused(&|c| c.body[8] ^= 1), "signature");
        assert_eq!(refused(&|c| c.body.extend_from_slice(b"&x=1")), "signature");
        assert_eq!(refused(&|c| c.body.extend_from_slice(b"g")), "signature");
        assert_eq!(refused(&|c| c.body.truncate(c.body.len() - 70)), "unsigned");
        assert_eq!(receive(settings("sha512"), &good).unwrap_err().code, "signature");
        let old = signed(Algorithm::HmacSha256, "1");
        assert_eq!(receive(settings("sha256"), &old).unwrap_err().code, "timestamp");
        let odd = signed(Algorithm::HmacSha256, "soon");
        assert_eq!(receive(settings("sha256"), &odd).unwrap_err().code, "timestamp");
        set_secrets(&[]);
        assert_eq!(receive(settings("sha256"), &good).unwrap_err().code, "secret");
    }
}

//! Svix's signatures, which Resend uses: HMAC-SHA256 of id, timestamp and body, by a key in base64.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatcher_plugin::secrets::{self, Algorithm, Key};
use dispatcher_plugin::{Callback, Reason};

use crate::settings::WEBHOOK_SECRET;

/// How far a timestamp may be from now: what Svix's own libraries allow.
const TOLERANCE_MS: u64 = 300_000;

/// While a key is changed there are two signatures; more than so many are not looked at.
const SIGNATURES_MAX: usize = 8;

/// Whether Resend signed this, just now.
pub(crate) fn verify(callback: &Callback, now_ms: u64) -> Result<(), Reason> {
    let header = |name| callback.header(name).ok_or(Reason::new("unsigned", "there is no signature"));
    let (id, timestamp) = (header("svix-id")?, header("svix-timestamp")?);
    let given = header("svix-signature")?;
    let seconds: u64 = timestamp.parse().map_err(|_| Reason::new("signature", "the timestamp is none"))?;
    if seconds.saturating_mul(1000).abs_diff(now_ms) > TOLERANCE_MS {
        return Err(Reason::new("stale", "it was signed more than five minutes from now"));
    }
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &callback.body].concat();
    let signatures = given.split(' ').filter_map(|each| each.strip_prefix("v1,")).take(SIGNATURES_MAX);
    for signature in signatures.filter_map(|each| BASE64_STANDARD.decode(each).ok()) {
        let key = Key::base64(WEBHOOK_SECRET, "whsec_");
        match secrets::verify(key, Algorithm::HmacSha256, &signed, &signature) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => return Err(Reason::new("secret", error.to_string())),
        }
    }
    Err(Reason::new("signature", "the signature is not of this webhook and this body"))
}

#[cfg(test)]
pub(crate) mod tests {
    use dispatcher_plugin::Pair;
    use dispatcher_plugin::testing::{NOW_MS, set_secrets};

    use super::*;

    /// Of these tests alone.
    pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// Signed as Svix does, by the stand-in's own digest.
    pub(crate) fn signed(body: &str) -> Callback {
        set_secrets(&[(WEBHOOK_SECRET, SECRET)]);
        let timestamp = (NOW_MS / 1000).to_string();
        let signed = format!("msg_1.{timestamp}.{body}");
        let key = Key::base64(WEBHOOK_SECRET, "whsec_");
        let digest = secrets::hmac(key, Algorithm::HmacSha256, signed.as_bytes()).expect("a secret");
        let signature = format!("v1,AAAA v2,x v1,{}", BASE64_STANDARD.encode(digest));
        let header = |name: &str, value: &str| Pair { name: name.into(), value: value.into() };
        Callback {
            method: "POST".into(),
            url: "https://d.example/callbacks/resend/t0k3n".into(),
            headers: vec![
                header("svix-id", "msg_1"),
                header("svix-timestamp", &timestamp),
                header("svix-signature", &signature),
            ],
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_published_example_verifies() {
        // From Svix's page on verifying by hand.
        set_secrets(&[(WEBHOOK_SECRET, SECRET)]);
        let mut callback = signed(r#"{"test": 2432232314}"#);
        callback.headers[0].value = "msg_p5jXN8AQM9LWM0D4loKWxJek".into();
        callback.headers[1].value = "1614265330".into();
        callback.headers[2].value = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".into();
        assert_eq!(verify(&callback, 1_614_265_330_000), Ok(()));
        assert_eq!(verify(&callback, 1_614_265_631_000).unwrap_err().code, "stale");
    }

    #[test]
    fn forgeries_are_refused() {
        let good = signed("{}");
        assert_eq!(verify(&good, NOW_MS), Ok(()));
        let refused = |change: &dyn Fn(&mut Callback)| {
            set_secrets(&[(WEBHOOK_SECRET, SECRET)]);
            let mut callback = good.clone();
            change(&mut callback);
            verify(&callback, NOW_MS).unwrap_err().code
        };
        assert_eq!(refused(&|c| c.body[0] ^= 1), "signature");
        assert_eq!(refused(&|c| c.headers[0].value.push('x')), "signature");
        assert_eq!(refused(&|c| c.headers[1].value = (NOW_MS / 1000 + 1).to_string()), "signature");
        assert_eq!(refused(&|c| c.headers[1].value = "1".into()), "stale");
        assert_eq!(refused(&|c| c.headers[1].value = "now".into()), "signature");
        assert_eq!(refused(&|c| c.headers[2].value = "v1,*".into()), "signature");
        assert_eq!(refused(&|c| c.headers[2].value = "v1,AAAA ".repeat(100)), "signature");
        assert_eq!(refused(&|c| c.headers.truncate(2)), "unsigned");
        set_secrets(&[(WEBHOOK_SECRET, "whsec_no base64")]);
        assert_eq!(verify(&good, NOW_MS).unwrap_err().code, "secret");
        set_secrets(&[]);
        assert_eq!(verify(&good, NOW_MS).unwrap_err().code, "secret");
    }
}

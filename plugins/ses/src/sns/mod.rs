//! Amazon's notifications (SNS): what is signed, by whom, and where its certificates may lie.
//!
//! A notification names the certificate of the key that signed it. It is believed because of where the certificate lies,
//! which is at Amazon's own host in the topic's region and nowhere else, because the certificate is in its time and in
//! Amazon's name, and because the topic is one of ours. The certificate's chain is not followed: that it came over TLS
//! from that host says the same. Only signature version 2 (RSA with SHA-256) is believed.

mod certificate;
mod topic;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dispatcher_plugin::Reason;
use rsa::Pkcs1v15Sign;
use rsa::sha2::{Digest, Sha256};
use serde::{Deserialize, Serialize};

pub(crate) use topic::{Topic, below};

/// What Amazon posts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Notice {
    r#type: String,
    message_id: String,
    pub(crate) topic_arn: String,
    pub(crate) message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    pub(crate) signing_cert_url: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default, rename = "SubscribeURL")]
    subscribe_url: Option<String>,
}

/// What a notice is about.
#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    /// A topic's message.
    Notification,
    /// Somebody subscribed us; a GET of this URL confirms it.
    Subscription(String),
    /// Somebody ended our subscription.
    Unsubscription,
}

/// What is to be verified once the certificate is here: small, however long the notice is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Seal {
    /// SHA-256 of what is signed, in base64.
    digest: String,
    /// In base64.
    signature: String,
}

impl Notice {
    /// What it is about.
    pub(crate) fn kind(&self) -> Result<Kind, Reason> {
        match (self.r#type.as_str(), &self.subscribe_url) {
            ("Notification", _) => Ok(Kind::Notification),
            ("SubscriptionConfirmation", Some(url)) => Ok(Kind::Subscription(url.clone())),
            ("UnsubscribeConfirmation", _) => Ok(Kind::Unsubscription),
            _ => Err(Reason::new("type", "the notice is of no known type")),
        }
    }

    /// What is to be verified.
    pub(crate) fn seal(&self) -> Result<Seal, Reason> {
        if self.signature_version != "2" {
            return Err(Reason::new("version", "only signature version 2 is believed: set it at the topic"));
        }
        Ok(Seal {
            digest: BASE64_STANDARD.encode(Sha256::digest(self.signed())),
            signature: self.signature.clone(),
        })
    }

    /// What is signed: names and values, a line each, in the order of the names.
    fn signed(&self) -> String {
        let mut lines = vec![("Message", self.message.as_str()), ("MessageId", self.message_id.as_str())];
        if self.r#type == "Notification" {
            lines.extend(self.subject.as_deref().map(|subject| ("Subject", subject)));
        } else {
            lines.extend(self.subscribe_url.as_deref().map(|url| ("SubscribeURL", url)));
        }
        lines.push(("Timestamp", &self.timestamp));
        if self.r#type != "Notification" {
            lines.extend(self.token.as_deref().map(|token| ("Token", token)));
        }
        lines.extend([("TopicArn", self.topic_arn.as_str()), ("Type", self.r#type.as_str())]);
        lines.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect()
    }
}

impl Seal {
    /// Whether the key of this certificate (PEM) signed it.
    pub(crate) fn verify(&self, certificate: &[u8], now_ms: u64) -> Result<(), Reason> {
        let key = certificate::public_key(certificate, now_ms)?;
        let wrong = || Reason::new("signature", "the signature is not of this certificate's key");
        let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| wrong());
        key.verify(Pkcs1v15Sign::new::<Sha256>(), &decode(&self.digest)?, &decode(&self.signature)?)
            .map_err(|_| wrong())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use dispatcher_plugin::testing::NOW_MS;
    use rsa::RsaPrivateKey;
    use rsa::pkcs8::DecodePrivateKey;
    use serde_json::{Value, json};

    use super::*;

    pub(crate) const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:ses-events";
    pub(crate) const URL: &str = "https://sns.eu-west-1.amazonaws.com";
    pub(crate) const CERTIFICATE: &[u8] = include_bytes!("../../testdata/sns.cert.pem");

    /// Signed as Amazon does.
    pub(crate) fn signed(kind: &str, message: &str) -> Value {
        let mut body = json!({
            "Type": kind, "MessageId": "m-1", "TopicArn": TOPIC, "Message": message, "Timestamp": "2026-11-22T00:00:00.000Z",
            "SignatureVersion": "2", "Signature": "", "SigningCertURL": format!("{URL}/SimpleNotificationService-1.pem"),
            "UnsubscribeURL": "x",
        });
        if kind == "Notification" {
            body["Subject"] = "S".into();
        } else {
            body["Token"] = "tok".into();
            body["SubscribeURL"] = format!("{URL}/?Action=ConfirmSubscription&Token=tok").into();
        }
        let notice: Notice = serde_json::from_value(body.clone()).expect("a notice");
        let key = RsaPrivateKey::from_pkcs8_der(include_bytes!("../../testdata/sns.key.der")).expect("a key");
        let digest = Sha256::digest(notice.signed());
        let signature = key.sign(Pkcs1v15Sign::new::<Sha256>(), &digest).expect("signed");
        body["Signature"] = BASE64_STANDARD.encode(signature).into();
        body
    }

    #[test]
    fn each_signed_field_counts() {
        for kind in ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"] {
            let good = signed(kind, "{}");
            let verified = |body: &Value| {
                let notice: Notice = serde_json::from_value(body.clone()).expect("a notice");
                notice.seal().and_then(|seal| seal.verify(CERTIFICATE, NOW_MS))
            };
            assert_eq!(verified(&good), Ok(()), "{kind}");
            let common = ["Message", "MessageId", "Timestamp", "TopicArn"];
            let own: &[&str] = if kind == "Notification" { &["Subject"] } else { &["Token", "SubscribeURL"] };
            for field in common.iter().chain(own) {
                let mut body = good.clone();
                body[field] = format!("{} ", body[field].as_str().unwrap_or_default()).into();
                assert_eq!(verified(&body).unwrap_err().code, "signature", "{kind} {field}");
            }
            let mut old = good.clone();
            old["SignatureVersion"] = "1".into();
            assert_eq!(verified(&old).unwrap_err().code, "version");
            let mut garbled = good.clone();
            garbled["Signature"] = "*".into();
            assert_eq!(verified(&garbled).unwrap_err().code, "signature");
        }
    }
}

//! The token of a Messages callback: HS256 under the signature secret, with the body's SHA-256 as a claim.
//!
//! The token alone proves only that Vonage once called somebody. That it belongs to this body is what `payload_hash`
//! says, and Vonage's own libraries leave that to their users.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dispatcher_plugin::secrets::{self, Algorithm};
use dispatcher_plugin::{Callback, Context, Reason};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::settings::{SIGNATURE_SECRET, Settings};

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iat: u64,
    payload_hash: String,
}

/// Believes a callback, or says why not.
pub(crate) fn verify(context: &Context<Settings>, callback: &Callback) -> Result<(), Reason> {
    let unsigned = || Reason::new("unsigned", "there is no bearer token");
    let header = callback.header("authorization").ok_or_else(unsigned)?;
    let (scheme, token) = header.split_once(' ').ok_or_else(unsigned)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unsigned());
    }
    let (signed, signature) = token.trim().rsplit_once('.').ok_or_else(|| broken("parts"))?;
    let (head, claims) = signed.split_once('.').ok_or_else(|| broken("parts"))?;
    // Of all algorithms a token may name, this one and no other.
    if part::<Header>(head)?.alg != "HS256" {
        return Err(Reason::new("algorithm", "the token is not signed by HS256"));
    }
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| broken("signature"))?;
    match secrets::verify(SIGNATURE_SECRET, Algorithm::HmacSha256, signed.as_bytes(), &signature) {
        Ok(true) => {}
        Ok(false) => {
            return Err(Reason::new("signature", "the token is not signed with this account's secret"));
        }
        Err(error) => return Err(Reason::new("secret", error.to_string())),
    }
    let claims: Claims = part(claims)?;
    let hash: String = Sha256::digest(&callback.body).iter().map(|byte| format!("{byte:02x}")).collect();
    if !hash.eq_ignore_ascii_case(&claims.payload_hash) {
        return Err(Reason::new("payload", "the token is of another body"));
    }
    let age = context.now_ms.abs_diff(claims.iat.saturating_mul(1000));
    if age > context.settings.tolerance_ms() {
        return Err(Reason::new("timestamp", format!("signed {} seconds away from now", age / 1000)));
    }
    Ok(())
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, Reason> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| broken("part"))?;
    serde_json::from_slice(&bytes).map_err(|_| broken("part"))
}

fn broken(what: &str) -> Reason {
    Reason::new("token", format!("the token's {what} cannot be read"))
}

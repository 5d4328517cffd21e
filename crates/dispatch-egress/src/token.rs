//! OAuth 2 access tokens by client credentials: fetched through the same guard, kept until shortly before they
//! end, fetched once however many wait.
//!
//! A token belongs to one owner, one client and one secret: a changed secret is another key, so a reload never
//! goes on with what the old one bought.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dispatch_engine::Grants;
use dispatch_model::{ClientCredentials, FailureKind, HttpResponse, Secret};
use http::header::{self, HeaderMap, HeaderValue};
use parking_lot::Mutex;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

use crate::credential;
use crate::dial::Reach;
use crate::failure::{Failure, Progress};
use crate::guard::{self, Target};
use crate::http::{Http, Parts};
use crate::piece::{self, RESERVED};
use crate::splice::Splice;

/// Tokens kept at most; a location with credentials of its own has one of its own.
const KEPT_MAX: usize = 16 * 1024;
/// Bytes of a token server's answer at most.
const ANSWER_MAX: usize = 64 * 1024;
/// How long a token is used when the server does not say.
const UNSAID_LIFE: Duration = Duration::from_secs(10 * 60);
/// A token is not used in the last part of its life, since clocks differ and requests travel: a tenth, at most this.
const MARGIN_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    owner: Arc<str>,
    client: ClientCredentials,
    secret: Secret,
}

/// A token and when it is no longer used.
#[derive(Clone)]
struct Token {
    value: Secret,
    until: Instant,
}

/// The place of one token. Held locked while it is being fetched: the others wait for that.
type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// All tokens.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<Key, Slot, ahash::RandomState>>,
}

/// A token in use.
pub(crate) struct Issued {
    slot: Slot,
    value: Secret,
    kept: bool,
}

impl Issued {
    pub(crate) fn token(&self) -> &Secret {
        &self.value
    }

    /// The provider refused it: it is forgotten. Says whether it is worth while to try with a new one, which it is
    /// not if this one was new.
    pub(crate) fn drop_refused(&self) -> bool {
        // Whoever holds the lock is fetching a new one already.
        if let Ok(mut token) = self.slot.try_lock()
            && token.as_ref().is_some_and(|token| token.value == self.value)
        {
            *token = None;
        }
        self.kept
    }
}

impl Tokens {
    /// The token of a client, kept or new.
    pub(crate) async fn get(
        &self,
        client: &ClientCredentials,
        grants: &Grants,
        http: &Http,
    ) -> Result<Issued, Failure> {
        let secret = piece::secret(grants, &client.secret)?;
        let key = Key { owner: grants.owner.clone(), client: client.clone(), secret: secret.clone() };
        let slot = self.slot(key);
        let mut token = slot.lock().await;
        let kept =
            token.as_ref().filter(|token| Instant::now() < token.until).map(|token| token.value.clone());
        if let Some(value) = kept {
            drop(token);
            return Ok(Issued { slot, value, kept: true });
        }
        let fresh = fetch(client, secret, grants, http).await?;
        let value = fresh.value.clone();
        *token = Some(fresh);
        drop(token);
        Ok(Issued { slot, value, kept: false })
    }

    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.slots.lock();
        if slots.len() >= KEPT_MAX && !slots.contains_key(&key) {
            // All but those in use right now: simpler than an order of age, and as rare as it is harmless.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

/// Asks for a token: with the client's name and secret in `Authorization`, as the standard has it, and where the
/// server does not take them there, in the body.
async fn fetch(
    client: &ClientCredentials,
    secret: &Secret,
    grants: &Grants,
    http: &Http,
) -> Result<Token, Failure> {
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let mut form = "grant_type=client_credentials".to_owned();
    if let Some(scope) = &client.scope {
        form.push_str("&scope=");
        form.push_str(&encode(scope));
    }
    let (id, secret) = (encode(&client.client_id), encode(secret.expose()));
    let basic = credential::basic(&id, &secret)?;
    let mut response = post(client, form.clone(), Some(&basic), grants, http).await?;
    if matches!(response.status, 400 | 401) {
        let form = format!("{form}&client_id={id}&client_secret={secret}");
        response = post(client, form, None, grants, http).await?;
    }
    read(&response)
}

async fn post(
    client: &ClientCredentials,
    form: String,
    authorization: Option<&str>,
    grants: &Grants,
    http: &Http,
) -> Result<HttpResponse, Failure> {
    let url = guard::parse(client.token_url.as_bytes(), None)?;
    let target = Target::of(&url)?;
    guard::grant(&target, grants)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let body = Splice::of_bytes(Bytes::from(form));
    let mut parts = Parts { method: &http::Method::POST, url: &url, target: &target, headers, body: &body };
    if let Some(authorization) = authorization {
        credential::authorize(&mut parts, authorization)?;
    }
    // The message itself has not left while a token is fetched, so this has a progress of its own.
    let mut progress = Progress::new();
    let reach = Reach::Public(&grants.private_networks);
    let answer = http.send(&grants.owner, parts, reach, &mut progress).await?;
    answer.read(&http.pool, ANSWER_MAX, &mut progress).await
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

/// What the token server said.
fn read(response: &HttpResponse) -> Result<Token, Failure> {
    if response.status != 200 {
        let error = serde_json::from_slice::<serde_json::Value>(&response.body).ok();
        let error = error.as_ref().and_then(|json| json.get("error")?.as_str()).unwrap_or_default();
        let word: String =
            error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
        let detail = format!("the token server answered {} {word}", response.status);
        // A refusal is a matter of the account; anything else may be better in a while.
        let refused = matches!(response.status, 400..=499) && !matches!(response.status, 408 | 429);
        let kind = if refused { FailureKind::Refused } else { FailureKind::Connect };
        return Err(Failure::new(kind, detail.trim_end()));
    }
    let unreadable =
        |what: &str| Failure::new(FailureKind::Protocol, format!("the token server's answer {what}"));
    // serde's own words could quote the token.
    let granted: Granted =
        serde_json::from_slice(&response.body).map_err(|_| unreadable("has no access_token in it"))?;
    if granted.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(unreadable("has a token that is no bearer token"));
    }
    let seconds = granted.expires_in.and_then(|value| match value {
        serde_json::Value::Number(number) => number.as_u64(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    });
    // A year, since an Instant cannot take any number.
    let life = seconds.map_or(UNSAID_LIFE, |seconds| Duration::from_secs(seconds.min(365 * 86_400)));
    Ok(Token {
        value: Secret::new(granted.access_token),
        until: Instant::now() + life - (life / 10).min(MARGIN_MAX),
    })
}

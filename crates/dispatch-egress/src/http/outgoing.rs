//! A request on its way out: pieces resolved, headers checked, the part that may follow a redirect known.

use bytes::Bytes;
use dispatch_engine::Call;
use dispatch_model::{Credential, HttpRequest};
use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::failure::Failure;
use crate::splice::Splice;
use crate::{guard, piece};

/// Bytes of a request's head at most: what servers take is less, and hyper buffers it whole.
const HEAD_MAX: usize = 32 * 1024;
/// Redirects at most.
const REDIRECTS_MAX: u8 = 5;

/// Headers that say how the message is carried: the host's, not the guest's.
const HOST_HEADERS: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "upgrade",
    "te",
    "trailer",
    "expect",
];

/// How we call ourselves where the guest does not say; some providers refuse requests without.
pub(crate) const USER_AGENT: &str = concat!("dispatcher/", env!("CARGO_PKG_VERSION"));

/// A request as it will be sent, less its credential and what depends on the host it goes to.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    headers: HeaderMap,
    pub(crate) body: Splice,
    /// Only towards the first request's origin.
    pub(crate) credential: Credential,
    pub(crate) redirects: u8,
    /// Names of headers with secrets in them.
    secret_headers: Vec<HeaderName>,
    secret_in_body: bool,
}

impl Outgoing {
    /// Resolves the pieces and refuses what must not leave.
    pub(crate) fn prepare(request: &HttpRequest, call: &Call<'_>) -> Result<Self, Failure> {
        let method = match request.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => return Err(Failure::refused("the method is none of GET, POST, PUT, PATCH and DELETE")),
        };
        if request.redirects > REDIRECTS_MAX {
            return Err(Failure::refused(format!("redirects may be 0 to {REDIRECTS_MAX}")));
        }
        let url = piece::line(&request.url, call.grants, "the URL")?;
        let url = guard::parse(&url.bytes, url.secrets_from)?;
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 6);
        let mut secret_headers = Vec::new();
        let mut head = url.as_str().len();
        for wanted in &request.headers {
            let name = header_name(&wanted.name)?;
            let line = piece::line(&wanted.value, call.grants, "a header")?;
            head = head.saturating_add(name.as_str().len() + line.bytes.len() + 4);
            let mut value = header_value(&name, line.bytes)?;
            if line.secrets_from.is_some() {
                value.set_sensitive(true);
                secret_headers.push(name.clone());
            }
            headers.append(name, value);
        }
        if head > HEAD_MAX {
            return Err(Failure::refused(format!("URL and headers are larger than {HEAD_MAX} bytes")));
        }
        if headers.contains_key(header::AUTHORIZATION) && request.credential != Credential::None {
            return Err(Failure::refused("both a credential and a header authorization: keep one of them"));
        }
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        let (body, secret_in_body) = if request.body.is_empty() {
            (Splice::empty(), false)
        } else {
            piece::body(&request.body, call)?
        };
        Ok(Self {
            method,
            url,
            headers,
            body,
            credential: request.credential.clone(),
            redirects: request.redirects,
            secret_headers,
            secret_in_body,
        })
    }

    /// The headers of the next request: copied only where they may be wanted once more.
    pub(crate) fn headers(&mut self) -> HeaderMap {
        let may_repeat = matches!(self.credential, Credential::OAuth2ClientCredentials(_));
        match self.redirects > 0 || may_repeat {
            true => self.headers.clone(),
            false => std::mem::take(&mut self.headers),
        }
    }

    /// Becomes the request that a redirect asks for; none where the answer is no redirect that can be followed.
    pub(crate) fn redirect(&mut self, status: u16, location: Option<&HeaderValue>) -> Result<bool, Failure> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) || self.redirects == 0 {
            return Ok(false);
        }
        let Some(location) = location else { return Ok(false) };
        let next = std::str::from_utf8(location.as_bytes()).ok().and_then(|text| self.url.join(text).ok());
        let Some(next) = next else {
            return Err(Failure::refused("the redirect's location cannot be read"));
        };
        // 307 and 308 say "the same again"; after 303, and by custom after 301 and 302 to a POST, comes a GET.
        let becomes_get = match status {
            303 => true,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Splice::empty();
            self.secret_in_body = false;
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE] {
                self.headers.remove(name);
            }
        }
        if next.origin() != self.url.origin() {
            if self.secret_in_body {
                return Err(Failure::refused(
                    "the redirect would take a secret in the body to another origin",
                ));
            }
            // For good: a second redirect back does not bring them back.
            self.credential = Credential::None;
            for name in self.secret_headers.drain(..) {
                self.headers.remove(name);
            }
            for name in [header::AUTHORIZATION, header::COOKIE] {
                self.headers.remove(name);
            }
        }
        self.url = next;
        self.redirects -= 1;
        Ok(true)
    }
}

fn header_name(name: &str) -> Result<HeaderName, Failure> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Failure::refused("a header's name is empty or has a character in it that none may have")
    })?;
    if HOST_HEADERS.contains(&parsed.as_str()) {
        return Err(Failure::refused(format!("the header {parsed} is the host's to write: leave it out")));
    }
    Ok(parsed)
}

/// A header's value. Never in the words of the refusal: it may be a secret.
fn header_value(name: &HeaderName, bytes: Bytes) -> Result<HeaderValue, Failure> {
    HeaderValue::from_maybe_shared(bytes).map_err(|_| {
        Failure::refused(format!(
            "the value of the header {name} has a control character in it (CR, LF, NUL …)"
        ))
    })
}

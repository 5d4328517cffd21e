//! Who may speak to the control API on a port: whoever holds the token, and no web page.
//!
//! A socket file is guarded by its permissions. A loopback port is reachable by every local user
//! and, through a browser, by every page: so it wants a token, a `Host` that is loopback (a page
//! that rebinds its name has its own) and no foreign `Origin`.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, ORIGIN};

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The `Host` is not loopback, or the `Origin` is a page's.
    Foreign,
    /// No token, or the wrong one.
    Token,
}

/// Whether a request over a port may pass. `open`: health questions need no token.
pub(crate) fn admit(headers: &HeaderMap, token: &str, open: bool) -> Result<(), Refusal> {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_loopback(host) || headers.contains_key(ORIGIN) {
        return Err(Refusal::Foreign);
    }
    if open {
        return Ok(());
    }
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if same(given.as_bytes(), token.as_bytes()) { Ok(()) } else { Err(Refusal::Token) }
}

/// Equal, in a time that depends on neither: both are digested under one key first.
fn same(given: &[u8], expected: &[u8]) -> bool {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"dispatcher admin token");
    let tag = ring::hmac::sign(&key, expected);
    ring::hmac::verify(&key, given, tag.as_ref()).is_ok()
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_the_token_on_a_loopback_name_passes() {
        let good = [("host", "127.0.0.1:9090"), ("authorization", "Bearer s3cret")];
        assert_eq!(admit(&headers(&good), "s3cret", false), Ok(()));
        for (pairs, refusal) in [
            (vec![("host", "127.0.0.1:9090")], Refusal::Token),
            (vec![("host", "localhost"), ("authorization", "Bearer s3cre")], Refusal::Token),
            (vec![("host", "evil.example"), ("authorization", "Bearer s3cret")], Refusal::Foreign),
            (vec![("authorization", "Bearer s3cret")], Refusal::Foreign),
            (
                vec![
                    ("host", "localhost"),
                    ("origin", "https://evil.example"),
                    ("authorization", "Bearer s3cret"),
                ],
                Refusal::Foreign,
            ),
        ] {
            assert_eq!(admit(&headers(&pairs), "s3cret", false), Err(refusal), "{pairs:?}");
        }
    }

    #[test]
    fn health_needs_no_token_but_a_loopback_name() {
        assert_eq!(admit(&headers(&[("host", "[::1]:9090")]), "t", true), Ok(()));
        assert_eq!(admit(&headers(&[("host", "evil.example")]), "t", true), Err(Refusal::Foreign));
    }
}

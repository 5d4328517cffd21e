//! AWS Signature Version 4 over the whole request.
//!
//! Our own on ring: the SDK's signer brings nine crates for these steps, and wants the body in one slice where
//! ours may be a file. The digest of a spooled body is a first pass over the spool.

use std::fmt::Write as _;

use dispatch_engine::Grants;
use dispatch_model::{SigV4, Timestamp};
use http::header::{HeaderName, HeaderValue};
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use ring::{digest, hmac};

use crate::credential::authorize;
use crate::failure::Failure;
use crate::http::Parts;
use crate::piece::{self, RESERVED};
use crate::splice::{Chunks, Splice};

/// Bodies up to this are hashed where they stand; larger ones, and files, on a blocking thread.
const INLINE_MAX: u64 = 64 * 1024;

/// Adds `x-amz-date`, the session token and the signature.
pub(crate) async fn sign(
    credential: &SigV4,
    parts: &mut Parts<'_>,
    grants: &Grants,
    now: Timestamp,
) -> Result<(), Failure> {
    let secret = piece::secret(grants, &credential.secret)?;
    let when = basic_format(now);
    set(parts, "x-amz-date", &when)?;
    if let Some(name) = &credential.session_token {
        set(parts, "x-amz-security-token", piece::secret(grants, name)?.expose())?;
    }
    let body = body_digest(parts.body).await?;
    if credential.service == "s3" {
        set(parts, "x-amz-content-sha256", &body)?;
    }
    let (canonical, signed) = canonical_request(parts, &credential.service, &body);
    let day = &when[..8];
    let scope = format!("{day}/{}/{}/aws4_request", credential.region, credential.service);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{when}\n{scope}\n{}",
        hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    );
    let mut key = mac(format!("AWS4{}", secret.expose()).as_bytes(), day);
    for part in [credential.region.as_str(), &credential.service, "aws4_request"] {
        key = mac(key.as_ref(), part);
    }
    let signature = hex(mac(key.as_ref(), &to_sign).as_ref());
    authorize(
        parts,
        &format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            credential.key_id
        ),
    )
}

fn mac(key: &[u8], data: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes())
}

fn set(parts: &mut Parts<'_>, name: &'static str, value: &str) -> Result<(), Failure> {
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| Failure::refused(format!("the value of {name} has a control character in it")))?;
    value.set_sensitive(true);
    parts.headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

/// `20150830T123600Z`.
fn basic_format(now: Timestamp) -> String {
    let mut text: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    text.truncate("20150830T123600".len());
    text.push('Z');
    text
}

/// The request as AWS writes it down, and the names of the headers in it. Signed are those that mean something to
/// the service; the others may be changed by proxies.
fn canonical_request(parts: &Parts<'_>, service: &str, body: &str) -> (String, String) {
    let mut headers = vec![("host", parts.target.authority())];
    for name in parts.headers.keys() {
        let name = name.as_str();
        if matches!(name, "content-type" | "content-md5") || name.starts_with("x-amz-") {
            let values = parts.headers.get_all(name).iter().map(|value| {
                let text = String::from_utf8_lossy(value.as_bytes());
                text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
            });
            headers.push((name, values.collect::<Vec<_>>().join(",")));
        }
    }
    headers.sort();
    let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut out = format!(
        "{}\n{}\n{}\n",
        parts.method,
        canonical_path(parts.url.path(), service),
        canonical_query(parts.url.query().unwrap_or_default())
    );
    for (name, value) in &headers {
        let _ = writeln!(out, "{name}:{value}");
    }
    let _ = write!(out, "\n{signed}\n{body}");
    (out, signed)
}

/// S3 signs the path as it is sent; all others sign it without empty segments and encoded once more.
fn canonical_path(path: &str, service: &str) -> String {
    if service == "s3" {
        return path.to_owned();
    }
    let mut out = String::from("/");
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let _ = write!(out, "{}/", utf8_percent_encode(segment, RESERVED));
    }
    if out.len() > 1 && !path.ends_with('/') {
        out.pop();
    }
    out
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let plain: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&plain, RESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

async fn body_digest(body: &Splice) -> Result<String, Failure> {
    let chunks = body.chunks();
    let digest = if body.length() <= INLINE_MAX && !body.reads_files() {
        digest_of(chunks)
    } else {
        tokio::task::spawn_blocking(|| digest_of(chunks))
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
    };
    digest.map_err(|error| Failure::refused(format!("an attachment cannot be read: {error}")))
}

fn digest_of(mut chunks: Chunks) -> std::io::Result<String> {
    let mut context = digest::Context::new(&digest::SHA256);
    while let Some(chunk) = chunks.next_chunk()? {
        context.update(&chunk);
    }
    Ok(hex(context.finish().as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Target;
    use std::sync::Arc;

    use dispatch_model::Secret;
    use http::{HeaderMap, Method};

    const WHEN: i64 = 1_440_938_160_000;

    /// The signatures are those of AWS's own test suite (the first three) and of its Python SDK.
    #[tokio::test]
    async fn signs_as_aws_does() {
        let ses = "https://email.us-east-1.amazonaws.com/v2/email/outbound-emails";
        let form =
            &[("content-type", "application/x-www-form-urlencoded; charset=utf-8"), ("x-amz-target", "a  b")]
                [..];
        for (service, method, url, headers, body, signature) in [
            (
                "service",
                "GET",
                "https://example.amazonaws.com/",
                &[][..],
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "service",
                "POST",
                "https://example.amazonaws.com/",
                &[],
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "service",
                "GET",
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                &[],
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "service",
                "GET",
                "https://example.amazonaws.com/?a=b%20c%2Fd&a=%C3%B1&a-b=&z",
                &[],
                "",
                "e5c6231bd8c46f6a420e00dea2d4ade9b8fa8d96bcac9b2d6294c0c7c7d10578",
            ),
            (
                "service",
                "GET",
                "https://example.amazonaws.com/a%20b//%C3%B1/x/",
                &[],
                "",
                "2b6117f32812bd3c756f249806690621fcd0d84aff9239b7243359023a08b9a4",
            ),
            (
                "ses",
                "POST",
                ses,
                &[("content-type", "application/json")],
                "{\"a\":1}",
                "3447bd9b325333f4cc2ca5bf0f04c4eb67c8ea0c7ea59d5dd8d68cbc54b852e0",
            ),
            (
                "s3",
                "PUT",
                "https://bucket.s3.amazonaws.com/a%20b/x+y",
                &[],
                "hello",
                "8cbdc4c178b516a3742c4c454bcd11e5f2bba7a72685d5c961dc8f62e0334db6",
            ),
            (
                "sns",
                "POST",
                "https://sns.us-east-1.amazonaws.com:8443/",
                form,
                "Action=Publish",
                "0e98b04f74e35236dd95200ef024abf45b7a4270a6f602ff6a0f6bf9e5f525d5",
            ),
        ] {
            let url = url::Url::parse(url).unwrap();
            let target = Target::of(&url).unwrap();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let body = Splice::of_bytes(body.into());
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            let mut parts = Parts { method: &method, url: &url, target: &target, headers, body: &body };
            let secrets = [("secret", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), ("token", "session")];
            let grants = Grants {
                secrets: Arc::new(secrets.map(|(name, value)| (name.to_owned(), Secret::new(value))).into()),
                ..Grants::default()
            };
            let credential = SigV4 {
                region: "us-east-1".to_owned(),
                service: service.to_owned(),
                key_id: "AKIDEXAMPLE".to_owned(),
                secret: "secret".to_owned(),
                session_token: (service == "ses").then(|| "token".to_owned()),
            };
            sign(&credential, &mut parts, &grants, Timestamp::from_millis(WHEN)).await.unwrap();
            let written = parts.headers["authorization"].to_str().unwrap();
            assert!(written.ends_with(signature), "{method} {url}: {written}");
            assert!(!format!("{:?}", parts.headers).contains("Signature"), "shown by Debug");
        }
    }
}

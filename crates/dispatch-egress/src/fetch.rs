//! Attachments from anywhere public.
//!
//! The sender's URLs are not trusted: any host, but never one whose address is not public, looked at again after
//! each redirect; bounded in size and time; no credentials and no cookies.

use std::sync::Arc;

use dispatch_engine::{FetchBounds, FetchError, Network, Spooled};
use dispatch_model::{AttachmentFile, FailureKind};
use http::Method;
use http::header::{self, HeaderMap, HeaderValue};
use url::Url;

use crate::dial::Reach;
use crate::failure::{Failure, Progress};
use crate::guard::{self, Target};
use crate::http::{Answer, Http, Parts};
use crate::media;
use crate::splice::Splice;
use crate::spool::Spool;

/// Redirects at most.
const REDIRECTS_MAX: usize = 5;
/// Bytes of a URL at most; beyond, servers refuse them too.
const URL_MAX: usize = 8 * 1024;
/// The owner of these connections. No backend has such a name, so none is shared with one.
const OWNER: &str = "\0fetch";

/// Fetches attachments.
pub(crate) struct Fetcher {
    pub(crate) spool: Arc<Spool>,
    /// Networks allowed although they are not public.
    pub(crate) private: Vec<Network>,
}

impl Fetcher {
    /// Fetches one, within its bounds.
    pub(crate) async fn fetch(
        &self,
        http: &Http,
        url: &str,
        bounds: FetchBounds,
    ) -> Result<Spooled, FetchError> {
        match tokio::time::timeout(bounds.timeout, self.follow(http, url, bounds.max_bytes)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::Transient(format!("it took longer than {:?}", bounds.timeout))),
        }
    }

    async fn follow(&self, http: &Http, url: &str, max: u64) -> Result<Spooled, FetchError> {
        if url.len() > URL_MAX {
            return Err(FetchError::Refused(format!("the URL is longer than {URL_MAX} bytes")));
        }
        let mut url = guard::parse(url.as_bytes(), None).map_err(meaning)?;
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.get(http, &url).await.map_err(meaning)?;
            match answer.status() {
                200 => return self.keep(http, answer, &url, max).await,
                301 | 302 | 303 | 307 | 308 => {
                    let location = answer.location().and_then(|value| value.to_str().ok());
                    let next = location.and_then(|location| url.join(location).ok());
                    url = next.ok_or_else(|| {
                        FetchError::Refused("the redirect's location cannot be read".to_owned())
                    })?;
                }
                status => return Err(no_file(status)),
            }
        }
        Err(FetchError::Refused(format!("more than {REDIRECTS_MAX} redirects")))
    }

    async fn get(&self, http: &Http, url: &Url) -> Result<Answer, Failure> {
        let target = Target::of(url)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        // What arrives is kept as it is, so it must not be packed.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(crate::http::USER_AGENT));
        let body = Splice::empty();
        let parts = Parts { method: &Method::GET, url, target: &target, headers, body: &body };
        http.send(&Arc::from(OWNER), parts, Reach::Public(&self.private), &mut Progress::new()).await
    }

    /// Reads a file into the spool.
    async fn keep(
        &self,
        http: &Http,
        mut answer: Answer,
        url: &Url,
        max: u64,
    ) -> Result<Spooled, FetchError> {
        let said = |name| {
            answer.headers().get(name).and_then(|value: &HeaderValue| {
                // File names come as UTF-8 here and there, although headers should be ASCII.
                std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned)
            })
        };
        let content_type = said(header::CONTENT_TYPE);
        let disposition = said(header::CONTENT_DISPOSITION);
        let length: Option<u64> = said(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
        if length.is_some_and(|length| length > max) {
            return Err(FetchError::TooLarge(max));
        }
        let spoiled = |error: std::io::Error| FetchError::Transient(format!("it cannot be kept: {error}"));
        let mut incoming = self.spool.begin();
        let mut start = Vec::with_capacity(media::SNIFF);
        while let Some(chunk) = answer.chunk().await.map_err(meaning)? {
            if incoming.size() + chunk.len() as u64 > max {
                return Err(FetchError::TooLarge(max));
            }
            let missing = media::SNIFF - start.len();
            start.extend_from_slice(&chunk[..chunk.len().min(missing)]);
            incoming.write(&chunk).await.map_err(spoiled)?;
        }
        answer.release(&http.pool).await;
        let media_type = media::media_type(content_type.as_deref(), &start);
        let name = media::file_name(disposition.as_deref(), url.path(), &media_type);
        let file = AttachmentFile { name, media_type, size: incoming.size() };
        Ok(Spooled { file, content: incoming.finish().await.map_err(spoiled)? })
    }
}

/// What a status other than 200 means.
pub(crate) fn no_file(status: u16) -> FetchError {
    match status {
        408 | 425 | 429 | 500..=599 => FetchError::Transient(format!("the server answered {status}")),
        400..=499 => FetchError::Missing(status),
        _ => FetchError::Refused(format!("the server answered {status}, which is no file")),
    }
}

/// A failure as the engine wants to know it: whether trying later may help.
fn meaning(failure: Failure) -> FetchError {
    match failure.kind {
        FailureKind::Refused => FetchError::Refused(failure.detail),
        _ => FetchError::Transient(failure.detail),
    }
}

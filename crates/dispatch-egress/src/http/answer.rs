//! A response whose body is still on the connection.

use bytes::{Bytes, BytesMut};
use dispatch_model::{Body, HttpResponse, Pair};
use http::Response;
use http::header::{self, HeaderMap, HeaderValue};
use hyper::body::Incoming;

use super::{Connection, HttpKey, HttpPool};
use crate::failure::{Failure, Progress};

/// A response's head, and its body to be read. Dropping it closes the connection.
pub(crate) struct Answer {
    response: Response<Incoming>,
    connection: Connection,
    key: HttpKey,
}

impl Answer {
    pub(super) fn new(response: Response<Incoming>, connection: Connection, key: HttpKey) -> Self {
        Self { response, connection, key }
    }

    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(crate) fn location(&self) -> Option<&HeaderValue> {
        self.headers().get(header::LOCATION)
    }

    /// The next run of the body; none at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        self.connection.chunk(self.response.body_mut()).await
    }

    /// Keeps the connection for the next request, once the body has been read to its end.
    pub(crate) async fn release(mut self, pool: &HttpPool) {
        if self.connection.reusable().await {
            pool.put(&self.key, self.connection);
        }
    }

    /// Reads the body up to a bound. The rest is not waited for: the connection is closed instead.
    pub(crate) async fn read(
        mut self,
        pool: &HttpPool,
        max: usize,
        progress: &mut Progress,
    ) -> Result<HttpResponse, Failure> {
        progress.phase = "reading the answer";
        let status = self.status();
        let headers = self.headers().iter().map(pair).collect();
        let mut body = Bytes::new();
        let mut whole = BytesMut::new();
        let mut truncated = false;
        while let Some(mut chunk) = self.chunk().await? {
            let room = max - body.len().max(whole.len());
            if chunk.len() > room {
                chunk.truncate(room);
                truncated = true;
            }
            // Most answers come in one piece, which is kept as it is.
            if body.is_empty() && whole.is_empty() {
                body = chunk;
            } else {
                whole.extend_from_slice(&std::mem::take(&mut body));
                whole.extend_from_slice(&chunk);
            }
            if truncated {
                break;
            }
        }
        if !whole.is_empty() {
            body = whole.freeze();
        }
        if !truncated {
            self.release(pool).await;
        }
        Ok(HttpResponse { status, headers, body: Body(body), truncated })
    }
}

/// A header as the contract has it. Bytes that are not UTF-8 are Latin-1, as HTTP once had it.
fn pair((name, value): (&http::HeaderName, &HeaderValue)) -> Pair {
    let bytes = value.as_bytes();
    let value = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    Pair { name: name.as_str().to_owned(), value }
}

//! A network that is a script: what each backend's provider answers, and what it was asked when.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dispatch_engine::{Call, Egress, FetchBounds, FetchError, SpoolContent, Spooled};
use dispatch_model::*;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What a provider answers.
#[derive(Clone)]
pub enum Answer {
    /// A status.
    Status(u16),
    /// A status with `Retry-After` in seconds.
    Later(u16, u64),
    /// An acceptance as the plugin is to read it.
    Accept(Acceptance),
    /// No answer; whether bytes may have left.
    Failed(bool),
    /// Never.
    Hang,
}

/// Something that was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub backend: String,
    pub message: String,
    /// `send`, `token`, `lookup` …
    pub what: String,
    pub key: String,
    pub body: String,
    pub attachments: usize,
    pub at: Instant,
}

#[derive(Default)]
pub struct Provider {
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    always: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<Asked>>,
    files: Mutex<HashMap<String, Result<u64, FetchError>>>,
    pub fetched: Mutex<Vec<String>>,
    /// How long each answer takes.
    pub delay: Mutex<Duration>,
    /// Where set, each answer to a request that sends waits for a permit.
    pub hold: Mutex<Option<Arc<Semaphore>>>,
    /// What requests of this kind are answered, and not with what was asked for.
    instead: Mutex<Option<(String, Answer)>>,
    under_way: Mutex<(usize, usize)>,
}

impl Provider {
    /// The next answers of a backend's provider; then what it always answers, 200 unless set.
    pub fn answers(&self, backend: &str, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().entry(backend.into()).or_default().extend(answers);
    }

    pub fn always(&self, backend: &str, answer: Answer) {
        self.always.lock().insert(backend.into(), answer);
    }

    pub fn file(&self, url: &str, size: Result<u64, FetchError>) {
        self.files.lock().insert(url.into(), size);
    }

    pub fn answers_all(&self, what: &str, answer: Answer) {
        *self.instead.lock() = Some((what.into(), answer));
    }

    /// Answers one by one, by permit.
    pub fn hold(&self) -> Arc<Semaphore> {
        let permits = Arc::new(Semaphore::new(0));
        *self.hold.lock() = Some(Arc::clone(&permits));
        permits
    }

    /// Requests that send, in order.
    pub fn sent(&self) -> Vec<Asked> {
        self.asked.lock().iter().filter(|asked| asked.what == "send").cloned().collect()
    }

    pub fn sent_by(&self) -> Vec<String> {
        self.sent().into_iter().map(|asked| asked.backend).collect()
    }

    pub fn asked(&self, what: &str) -> usize {
        self.asked.lock().iter().filter(|asked| asked.what == what).count()
    }

    /// How many were under way at most.
    pub fn most_at_once(&self) -> usize {
        self.under_way.lock().1
    }

    pub fn under_way(&self) -> usize {
        self.under_way.lock().0
    }

    fn next(&self, backend: &str) -> Answer {
        let next = self.answers.lock().get_mut(backend).and_then(VecDeque::pop_front);
        next.or_else(|| self.always.lock().get(backend).cloned()).unwrap_or(Answer::Status(200))
    }
}

fn text(pieces: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => bytes.to_text(),
        _ => String::new(),
    };
    pieces.iter().map(text).collect()
}

fn response(status: u16, retry_after: Option<u64>, body: Body) -> Reply {
    let headers = retry_after
        .map(|seconds| Pair { name: "retry-after".into(), value: seconds.to_string() })
        .into_iter()
        .collect();
    Reply::Http(HttpResponse { status, headers, body, truncated: false })
}

/// Counts down when an answer is dropped half-way, too.
struct UnderWay<'a>(&'a Provider);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.lock().0 -= 1;
    }
}

async fn reply(answer: Answer, message: &str) -> Reply {
    match answer {
        Answer::Status(status) => response(status, None, Body::from(format!("ref-{message}"))),
        Answer::Later(status, seconds) => response(status, Some(seconds), Body::default()),
        Answer::Accept(acceptance) => {
            response(200, None, Body::from(serde_json::to_vec(&acceptance).expect("plain data")))
        }
        Answer::Failed(may_have_left) => Reply::Failed {
            kind: if may_have_left { FailureKind::Timeout } else { FailureKind::Connect },
            detail: "scripted".into(),
            may_have_left,
        },
        Answer::Hang => std::future::pending().await,
    }
}

#[async_trait]
impl Egress for Provider {
    async fn perform(&self, action: &Action, call: &Call<'_>) -> Reply {
        let Action::Http(request) = action else { panic!("the script speaks http") };
        let url = text(&request.url);
        let mut parts = url.trim_start_matches("https://").split('/').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let asked = Asked {
            backend: part(),
            message: part(),
            what: part(),
            key: request.headers.first().map(|header| text(&header.value)).unwrap_or_default(),
            body: text(&request.body),
            attachments: call.attachments.len(),
            at: Instant::now(),
        };
        self.asked.lock().push(asked.clone());
        let instead = self.instead.lock().clone().filter(|(what, _)| *what == asked.what);
        if let Some((_, answer)) = instead {
            return reply(answer, &asked.message).await;
        }
        if asked.what != "send" {
            return response(200, None, Body::from(asked.body));
        }
        {
            let mut under_way = self.under_way.lock();
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
        }
        let _under_way = UnderWay(self);
        let answer = self.next(&asked.backend);
        let delay = *self.delay.lock();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await; // the provider is slow, as the test says
        }
        let hold = self.hold.lock().clone();
        if let Some(hold) = hold {
            hold.acquire().await.expect("it is never closed").forget();
        }
        reply(answer, &asked.message).await
    }

    async fn fetch(&self, url: &str, bounds: FetchBounds) -> Result<Spooled, FetchError> {
        self.fetched.lock().push(url.to_owned());
        let size = self.files.lock().get(url).cloned().unwrap_or(Err(FetchError::Missing(404)))?;
        if size > bounds.max_bytes {
            return Err(FetchError::TooLarge(bounds.max_bytes));
        }
        let file = AttachmentFile { name: "file".into(), media_type: "image/png".into(), size };
        Ok(Spooled { file, content: SpoolContent::Memory(bytes::Bytes::from(vec![0; size as usize])) })
    }
}

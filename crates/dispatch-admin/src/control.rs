//! The verbs of the control API.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use dispatch_engine::Engine;
use dispatch_model::{Clock, DeliveryState, MessageId};
use dispatch_store::{Cursor, Filter, Redrive, Store, StoreHealth};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ApiError;
use crate::api::{
    Answer, ApiRequest, BackendRow, CancelRequest, Changed, DaemonFacts, Method, QuarantineBody,
    RedriveRequest, ReloadReport, ResolveRequest, StatusReport, SuspendRequest,
};
use crate::filter::{filter_from_query, is_empty, our_id};

/// Rows of a page where the request names no number.
const PAGE: usize = 50;
/// Rows of a page at most: an answer is built in memory.
const PAGE_MAX: usize = 1000;

/// What only the running daemon can say and do.
#[async_trait]
pub trait Supervisor: Send + Sync + 'static {
    /// What it knows of itself.
    fn facts(&self) -> DaemonFacts;

    /// The backends in force.
    fn backends(&self) -> Vec<BackendRow>;

    /// Reads the configuration again: all of it or none.
    async fn reload(&self) -> ReloadReport;

    /// The metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// The handler of the control API.
pub struct Control {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) daemon: Option<(Arc<Engine>, Arc<dyn Supervisor>)>,
}

impl Control {
    /// In the daemon.
    pub fn of_daemon(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        engine: Arc<Engine>,
        supervisor: Arc<dyn Supervisor>,
    ) -> Self {
        Self { store, clock, daemon: Some((engine, supervisor)) }
    }

    /// Over a store that no daemon has open.
    pub fn of_store(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, daemon: None }
    }

    /// Serves one request.
    pub async fn handle(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method, parts.as_slice()) {
            (Method::Get, ["healthz"]) => Ok(self.health()),
            (Method::Get, ["readyz"]) => Ok(self.ready()),
            (Method::Get, ["metrics"]) => self.metrics(),
            (Method::Get, ["v1", "status"]) => self.status().await,
            (Method::Get, ["v1", "backends"]) => Ok(Answer::json(&self.supervisor("backends")?.backends())),
            (Method::Get, ["v1", "messages"]) => self.messages(query).await,
            (Method::Get, ["v1", "messages", id]) => self.message(&decode(id)).await,
            (Method::Post, ["v1", "messages", id, "resolve"]) => {
                self.resolve(&decode(id), read(&request.body)?).await
            }
            (Method::Post, ["v1", "cancel"]) => self.cancel(read(&request.body)?).await,
            (Method::Post, ["v1", "redrive"]) => self.redrive(read(&request.body)?).await,
            (Method::Post, ["v1", "suspend"]) => self.suspend(read(&request.body)?).await,
            (Method::Get, ["v1", "suppressions"]) => self.suppressions(query).await,
            (Method::Post, ["v1", "suppressions"]) => self.suppress(read(&request.body)?).await,
            (Method::Post, ["v1", "suppressions", "remove"]) => self.unsuppress(read(&request.body)?).await,
            (Method::Get, ["v1", "quarantine"]) => self.quarantine(query).await,
            (Method::Get, ["v1", "quarantine", id]) => self.quarantine_body(id).await,
            (Method::Post, ["v1", "backup"]) => self.backup(read(&request.body)?).await,
            (Method::Post, ["v1", "reload"]) => Ok(Answer::json(&self.supervisor("reload")?.reload().await)),
            (_, _) => Err(ApiError::not_found(format!("no such endpoint: {path}"))),
        }
    }

    fn supervisor(&self, what: &str) -> Result<&Arc<dyn Supervisor>, ApiError> {
        self.daemon
            .as_ref()
            .map(|(_, supervisor)| supervisor)
            .ok_or_else(|| ApiError::conflict(format!("{what}: no dispatcher is running")))
    }

    fn health(&self) -> Answer {
        match self.store.health() {
            StoreHealth::Failed(why) => Answer::text(503, format!("failed: {why}\n")),
            StoreHealth::Ready | StoreHealth::Full(_) => Answer::text(200, "ok\n"),
        }
    }

    fn ready(&self) -> Answer {
        let not_ready = match (&self.daemon, self.store.health()) {
            (None, _) => Some("no dispatcher is running".to_owned()),
            (_, StoreHealth::Full(why) | StoreHealth::Failed(why)) => Some(why),
            (Some((_, supervisor)), StoreHealth::Ready) => supervisor.facts().not_ready,
        };
        match not_ready {
            None => Answer::text(200, "ready\n"),
            Some(why) => Answer::text(503, format!("not ready: {why}\n")),
        }
    }

    fn metrics(&self) -> Result<Answer, ApiError> {
        let text = self.supervisor("metrics")?.metrics();
        Ok(Answer { content_type: "text/plain; version=0.0.4", ..Answer::text(200, text) })
    }

    async fn status(&self) -> Result<Answer, ApiError> {
        let engine = match &self.daemon {
            Some((engine, _)) => Some(engine.status().await),
            None => None,
        };
        let report = StatusReport {
            daemon: self.daemon.as_ref().map(|(_, supervisor)| supervisor.facts()),
            engine,
            store: self.store.stats().await?,
            suspensions: self.store.suspensions().await?,
        };
        Ok(Answer::json(&report))
    }

    async fn messages(&self, query: &str) -> Result<Answer, ApiError> {
        let filter = filter_from_query(query).map_err(|e| ApiError::invalid(e.to_string()))?;
        let (cursor, limit) = page_of(query)?;
        Ok(Answer::json(&self.store.search(filter, cursor, limit).await?))
    }

    /// Our id for any id a person may hold; more than one match is an error that lists them.
    async fn one(&self, any_id: &str) -> Result<MessageId, ApiError> {
        let found = self.store.find(any_id).await?;
        match found.as_slice() {
            [] => Err(ApiError::not_found(format!(
                "no message has the id {any_id}: give ours, the sender's messageId, or the provider's reference"
            ))),
            [one] => Ok(*one),
            many => {
                let list: Vec<String> = many.iter().map(ToString::to_string).collect();
                Err(ApiError::conflict(format!("several messages have the id {any_id}: {}", list.join(", "))))
            }
        }
    }

    async fn message(&self, any_id: &str) -> Result<Answer, ApiError> {
        let id = match our_id(any_id) {
            Some(id) if self.store.message(id).await?.is_some() => id,
            _ => self.one(any_id).await?,
        };
        match self.store.message(id).await? {
            Some(view) => Ok(Answer::json(&view)),
            None => Err(ApiError::not_found(format!("no message has the id {any_id}"))),
        }
    }

    async fn resolve(&self, any_id: &str, request: ResolveRequest) -> Result<Answer, ApiError> {
        let id = self.one(any_id).await?;
        if !self.store.resolve(id, request.resolution, self.clock.now()).await? {
            let state = self.store.message(id).await?.map(|view| view.delivery.state);
            let state = state.map_or("gone", DeliveryState::as_str);
            return Err(ApiError::conflict(format!(
                "message {id} is {state}: only a held one can be resolved"
            )));
        }
        self.wake();
        Ok(Answer::json(&Changed { changed: 1 }))
    }

    async fn cancel(&self, request: CancelRequest) -> Result<Answer, ApiError> {
        refuse_unbounded(&request.filter, request.all)?;
        let changed = self.store.cancel(request.filter, request.reason, self.clock.now()).await?;
        self.wake();
        Ok(Answer::json(&Changed { changed }))
    }

    async fn redrive(&self, request: RedriveRequest) -> Result<Answer, ApiError> {
        refuse_unbounded(&request.filter, request.all)?;
        if let (Some(to), Some((_, supervisor))) = (&request.to, &self.daemon)
            && !supervisor.backends().iter().any(|row| row.name == *to)
        {
            return Err(ApiError::not_found(format!("no backend is named {to}")));
        }
        let redrive = Redrive { filter: request.filter, to: request.to, note: request.note };
        let changed = self.store.redrive(redrive, self.clock.now()).await?;
        self.wake();
        Ok(Answer::json(&Changed { changed }))
    }

    async fn suspend(&self, request: SuspendRequest) -> Result<Answer, ApiError> {
        let changed = match &self.daemon {
            Some((engine, _)) if request.suspended => engine.suspend(request.what).await?,
            Some((engine, _)) => engine.resume(request.what).await?,
            None => self.store.suspend(request.what, request.suspended, self.clock.now()).await?,
        };
        Ok(Answer::json(&Changed { changed: usize::from(changed) }))
    }

    async fn quarantine(&self, query: &str) -> Result<Answer, ApiError> {
        let (cursor, limit) = page_of(query)?;
        Ok(Answer::json(&self.store.quarantined(cursor, limit).await?))
    }

    async fn quarantine_body(&self, id: &str) -> Result<Answer, ApiError> {
        let id: i64 = id.parse().map_err(|_| ApiError::invalid(format!("{id} is no quarantine number")))?;
        match self.store.quarantined_body(id).await? {
            Some(body) => Ok(Answer::json(&QuarantineBody { id, body: body.into() })),
            None => Err(ApiError::not_found(format!("nothing is quarantined under {id}"))),
        }
    }

    async fn backup(&self, request: BackupRequest) -> Result<Answer, ApiError> {
        if !request.to.is_absolute() {
            return Err(ApiError::invalid("the path of a backup must be absolute"));
        }
        let bytes = self.store.backup(&request.to).await?;
        Ok(Answer::json(&serde_json::json!({ "to": request.to, "bytes": bytes })))
    }

    fn wake(&self) {
        if let Some((engine, _)) = &self.daemon {
            engine.wake();
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupRequest {
    to: PathBuf,
}

/// A filter that names nothing takes in everything: that must be said, not forgotten.
fn refuse_unbounded(filter: &Filter, all: bool) -> Result<(), ApiError> {
    if is_empty(filter) && !all {
        return Err(ApiError::invalid("this would take in every message: name which ones, or say --all"));
    }
    Ok(())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("the body is not what is expected: {error}")))
}

fn decode(part: &str) -> String {
    // A query key decodes the same escapes as a path segment, but for `+`.
    url::form_urlencoded::parse(part.replace('+', "%2B").as_bytes())
        .next()
        .map(|(key, _)| key.into_owned())
        .unwrap_or_default()
}

pub(crate) fn page_of(query: &str) -> Result<(Option<Cursor>, usize), ApiError> {
    let mut cursor = None;
    let mut limit = PAGE;
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let number = || {
            value.parse::<i64>().map_err(|_| ApiError::invalid(format!("{key}={value}: expected a number")))
        };
        match &*key {
            "cursor" => cursor = Some(Cursor(number()?)),
            "limit" => limit = usize::try_from(number()?).unwrap_or(PAGE).clamp(1, PAGE_MAX),
            _ => {}
        }
    }
    Ok((cursor, limit))
}

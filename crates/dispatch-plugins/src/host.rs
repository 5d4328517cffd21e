//! The host: one engine, its threads and its artefacts, from which plugins are loaded.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use serde::Serialize;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cache::{ArtefactCache, hex, sha256};
use crate::call::{CallBounds, CallState, Code};
use crate::config::HostConfig;
use crate::contract::DESCRIBE;
use crate::crew::{Crew, Turn};
use crate::engine::{self, Memory};
use crate::error::{HostError, LoadError};
use crate::fault;
use crate::inspect::Inspection;
use crate::plugin::{Loaded, Plugin};
use crate::schema::SettingsSchema;
use crate::{description, epoch, shape};

/// Runs plugins.
pub struct PluginHost {
    engine: Engine,
    bounds: CallBounds,
    file_max: usize,
    cache: Option<ArtefactCache>,
    crew: Arc<Crew>,
    queue: usize,
    about: HostDescription,
    /// What is loaded, by digest: a plugin is compiled once however many backends and names it has. The
    /// inner lock makes the second of two loads wait for the first.
    loaded: parking_lot::Mutex<HashMap<[u8; 32], Arc<Slot>>>,
}

type Slot = tokio::sync::Mutex<Weak<Loaded>>;

/// How the host came out on this machine, for `status` and the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostDescription {
    /// The wasm engine.
    pub engine: String,
    /// The contract it serves.
    pub contract: &'static str,
    /// How instances get their memory.
    pub memory: Memory,
    /// Threads that run guests.
    pub threads: usize,
    /// Whether compiled plugins are kept.
    pub cached: bool,
    /// What is not as it could be, and why.
    pub notes: Vec<String>,
}

impl fmt::Display for HostDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {} threads", self.engine, self.memory, self.threads)?;
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}

impl PluginHost {
    /// Starts the threads and looks at the machine.
    pub fn new(config: HostConfig) -> Result<Arc<Self>, HostError> {
        let built = engine::build(&config)?;
        let mut notes: Vec<String> = built.note.into_iter().collect();
        let cache = config.cache_dir.as_deref().and_then(|dir| {
            ArtefactCache::open(dir, &built.engine)
                .inspect_err(|error| {
                    tracing::warn!(%error, "plugin.cache.unused");
                    notes.push(format!("compiled plugins are not kept: {error}"));
                })
                .ok()
        });
        let crew = Arc::new(Crew::start(config.threads, config.stack)?);
        epoch::start(built.engine.weak())?;
        let about = HostDescription {
            engine: format!("wasmtime {}", crate::cache::WASMTIME),
            contract: crate::contract::CONTRACT_VERSION,
            memory: built.memory,
            threads: config.threads.max(1),
            cached: cache.is_some(),
            notes,
        };
        Ok(Arc::new(Self {
            engine: built.engine,
            bounds: CallBounds::from(&config),
            file_max: config.file_max,
            cache,
            crew,
            queue: config.queue,
            about,
            loaded: parking_lot::Mutex::default(),
        }))
    }

    /// How it came out.
    pub fn describe(&self) -> &HostDescription {
        &self.about
    }

    /// Loads a plugin: compiles it or takes what was compiled before, asks it what it is, and holds that
    /// against the contract. `name` is what the operator calls it. Needs a tokio runtime; compiling takes
    /// from a quarter of a second to a minute and happens on a thread for blocking work.
    pub async fn load(
        self: &Arc<Self>,
        name: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<Arc<Plugin>, LoadError> {
        let bytes = bytes.into();
        if bytes.len() > self.file_max {
            return Err(LoadError::TooLarge { size: bytes.len(), limit: self.file_max });
        }
        let digest = sha256(&bytes);
        let slot = self.slot(digest);
        let mut held = slot.lock().await;
        let loaded = match held.upgrade() {
            Some(loaded) => loaded,
            None => {
                let loaded = self.make(name, digest, bytes).await?;
                *held = Arc::downgrade(&loaded);
                loaded
            }
        };
        Ok(Arc::new(Plugin::new(name, loaded, self.crew.lane(name, self.queue))))
    }

    /// Looks at a plugin file: what it is, what it asks for, and what would be refused and why.
    pub async fn inspect(self: &Arc<Self>, bytes: impl Into<Bytes>) -> Inspection {
        let bytes = bytes.into();
        let loaded = self.load("inspected", bytes.clone()).await;
        Inspection::new(&bytes, loaded)
    }

    fn slot(&self, digest: [u8; 32]) -> Arc<Slot> {
        let mut loaded = self.loaded.lock();
        // Plugins that are gone leave their slot: reloads would gather them.
        loaded.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|held| held.strong_count() > 0)
        });
        Arc::clone(loaded.entry(digest).or_default())
    }

    async fn make(
        self: &Arc<Self>,
        name: &str,
        digest: [u8; 32],
        bytes: Bytes,
    ) -> Result<Arc<Loaded>, LoadError> {
        let host = Arc::clone(self);
        let (shape, component) = tokio::task::spawn_blocking(move || {
            let shape = shape::read(&bytes)?;
            shape.accept(host.bounds.memory_max)?;
            Ok((shape, host.compile(&digest, &bytes)?))
        })
        .await
        .expect("compiling does not panic, and nobody aborts it")?;
        let bounds = self.bounds;
        // The guest runs for the first time: on a thread that is made for guests.
        let lane = self.crew.lane(name, 1);
        let made = lane.run(move |turn| Ok(Self::introduce(digest, &shape, &component, bounds, turn))).await;
        made.unwrap_or_else(|fault| Err(LoadError::Fault(fault)))
    }

    fn compile(&self, digest: &[u8; 32], bytes: &[u8]) -> Result<Component, LoadError> {
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&self.engine, digest)) {
            return Ok(component);
        }
        let component = Component::from_binary(&self.engine, bytes)
            .map_err(|error| LoadError::Invalid { detail: fault::describe(&error) })?;
        if let Some(cache) = &self.cache {
            cache.store(digest, &component);
        }
        Ok(component)
    }

    fn introduce(
        digest: [u8; 32],
        shape: &shape::Shape,
        component: &Component,
        bounds: CallBounds,
        turn: &Arc<Turn>,
    ) -> Result<Arc<Loaded>, LoadError> {
        let code = Code::link(component, bounds, turn)?;
        let bare = CallState::bare(bounds);
        let said = code.call(DESCRIBE, bare, (), turn).map_err(LoadError::Fault)?;
        let description = description::accept(said)?;
        let schema = SettingsSchema::compile(&description.settings_schema)?;
        Ok(Arc::new(Loaded {
            digest: hex(&digest),
            code,
            description,
            schema,
            uses_secrets: shape.imports_secrets(),
        }))
    }
}

#[cfg(test)]
mod tests;

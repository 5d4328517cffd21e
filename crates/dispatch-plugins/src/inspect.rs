//! What `dispatcher plugin inspect` shows of a file.

use std::sync::Arc;

use dispatch_model::Description;
use serde::Serialize;

use crate::cache::{hex, sha256};
use crate::contract::{CONTRACT_VERSION, TYPES};
use crate::error::LoadError;
use crate::plugin::Plugin;
use crate::shape;

/// A plugin file, looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The digest to pin it by, as hex.
    pub sha256: String,
    /// Bytes of the file.
    pub size: usize,
    /// The version of the contract it was built for, where it exports any.
    pub contract: Option<String>,
    /// The version this host serves.
    pub served: &'static str,
    /// Names of what it imports. The contract's types, which bring no function, are left out.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Bytes of memory each call begins with.
    pub memory_initial: u64,
    /// What it says about itself; absent where it could not be asked.
    pub description: Option<Description>,
    /// Why this host refuses it, each with what to do; empty when it does not.
    pub refused: Vec<String>,
}

impl Inspection {
    pub(crate) fn new(bytes: &[u8], loaded: Result<Arc<Plugin>, LoadError>) -> Self {
        let shape = shape::read(bytes).unwrap_or_default();
        let (description, refused) = match loaded {
            Ok(plugin) => (Some(plugin.about().clone()), Vec::new()),
            // All imports at once: an author who has to remove three wants to know of three.
            Err(LoadError::ForbiddenImport { .. }) => {
                (None, shape.forbidden().map(|error| error.to_string()).collect())
            }
            Err(error) => (None, vec![error.to_string()]),
        };
        Self {
            sha256: hex(&sha256(bytes)),
            size: bytes.len(),
            contract: shape.contract_version().map(str::to_owned),
            served: CONTRACT_VERSION,
            memory_initial: shape.memory_initial,
            imports: shape.imports.into_iter().filter(|name| name != TYPES).collect(),
            exports: shape.exports,
            description,
            refused,
        }
    }
}

//! How egress is set up. Plain data: only `dispatch-config` knows the file it comes from.

use std::path::PathBuf;
use std::time::Duration;

use dispatch_engine::Network;

/// The set-up of [`crate::NetworkEgress`]. What one backend may do stands in its grants, not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressConfig {
    /// Idle connections kept per owner and host. As many as a backend's concurrency usually is: fewer would
    /// throw connections away under load, which costs a TLS handshake each.
    pub idle_per_key_max: usize,
    /// Idle connections kept in all; each is a file descriptor and, with TLS, some 20 KiB.
    pub idle_max: usize,
    /// How long a connection may lie idle. Below the minute or so after which providers and NATs forget theirs.
    pub idle_timeout: Duration,
    /// How long a name may take to resolve.
    pub resolve_timeout: Duration,
    /// How long all the addresses of a host together may take to connect.
    pub connect_timeout: Duration,
    /// A PEM file of further certificate authorities: private ones, and those of tests.
    pub extra_ca_file: Option<PathBuf>,
    /// Networks that attachments may come from although they are not public. Empty but for intranets and tests.
    pub fetch_private: Vec<Network>,
    /// Where fetched attachments lie while they are needed. Created with mode 0700.
    pub spool_dir: PathBuf,
    /// Bytes of the spool at most, all attachments together.
    pub spool_bytes_max: u64,
    /// The name we say EHLO with where the relay's settings have none; without it the machine's, if it is a
    /// full name, else the address we speak from.
    pub hello: Option<String>,
}

impl EgressConfig {
    /// The defaults, spooling to this folder.
    pub fn new(spool_dir: impl Into<PathBuf>) -> Self {
        Self {
            idle_per_key_max: 64,
            idle_max: 512,
            idle_timeout: Duration::from_secs(30),
            resolve_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            extra_ca_file: None,
            fetch_private: Vec::new(),
            spool_dir: spool_dir.into(),
            spool_bytes_max: 1024 * 1024 * 1024,
            hello: None,
        }
    }
}

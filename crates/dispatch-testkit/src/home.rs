//! A folder of its own for each daemon: configuration, store, socket, keys.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::{Signer, Target, free_port};

/// The root of the repository.
pub fn repository() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.ancestors().nth(2).expect("this crate is two folders deep").to_owned()
}

/// The folder. It goes with the value.
pub struct Home {
    folder: tempfile::TempDir,
    port: u16,
    /// Who signs what is sent to this daemon, and whom it trusts.
    pub signer: Arc<Signer>,
}

impl Home {
    /// A folder with a key and a port, and no configuration yet.
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("dispatcher-").tempdir().context("making a folder")?;
        Ok(Self { folder, port: free_port(), signer: Arc::new(Signer::generate()) })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the store is.
    pub fn store(&self) -> PathBuf {
        self.file("data/dispatcher.db")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.file("data/admin.sock")
    }

    /// Where the daemon listens.
    pub fn ingress(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where and as whom to send.
    pub fn target(&self) -> Target {
        Target { addr: self.ingress(), path: "/webhooks/highlevel".into(), signer: self.signer.clone() }
    }

    /// Writes a file, folders made as needed: beside its place and then moved there, so that a daemon
    /// that watches it never reads half of it.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> anyhow::Result<PathBuf> {
        let path = self.file(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let beside = self.file("being-written");
        std::fs::write(&beside, text).with_context(|| format!("writing {}", beside.display()))?;
        std::fs::rename(&beside, &path).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Writes `config.toml`: the server, the store and a source that trusts this run's key alone,
    /// then `rest`.
    pub fn configure(&self, rest: &str) -> anyhow::Result<PathBuf> {
        self.write("config.toml", format!("{}\n{rest}", self.base()))
    }

    /// The part of a configuration that says where things are and whom to trust. As an overlay on
    /// another file it replaces that file's sources.
    pub fn base(&self) -> String {
        let (port, key, store) = (self.port, self.signer.public_der(), self.store());
        format!(
            r#"[server]
listen = "127.0.0.1:{port}"

[store]
path = "{}"

[[sources]]
name = "highlevel"
path = "/webhooks/highlevel"
keys = ["{key}"]
default_region = "MX"
"#,
            store.display()
        )
    }
}

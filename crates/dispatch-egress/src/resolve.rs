//! From names to addresses. A trait, since a name that changes its address between two look-ups is an attack
//! that tests must be able to play.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

/// Resolves names. Asked once for each new connection, and what it says is what is connected to.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a name, best first.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
#[derive(Debug, Clone)]
pub struct SystemResolver {
    /// `getaddrinfo` cannot be cancelled: a look-up that hangs keeps its thread after we have given up. So that
    /// a broken name server cannot take all of tokio's blocking threads, only so many look up at once.
    threads: Arc<Semaphore>,
}

/// Look-ups at once.
const THREADS: usize = 32;

impl Default for SystemResolver {
    fn default() -> Self {
        Self { threads: Arc::new(Semaphore::new(THREADS)) }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let look_up = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let found = (host.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        });
        look_up.await.map_err(io::Error::other)?
    }
}

//! moto, a stand-in for Amazon that others wrote: it checks signatures and rights as Amazon does.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::{Counterpart, Counterparts, STARTS_WITHIN};
use crate::{free_port, until_some};

/// Calls that make the user who signs all others, and so cannot be signed.
const FREE_CALLS: &str = "3";

/// moto with a user who may send mail.
pub struct Moto {
    /// The server.
    pub server: Counterpart,
    /// The id of the user's access key.
    pub key_id: String,
    /// Its secret.
    pub secret: String,
}

impl Counterparts {
    /// moto, with a user who may send mail from this domain.
    pub async fn moto(&self, domain: &str) -> anyhow::Result<Moto> {
        let port = free_port();
        let python = self.folder.join("python/bin");
        let mut command = Command::new(python.join("moto_server"));
        command.env("INITIAL_NO_AUTH_ACTION_COUNT", FREE_CALLS);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let server = Counterpart::start(command, port)?;
        let listening = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop);
        let up = until_some("moto to listen", STARTS_WITHIN, listening).await;
        up.with_context(|| server.log.text())?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts/moto_setup.py");
        let mut setup = Command::new(python.join("python"));
        let made = setup.arg(script).arg(port.to_string()).arg(domain).output().await?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let key: Value = serde_json::from_slice(&made.stdout)?;
        let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
        Ok(Moto { server, key_id: text("key_id"), secret: text("secret") })
    }
}

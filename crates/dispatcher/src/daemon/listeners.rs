//! Where webhooks come in: an address, a socket file, or what a service manager hands over.

use std::fmt;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::Path;

use dispatch_config::Listen;
use dispatch_ingress::Listener;
use rustix::fs::Mode;
use rustix::process::umask;
use tokio::net::{TcpListener, UnixListener};

use crate::exit::Failure;

/// A bound listener and its name for people.
pub(crate) struct Bound {
    pub(crate) listener: Listener,
    pub(crate) name: String,
    /// Handed over by a service manager: on the way out its backlog is left to the successor.
    pub(crate) inherited: bool,
}

/// Binds all addresses. Nothing is accepted yet.
pub(crate) fn bind(addresses: &[Listen]) -> Result<Vec<Bound>, Failure> {
    let mut bound = Vec::new();
    for address in addresses {
        match address {
            Listen::Tcp(address) => bound.push(tcp(*address)?),
            Listen::Unix(path) => bound.push(unix(path)?),
            Listen::Systemd => bound.extend(inherited()?),
        }
    }
    Ok(bound)
}

fn tcp(text: std::net::SocketAddr) -> Result<Bound, Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Failure::Listen(format!(
            "{text} is taken by another process; stop it, or set [server] listen to another address"
        )),
        std::io::ErrorKind::PermissionDenied => Failure::Listen(format!(
            "{text}: permission denied; ports below 1024 need a service manager's socket or CAP_NET_BIND_SERVICE"
        )),
        _ => Failure::Listen(format!("cannot listen on {text}: {error}")),
    };
    let listener = StdTcpListener::bind(text).map_err(failed)?;
    listener.set_nonblocking(true)?;
    let name = listener.local_addr().map_or_else(|_| text.to_string(), |address| address.to_string());
    Ok(Bound { listener: Listener::Tcp(TcpListener::from_std(listener)?), name, inherited: false })
}

fn unix(path: &Path) -> Result<Bound, Failure> {
    let listener = bind_socket_file(path, 0o660)?;
    Ok(Bound {
        listener: Listener::Unix(listener),
        name: format!("unix:{}", path.display()),
        inherited: false,
    })
}

/// Binds a socket file. One that nobody listens on any more is replaced: it is what a killed process leaves.
pub(crate) fn bind_socket_file(path: &Path, mode: u32) -> Result<UnixListener, Failure> {
    let failed =
        |error: &dyn fmt::Display| Failure::Listen(format!("cannot listen on {}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket()) {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(failed(&"another process listens there"));
        }
        std::fs::remove_file(path).map_err(|error| failed(&error))?;
    }
    // Never open to others, not even between the next two lines.
    let before = umask(Mode::from_raw_mode(0o777 & !mode));
    let bound = StdUnixListener::bind(path);
    umask(before);
    let listener = bound.map_err(|error| failed(&error))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(|error| failed(&error))?;
    listener.set_nonblocking(true)?;
    Ok(UnixListener::from_std(listener)?)
}

/// What a service manager handed over (`LISTEN_FDS`): listening TCP or unix sockets.
fn inherited() -> Result<Vec<Bound>, Failure> {
    let mut handed = listenfd::ListenFd::from_env();
    if handed.len() == 0 {
        return Err(Failure::Listen(
            "listen = \"systemd\", but no socket was handed over: start it by its .socket unit".to_owned(),
        ));
    }
    (0..handed.len()).map(|index| adopt(&mut handed, index)).collect()
}

fn adopt(handed: &mut listenfd::ListenFd, index: usize) -> Result<Bound, Failure> {
    let unusable = |error: std::io::Error| {
        Failure::Listen(format!("the socket handed over as number {index} is neither TCP nor unix: {error}"))
    };
    if let Ok(Some(listener)) = handed.take_tcp_listener(index) {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr().map_or_else(|_| "tcp".to_owned(), |address| address.to_string());
        let listener = Listener::Tcp(TcpListener::from_std(listener)?);
        return Ok(Bound { listener, name: format!("{address} (inherited)"), inherited: true });
    }
    let listener = handed
        .take_unix_listener(index)
        .and_then(|listener| listener.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
        .map_err(unusable)?;
    listener.set_nonblocking(true)?;
    let listener = Listener::Unix(UnixListener::from_std(listener)?);
    Ok(Bound { listener, name: "unix (inherited)".to_owned(), inherited: true })
}

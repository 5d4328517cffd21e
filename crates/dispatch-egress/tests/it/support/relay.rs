//! A mail relay that follows a script.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What a relay does.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// Instead of `220 ready`.
    pub(crate) greeting: Option<&'static str>,
    /// What EHLO offers.
    pub(crate) offers: Vec<&'static str>,
    /// Replies to commands that begin so (in upper case), in place of the usual one.
    pub(crate) replies: Vec<(&'static str, &'static str)>,
    /// Commands, or `.`, at which the connection is dropped without a word.
    pub(crate) drop_at: Option<&'static str>,
    /// Commands, or `.`, at which nothing more is said.
    pub(crate) hang_at: Option<&'static str>,
    /// The connection is dropped when so many bytes of a message have come.
    pub(crate) drop_within: Option<usize>,
    /// Close in silence after each mail.
    pub(crate) one_mail: bool,
}

/// A relay on loopback, gone when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    said: Arc<Mutex<Vec<String>>>,
    mails: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared {
    script: Script,
    said: Arc<Mutex<Vec<String>>>,
    mails: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    pub(crate) async fn start(script: Script) -> Self {
        Self::with_tls(script, None, false).await
    }

    /// With a certificate: behind STARTTLS, or from the first byte.
    pub(crate) async fn with_tls(script: Script, tls: Option<TlsAcceptor>, implicit: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let shared = Shared { script, said: Arc::default(), mails: Arc::default() };
        let (said, mails) = (Arc::clone(&shared.said), Arc::clone(&shared.mails));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, tls.clone(), implicit, shared.clone()));
            }
        });
        Self { address, accepted, said, mails, task }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The commands heard, with `tls` where the connection became secure.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().clone()
    }

    /// The messages taken, dots taken off again.
    pub(crate) fn mails(&self) -> Vec<Vec<u8>> {
        self.mails.lock().clone()
    }
}

async fn serve(tcp: TcpStream, tls: Option<TlsAcceptor>, implicit: bool, shared: Shared) {
    if implicit {
        let Ok(stream) = tls.unwrap().accept(tcp).await else { return };
        shared.said.lock().push("tls".to_owned());
        dialogue(BufReader::new(stream), &shared, true).await;
        return;
    }
    if let Some(plain) = dialogue(BufReader::new(tcp), &shared, true).await {
        let Ok(stream) = tls.unwrap().accept(plain.into_inner()).await else { return };
        shared.said.lock().push("tls".to_owned());
        dialogue(BufReader::new(stream), &shared, false).await;
    }
}

/// Speaks until the end; hands the stream back at STARTTLS.
async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    shared: &Shared,
    greets: bool,
) -> Option<BufReader<S>> {
    let script = &shared.script;
    if greets {
        say(&mut stream, script.greeting.unwrap_or("220 ready")).await?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        let upper = line.to_ascii_uppercase();
        shared.said.lock().push(line);
        if script.drop_at.is_some_and(|at| upper.starts_with(at)) {
            return None;
        }
        if script.hang_at.is_some_and(|at| upper.starts_with(at)) {
            std::future::pending::<()>().await;
        }
        let scripted =
            script.replies.iter().find(|(command, _)| upper.starts_with(command)).map(|(_, reply)| *reply);
        let reply = match (scripted, upper.as_str()) {
            (Some(reply), _) => reply.to_owned(),
            (None, command) if command.starts_with("EHLO") => {
                let mut lines = vec!["relay.example".to_owned()];
                lines.extend(script.offers.iter().map(|offer| (*offer).to_owned()));
                let last = lines.len() - 1;
                let mark = |at| if at == last { ' ' } else { '-' };
                let lines = lines.iter().enumerate().map(|(at, line)| format!("250{}{line}", mark(at)));
                lines.collect::<Vec<_>>().join("\r\n")
            }
            (None, command) if command.starts_with("AUTH PLAIN") => "235 welcome".to_owned(),
            (None, "AUTH LOGIN") => "334 VXNlcm5hbWU6".to_owned(),
            (None, "STARTTLS") => "220 go ahead".to_owned(),
            (None, "DATA") => "354 go ahead".to_owned(),
            (None, _) => "250 OK".to_owned(),
        };
        say(&mut stream, &reply).await?;
        if upper == "STARTTLS" && reply.starts_with("220") {
            return Some(stream);
        }
        if upper == "DATA" && reply.starts_with("354") {
            message(&mut stream, shared).await?;
            if script.one_mail {
                return None;
            }
        }
        if reply.starts_with("421") {
            return None;
        }
    }
}

async fn message<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    shared: &Shared,
) -> Option<()> {
    let script = &shared.script;
    let mut mail = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            break;
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        if script.drop_within.is_some_and(|bytes| mail.len() >= bytes) {
            return None;
        }
    }
    if script.drop_at == Some(".") {
        return None;
    }
    if script.hang_at == Some(".") {
        std::future::pending::<()>().await;
    }
    shared.mails.lock().push(mail);
    let scripted = script.replies.iter().find(|(command, _)| *command == ".");
    say(stream, scripted.map_or("250 2.0.0 Ok: queued as 4F1", |(_, reply)| reply)).await
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) -> Option<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

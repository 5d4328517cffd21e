//! A tiny HTTP server that does as it is told, good or bad.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Which connection it came by, from 0.
    pub(crate) connection: usize,
    /// The request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Method and path.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap().strip_suffix(" HTTP/1.1").unwrap()
    }

    /// All values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// What to do with a request.
pub(crate) enum Act {
    /// Send these bytes, and go on with the next request.
    Send(Vec<u8>),
    /// Send these bytes and close.
    Last(Vec<u8>),
    /// Close with a RST.
    Reset,
    /// Say nothing more.
    Hang,
    /// Send this, then this for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// Send this, then a byte every few milliseconds.
    Drip(Vec<u8>),
}

/// A response with a status, further header lines and a body.
pub(crate) fn respond(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Act {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Act::Send(bytes)
}

pub(crate) fn ok(body: impl AsRef<[u8]>) -> Act {
    respond(200, "", body)
}

/// A server on loopback, gone when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Request>>>,
    /// Connections whose end was seen.
    ended: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(handle: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        Self::with_tls(None, handle).await
    }

    pub(crate) async fn with_tls(
        tls: Option<TlsAcceptor>,
        handle: impl Fn(&Request) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let handle = Arc::new(handle);
        let (count, over, log) = (Arc::clone(&accepted), Arc::clone(&ended), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (tls, handle, log, over) =
                    (tls.clone(), Arc::clone(&handle), Arc::clone(&log), Arc::clone(&over));
                connections.spawn(async move {
                    serve(stream, tls, number, &*handle, &log).await;
                    over.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, accepted, seen, ended, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().clone()
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn serve(
    tcp: TcpStream,
    tls: Option<TlsAcceptor>,
    connection: usize,
    handle: &(dyn Fn(&Request) -> Act + Send + Sync),
    log: &Mutex<Vec<Request>>,
) {
    use std::os::fd::AsFd as _;
    let fd = tcp.as_fd().try_clone_to_owned().unwrap();
    let mut stream: Box<dyn Stream> = match tls {
        None => Box::new(tcp),
        Some(tls) => match tls.accept(tcp).await {
            Ok(stream) => Box::new(stream),
            Err(_) => return,
        },
    };
    while let Some(request) = read(&mut stream, connection).await {
        log.lock().push(request.clone());
        match handle(&request) {
            Act::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            Act::Last(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Act::Reset => {
                rustix::net::sockopt::set_socket_linger(&fd, Some(Duration::ZERO)).unwrap();
                return;
            }
            Act::Hang => {
                // Until the other side has had enough.
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            Act::Endless(start, chunk) => {
                if stream.write_all(&start).await.is_err() {
                    return;
                }
                while stream.write_all(&chunk).await.is_ok() {}
                return;
            }
            Act::Drip(start) => {
                if stream.write_all(&start).await.is_err() {
                    return;
                }
                let mut every = tokio::time::interval(Duration::from_millis(5));
                while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
                    every.tick().await;
                }
                return;
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Request> {
    let mut buffer = Vec::new();
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let mut request = Request { connection, head, body: buffer[end + 4..].to_vec() };
    let length: usize = request.headers("content-length").first().map_or(0, |text| text.parse().unwrap());
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(request)
}

//! A message centre that follows a script.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

pub(crate) const BIND: u32 = 0x09;
pub(crate) const SUBMIT: u32 = 0x04;
pub(crate) const DELIVER: u32 = 0x05;
pub(crate) const UNBIND: u32 = 0x06;
pub(crate) const ENQUIRE: u32 = 0x15;
pub(crate) const RESPONSE: u32 = 0x8000_0000;

/// A PDU without its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pdu {
    pub(crate) command: u32,
    pub(crate) status: u32,
    pub(crate) sequence: u32,
    pub(crate) body: Vec<u8>,
}

impl Pdu {
    pub(crate) fn new(command: u32, sequence: u32, body: impl Into<Vec<u8>>) -> Self {
        Self { command, status: 0, sequence, body: body.into() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = 16 + self.body.len() as u32;
        let header = [length, self.command, self.status, self.sequence].map(u32::to_be_bytes).concat();
        [header, self.body.clone()].concat()
    }
}

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// The usual: yes, with the id `id-SEQUENCE` to a submission.
    Yes,
    /// This status, and no body.
    No(u32),
    /// Nothing, now or later.
    Silence,
    /// The connection is closed.
    Drop,
    /// These bytes.
    Say(Vec<u8>),
}

/// A message centre on loopback, gone when dropped.
pub(crate) struct Centre {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    heard: watch::Receiver<Vec<Pdu>>,
    said: broadcast::Sender<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Script = Arc<dyn Fn(&Pdu) -> Act + Send + Sync>;

impl Centre {
    /// One that says yes to everything.
    pub(crate) async fn willing() -> Self {
        Self::start(|_| Act::Yes).await
    }

    pub(crate) async fn start(script: impl Fn(&Pdu) -> Act + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub(crate) async fn on(
        address: SocketAddr,
        script: impl Fn(&Pdu) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, script) = (Arc::new(AtomicUsize::new(0)), Arc::new(script) as Script);
        let (heard_by, heard) = watch::channel(Vec::new());
        let said = broadcast::channel(64).0;
        let (count, to_all) = (Arc::clone(&accepted), said.clone());
        let task = tokio::spawn(async move {
            let heard_by = Arc::new(heard_by);
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(
                    stream,
                    Arc::clone(&script),
                    Arc::clone(&heard_by),
                    to_all.subscribe(),
                ));
            }
        });
        Self { address, accepted, heard, said, task }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Says something on every connection.
    pub(crate) fn say(&self, pdu: &Pdu) {
        self.said.send(pdu.bytes()).expect("somebody is connected");
    }

    /// Waits until so many PDUs of this command were heard, and gives them.
    pub(crate) async fn heard(&self, command: u32, count: usize) -> Vec<Pdu> {
        let of =
            |all: &Vec<Pdu>| all.iter().filter(|pdu| pdu.command == command).cloned().collect::<Vec<_>>();
        let mut heard = self.heard.clone();
        let enough = heard.wait_for(|all| of(all).len() >= count);
        let found = tokio::time::timeout(Duration::from_secs(60), enough).await;
        let all = found.unwrap_or_else(|_| panic!("{command:#x} was not heard {count} times")).unwrap();
        of(&all)
    }

    /// What was heard of this command so far.
    pub(crate) fn so_far(&self, command: u32) -> usize {
        self.heard.borrow().iter().filter(|pdu| pdu.command == command).count()
    }
}

async fn serve(
    stream: TcpStream,
    script: Script,
    heard: Arc<watch::Sender<Vec<Pdu>>>,
    mut said: broadcast::Receiver<Vec<u8>>,
) {
    let (mut read, write) = stream.into_split();
    let write = Arc::new(Mutex::new(Some(write)));
    let talking = Arc::clone(&write);
    let talk = tokio::spawn(async move {
        while let Ok(bytes) = said.recv().await {
            put(&talking, &bytes).await;
        }
    });
    while let Some(pdu) = next(&mut read).await {
        let act = script(&pdu);
        heard.send_modify(|all| all.push(pdu.clone()));
        if pdu.command == RESPONSE | UNBIND {
            break;
        }
        if pdu.command & RESPONSE != 0 {
            continue;
        }
        let mut answer = Pdu::new(RESPONSE | pdu.command, pdu.sequence, Vec::new());
        match act {
            Act::Yes => {
                answer.body = match pdu.command {
                    BIND => b"centre\0".to_vec(),
                    SUBMIT => format!("id-{}\0", pdu.sequence).into_bytes(),
                    _ => Vec::new(),
                };
                put(&write, &answer.bytes()).await;
            }
            Act::No(status) => {
                answer.status = status;
                put(&write, &answer.bytes()).await;
            }
            Act::Silence => {}
            Act::Drop => break,
            Act::Say(bytes) => put(&write, &bytes).await,
        }
        if pdu.command == UNBIND {
            break;
        }
    }
    talk.abort();
}

async fn put(write: &Mutex<Option<tokio::net::tcp::OwnedWriteHalf>>, bytes: &[u8]) {
    let Some(mut half) = write.lock().take() else { return };
    let _ = half.write_all(bytes).await;
    *write.lock() = Some(half);
}

async fn next(read: &mut tokio::net::tcp::OwnedReadHalf) -> Option<Pdu> {
    let mut header = [0_u8; 16];
    read.read_exact(&mut header).await.ok()?;
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut body = vec![0; word(0) as usize - 16];
    read.read_exact(&mut body).await.ok()?;
    Some(Pdu { command: word(4), status: word(8), sequence: word(12), body })
}

//! One bound session: a connection that a reader and a writer share, the answers that are waited for, and the deliveries
//! that come in between.
//!
//! ```text
//! submit -> place in the window -> ticket, sequence number -> outbox -> writer ==wire==> reader -> whoever waits
//!                                                                           deliver_sm -> listener -> resp
//! ```
//!
//! It ends once, whatever ends it: no place is given any more, and whoever waits learns by the ticket whether the message
//! may have left.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dispatch_engine::Session;
use dispatch_model::{FailureKind, SmppReply, SmppStage, SmppSubmission};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handshake;
use super::inbox::Inbox;
use super::pdu::{self, Frame, command, status};
use super::ticket::Ticket;
use crate::dial::{Dialer, Stream};
use crate::failure::{Failure, Progress};
use crate::tap::Tap;

/// How long it has for the answer to `enquire_link`, before it is taken for dead.
const ALIVE_MAX: Duration = Duration::from_secs(10);
/// How long it has for the answer to `unbind`, and we for the deliveries under way.
pub(crate) const UNBIND_MAX: Duration = Duration::from_secs(5);
/// PDUs waiting for the writer beside the window's: answers to deliveries and to `enquire_link`.
const CONTROL_MAX: usize = 64;

/// Why there is no session.
#[derive(Debug, Clone)]
pub(crate) enum Shut {
    /// The message centre does not let us in.
    Refused(SmppReply),
    /// There is no connection, or nothing that answers on it.
    Failed { kind: FailureKind, detail: String },
}

impl From<Failure> for Shut {
    fn from(failure: Failure) -> Self {
        Self::Failed { kind: failure.kind, detail: failure.detail }
    }
}

/// What goes to the writer.
struct Parcel {
    bytes: Bytes,
    /// Of a message alone: all else may be written at any time.
    ticket: Option<Arc<Ticket>>,
}

/// A bound session.
pub(crate) struct Bound {
    outbox: mpsc::Sender<Parcel>,
    inbox: Inbox,
    window: Semaphore,
    places: u32,
    waiting: Mutex<Waiting>,
    ended: CancellationToken,
}

/// The requests that are waited for, by sequence number.
struct Waiting {
    sequence: u32,
    answers: HashMap<u32, oneshot::Sender<Frame>>,
    /// Why it ended; then nobody waits here any more.
    over: Option<String>,
}

/// A sequence number; letting go of it ends the waiting.
struct Turn<'a> {
    bound: &'a Bound,
    sequence: u32,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.bound.waiting.lock().answers.remove(&self.sequence);
    }
}

/// What came of handing a message to one session.
pub(crate) enum Handed {
    /// An answer.
    Answered(SmppReply),
    /// The session ended, and the message certainly has not left: another one may take it.
    Stayed,
}

impl Bound {
    /// Connects and binds. The tasks that keep it are `tasks`.
    pub(crate) async fn open(
        dialer: &Dialer,
        session: &Session,
        inbox: Inbox,
        tasks: &TaskTracker,
    ) -> Result<Arc<Self>, Shut> {
        let handshake::Opened { tap, read, write, buffer } = handshake::open(dialer, session).await?;
        let places = session.window.max(1);
        let (outbox, parcels) = mpsc::channel(places as usize + CONTROL_MAX);
        let bound = Arc::new(Self {
            outbox,
            inbox,
            window: Semaphore::new(places as usize),
            places,
            // 1 was the bind's.
            waiting: Mutex::new(Waiting { sequence: 1, answers: HashMap::new(), over: None }),
            ended: CancellationToken::new(),
        });
        tasks.spawn(Arc::clone(&bound).write(write, tap, parcels));
        tasks.spawn(Arc::clone(&bound).read(read, buffer, session.enquire_link));
        Ok(bound)
    }

    /// Hands a message over and waits for the answer.
    pub(crate) async fn submit(
        &self,
        submission: &SmppSubmission,
        progress: &mut Progress,
    ) -> Result<Handed, Failure> {
        progress.phase = "waiting for a place in the session's window";
        let Ok(_place) = self.window.acquire().await else { return Ok(Handed::Stayed) };
        let Some((turn, answer)) = self.turn() else { return Ok(Handed::Stayed) };
        let ticket = Arc::new(Ticket::default());
        progress.ticket(&ticket);
        let frame = Frame::request(command::SUBMIT_SM, turn.sequence, pdu::submit(submission));
        let parcel = Parcel { bytes: frame.bytes(), ticket: Some(Arc::clone(&ticket)) };
        if self.outbox.send(parcel).await.is_err() {
            return Ok(Handed::Stayed);
        }
        progress.phase = "waiting for the message centre's answer";
        match answer.await {
            Ok(frame) => {
                let (message_id, tlvs) = match frame.command {
                    command::SUBMIT_SM_RESP => frame.acceptance(),
                    _ => (None, Vec::new()),
                };
                let status = frame.status;
                Ok(Handed::Answered(SmppReply { stage: SmppStage::Submit, status, message_id, tlvs }))
            }
            Err(_) if ticket.withdraw() => Ok(Handed::Stayed),
            Err(_) => Err(Failure::new(FailureKind::Reset, self.over())),
        }
    }

    /// Until the session ends.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Why it ended.
    pub(crate) fn over(&self) -> String {
        self.waiting.lock().over.clone().unwrap_or_else(|| "the session ended".to_owned())
    }

    /// Whether nobody waits for an answer.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.lock().answers.is_empty()
    }

    /// Says goodbye. What is under way in both directions has some time to end before.
    pub(crate) async fn unbind(&self) {
        let quiet = async {
            let _ = self.window.acquire_many(self.places).await;
            self.inbox.empty().await;
        };
        let _ = timeout(UNBIND_MAX, quiet).await;
        self.window.close();
        if let Some((turn, answer)) = self.turn() {
            let frame = Frame::request(command::UNBIND, turn.sequence, Bytes::new());
            if self.say(&frame).await {
                let _ = timeout(UNBIND_MAX, answer).await;
            }
        }
        self.end("unbound");
    }

    /// Says something that is no message. False where nobody hears it any more.
    pub(crate) async fn say(&self, frame: &Frame) -> bool {
        self.outbox.send(Parcel { bytes: frame.bytes(), ticket: None }).await.is_ok()
    }

    /// The next sequence number and where its answer will come; none once the session has ended.
    fn turn(&self) -> Option<(Turn<'_>, oneshot::Receiver<Frame>)> {
        let mut waiting = self.waiting.lock();
        if waiting.over.is_some() {
            return None;
        }
        // 1 to 0x7fffffff. One that still waits after two thousand million others does not exist: each has a deadline.
        waiting.sequence = waiting.sequence % 0x7fff_ffff + 1;
        let sequence = waiting.sequence;
        let (sender, receiver) = oneshot::channel();
        waiting.answers.insert(sequence, sender);
        Some((Turn { bound: self, sequence }, receiver))
    }

    /// Ends it, for the first reason given.
    fn end(&self, why: &str) {
        let mut waiting = self.waiting.lock();
        if waiting.over.is_none() {
            waiting.over = Some(why.to_owned());
        }
        let answers = std::mem::take(&mut waiting.answers);
        drop(waiting);
        self.window.close();
        self.ended.cancel();
        // Whoever waits asks the ticket, and so only now: the writer takes up nothing more.
        drop(answers);
    }

    async fn write(
        self: Arc<Self>,
        mut stream: WriteHalf<Stream>,
        tap: Arc<Tap>,
        mut parcels: mpsc::Receiver<Parcel>,
    ) {
        loop {
            let parcel = tokio::select! {
                biased;
                () = self.ended.cancelled() => break,
                parcel = parcels.recv() => parcel,
            };
            let Some(Parcel { bytes, ticket }) = parcel else { break };
            if ticket.as_ref().is_some_and(|ticket| !ticket.begin()) {
                continue;
            }
            let before = tap.written();
            let written = tokio::select! {
                biased;
                written = write_whole(&mut stream, &bytes) => written,
                // Nobody reads at the other end, and the reader has given it up.
                () = self.ended.cancelled() => Err(std::io::ErrorKind::TimedOut.into()),
            };
            if let Err(error) = written {
                if let Some(ticket) = ticket.filter(|_| tap.written() == before) {
                    ticket.stayed();
                }
                self.end(&format!("the connection to the message centre broke: {error}"));
                break;
            }
        }
        let _ = stream.shutdown().await;
    }

    async fn read(
        self: Arc<Self>,
        mut stream: ReadHalf<Stream>,
        mut buffer: BytesMut,
        enquire_link: Duration,
    ) {
        // Set while an `enquire_link` is not answered; any PDU is a sign of life.
        let mut asked = false;
        let why = loop {
            match Frame::take(&mut buffer) {
                Err(error) => break format!("what the message centre says is not SMPP: {error}"),
                Ok(Some(frame)) => {
                    // It has said goodbye and closes; should it not, it is not waited for.
                    asked = frame.command == command::UNBIND;
                    self.hear(frame);
                    continue;
                }
                Ok(None) => {}
            }
            let wait = if asked { ALIVE_MAX } else { enquire_link };
            let read = tokio::select! {
                biased;
                () = self.ended.cancelled() => return,
                read = timeout(wait, stream.read_buf(&mut buffer)) => read,
            };
            match read {
                Ok(Ok(0)) => break "the message centre closed the connection".to_owned(),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => break format!("the connection to the message centre broke: {error}"),
                Err(_) if asked => break "the message centre gives no sign of life".to_owned(),
                Err(_) => {
                    asked = true;
                    self.enquire();
                }
            }
        };
        self.end(&why);
    }

    /// Asks whether somebody is there. Where not even that can be queued, the writer is stuck and the answer is known.
    fn enquire(&self) {
        let sequence = {
            let mut waiting = self.waiting.lock();
            waiting.sequence = waiting.sequence % 0x7fff_ffff + 1;
            waiting.sequence
        };
        let frame = Frame::request(command::ENQUIRE_LINK, sequence, Bytes::new());
        let _ = self.outbox.try_send(Parcel { bytes: frame.bytes(), ticket: None });
    }

    fn hear(self: &Arc<Self>, frame: Frame) {
        match frame.command {
            command::ENQUIRE_LINK => self.answer(&frame.answer(status::OK)),
            command::UNBIND => {
                // Answers may still come; nothing more is asked.
                self.waiting.lock().over = Some("the message centre unbound".to_owned());
                self.window.close();
                self.answer(&frame.answer(status::OK));
            }
            command::DELIVER_SM | command::DATA_SM => match frame.delivery() {
                Some(delivery) => self.inbox.take(self, frame, delivery),
                None => {
                    tracing::warn!(command = frame.command, "smpp.unreadable");
                    self.answer(&frame.answer(status::PERMANENT));
                }
            },
            // Said without an answer being wanted.
            command::ALERT_NOTIFICATION | command::OUTBIND => {}
            response if response & command::RESPONSE != 0 => {
                let waits = self.waiting.lock().answers.remove(&frame.sequence);
                // Nobody may wait any more: the deadline has come before.
                if let Some(waits) = waits {
                    let _ = waits.send(frame);
                }
            }
            _ => self.answer(&frame.nack()),
        }
    }

    /// Answers from within the reader, which must not wait for the writer. An answer that finds no room is left out:
    /// the message centre asks again.
    pub(crate) fn answer(&self, frame: &Frame) {
        let _ = self.outbox.try_send(Parcel { bytes: frame.bytes(), ticket: None });
    }
}

/// Writes all of it, through TLS as well.
pub(crate) async fn write_whole(stream: &mut WriteHalf<Stream>, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

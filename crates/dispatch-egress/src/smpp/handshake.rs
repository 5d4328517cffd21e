//! The beginning of a session: connection, TLS, `bind_transceiver`.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dispatch_engine::Session;
use dispatch_model::{FailureKind, SmppReply, SmppStage};
use tokio::io::{AsyncReadExt as _, ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::bound::{Shut, write_whole};
use super::pdu::{self, Frame, command, status};
use crate::dial::{Dialer, Reach, Stream};
use crate::failure::{Failure, Progress};
use crate::tap::{Tap, Tapped};
use crate::tls::Speaks;

/// How long the message centre has for TLS, and for the answer to `bind`.
const BIND_MAX: Duration = Duration::from_secs(10);

/// A connection on which the message centre has let us in.
pub(crate) struct Opened {
    pub(crate) tap: Arc<Tap>,
    pub(crate) read: ReadHalf<Stream>,
    pub(crate) write: WriteHalf<Stream>,
    /// What was read behind the answer to the bind.
    pub(crate) buffer: BytesMut,
}

/// Connects and binds.
pub(crate) async fn open(dialer: &Dialer, session: &Session) -> Result<Opened, Shut> {
    let mut progress = Progress::new();
    let host = session.host.strip_suffix('.').unwrap_or(&session.host);
    // The operator wrote this host down: any address of it is meant.
    let tap = dialer.connect(host, host.parse().ok(), session.port, Reach::Any, &mut progress).await?;
    let plain = Tapped(Arc::clone(&tap));
    let stream = match session.tls {
        true => timeout(BIND_MAX, dialer.secure(host, plain, Speaks::Smpp, &mut progress))
            .await
            .map_err(|_| Failure::new(FailureKind::Tls, "no TLS session in time"))??,
        false => Stream::Plain(plain),
    };
    let (read, write) = tokio::io::split(stream);
    let mut opened = Opened { tap, read, write, buffer: BytesMut::new() };
    timeout(BIND_MAX, bind(&mut opened, session))
        .await
        .map_err(|_| Failure::new(FailureKind::Timeout, "the message centre does not answer the bind"))??;
    Ok(opened)
}

/// Asks to be let in.
async fn bind(opened: &mut Opened, session: &Session) -> Result<(), Shut> {
    let Opened { read, write, buffer, .. } = opened;
    let broken = |error: std::io::Error| {
        Failure::new(FailureKind::Reset, format!("the connection to the message centre broke: {error}"))
    };
    let frame = Frame::request(command::BIND_TRANSCEIVER, 1, pdu::bind(session));
    write_whole(write, &frame.bytes()).await.map_err(broken)?;
    loop {
        let taken = Frame::take(buffer).map_err(|error| {
            Failure::new(FailureKind::Protocol, format!("what the message centre says is not SMPP: {error}"))
        })?;
        match taken {
            Some(Frame {
                command: command::BIND_TRANSCEIVER_RESP | command::GENERIC_NACK, status, ..
            }) => {
                return match status {
                    status::OK => Ok(()),
                    status => Err(Shut::Refused(SmppReply {
                        stage: SmppStage::Bind,
                        status,
                        message_id: None,
                        tlvs: Vec::new(),
                    })),
                };
            }
            // Some say hello before they answer.
            Some(_) => {}
            None => {
                if read.read_buf(buffer).await.map_err(broken)? == 0 {
                    let words = "the message centre closed the connection instead of answering the bind";
                    return Err(Failure::new(FailureKind::Reset, words).into());
                }
            }
        }
    }
}

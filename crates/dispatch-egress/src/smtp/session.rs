//! One connection to a relay: lines out, replies in, and the opening up to the point where mail can be sent.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};
use dispatch_engine::{Relay, RelayTls};
use dispatch_model::{FailureKind, MailReply, MailStage, SmtpReply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::reply::{Line, Reply, local};
use crate::dial::{Dialer, Reach, Stream};
use crate::failure::{Failure, Progress};
use crate::pool::Idle;
use crate::tap::{Tap, Tapped};
use crate::tls::Speaks;

/// Bytes of a reply's line at most; the standard allows 512, some relays write more.
const LINE_MAX: usize = 4 * 1024;
/// Lines of a reply at most.
const LINES_MAX: usize = 128;

/// Why a dialogue does not go on.
pub(crate) enum Stop {
    /// The relay said so.
    Said(MailReply),
    /// There is no answer.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Stops with a reply at a stage.
pub(crate) fn said(stage: MailStage, reply: SmtpReply) -> Stop {
    Stop::Said(MailReply { stage, reply, recipients: Vec::new() })
}

/// What the relay offers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) start_tls: bool,
    pub(crate) smtp_utf8: bool,
    pub(crate) eight_bit: bool,
    /// The largest message, where `SIZE` names one.
    pub(crate) size_max: Option<u64>,
    /// Whether `SIZE` may be said at all.
    pub(crate) size: bool,
    pub(crate) plain: bool,
    pub(crate) login: bool,
}

impl Offers {
    fn read(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "STARTTLS" => offers.start_tls = true,
                "SMTPUTF8" => offers.smtp_utf8 = true,
                "8BITMIME" => offers.eight_bit = true,
                "SIZE" => {
                    offers.size = true;
                    offers.size_max = words.next().and_then(|word| word.parse().ok()).filter(|max| *max > 0);
                }
                "AUTH" => {
                    for word in words {
                        offers.plain |= word.eq_ignore_ascii_case("PLAIN");
                        offers.login |= word.eq_ignore_ascii_case("LOGIN");
                    }
                }
                _ => {}
            }
        }
        offers
    }
}

/// A connection to a relay.
pub(crate) struct Session {
    stream: Stream,
    tap: Arc<Tap>,
    inbox: BytesMut,
    pub(crate) offers: Offers,
    /// Mails handed over so far.
    pub(crate) mails: u32,
    /// A transaction was begun and not ended: RSET before the next.
    pub(crate) unfinished: bool,
}

impl Session {
    /// Connects, greets, secures and authenticates.
    pub(crate) async fn open(
        dialer: &Dialer,
        relay: &Relay,
        hello: Option<&str>,
        progress: &mut Progress,
    ) -> Result<Self, Stop> {
        let host = relay.host.strip_suffix('.').unwrap_or(&relay.host);
        let ip = host.parse().ok();
        // The operator wrote this host down: any address of it is meant.
        let tap = dialer.connect(host, ip, relay.port, Reach::Any, progress).await?;
        let mut stream = Stream::Plain(Tapped(Arc::clone(&tap)));
        if relay.tls == RelayTls::Implicit {
            stream = dialer.secure(host, Tapped(Arc::clone(&tap)), Speaks::Mail, progress).await?;
        }
        let offers = Offers::default();
        let mut session = Self { stream, tap, inbox: BytesMut::new(), offers, mails: 0, unfinished: false };
        progress.phase = "waiting for the relay's greeting";
        let greeting = session.reply().await?;
        if greeting.code != 220 {
            return Err(said(MailStage::Greeting, greeting.typed()));
        }
        progress.phase = "greeting the relay";
        let name = session.hello_name(relay.hello.as_deref().or(hello));
        session.hello(&name).await?;
        if relay.tls == RelayTls::StartTls {
            session = session.start_tls(dialer, host, progress).await?;
            session.hello(&name).await?;
        }
        if let Some(user) = &relay.user {
            progress.phase = "authenticating";
            let password = relay.password.as_ref().ok_or_else(|| {
                Failure::refused("the relay has a user and no password; write password = { env = \"…\" }")
            })?;
            session.authenticate(user, password.expose()).await?;
        }
        Ok(session)
    }

    pub(crate) fn tap(&self) -> &Arc<Tap> {
        &self.tap
    }

    /// The name for EHLO: as configured, else the machine's if it is a full name, else our address.
    fn hello_name(&self, configured: Option<&str>) -> String {
        if let Some(name) = configured {
            return name.to_owned();
        }
        let machine = rustix::system::uname();
        let name = machine.nodename().to_string_lossy();
        let full = name.contains('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        match self.tap.local().map(|address| address.ip().to_canonical()) {
            _ if full => name.into_owned(),
            Some(std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
            Some(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            None => "localhost".to_owned(),
        }
    }

    async fn hello(&mut self, name: &str) -> Result<(), Stop> {
        let reply = self.command(&format!("EHLO {name}")).await?;
        if reply.positive() {
            self.offers = Offers::read(&reply);
            return Ok(());
        }
        self.offers = Offers::default();
        // Relays from before 1995, and some appliances.
        if matches!(reply.code, 500 | 502 | 504) && self.command(&format!("HELO {name}")).await?.positive() {
            return Ok(());
        }
        Err(said(MailStage::Hello, reply.typed()))
    }

    /// Goes over to TLS, or stops: it never goes on in clear.
    async fn start_tls(mut self, dialer: &Dialer, host: &str, progress: &mut Progress) -> Result<Self, Stop> {
        if !self.offers.start_tls {
            return Err(said(
                MailStage::StartTls,
                local(502, "5.7.10", "the relay does not offer STARTTLS; try tls = \"implicit\" (port 465)"),
            ));
        }
        let reply = self.command("STARTTLS").await?;
        if reply.code != 220 {
            return Err(said(MailStage::StartTls, reply.typed()));
        }
        // Anything said already in clear behind the reply would be taken for said within TLS.
        if !self.inbox.is_empty() {
            return Err(
                Failure::new(FailureKind::Protocol, "the relay spoke on in clear after STARTTLS").into()
            );
        }
        let stream = dialer.secure(host, Tapped(Arc::clone(&self.tap)), Speaks::Mail, progress).await?;
        progress.phase = "greeting the relay";
        Ok(Self { stream, ..self })
    }

    async fn authenticate(&mut self, user: &str, password: &str) -> Result<(), Stop> {
        let reply = if self.offers.plain {
            let word = STANDARD.encode(format!("\0{user}\0{password}"));
            self.command(&format!("AUTH PLAIN {word}")).await?
        } else if self.offers.login {
            let mut reply = self.command("AUTH LOGIN").await?;
            for word in [user, password] {
                if reply.code == 334 {
                    reply = self.command(&STANDARD.encode(word)).await?;
                }
            }
            reply
        } else {
            let words = "the relay offers neither AUTH PLAIN nor AUTH LOGIN on this connection";
            return Err(said(MailStage::Auth, local(504, "5.7.4", words)));
        };
        if reply.code == 235 { Ok(()) } else { Err(said(MailStage::Auth, reply.typed())) }
    }

    /// Says a line and hears the reply.
    pub(crate) async fn command(&mut self, line: &str) -> Result<Reply, Failure> {
        // The last look: no caller passes such, and if one did it would be a command of somebody else's.
        if line.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Failure::refused("a line end stands within a mail command"));
        }
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.flush().await?;
        self.reply().await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.map_err(|error| broken(&error))
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        self.stream.flush().await.map_err(|error| broken(&error))
    }

    /// Hears a whole reply.
    pub(crate) async fn reply(&mut self) -> Result<Reply, Failure> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            lines.push(line.text);
            if line.last {
                return Ok(Reply { code: line.code, lines });
            }
            if lines.len() >= LINES_MAX {
                return Err(Failure::new(FailureKind::Protocol, "the relay's reply does not end"));
            }
        }
    }

    async fn line(&mut self) -> Result<Line, Failure> {
        let mut seen = 0;
        loop {
            if let Some(end) = self.inbox[seen..].iter().position(|byte| *byte == b'\n') {
                let end = seen + end;
                let line = self.inbox[..end].strip_suffix(b"\r").unwrap_or(&self.inbox[..end]);
                let parsed = Line::parse(line);
                self.inbox.advance(end + 1);
                return parsed
                    .ok_or_else(|| Failure::new(FailureKind::Protocol, "what the relay says is not SMTP"));
            }
            seen = self.inbox.len();
            if seen > LINE_MAX {
                return Err(Failure::new(FailureKind::Protocol, "the relay's line does not end"));
            }
            if self.stream.read_buf(&mut self.inbox).await.map_err(|error| broken(&error))? == 0 {
                return Err(Failure::new(FailureKind::Reset, "the relay closed the connection"));
            }
        }
    }
}

impl Idle for Session {
    fn usable(&self) -> bool {
        self.inbox.is_empty() && self.tap.quiet()
    }
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Reset, format!("the connection to the relay broke: {error}"))
}

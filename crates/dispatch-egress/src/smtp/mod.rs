//! Mail to a relay, over sessions that are kept.
//!
//! Our own dialogue, since what a plugin is told is what the relay said at each stage and to each recipient, and
//! the message is streamed from pieces: the client libraries stop at the first refused recipient and want the
//! message in one slice.
//!
//! Nothing is delivered before the final dot: whatever breaks earlier, the relay has to throw the message away.
//! So the bytes that count for "may have left?" are those of the dot alone.

mod content;
mod reply;
mod session;

use std::future::poll_fn;
use std::sync::Arc;

use dispatch_engine::{Call, Relay, RelayTls};
use dispatch_model::{Clock, FailureKind, MailReply, MailStage, MailSubmission, RecipientReply};

use crate::dial::Dialer;
use crate::dkim::Signer;
use crate::failure::{Failure, Progress};
use crate::piece;
use crate::pool::{Idle as _, Pool};
use crate::splice::Splice;
pub(crate) use content::Stuffing;
use reply::local;
pub(crate) use session::Session;
use session::{Stop, said};

/// Mails over one session; relays end longer ones, and not always politely.
const MAILS_MAX: u32 = 100;
/// Bytes of an address at most: 64 before the @, 255 behind it.
const ADDRESS_MAX: usize = 320;

/// What a session may be used for again: the same owner's same relay, password and all.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct MailKey {
    owner: Arc<str>,
    relay: Relay,
}

/// Idle sessions.
pub(crate) type MailPool = Pool<MailKey, Session>;

/// Hands mails to relays.
pub(crate) struct Mail {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) pool: Arc<MailPool>,
    /// The name for EHLO where the relay's settings have none.
    pub(crate) hello: Option<String>,
    pub(crate) signer: Signer,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Mail {
    /// Takes a mail action.
    pub(crate) async fn perform(
        &self,
        mail: &MailSubmission,
        call: &Call<'_>,
        progress: &mut Progress,
    ) -> Result<MailReply, Failure> {
        let relay = call.grants.relay.as_ref().ok_or_else(|| {
            Failure::refused(
                "the backend has no relay; write relay = { host = \"…\", port = 587, tls = \"starttls\" }",
            )
        })?;
        if relay.tls == RelayTls::None && !call.grants.plaintext {
            return Err(Failure::refused(
                "the relay would be spoken to without TLS; write tls = \"starttls\", or grant it with plaintext = true",
            ));
        }
        let sender = Address::read(&mail.sender, "the envelope sender")?;
        let recipients =
            mail.recipients.iter().map(|address| Address::read(address, "an envelope recipient"));
        let recipients = recipients.collect::<Result<Vec<_>, _>>()?;
        if recipients.is_empty() {
            return Err(Failure::refused("the mail has no recipients"));
        }
        let (mut body, _) = piece::body(&mail.body, call)?;
        if let Some(dkim) = &call.grants.dkim {
            progress.phase = "signing the mail";
            body = self.signer.sign(dkim, body, self.clock.now()).await?;
        }
        let envelope = Envelope { sender, recipients, body };
        let key = MailKey { owner: call.grants.owner.clone(), relay: relay.clone() };
        match self.hand_over(&key, &envelope, progress).await {
            Ok(reply) | Err(Stop::Said(reply)) => Ok(reply),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    /// Over an idle session or a new one. An idle one that turns out to be at its end is replaced: the relay has
    /// not heard of the mail then.
    async fn hand_over(
        &self,
        key: &MailKey,
        envelope: &Envelope<'_>,
        progress: &mut Progress,
    ) -> Result<MailReply, Stop> {
        while let Some(mut session) = self.pool.take(key) {
            progress.phase = "beginning a mail";
            if session.unfinished && !matches!(session.command("RSET").await, Ok(reply) if reply.positive()) {
                continue;
            }
            let begun = session.begin(envelope).await;
            match begun {
                Err(Stop::Failed(failure)) if failure.kind == FailureKind::Reset => {}
                Err(Stop::Said(reply)) if reply.reply.code == 421 => {}
                begun => return self.go_on(key, session, begun, envelope, progress).await,
            }
        }
        let mut session = Session::open(&self.dialer, &key.relay, self.hello.as_deref(), progress).await?;
        progress.phase = "beginning a mail";
        let begun = session.begin(envelope).await;
        self.go_on(key, session, begun, envelope, progress).await
    }

    /// The rest of a transaction; afterwards the session is kept if it can be.
    async fn go_on(
        &self,
        key: &MailKey,
        mut session: Session,
        begun: Result<(), Stop>,
        envelope: &Envelope<'_>,
        progress: &mut Progress,
    ) -> Result<MailReply, Stop> {
        let result = match begun {
            Ok(()) => session.finish(envelope, progress).await,
            Err(stop) => Err(stop),
        };
        session.mails += 1;
        // 421 announces the end of the session.
        let goes_on = match &result {
            Ok(reply) | Err(Stop::Said(reply)) => {
                reply.reply.code != 421 && reply.recipients.iter().all(|one| one.reply.code != 421)
            }
            Err(Stop::Failed(_)) => false,
        };
        if goes_on && session.mails < MAILS_MAX {
            self.pool.put(key, session);
        }
        result
    }
}

/// A mail ready to be handed over.
struct Envelope<'a> {
    sender: Address<'a>,
    recipients: Vec<Address<'a>>,
    body: Splice,
}

/// An envelope address.
struct Address<'a> {
    given: &'a str,
    /// As it is said: a domain beyond ASCII as punycode.
    wire: String,
}

impl<'a> Address<'a> {
    /// Refuses what could be a command of its own, or no address. The null sender is empty.
    fn read(given: &'a str, what: &str) -> Result<Self, Failure> {
        let odd = |c: char| c.is_control() || matches!(c, '<' | '>' | ' ' | '\u{2028}' | '\u{2029}');
        if given.len() > ADDRESS_MAX || given.contains(odd) {
            return Err(Failure::refused(format!(
                "{what} is no address: a blank, an angle bracket or a control character is in it, or it is too long"
            )));
        }
        let wire = match given.rsplit_once('@') {
            Some((local, domain)) if !domain.is_ascii() => match url::Host::parse(domain) {
                Ok(domain) => format!("{local}@{domain}"),
                Err(_) => given.to_owned(),
            },
            _ => given.to_owned(),
        };
        Ok(Self { given, wire })
    }
}

impl Session {
    /// MAIL FROM.
    async fn begin(&mut self, envelope: &Envelope<'_>) -> Result<(), Stop> {
        let length = envelope.body.length();
        if let Some(max) = self.offers.size_max.filter(|max| length > *max) {
            let words = format!("the mail has {length} bytes and the relay takes {max}");
            return Err(said(MailStage::Data, local(552, "5.3.4", words)));
        }
        let sender = &envelope.sender;
        let utf8 =
            std::iter::once(sender).chain(&envelope.recipients).any(|address| !address.wire.is_ascii());
        if !sender.wire.is_ascii() && !self.offers.smtp_utf8 {
            let words = "the sender is beyond ASCII and the relay does not offer SMTPUTF8";
            return Err(said(MailStage::Sender, local(553, "5.6.7", words)));
        }
        let mut line = format!("MAIL FROM:<{}>", sender.wire);
        if self.offers.size {
            line.push_str(&format!(" SIZE={length}"));
        }
        if self.offers.eight_bit {
            line.push_str(" BODY=8BITMIME");
        }
        if utf8 && self.offers.smtp_utf8 {
            line.push_str(" SMTPUTF8");
        }
        let reply = self.command(&line).await?;
        if !reply.positive() {
            return Err(said(MailStage::Sender, reply.typed()));
        }
        self.unfinished = true;
        Ok(())
    }

    /// RCPT TO, DATA, the message, the dot.
    async fn finish(&mut self, envelope: &Envelope<'_>, progress: &mut Progress) -> Result<MailReply, Stop> {
        progress.phase = "naming the recipients";
        let mut recipients = Vec::with_capacity(envelope.recipients.len());
        for address in &envelope.recipients {
            let reply = if !address.wire.is_ascii() && !self.offers.smtp_utf8 {
                local(553, "5.6.7", "the recipient is beyond ASCII and the relay does not offer SMTPUTF8")
            } else {
                self.command(&format!("RCPT TO:<{}>", address.wire)).await?.typed()
            };
            let over = reply.code == 421;
            recipients.push(RecipientReply { address: address.given.to_owned(), reply });
            if over {
                break;
            }
        }
        let taken = |one: &RecipientReply| (200..300).contains(&one.reply.code);
        let last = recipients.last().filter(|last| last.reply.code == 421 || !recipients.iter().any(taken));
        if let Some(last) = last {
            let reply = last.reply.clone();
            return Ok(MailReply { stage: MailStage::Recipient, reply, recipients });
        }
        let reply = self.command("DATA").await?;
        if reply.code != 354 {
            return Ok(MailReply { stage: MailStage::Data, reply: reply.typed(), recipients });
        }
        progress.phase = "sending the mail";
        self.content(&envelope.body).await?;
        // A relay that has spoken or gone already will not take the mail: without the dot that is certain.
        if !self.usable() {
            let reply = self.reply().await?;
            if reply.positive() {
                return Err(
                    Failure::new(FailureKind::Protocol, "the relay took the mail before its end").into()
                );
            }
            return Ok(MailReply { stage: MailStage::Content, reply: reply.typed(), recipients });
        }
        progress.phase = "waiting for the relay to take the mail";
        progress.mark(self.tap());
        self.write(b".\r\n").await?;
        self.flush().await?;
        let reply = self.reply().await?;
        self.unfinished = false;
        Ok(MailReply { stage: MailStage::Content, reply: reply.typed(), recipients })
    }

    /// The message, all of it flushed, so that the dot is alone in what is counted next.
    async fn content(&mut self, body: &Splice) -> Result<(), Failure> {
        let mut body = body.body();
        let mut stuffing = Stuffing::new();
        while let Some(chunk) = poll_fn(|cx| body.poll_chunk(cx)).await {
            let chunk =
                chunk.map_err(|error| Failure::refused(format!("an attachment cannot be read: {error}")))?;
            self.write(&stuffing.chunk(&chunk)).await?;
        }
        self.write(stuffing.finish()).await?;
        self.flush().await
    }
}

//! Providers that misbehave under load, and come back.

use std::time::{Duration, Instant};

use dispatch_testkit::{Act, Answer, Doubles, SmtpScript};

use super::arena::{Arena, IN_FLIGHT, World};
use super::table::Row;

/// New messages a second.
const RATE: u32 = 100;

/// What it does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Hangs,
    Trickles,
    Resets,
    Closes,
    Babbles,
    Fails,
    Unavailable,
    Throttles,
}

pub(super) const ALL: &[Fault] = &[
    Fault::Hangs,
    Fault::Trickles,
    Fault::Resets,
    Fault::Closes,
    Fault::Babbles,
    Fault::Fails,
    Fault::Unavailable,
    Fault::Throttles,
];

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hangs => "provider hangs",
            Self::Trickles => "provider trickles",
            Self::Resets => "provider resets at once",
            Self::Closes => "provider resets after reading",
            Self::Babbles => "provider talks nonsense",
            Self::Fails => "a storm of 500",
            Self::Unavailable => "a storm of 503",
            Self::Throttles => "a storm of 429",
        }
    }

    fn act(self) -> Act {
        match self {
            Self::Hangs => Act::Hang,
            // Longer than the attempt may take.
            Self::Trickles => Act::Drip(Duration::from_secs(2), Answer::text(200, "{}".repeat(20))),
            Self::Resets => Act::ResetAtOnce,
            Self::Closes => Act::ResetAfterReading,
            Self::Babbles => Act::Garbage(b"SSH-2.0-dropbear\r\n".to_vec()),
            Self::Fails => Answer::text(500, "").into(),
            Self::Unavailable => Answer::text(503, "").into(),
            Self::Throttles => Answer::text(429, "").header("retry-after", "1").into(),
        }
    }

    /// Whether each attempt is left open: then the provider may have what it was sent.
    fn doubles(self) -> Doubles {
        match self {
            Self::Hangs | Self::Trickles | Self::Closes | Self::Babbles => Doubles::Any,
            // A connection that stands already is reset after a request was read from it.
            Self::Resets => Doubles::AtMost(IN_FLIGHT),
            Self::Fails | Self::Unavailable | Self::Throttles => Doubles::None,
        }
    }
}

/// A provider of texts that misbehaves for a while.
pub(super) async fn provider(world: &World, fault: Fault, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(30).await?;
    arena.texts.always(fault.act());
    tokio::time::sleep(hold).await;
    // Accepting goes on whatever the provider does.
    arena.acked(10).await?;
    arena.texts.always(Answer::json(200, &serde_json::json!({})));
    let since = Instant::now();
    let row = arena.close(pressure, Some(since), fault.doubles()).await?;
    let busy = row.verdict.statuses.get(&429).copied().unwrap_or(0);
    Ok(row.proves(busy == 0, "webhooks were turned away because of a provider"))
}

/// A relay that takes a mail and cuts the connection before it says so.
pub(super) async fn mail(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(30).await?;
    arena.mails.script(SmtpScript { cut_after_taking: true, ..SmtpScript::default() });
    tokio::time::sleep(hold).await;
    arena.acked(10).await?;
    arena.mails.script(SmtpScript::default());
    let since = Instant::now();
    let row = arena.close(pressure, Some(since), Doubles::Any).await?;
    let shown = row.verdict.duplicated > 0;
    Ok(row.proves(shown, "no mail was cut off"))
}

//! What lies between the daemon and its providers: names that do not resolve, a certificate that is
//! somebody else's.

use std::time::{Duration, Instant};

use dispatch_testkit::{Doubles, HttpCatcher, Identity, Word, free_port};

use super::arena::{Arena, IN_FLIGHT, SOON, World};
use super::table::Row;

/// New messages a second.
const RATE: u32 = 100;

/// No name resolves for a while.
pub(super) async fn names(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let url = format!("http://localhost:{}", arena.texts.addr().port());
    arena.configure(&arena.config(&url, "http"))?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(30).await?;
    arena.shim.set(Word::Names, 1)?;
    tokio::time::sleep(hold).await;
    arena.acked(10).await?;
    arena.shim.set(Word::Names, 0)?;
    let since = Instant::now();
    arena.close(pressure, Some(since), Doubles::None).await
}

/// Somebody else answers at the provider's address, with a certificate that nobody vouches for.
pub(super) async fn certificate(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let (good, bad, port) = (Identity::generate()?, Identity::generate()?, free_port());
    let (ca, _) = good.write(arena.home.path())?;
    arena.texts = HttpCatcher::start_tls_at(port, &good).await?;
    let config = arena.config(&format!("https://localhost:{port}"), "http");
    arena.configure(&format!("{config}\n[egress]\nca_file = \"{}\"\n", ca.display()))?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(30).await?;
    swap(&mut arena, port, &bad).await?;
    tokio::time::sleep(hold).await;
    arena.acked(10).await?;
    let fooled = arena.texts.count();
    swap(&mut arena, port, &good).await?;
    let since = Instant::now();
    // What was under way as the provider went away may have arrived there.
    let row = arena.close(pressure, Some(since), Doubles::AtMost(2 * IN_FLIGHT)).await?;
    Ok(row.proves(fooled == 0, "somebody without the certificate got messages"))
}

/// Another server at the same port.
async fn swap(arena: &mut Arena<'_>, port: u16, identity: &Identity) -> anyhow::Result<()> {
    arena.texts.stop(SOON).await?;
    arena.ledger.collect(&arena.texts, &arena.mails);
    let mut tries = 0;
    arena.texts = loop {
        match HttpCatcher::start_tls_at(port, identity).await {
            Ok(catcher) => break catcher,
            Err(error) if tries > 100 => return Err(error),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    Ok(())
}

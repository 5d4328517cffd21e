//! What an operator does under load: saves the configuration, replaces a plugin, upgrades.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use dispatch_testkit::{Doubles, until_some};

use super::arena::{Arena, SOON, World};
use super::table::Row;
use crate::command::root;

/// New messages a second.
const RATE: u32 = 150;
/// Between two saves.
const SAVE_EVERY: Duration = Duration::from_millis(300);
/// A successor has so long beside the one it follows.
const OVERLAP: Duration = Duration::from_millis(500);
/// Log lines of a reload.
const LOUD: &str = "level = \"info\"";

/// The configuration is saved again and again, each time another one; once in between it is wrong.
pub(super) async fn reloads(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let config = arena.config(&arena.texts.url(), "http");
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(30).await?;
    let loaded = async |arena: &Arena<'_>| -> anyhow::Result<String> {
        Ok(arena.running()?.ask("/v1/status").await?["daemon"]["config_loaded_at"].to_string())
    };
    let (began, mut saves, mut seen) = (Instant::now(), 0u32, loaded(&arena).await?);
    while began.elapsed() < hold.max(4 * SAVE_EVERY) {
        saves += 1;
        let changed = format!("concurrency = {}", 16 + saves % 16);
        let broken = if saves.is_multiple_of(4) { "\n[[routes]]\nname = 7\n" } else { "" };
        arena.configure(&(config.replace("concurrency = 32", &changed) + broken))?;
        tokio::time::sleep(SAVE_EVERY).await;
    }
    arena.configure(&config)?;
    let since = Instant::now();
    until_some("the last configuration to be in force", SOON, async || {
        let now = loaded(&arena).await.ok()?;
        let moved = now != seen;
        seen = now;
        moved.then_some(())
    })
    .await?;
    let row = arena.close(pressure, Some(since), Doubles::None).await?;
    let whole = row.verdict.unanswered == (0, 0);
    Ok(row.noted(format!("saved {saves} times")).proves(whole, "a request was dropped"))
}

/// The file of a plugin is replaced by another build of it, again and again.
pub(super) async fn plugin(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let built = root().join("plugins/dist/http.wasm");
    let component = std::fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
    arena.home.write("relay.wasm", &component)?;
    let grant = "\n[plugins.relay]\nfile = \"relay.wasm\"\nhosts = [\"127.0.0.1\"]\n";
    let config = arena.config(&arena.texts.url(), "relay").replace("level = \"warn\"", LOUD);
    arena.configure(&format!("{config}{grant}"))?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(30).await?;
    let (began, mut builds) = (Instant::now(), 0u8);
    while began.elapsed() < hold.max(4 * SAVE_EVERY) {
        builds = builds.wrapping_add(1);
        replace(&arena, &component, builds)?;
        tokio::time::sleep(SAVE_EVERY).await;
    }
    let since = Instant::now();
    let reloaded = arena.running()?.log().contains("config.reloading");
    let row = arena.close(pressure, Some(since), Doubles::None).await?;
    let whole = row.verdict.unanswered == (0, 0);
    let row = row.noted(format!("{builds} builds")).proves(whole, "a request was dropped");
    Ok(row.proves(reloaded, "no build was taken up"))
}

/// The same plugin with another digest: a custom section more.
fn replace(arena: &Arena<'_>, component: &[u8], build: u8) -> anyhow::Result<()> {
    let section = [0, 6, 4, b'n', b'o', b't', b'e', build];
    arena.home.write("relay.wasm", [component, &section].concat()).map(drop)
}

/// SIGTERM under load while a successor waits for the store, with one inherited socket for all.
pub(super) async fn successors(world: &World, count: u64) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let socket = TcpListener::bind(arena.home.ingress())?;
    let listen = format!("listen = \"{}\"", arena.home.ingress());
    let config = std::fs::read_to_string(arena.home.file("config.toml"))?;
    arena.home.write("config.toml", config.replace(&listen, "listen = \"systemd\""))?;
    let mut running = arena.launch().inherit(socket.try_clone()?).start().await?;
    let pressure = arena.press(RATE);
    let mut slowest = Duration::ZERO;
    for _ in 0..count {
        arena.acked(30).await?;
        let mut next = arena.launch().inherit(socket.try_clone()?).start_unready()?;
        // Most often it has come to the store's lock by then; it must not matter.
        tokio::time::sleep(OVERLAP).await;
        let began = Instant::now();
        running.terminate()?;
        let (code, log) = running.exit(SOON).await?;
        ensure!(code == Some(0), "it left with {code:?}:\n{}", log.text());
        next.wait_ready().await?;
        slowest = slowest.max(began.elapsed());
        running = next;
    }
    arena.daemon = Some(running);
    let row = arena.close(pressure, Some(Instant::now()), Doubles::None).await?;
    // A used connection may be closed under the next request: the sender opens another one.
    let whole = row.verdict.unanswered == (0, 0);
    let note = format!("{count} successors; slowest {:.1} s", slowest.as_secs_f64());
    Ok(row.noted(note).proves(whole, "a request was dropped"))
}

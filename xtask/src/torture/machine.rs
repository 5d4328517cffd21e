//! What the machine does to the daemon: no room, a disk that turns read-only or fails, a clock that
//! jumps, no descriptors.

use std::time::{Duration, Instant};

use anyhow::ensure;
use dispatch_testkit::{Answer, Client, Doubles, SYNC_FAILS, SYNC_REAL, Word};

use super::arena::{Arena, IN_FLIGHT, World};
use super::chance::Chance;
use super::disk::{Disk, FileSystem};
use super::table::Row;

/// New messages a second.
const RATE: u32 = 150;
/// Where a moment is to be hit that lasts milliseconds.
const FAST: u32 = 600;
/// Room on the small disk: some seconds of the load fit.
const SMALL: u64 = 48;
/// `server.admit_wait` and some more.
const WAITS_FOR_ROOM: Duration = Duration::from_secs(6);
/// The exit code that says: the store failed while running.
const STORE_FAILED: i32 = 8;
/// The clock's jump: further than any wait of a retry.
const HOURS: i64 = 6 * 3600;
/// Enough for the store, the plugins and some connections.
const DESCRIPTORS: u32 = 96;

/// The disk is filled to the last byte, and emptied.
pub(super) async fn full(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let disk = Disk::make(arena.home.path(), &arena.home.file("data"), FileSystem::Ext4, SMALL)?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(50).await?;
    let filler = disk.fill()?;
    // A request waits for room a while before it is turned away.
    tokio::time::sleep(hold + WAITS_FOR_ROOM).await;
    std::fs::remove_file(filler)?;
    let since = Instant::now();
    arena.acked(20).await?;
    let row = arena.close(pressure, Some(since), Doubles::None).await?;
    drop(disk);
    let busy = row.verdict.statuses.get(&429).copied().unwrap_or(0);
    Ok(row.noted(format!("{busy} answers 429")).proves(busy > 0, "the disk was never full"))
}

/// The store's files turn read-only under the daemon.
pub(super) async fn read_only(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let disk = Disk::make(arena.home.path(), &arena.home.file("data"), FileSystem::Ext4, 128)?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(50).await?;
    let files = ["dispatcher.db", "dispatcher.db-wal"];
    disk.freeze(&files, true)?;
    let code = arena.gone().await?;
    ensure!(code == Some(STORE_FAILED), "it left with {code:?}");
    let refused = arena.try_start().await;
    ensure!(refused.is_err(), "it starts on a read-only store");
    tokio::time::sleep(hold).await;
    disk.freeze(&files, false)?;
    let since = Instant::now();
    arena.start().await?;
    arena.acked(20).await?;
    let row = arena.close(pressure, Some(since), Doubles::AtMost(IN_FLIGHT)).await?;
    drop(disk);
    Ok(row.noted("left with 8, refused to start, started once it may write"))
}

/// ext4 gives up its journal and turns read-only, and is repaired: again and again, since a store loses something only
/// where a commit falls into the milliseconds in between. The store is a new one each time: files that grow are what a
/// sync without a journal lies about.
pub(super) async fn journal(world: &World, rounds: u64, chance: &mut Chance) -> anyhow::Result<Row> {
    let mut sum = Row::default();
    for _ in 0..rounds {
        let mut arena = Arena::new(world).await?;
        let disk = Disk::make(arena.home.path(), &arena.home.file("data"), FileSystem::Ext4, 128)?;
        arena.start().await?;
        let pressure = arena.press(FAST);
        arena.acked(20).await?;
        tokio::time::sleep(chance.millis(0, 400)).await;
        disk.break_down()?;
        let code = arena.gone().await?;
        ensure!(code == Some(STORE_FAILED), "it left with {code:?}");
        ensure!(arena.try_start().await.is_err(), "it starts on a disk that is broken");
        disk.repair()?;
        let since = Instant::now();
        arena.start().await?;
        arena.acked(20).await?;
        let row = arena.close(pressure, Some(since), Doubles::AtMost(IN_FLIGHT)).await?;
        drop(disk);
        sum.add(row);
    }
    Ok(sum.noted(format!("{rounds} times: left with 8, refused to start, started after a repair")))
}

/// fsync fails: it is not tried again on the same descriptor.
pub(super) async fn sync_fails(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(50).await?;
    arena.shim.set(Word::Sync, SYNC_FAILS)?;
    let code = arena.gone().await?;
    ensure!(code == Some(STORE_FAILED), "it left with {code:?}");
    tokio::time::sleep(hold).await;
    arena.shim.set(Word::Sync, SYNC_REAL)?;
    let since = Instant::now();
    arena.start().await?;
    arena.acked(20).await?;
    let row = arena.close(pressure, Some(since), Doubles::AtMost(IN_FLIGHT)).await?;
    Ok(row.noted("left with 8 at once, started again from disk"))
}

/// The wall clock goes hours ahead and back, while it runs and over restarts, with work waiting.
pub(super) async fn clock(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(20).await?;
    // Nothing gets through from here on: what is acknowledged waits.
    let refusal = || Answer::text(503, "");
    arena.texts.always(refusal());
    let jump = async |arena: &mut Arena<'_>, to: i64| -> anyhow::Result<()> {
        arena.shim.set(Word::Clock, to)?;
        arena.acked(20).await?;
        tokio::time::sleep(hold / 3).await;
        arena.kill().await?;
        arena.start().await?;
        arena.acked(20).await
    };
    jump(&mut arena, HOURS).await?;
    jump(&mut arena, 0).await?;
    jump(&mut arena, -HOURS).await?;
    jump(&mut arena, 0).await?;
    arena.texts.always(Answer::json(200, &serde_json::json!({})));
    let since = Instant::now();
    let row = arena.close(pressure, Some(since), Doubles::AtMost(4 * IN_FLIGHT)).await?;
    Ok(Row { kills: 4, ..row.noted("6 h ahead and back, 6 h back and ahead, each with a restart") })
}

/// Idle clients take all descriptors.
pub(super) async fn descriptors(world: &World, hold: Duration) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    arena.open_files_max = Some(DESCRIPTORS);
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(50).await?;
    let mut idle = Vec::new();
    for _ in 0..DESCRIPTORS * 2 {
        idle.push(Client::tcp(arena.home.ingress()).await?);
    }
    tokio::time::sleep(hold).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", arena.running()?.pid()))?.count();
    drop(idle);
    let since = Instant::now();
    arena.acked(20).await?;
    let row = arena.close(pressure, Some(since), Doubles::None).await?;
    let shown = open + 2 >= DESCRIPTORS as usize;
    Ok(row.noted(format!("{open} of {DESCRIPTORS} open")).proves(shown, "descriptors were left"))
}

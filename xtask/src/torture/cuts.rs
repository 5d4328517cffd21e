//! Power cuts: the file system under the store is shut down without its log, and comes back.
//!
//! What was acknowledged *before* the cut has to be there afterwards. The list is frozen first: an
//! answer seen while the disk goes away is no evidence. The control has syncs that only say that they
//! are done: it must lose, or the rig proves nothing.

use std::time::Duration;

use dispatch_testkit::{Doubles, SYNC_PRETENDED, Verdict, Word};

use super::arena::{Arena, IN_FLIGHT, World};
use super::chance::Chance;
use super::disk::{Disk, FileSystem};
use super::table::Row;

/// New messages a second.
const RATE: u32 = 200;

pub(super) async fn cuts(
    world: &World,
    kind: FileSystem,
    count: u64,
    chance: &mut Chance,
) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let disk = Disk::make(arena.home.path(), &arena.home.file("data"), kind, kind.mebibytes())?;
    arena.start().await?;
    let pressure = arena.press(RATE);
    for _ in 0..count {
        tokio::time::sleep(chance.millis(200, 1_500)).await;
        cut(&mut arena, &disk).await?;
        arena.start().await?;
        arena.ledger.thaw();
    }
    let slowest = arena.slowest_start;
    let row = arena.close(pressure, None, Doubles::AtMost(count * IN_FLIGHT)).await?;
    drop(disk);
    let shown = row.verdict.acknowledged > count * 10;
    let note = format!("{count} cuts; slowest start {:.1} s", slowest.as_secs_f64());
    Ok(Row { cuts: count, ..row.noted(note).proves(shown, "too few messages were acknowledged") })
}

/// Freeze, cut, kill, and give the disk back.
async fn cut(arena: &mut Arena<'_>, disk: &Disk) -> anyhow::Result<()> {
    arena.ledger.freeze();
    disk.cut()?;
    // It may have left by itself already: its writes fail.
    arena.kill().await?;
    disk.unmount()?;
    disk.mount()
}

/// With syncs that are only pretended the same cuts must lose messages.
pub(super) async fn control(world: &World, chance: &mut Chance) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let kind = FileSystem::Ext4;
    let disk = Disk::make(arena.home.path(), &arena.home.file("data"), kind, kind.mebibytes())?;
    // A store that is whole and on the disk: only what comes after can be lost.
    arena.start().await?;
    let pressure = arena.press(RATE);
    arena.acked(20).await?;
    disk.sync()?;
    arena.shim.set(Word::Sync, SYNC_PRETENDED)?;
    tokio::time::sleep(chance.millis(700, 1_500)).await;
    cut(&mut arena, &disk).await?;
    pressure.end().await;
    arena.ledger.thaw();
    let verdict = match tokio::time::timeout(Duration::from_secs(20), arena.try_start()).await {
        // What is in the store goes out first: it is not lost.
        Ok(Ok(())) => {
            arena.settled().await?;
            arena.ledger.collect(&arena.texts, &arena.mails);
            let verdict = Verdict::of(&arena.ledger, arena.running()?).await?;
            arena.kill().await?;
            verdict
        }
        _ => Verdict::without_a_daemon(&arena.ledger),
    };
    drop(disk);
    let lost = verdict.lost.len();
    let row = Row { verdict, ..Row::default() }.noted("the control: it must lose");
    Ok(row.proves(lost > 0, "nothing was lost although nothing was synced"))
}

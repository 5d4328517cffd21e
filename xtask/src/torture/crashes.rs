//! `kill -9`, again and again, under a load that goes on: a third at a random moment, a third just
//! before a sync and a third just after one, wherever in start, work or recovery that is.

use dispatch_testkit::{Doubles, Word};

use super::arena::{Arena, IN_FLIGHT, World};
use super::chance::Chance;
use super::table::Row;

/// New messages a second: a kill finds some at every step, and the store stays small.
const RATE: u32 = 150;
/// Syncs until the kill at most: a second or so of this load.
const SYNCS: u64 = 150;

pub(super) async fn kills(world: &World, count: u64, chance: &mut Chance) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    // Compiles the plugins: that is not to be killed each time.
    arena.start().await?;
    let pressure = arena.press(RATE);
    for kill in 0..count {
        if kill % 3 == 0 {
            tokio::time::sleep(chance.millis(20, 700)).await;
            arena.kill().await?;
        } else {
            let word = if kill % 3 == 1 { Word::KillBefore } else { Word::KillAfter };
            arena.shim.set(word, chance.between(1, SYNCS) as i64)?;
            arena.gone().await?;
        }
        // Every other time it is killed once more as it starts, at one of its first syncs.
        if kill % 4 == 3 {
            arena.shim.set(Word::KillAfter, chance.between(1, 4) as i64)?;
        }
        arena.start().await?;
    }
    // A kill that was meant for a start may still be waiting for its sync.
    arena.shim.set(Word::KillBefore, 0)?;
    arena.shim.set(Word::KillAfter, 0)?;
    arena.kill().await?;
    arena.start().await?;
    let slowest = arena.slowest_start;
    let row = arena.close(pressure, None, Doubles::AtMost(count * IN_FLIGHT)).await?;
    let shown = row.verdict.acknowledged > count && row.verdict.unanswered.0 + row.verdict.stale > 0;
    let note = format!("{count} kills; slowest start {:.1} s", slowest.as_secs_f64());
    Ok(Row { kills: count, ..row.noted(note).proves(shown, "too few messages were under way") })
}

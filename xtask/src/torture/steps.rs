//! Killed between every two steps of one message's way, one message at a time, so that the n-th sync
//! is a known step. Where a message comes to a slot the first sync makes it durable with its plan, lease and mark, and the
//! second its outcome; the first one of a lane waits, and lease and mark are a sync between them.

use std::time::Duration;

use anyhow::ensure;
use dispatch_testkit::{Act, Client, Doubles, Ledger, Verdict, Word, until};

use super::arena::{Arena, SOON, World};
use super::table::Row;

/// Search terms are written once the store was idle for a second: a sync that is no step. So long without
/// a sync, and they have been.
const QUIET: Duration = Duration::from_millis(2_500);

/// Which message of its lane it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// The first since the start.
    First,
    /// One after it, which finds a free slot and a lane whose first action delivers.
    ToASlot,
}

/// Where the process ends, and what must then hold.
struct Step {
    name: &'static str,
    comes: Comes,
    /// The shim's word and after how many syncs; none: as the provider has the request.
    kill: Option<(Word, i64)>,
    /// Whether the sender got its 2xx, where that is certain.
    answered: Option<bool>,
    /// How often the provider gets it in the end.
    arrivals: usize,
    /// Whether it is shown as a possible double.
    double: bool,
}

const STEPS: &[Step] = &[
    Step {
        name: "before stored",
        comes: Comes::ToASlot,
        kill: Some((Word::KillBefore, 1)),
        answered: Some(false),
        arrivals: 1,
        // The write is in the file and not yet synced: a kill keeps it, a power cut would not.
        double: true,
    },
    Step {
        name: "stored, leased and marked / answered",
        comes: Comes::ToASlot,
        kill: Some((Word::KillAfter, 1)),
        answered: Some(false),
        arrivals: 1,
        // Nothing had left, and nobody can know that.
        double: true,
    },
    Step {
        name: "attempted / answered by the provider",
        comes: Comes::ToASlot,
        kill: None,
        answered: Some(true),
        arrivals: 2,
        double: true,
    },
    Step {
        name: "attempted / recorded",
        comes: Comes::ToASlot,
        kill: Some((Word::KillBefore, 2)),
        answered: Some(true),
        // As before, the write is in the file.
        arrivals: 1,
        double: false,
    },
    Step {
        name: "recorded / acknowledged",
        comes: Comes::ToASlot,
        kill: Some((Word::KillAfter, 2)),
        answered: Some(true),
        arrivals: 1,
        double: false,
    },
    Step {
        name: "stored / answered, and it waits",
        comes: Comes::First,
        kill: Some((Word::KillAfter, 1)),
        answered: Some(false),
        arrivals: 1,
        double: false,
    },
    Step {
        name: "it waited, leased and marked / attempted",
        comes: Comes::First,
        kill: Some((Word::KillAfter, 2)),
        answered: None,
        arrivals: 1,
        double: true,
    },
    Step {
        name: "it waited, attempted / recorded",
        comes: Comes::First,
        kill: Some((Word::KillBefore, 3)),
        answered: Some(true),
        arrivals: 1,
        double: false,
    },
];

pub(super) async fn all(world: &World, rounds: u64) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    let mut doubles = 0;
    for _ in 0..rounds {
        for step in STEPS {
            one(&mut arena, step).await.map_err(|error| error.context(step.name))?;
            doubles += u64::from(step.arrivals > 1);
        }
    }
    arena.start().await?;
    arena.settled().await?;
    arena.ledger.collect(&arena.texts, &arena.mails);
    let verdict = Verdict::of(&arena.ledger, arena.running()?).await?;
    arena.kill().await?;
    let problem = verdict.problems(Doubles::AtMost(doubles), false);
    let kills = rounds * STEPS.len() as u64;
    let note = format!("{kills} kills, between {} pairs of steps", STEPS.len());
    Ok(Row { verdict, problem, kills, ..Row::default() }.noted(note))
}

async fn one(arena: &mut Arena<'_>, step: &Step) -> anyhow::Result<()> {
    arena.start().await?;
    let target = arena.home.target();
    // The first commit of a new log syncs the log's header as well: that is no step either.
    let (first, body) = next(arena, if step.comes == Comes::First { 'E' } else { 'M' });
    let answer = target.send(&body).await?;
    ensure!(arena.ledger.answered(first, answer.status), "the first was answered {}", answer.status);
    arena.settled().await?;
    quiet(arena).await?;
    let (n, body) = next(arena, 'M');
    let mut client = Client::tcp(target.addr).await?;
    match step.kill {
        Some((word, syncs)) => arena.shim.set(word, syncs)?,
        None => drop(arena.texts.next(Act::Hang)),
    }
    client.send(&target.request(&body)).await?;
    let answer = client.receive().await;
    let status = answer.as_ref().ok().map(|answer| answer.status);
    if let Some(status) = status {
        arena.ledger.answered(n, status);
    }
    if let Some(answered) = step.answered {
        ensure!(answered == (status == Some(200)), "it was answered {status:?}");
    }
    if step.kill.is_some() {
        arena.gone().await?;
    } else {
        until("the request at the provider", SOON, async || arrivals(arena, n) == 1).await?;
        arena.kill().await?;
    }
    arena.start().await?;
    // HighLevel comes again until it is answered.
    if status != Some(200) {
        let again = target.send(&body).await?;
        ensure!(again.status == 200, "the second try was answered {}", again.status);
        arena.ledger.answered(n, again.status);
    }
    let daemon = arena.running()?;
    let message = daemon.wait_state(&Ledger::external_id(n), "accepted", SOON).await?;
    let double = message["delivery"]["possible_double"] == true;
    ensure!(double == step.double, "shown as a possible double: {double}: {message:#}");
    let came = arrivals(arena, n);
    ensure!(came == step.arrivals, "it came {came} times to the provider");
    arena.kill().await
}

/// The next text message (`M`) or mail (`E`), which has a lane of its own.
fn next(arena: &Arena<'_>, kind: char) -> (u64, Vec<u8>) {
    loop {
        let next = arena.ledger.next();
        if Ledger::external_id(next.0).starts_with(kind) {
            return next;
        }
    }
}

/// Waits until the store syncs nothing any more.
async fn quiet(arena: &Arena<'_>) -> anyhow::Result<()> {
    loop {
        let before = arena.shim.get(Word::Syncs)?;
        tokio::time::sleep(QUIET).await;
        if arena.shim.get(Word::Syncs)? == before {
            return Ok(());
        }
    }
}

fn arrivals(arena: &Arena<'_>, n: u64) -> usize {
    arena.ledger.collect(&arena.texts, &arena.mails);
    arena.ledger.arrivals(n).len()
}

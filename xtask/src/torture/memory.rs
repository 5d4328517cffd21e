//! Memory runs out under load: the process may have hardly more than it holds, while greedy clients make it want more.
//!
//! The limit is `RLIMIT_DATA`, put upon the running process from outside: what it asks for beyond that is refused, in
//! whatever line of code that is. It may end by that, as by a kill, and is started again as a service manager does.

use std::time::{Duration, Instant};

use dispatch_testkit::{Client, Doubles, Ledger, Target};
use tokio::task::JoinSet;

use super::arena::{Arena, IN_FLIGHT, World};
use super::chance::Chance;
use super::table::Row;
use crate::process::memory;

/// The allocator otherwise takes a gibibyte of address space at once, and never asks again for what can be refused.
const ASK_AS_NEEDED: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");
/// New messages a second.
const RATE: u32 = 100;
/// What it may have beyond what it holds, at most: the greedy want a multiple of it.
const MORE: u64 = 6 << 20;
/// A process that is ending has ended by then.
const ON_ITS_WAY: Duration = Duration::from_millis(200);
/// Clients that send large bodies, again and again.
const GREEDY: usize = 8;
/// Bytes of one: below what a body may have.
const BODY: usize = 6 << 20;

pub(super) async fn scarce(
    world: &World,
    rounds: u64,
    hold: Duration,
    chance: &mut Chance,
) -> anyhow::Result<Row> {
    let mut arena = Arena::new(world).await?;
    arena.variables = vec![ASK_AS_NEEDED];
    arena.start().await?;
    let pressure = arena.press(RATE);
    let mut ends = 0;
    for _ in 0..rounds {
        arena.acked(20).await?;
        let daemon = arena.running()?;
        let held = (memory(daemon.pid(), "VmData")? * 1_048_576.0) as u64;
        daemon.data_max(Some(held + chance.between(64 << 10, MORE)))?;
        let greedy = Greedy::start(&arena.home.target(), &arena.ledger);
        let mut ended = arena.ends_within(hold).await?;
        greedy.end().await;
        if !ended {
            // It may be on its way out as the limit is lifted.
            ended = arena.running()?.data_max(None).is_err() || arena.ends_within(ON_ITS_WAY).await?;
        }
        if ended {
            ends += 1;
            arena.gone().await?;
            arena.start().await?;
        }
    }
    let since = Instant::now();
    arena.acked(20).await?;
    let row = arena.close(pressure, Some(since), Doubles::AtMost(ends * IN_FLIGHT)).await?;
    let note = format!("{rounds} times; ended by it and started again {ends} times");
    // Work that found no memory waits for it: nobody has to redrive it.
    let given_up = row.verdict.dead > 0;
    let row = row.noted(note).fails(given_up, "messages were given up for want of memory");
    Ok(Row { kills: ends, ..row.proves(ends > 0, "there was memory enough") })
}

/// Clients with a wrong signature, who are turned away only after a whole body.
struct Greedy(JoinSet<()>);

impl Greedy {
    fn start(target: &Target, ledger: &std::sync::Arc<Ledger>) -> Self {
        let mut clients = JoinSet::new();
        let mut request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             x-ghl-signature: {}\r\ncontent-length: {BODY}\r\n\r\n",
            target.path,
            target.addr,
            target.signer.sign(b"another body")
        )
        .into_bytes();
        request.resize(request.len() + BODY, b' ');
        let request: std::sync::Arc<[u8]> = request.into();
        for _ in 0..GREEDY {
            let (addr, request, ledger) = (target.addr, request.clone(), ledger.clone());
            clients.spawn(async move {
                loop {
                    let Ok(mut client) = Client::tcp(addr).await else { return };
                    // An answer may come before the body is over, and the connection may end with the process.
                    let _ = client.send(&request).await;
                    if let Ok(answer) = client.receive().await
                        && !matches!(answer.status, 401 | 408 | 413 | 429)
                    {
                        ledger.strange(format!(
                            "a large body with a wrong signature was answered {}",
                            answer.status
                        ));
                    }
                }
            });
        }
        Self(clients)
    }

    async fn end(mut self) {
        self.0.shutdown().await;
    }
}

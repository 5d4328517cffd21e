//! Deliveries in a row, or many at once, and what they take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::JoinSet;

use super::conversation::Conversation;
use crate::exit::Failure;

/// A plugin that brings an interpreter along makes as many deliveries as it can in this time.
const SERIES: Duration = Duration::from_secs(10);
/// The first tenth warms caches and the pool's memory, and is not counted.
const WARM: u32 = 10;
/// Linux counts CPU time in ticks of this size on every machine it runs on today.
const TICK: Duration = Duration::from_millis(10);

/// The time of one call on its thread.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct CallTime {
    pub(super) call: String,
    pub(super) median_us: f64,
    pub(super) p99_us: f64,
}

/// Deliveries, so many at once.
#[derive(Serialize)]
pub(super) struct Series {
    pub(super) at_once: u32,
    /// How many.
    pub(super) count: u32,
    /// Of the whole process, for each.
    pub(super) cpu_us: f64,
    pub(super) per_second: f64,
}

/// What comes before a series.
pub(super) async fn warm_up(walked: &Arc<Conversation>, at_once: u32, count: u32) -> Result<(), Failure> {
    repeat(walked, at_once, count.div_ceil(WARM), SERIES / WARM).await.map(drop)
}

/// A series.
pub(super) async fn measure(walked: &Arc<Conversation>, at_once: u32, count: u32) -> Result<Series, Failure> {
    let (began, before) = (Instant::now(), cpu()?);
    let count = repeat(walked, at_once, count, SERIES).await?;
    let (took, cpu) = (began.elapsed(), cpu()?.saturating_sub(before));
    Ok(Series {
        at_once,
        count,
        cpu_us: cpu.as_secs_f64() * 1e6 / f64::from(count),
        per_second: f64::from(count) / took.as_secs_f64(),
    })
}

/// Each of so many tasks makes its share: at least one delivery, and none begins after `within`.
async fn repeat(
    walked: &Arc<Conversation>,
    at_once: u32,
    count: u32,
    within: Duration,
) -> Result<u32, Failure> {
    let (share, began) = (count.div_ceil(at_once), Instant::now());
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let walked = Arc::clone(walked);
        tasks.spawn(async move {
            let mut made = 0;
            while made < share && (made == 0 || began.elapsed() < within) {
                walked.walk().await?;
                made += 1;
            }
            Ok::<u32, Failure>(made)
        });
    }
    let mut made = 0;
    while let Some(done) = tasks.join_next().await {
        made += done.map_err(|error| Failure::Refused(error.to_string()))??;
    }
    Ok(made)
}

/// The times of a delivery's calls, of samples in the order in which they came: `steps` of `on-reply` to each of
/// `deliver`.
pub(super) fn calls(deliver: Vec<f64>, on_reply: &[f64], steps: usize) -> Vec<CallTime> {
    let of_step = |step: usize| on_reply.iter().skip(step).step_by(steps).copied().collect();
    let replies = (0..steps).map(|step| {
        let name = if steps == 1 { "on-reply".to_owned() } else { format!("on-reply {}", step + 1) };
        call(name, of_step(step))
    });
    std::iter::once(call("deliver".to_owned(), deliver)).chain(replies).collect()
}

fn call(name: String, mut seconds: Vec<f64>) -> CallTime {
    seconds.sort_by(f64::total_cmp);
    let at = |share: usize| seconds.get(seconds.len() * share / 100).map_or(0.0, |second| second * 1e6);
    CallTime { call: name, median_us: at(50), p99_us: at(99) }
}

/// CPU time of this process so far, user and system.
fn cpu() -> Result<Duration, Failure> {
    let unreadable = || Failure::Refused("/proc/self/stat has no CPU times".to_owned());
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name, in parentheses, may contain anything; what follows it does not.
    let (_, rest) = stat.rsplit_once(')').ok_or_else(unreadable)?;
    let ticks: Vec<u32> = rest.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    match ticks[..] {
        [user, system] => Ok(TICK * (user + system)),
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_a_time_of_its_own() {
        let deliver = (1..=100).map(|n| f64::from(n) / 1e6).collect();
        // First steps of one microsecond, second ones of two.
        let on_reply = [1e-6, 2e-6].repeat(100);
        let times = calls(deliver, &on_reply, 2);
        let shown: Vec<(&str, f64, f64)> = times
            .iter()
            .map(|time| (time.call.as_str(), time.median_us.round(), time.p99_us.round()))
            .collect();
        assert_eq!(shown, [("deliver", 51.0, 100.0), ("on-reply 1", 1.0, 1.0), ("on-reply 2", 2.0, 2.0)]);
        let names =
            |steps| calls(vec![1e-6], &[1e-6], steps).into_iter().map(|time| time.call).collect::<Vec<_>>();
        assert_eq!(
            (names(0), names(1)),
            (vec!["deliver".to_owned()], vec!["deliver".into(), "on-reply".into()])
        );
    }

    #[test]
    fn the_process_has_used_time() {
        assert!(cpu().is_ok());
    }
}

//! What a process has used, from `/proc`.

use std::time::Duration;

use anyhow::Context as _;

/// Linux counts CPU time in ticks of this size on every machine it runs on today.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process so far, user and system.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may contain anything; what follows it does not.
    let (_, rest) = stat.rsplit_once(')').context("a stat line has a name")?;
    let ticks: Vec<u32> =
        rest.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(TICK * ticks.iter().sum::<u32>())
}

/// A field of `/proc/PID/status` in MiB: `VmRSS` or `VmHWM`.
pub(crate) fn memory(pid: u32, field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field)).context("the field is there")?;
    let kib: f64 = line.split_whitespace().nth(1).context("the field has a value")?.parse()?;
    Ok(kib / 1024.0)
}

/// Microseconds of CPU for each of so many.
pub(crate) fn each(before: Duration, after: Duration, count: usize) -> f64 {
    after.saturating_sub(before).as_secs_f64() * 1e6 / count.max(1) as f64
}

//! Waiting for a condition, with a bound and with words for when it does not come.

use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at: short beside what a test waits for, long beside one look.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `holds` says so, or fails naming what was waited for.
pub async fn until<F, Fut>(what: &str, bound: Duration, mut holds: F) -> anyhow::Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    until_some(what, bound, async || holds().await.then_some(())).await
}

/// Waits until `look` finds something, or fails naming what was waited for.
pub async fn until_some<T>(
    what: &str,
    bound: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        anyhow::ensure!(started.elapsed() < bound, "waited {bound:?} in vain for: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

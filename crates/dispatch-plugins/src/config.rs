//! What the host works by: bounds, threads and where compiled plugins are kept.

use std::path::PathBuf;
use std::time::Duration;

/// How the host runs guests. The defaults fit bundled plugins and guests of a few hundred kilobytes;
/// guests that carry a language runtime along want more memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConfig {
    /// Where compiled plugins are kept between starts. Without one each start compiles them anew.
    pub cache_dir: Option<PathBuf>,
    /// How many calls may compute at once. A call computes for some tens of microseconds and waits for
    /// nothing, so more than cores only adds switches. Calls that turn out to be long do not count and have
    /// threads of their own.
    pub threads: usize,
    /// Calls of one plugin that may wait for a thread; a caller beyond that waits, without a thread, for its
    /// place.
    pub queue: usize,
    /// Bytes of linear memory a call may have, all of its memories together.
    pub memory_max: usize,
    /// Elements of tables a call may have, all of its tables together.
    pub table_max: usize,
    /// How long a call may compute, by the clock of its thread and not of the wall: a busy machine ends no
    /// honest call.
    pub deadline: Duration,
    /// Bytes of stack a guest may use.
    pub stack: usize,
    /// Bytes that may cross from the guest to the host in one result or one import call.
    pub boundary_max: usize,
    /// Bytes of a plugin file.
    pub file_max: usize,
    /// How instances get their memory.
    pub allocation: Allocation,
}

/// How instances get their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// From a pool that is reset by a scan of the touched pages where that is safe, else by other means;
    /// from the system call by call where the address space does not hold a pool.
    Best,
    /// From a pool, without the scan.
    PooledWithoutScan,
    /// From the system, call by call.
    OnDemand,
}

impl Default for HostConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            cache_dir: None,
            threads: cores.clamp(1, 8),
            queue: 1024,
            // With so much a JavaScript guest takes a mail with 1.2 MB of HTML, with half of it one of 0.6 MB.
            memory_max: 128 << 20,
            table_max: 100_000,
            // A delivery computes for 50 microseconds in a Rust guest and for 4 milliseconds in a Python one.
            deadline: Duration::from_millis(250),
            stack: 512 << 10,
            // A mail with 1 MiB of HTML as quoted-printable and as text comes to 4 MiB.
            boundary_max: 16 << 20,
            file_max: 64 << 20,
            allocation: Allocation::Best,
        }
    }
}

//! What a call may take of memory and tables, all of its instances together.

use wasmtime::ResourceLimiter;

/// Instances, tables and memories of one call: a guest of componentize-py has some 40 instances.
const INSTANCES_MAX: usize = 100;
const TABLES_MAX: usize = 32;
const MEMORIES_MAX: usize = 8;

/// Counts, and remembers whether something was refused: the guest's allocator then traps, and the trap alone
/// would not say why.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: usize,
    memory_max: usize,
    elements: usize,
    elements_max: usize,
    refused: bool,
    starved: bool,
}

impl Limiter {
    pub(crate) fn new(memory_max: usize, elements_max: usize) -> Self {
        Self { memory: 0, memory_max, elements: 0, elements_max, refused: false, starved: false }
    }

    /// Whether the guest was refused memory or table elements.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// Whether the guest was granted something that the machine then did not have.
    pub(crate) fn starved(&self) -> bool {
        self.starved
    }

    /// What could not grow: past the bound of its own type, which is its own doing, or for want of memory.
    fn note(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.starved |= out_of_memory(&error);
        Ok(())
    }
}

/// Whether the system said that there is no memory. How it comes through wasmtime differs from place to place, the
/// system's words do not.
pub(crate) fn out_of_memory(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.to_string().contains("(os error 12)"))
}

/// Takes `desired - current` more, if it fits.
fn take(used: &mut usize, max: usize, current: usize, desired: usize) -> bool {
    let total = used.saturating_add(desired.saturating_sub(current));
    let fits = total <= max;
    if fits {
        *used = total;
    }
    fits
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = take(&mut self.memory, self.memory_max, current, desired);
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = take(&mut self.elements, self.elements_max, current, desired);
        self.refused |= !fits;
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.note(error)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.note(error)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_one_bound() {
        let mut limiter = Limiter::new(100, 10);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(!limiter.refused());
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert!(limiter.refused());
    }

    #[test]
    fn tables_have_their_own() {
        let mut limiter = Limiter::new(0, 10);
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(10, 11, None).unwrap());
        assert!(limiter.refused());
    }
    #[test]
    fn what_the_machine_does_not_have_is_not_the_guests_doing() {
        let system = |code| wasmtime::Error::from(std::io::Error::from_raw_os_error(code));
        let mut limiter = Limiter::new(100, 10);
        limiter.memory_grow_failed(wasmtime::Error::msg("Memory maximum size exceeded")).unwrap();
        limiter.table_grow_failed(system(22)).unwrap();
        assert!(!limiter.starved());
        limiter.memory_grow_failed(system(12).context("growing")).unwrap();
        assert!(limiter.starved() && !limiter.refused());
    }
}

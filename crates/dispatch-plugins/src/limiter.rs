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
}

impl Limiter {
    pub(crate) fn new(memory_max: usize, elements_max: usize) -> Self {
        Self { memory: 0, memory_max, elements: 0, elements_max, refused: false }
    }

    /// Whether the guest was refused memory or table elements.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }
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
}

//! The wasmtime engine, configured as measured (docs/performance.md): pooled slots whose touched pages are
//! found by the kernel and reset, images mapped copy-on-write, epochs on, everything unused off.
//!
//! The scan of touched pages (`PAGEMAP_SCAN`) halves the cost of a call, and it has an open report of stale
//! pages where memory can be swapped out: the next instance in a slot might read what the last one left. So
//! it is used only on machines without swap.

use std::fmt;

use serde::Serialize;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::config::{Allocation, HostConfig};
use crate::error::HostError;

/// Bytes of a slot that stay resident between calls: with the scan only touched pages count, without it the
/// first pages are cleared whether touched or not.
const KEEP_RESIDENT_SCANNED: usize = 1 << 20;
const KEEP_RESIDENT_CLEARED: usize = 64 << 10;

/// Slots per thread. A thread uses one at a time; the others keep the images of other plugins mapped, so
/// that a call of another plugin finds its own slot and need not map anything.
const SLOTS_PER_THREAD: u32 = 16;
/// Core modules in one component: Rust guests have 1 to 4, guests of componentize-py some 40.
const CORE_INSTANCES_PER_COMPONENT: u32 = 100;
/// Linear memories in one component; guests of all known toolchains have one.
const MEMORIES_PER_COMPONENT: u32 = 4;
/// Tables in one component.
const TABLES_PER_COMPONENT: u32 = 16;
/// Bytes of host-side data of one instance; wasmtime's own default.
const INSTANCE_DATA_MAX: usize = 1 << 20;

/// How instances get their memory, as it turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// A pool whose touched pages are found by the kernel.
    PooledScanned,
    /// A pool whose first pages are cleared.
    PooledCleared,
    /// Mapped and unmapped call by call.
    OnDemand,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PooledScanned => "pooled, touched pages scanned",
            Self::PooledCleared => "pooled, first pages cleared",
            Self::OnDemand => "on demand",
        })
    }
}

/// The engine and how it came out.
pub(crate) struct Built {
    pub(crate) engine: Engine,
    pub(crate) memory: Memory,
    /// Why it is not the best one, in words.
    pub(crate) note: Option<String>,
}

/// Builds the best engine that this machine allows.
pub(crate) fn build(config: &HostConfig) -> Result<Built, HostError> {
    let swap = swap_in_use();
    let (memory, mut note) = match config.allocation {
        Allocation::Best if swap => (
            Memory::PooledCleared,
            Some("this machine has swap, where the scan of touched pages is not safe".to_owned()),
        ),
        Allocation::Best => (Memory::PooledScanned, None),
        Allocation::PooledWithoutScan => (Memory::PooledCleared, None),
        Allocation::OnDemand => (Memory::OnDemand, None),
    };
    if memory != Memory::OnDemand {
        match pooled(config, memory) {
            Ok(engine) => return Ok(Built { engine, memory, note }),
            Err(error) => note = Some(format!("no address space for a pool ({})", first_line(&error))),
        }
    }
    let mut wasm = base(config);
    wasm.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    let engine = Engine::new(&wasm).map_err(|error| HostError::Engine(first_line(&error)))?;
    Ok(Built { engine, memory: Memory::OnDemand, note })
}

fn pooled(config: &HostConfig, memory: Memory) -> wasmtime::Result<Engine> {
    let threads = u32::try_from(config.threads.max(1)).unwrap_or(u32::MAX);
    let slots = threads.saturating_mul(SLOTS_PER_THREAD);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(8).max(CORE_INSTANCES_PER_COMPONENT * 2))
        .total_memories(slots)
        .total_tables(slots.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_component_instance_size(INSTANCE_DATA_MAX)
        .max_core_instance_size(INSTANCE_DATA_MAX)
        .max_tables_per_module(4)
        .table_elements(config.table_max)
        .max_memories_per_module(1)
        .max_memory_size(config.memory_max)
        .max_unused_warm_slots(slots);
    match memory {
        Memory::PooledScanned => pool
            .linear_memory_keep_resident(KEEP_RESIDENT_SCANNED)
            .table_keep_resident(KEEP_RESIDENT_CLEARED)
            .pagemap_scan(Enabled::Auto),
        _ => pool
            .linear_memory_keep_resident(KEEP_RESIDENT_CLEARED)
            .table_keep_resident(KEEP_RESIDENT_CLEARED)
            .pagemap_scan(Enabled::No),
    };
    let mut wasm = base(config);
    wasm.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&wasm)
}

/// What all engines share. Proposals that the toolchains do not use are off: each is code that an
/// adversary could reach. Floats give the same bits everywhere, since a call is a function of its input.
fn base(config: &HostConfig) -> Config {
    let mut wasm = Config::new();
    wasm.epoch_interruption(true)
        .concurrency_support(false)
        .memory_init_cow(true)
        .parallel_compilation(true)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(config.stack)
        // Guests come stripped, so a backtrace would name nothing; without the tables for it artefacts are
        // smaller by a third.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .shared_memory(false);
    wasm
}

/// Whether memory can be swapped out. When it cannot be told, it is assumed.
fn swap_in_use() -> bool {
    std::fs::read_to_string("/proc/swaps").map_or(true, |text| lists_swap(&text))
}

/// The first line of `/proc/swaps` is a heading.
fn lists_swap(text: &str) -> bool {
    text.lines().skip(1).any(|line| !line.trim().is_empty())
}

/// The head of an error: the chain below it speaks of wasmtime's insides.
fn first_line(error: &wasmtime::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_is_seen() {
        let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(!lists_swap(heading));
        assert!(!lists_swap(""));
        assert!(lists_swap(&format!("{heading}/dev/zram0 partition\t4194300\t0\t100\n")));
    }

    #[test]
    fn a_pool_beyond_the_address_space_falls_back() {
        let config = HostConfig { threads: 1 << 20, ..HostConfig::default() };
        let built = build(&config).unwrap();
        assert_eq!(built.memory, Memory::OnDemand);
        assert!(built.note.unwrap().starts_with("no address space for a pool"));
    }

    #[test]
    fn a_machine_of_this_kind_gets_a_pool() {
        let built = build(&HostConfig::default()).unwrap();
        assert_ne!(built.memory, Memory::OnDemand, "{:?}", built.note);
    }
}

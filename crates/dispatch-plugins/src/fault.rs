//! From wasmtime's errors to the contract's faults.

use dispatch_model::Fault;
use wasmtime::Trap;

use crate::call::{CallBounds, CallState};
use crate::epoch::TooLong;
use crate::limiter::out_of_memory;
use crate::text;

/// Bytes of an error's text that are kept: it can carry names of the guest's.
const DETAIL_MAX: usize = 300;

/// What ended the call.
pub(crate) fn classify(error: &wasmtime::Error, state: &CallState, bounds: &CallBounds) -> Fault {
    if error.downcast_ref::<TooLong>().is_some() {
        return Fault::Deadline { limit_ms: u64::try_from(bounds.deadline.as_millis()).unwrap_or(u64::MAX) };
    }
    if state.limiter.refused() {
        return Fault::Memory { limit_bytes: bounds.memory_max as u64 };
    }
    // The guest's allocator traps then; or there was no instance at all.
    if state.limiter.starved() || out_of_memory(error) {
        return Fault::Starved;
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => Fault::Trap { detail: text::clip(&trap.to_string(), DETAIL_MAX) },
        // All that is left happens while values cross: too many bytes, text that is not UTF-8, a list
        // outside the memory.
        None if exhausted(error) => {
            contract(format!("more than {} bytes cross to the host in one call", bounds.boundary_max))
        }
        None => contract(describe(error)),
    }
}

/// A broken bound of the contract.
pub(crate) fn contract(detail: impl Into<String>) -> Fault {
    Fault::Contract { detail: detail.into() }
}

/// wasmtime keeps the type of this error to itself, so its words have to do; a test holds them.
fn exhausted(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.to_string().starts_with("too much data is being copied"))
}

/// An error and its causes in one line.
pub(crate) fn describe(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    text::clip(&causes.join(": "), DETAIL_MAX)
}

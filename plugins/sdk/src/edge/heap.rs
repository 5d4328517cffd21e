//! The guest's memory allocator: made for instances that live for one call of some tens of microseconds.
//!
//! Nothing here outlives the call, so nothing is ever merged or given back: a block is a power of two, freed blocks
//! wait in a list per size, and a new one is cut from the end of memory. That is a handful of instructions where a
//! general allocator takes hundreds, and less code to load. What most calls need is there from the start: a step by which
//! memory grows is two system calls of the host's, one of them to take it back before the next call. What is not touched
//! costs nothing.

#![allow(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Bytes of a page of WebAssembly memory.
const PAGE: usize = 64 << 10;
/// Pages to grow by at least.
const STEP: usize = 8;
/// Bytes that are there from the start. No more: what one call of an instance's place has written to, the host clears
/// after each further one.
const ARENA: usize = 192 << 10;
/// The smallest block: what serde and the bindings ask for most.
const SMALLEST: usize = 16;

unsafe extern "C" {
    /// Where the linker says that static data ends.
    static __heap_base: u8;
}

/// Part of the memory that a module declares, and no part of what it has to load.
#[repr(align(16))]
struct Arena(UnsafeCell<[u8; ARENA]>);

// SAFETY: a guest of this contract has one thread.
unsafe impl Sync for Arena {}

static FIRST: Arena = Arena(UnsafeCell::new([0; ARENA]));

struct Heap(UnsafeCell<State>);

struct State {
    /// Freed blocks by the logarithm of their size; each holds the address of the next in its first word.
    free: [*mut u8; 32],
    /// What is left of where blocks are cut from: first of the arena, then of all behind the static data.
    next: usize,
    end: usize,
    behind: bool,
}

// SAFETY: a guest of this contract has one thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(State { free: [null_mut(); 32], next: 0, end: 0, behind: false }));

/// The size of the block that holds this layout, or none if there is no such power of two.
fn block(layout: Layout) -> Option<usize> {
    layout.size().max(layout.align()).max(SMALLEST).checked_next_power_of_two()
}

impl State {
    /// A block that nobody had, aligned to its own size up to a page.
    fn cut(&mut self, size: usize) -> Option<*mut u8> {
        if self.end == 0 {
            self.next = FIRST.0.get() as usize;
            self.end = self.next + ARENA;
        }
        if let Some(block) = self.take(size) {
            return Some(block);
        }
        if !self.behind {
            self.behind = true;
            self.next = (&raw const __heap_base) as usize;
            self.end = core::arch::wasm32::memory_size(0) * PAGE;
        }
        let missing = self.place(size)?.1.saturating_sub(self.end);
        if missing > 0 {
            let pages = missing.div_ceil(PAGE).max(STEP);
            if core::arch::wasm32::memory_grow(0, pages) == usize::MAX {
                return None;
            }
            self.end += pages * PAGE;
        }
        self.take(size)
    }

    /// Where the next block would begin and end.
    fn place(&self, size: usize) -> Option<(usize, usize)> {
        let start = self.next.checked_next_multiple_of(size.min(PAGE))?;
        Some((start, start.checked_add(size)?))
    }

    /// A block of what is left.
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        let (start, end) = self.place(size)?;
        (end <= self.end).then(|| {
            self.next = end;
            start as *mut u8
        })
    }
}

// SAFETY: blocks are disjoint: each is cut once, and is in its list only while nobody has it. A block is at least as
// large as its layout and aligned to its own size, which is a power of two not below the layout's alignment.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(size) = block(layout) else { return null_mut() };
        // SAFETY: one thread, and nothing here calls back into the allocator.
        let state = unsafe { &mut *self.0.get() };
        let list = &mut state.free[size.trailing_zeros() as usize];
        if list.is_null() {
            return state.cut(size).unwrap_or(null_mut());
        }
        let found = *list;
        // SAFETY: a block in a list is free, and its first word is the next one's address.
        *list = unsafe { *found.cast::<*mut u8>() };
        found
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(size) = block(layout) else { return };
        // SAFETY: as above; the block is the caller's to give back, and at least a word long.
        unsafe {
            let list = &mut (&mut *self.0.get()).free[size.trailing_zeros() as usize];
            *pointer.cast::<*mut u8>() = *list;
            *list = pointer;
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, wanted: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(wanted, layout.align()) else { return null_mut() };
        if block(new) == block(layout) {
            return pointer;
        }
        // SAFETY: both blocks hold the smaller of the two sizes, and they are not the same block.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                pointer.copy_to_nonoverlapping(moved, layout.size().min(wanted));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}

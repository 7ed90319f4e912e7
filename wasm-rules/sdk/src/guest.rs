//! The border between a policy and its host: pointers in, a packed pointer out, and the allocator.
//!
//! All `unsafe` of a policy is here. It rests on two facts of the contract: an instance runs on one
//! thread, and it lives for one call, so that nothing is ever freed.

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::input::{Input, Params, ViewInput};
use crate::output::Output;
use crate::view::View;

/// An allocator that only goes up; what grows at the end grows in place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bump;

/// The first free address; 0 until the first allocation.
static NEXT: AtomicUsize = AtomicUsize::new(0);

#[cfg(target_family = "wasm")]
fn heap_start() -> usize {
    unsafe extern "C" {
        static __heap_base: u8;
    }
    (&raw const __heap_base).addr()
}

/// Makes sure that memory reaches up to this address.
#[cfg(target_family = "wasm")]
fn reserve(end: usize) -> bool {
    use core::arch::wasm32::{memory_grow, memory_size};
    const PAGE: usize = 64 * 1024;
    let have = memory_size(0) * PAGE;
    end <= have || memory_grow(0, (end - have).div_ceil(PAGE)) != usize::MAX
}

/// Outside wasm the allocator is never installed; it refuses.
#[cfg(not(target_family = "wasm"))]
fn heap_start() -> usize {
    0
}
#[cfg(not(target_family = "wasm"))]
fn reserve(_: usize) -> bool {
    false
}

// SAFETY: every block lies beyond all earlier ones and inside the memory, whose size was checked;
// one thread alone runs in an instance.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let next = match NEXT.load(Relaxed) {
            0 => heap_start(),
            next => next,
        };
        let Some(start) = next.checked_next_multiple_of(layout.align()) else {
            return core::ptr::null_mut();
        };
        let Some(end) = start.checked_add(layout.size()) else { return core::ptr::null_mut() };
        if !reserve(end) {
            return core::ptr::null_mut();
        }
        NEXT.store(end, Relaxed);
        core::ptr::with_exposed_provenance_mut(start)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if old.addr() + layout.size() == NEXT.load(Relaxed) {
            let Some(end) = old.addr().checked_add(size) else { return core::ptr::null_mut() };
            if !reserve(end) {
                return core::ptr::null_mut();
            }
            NEXT.store(end, Relaxed);
            return old;
        }
        // SAFETY: the caller keeps the rules of `realloc`, which are those of `alloc` and of a copy.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(old, new, layout.size().min(size));
            }
            new
        }
    }
}

/// A text as an array, so that it can be laid into a section of its own.
#[must_use]
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    let mut at = 0;
    while at < N {
        out[at] = text.as_bytes()[at];
        at += 1;
    }
    out
}

/// Ends the call: the host sees a trap.
pub fn trap() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    #[allow(clippy::panic, reason = "a trap outside wasm is a panic")]
    {
        panic!("a policy trapped")
    }
}

/// `pp_alloc`: room for the input, aligned to 8.
#[must_use]
pub fn alloc(length: usize) -> *mut u8 {
    let Ok(layout) = Layout::from_size_align(length.max(1), 8) else { return core::ptr::null_mut() };
    // SAFETY: the layout is not empty.
    unsafe { Bump.alloc(layout) }
}

/// `pp_merge` around a policy's function.
///
/// # Safety
/// `pointer` and `length` describe initialised memory that nothing else touches.
pub unsafe fn merge(pointer: *const u8, length: usize, policy: fn(&Input<'_>, &mut Output)) -> u64 {
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts(pointer, length) };
    let mut out = Output::new();
    match Input::new(bytes) {
        Some(input) => policy(&input, &mut out),
        None => out.fail("input", "the input is not JSON"),
    }
    pack(out.finish())
}

/// `pp_view` around a policy's function.
///
/// # Safety
/// `pointer` and `length` describe initialised memory that nothing else touches.
pub unsafe fn view(pointer: *const u8, length: usize, policy: fn(&ViewInput<'_>, &mut View)) -> u64 {
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts(pointer, length) };
    let mut out = View::new();
    match ViewInput::new(bytes) {
        Some(input) => policy(&input, &mut out),
        None => out.fail("input", "the input is not JSON"),
    }
    pack(out.finish())
}

/// `pp_params` around a policy's function.
///
/// # Safety
/// `pointer` and `length` describe initialised memory that nothing else touches.
pub unsafe fn params(
    pointer: *const u8,
    length: usize,
    policy: fn(Params<'_>) -> Result<(), &'static str>,
) -> u64 {
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts(pointer, length) };
    let mut out = Output::new();
    match Input::new(bytes).map(|input| policy(input.params())) {
        Some(Ok(())) => {}
        Some(Err(message)) => out.fail("params", message),
        None => out.fail("input", "the input is not JSON"),
    }
    pack(out.finish())
}

/// Pointer and length in one number; 0 for no opinion. The bytes stay where they are: the host
/// copies them out before it drops the instance.
fn pack(output: Option<Vec<u8>>) -> u64 {
    match output {
        None => 0,
        Some(bytes) => {
            let bytes = bytes.leak();
            ((bytes.as_ptr().addr() as u64) << 32) | bytes.len() as u64
        }
    }
}

/// Leaves a line for whoever traces the policy; dropped in daily use.
pub fn log(line: &str) {
    #[cfg(target_family = "wasm")]
    {
        #[link(wasm_import_module = "presence")]
        unsafe extern "C" {
            #[link_name = "log"]
            fn presence_log(pointer: *const u8, length: usize);
        }
        // SAFETY: the host reads `length` bytes at `pointer` and keeps neither.
        unsafe { presence_log(line.as_ptr(), line.len()) }
    }
    #[cfg(not(target_family = "wasm"))]
    let _ = line;
}

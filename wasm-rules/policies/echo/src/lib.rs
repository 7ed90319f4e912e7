//! No policy, but the measure of one: the least that a call can cost. It answers with a constant,
//! so that a benchmark shows what is paid before any policy has done anything.
#![no_std]

use policy_sdk::guest::{self, Bump};

#[global_allocator]
static ALLOCATOR: Bump = Bump;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    guest::trap()
}

#[unsafe(no_mangle)]
extern "C" fn presence_policy_abi_1() {}

#[unsafe(no_mangle)]
extern "C" fn pp_alloc(length: usize) -> *mut u8 {
    guest::alloc(length)
}

/// Answers with the input itself: bytes in, the same bytes out. The host refuses them as an output
/// where it looks at them, which is no business of this measure.
#[unsafe(no_mangle)]
extern "C" fn pp_merge(pointer: u32, length: u32) -> u64 {
    (u64::from(pointer) << 32) | u64::from(length)
}

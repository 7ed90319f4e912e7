//! How often the message layer asks for memory.
//!
//! Counting needs an allocator of our own, and that needs `unsafe`; so it lives in this test,
//! outside the crate.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use bytes::Bytes;
use tributary_sip::{Message, Name, ResponseBuilder, Status};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting
// touches a thread-local cell that itself never allocates.
#[allow(unsafe_code, reason = "a global allocator cannot be written without it")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> usize {
    let before = COUNT.with(Cell::get);
    let result = black_box(work());
    let after = COUNT.with(Cell::get);
    drop(result);
    after - before
}

const SUBSCRIBE: &[u8] = include_bytes!("../benches/messages/subscribe.sip");

#[test]
fn reading_a_message_takes_one_allocation() {
    let raw = Bytes::from_static(SUBSCRIBE);
    assert_eq!(allocations(|| Message::parse(raw.clone()).unwrap()), 1);
    let register = Bytes::from_static(include_bytes!("../benches/messages/register.sip"));
    assert_eq!(allocations(|| Message::parse(register).unwrap()), 1);
}

#[test]
fn a_message_of_many_lines_takes_one_allocation_too() {
    let text = String::from_utf8(SUBSCRIBE.to_vec()).unwrap();
    let many = text.replace("Expires", &format!("{}Expires", "X: y\r\n".repeat(90)));
    let raw = Bytes::from(many);
    assert_eq!(allocations(|| Message::parse(raw).unwrap()), 1);
}

#[test]
fn typed_headers_borrow() {
    let m = Message::parse(Bytes::from_static(SUBSCRIBE)).unwrap();
    let count = allocations(|| {
        let uri = m.request_uri().unwrap().host.len();
        let tag = m.from().unwrap().tag().unwrap().len();
        let via = m.via().unwrap().branch().unwrap().len();
        let event = m.event().unwrap().unwrap().package.len();
        let contact = m.contact().unwrap().unwrap().parse_uri().unwrap().params.has("gr");
        let digest = m.authorization().next().unwrap().unwrap().digest().is_some();
        (uri, tag, via, event, contact, digest, m.expires(), m.has_token(Name::Supported, "gruu"))
    });
    assert_eq!(count, 0);
}

#[test]
fn a_response_is_written_into_one_buffer() {
    let m = Message::parse(Bytes::from_static(SUBSCRIBE)).unwrap();
    let count = allocations(|| {
        ResponseBuilder::new(&m, Status::OK).to_tag("abc").header(Name::Expires, 600).build().unwrap()
    });
    // The buffer, and the counter by which its octets are shared.
    assert!(count <= 2, "{count} allocations");
}

#[test]
fn the_index_is_as_large_as_the_head_has_lines() {
    let m = Message::parse(Bytes::from_static(SUBSCRIBE)).unwrap();
    assert_eq!(m.index_size(), 16 * m.lines().count());
}

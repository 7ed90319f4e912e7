//! The least of many short batches: what the code takes when nothing else wants the processor.
//! For machines that are never quiet; `cargo bench -p tributary-sip --bench best`.
#![allow(missing_docs, reason = "a benchmark's main")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use tributary_sip::Ha1;

mod work;

const BATCHES: u32 = 3000;
const BATCH: u32 = 100;

fn main() {
    let subscribe = Bytes::from_static(work::SUBSCRIBE);
    let register = Bytes::from_static(work::REGISTER);
    let body = [b'x'; 1400];
    let (server, ha1) = (work::server(), Ha1::new("bob", "example.com", "secret"));
    let headers = [work::answer(&server, 0), work::answer(&server, 1)];
    least("SUBSCRIBE of 900 octets read", || work::read(black_box(&subscribe)));
    least("  and event, contact, accept, expires asked for", || work::read_and_use(black_box(&subscribe)));
    least("  by rsip", || work::read_rsip(black_box(&subscribe)));
    least("REGISTER of 810 octets read", || work::read(black_box(&register)));
    least("  by rsip", || work::read_rsip(black_box(&register)));
    least("NOTIFY with a body of 1400 octets written", || {
        work::write_notify(black_box(&body), black_box(81))
    });
    least("digest answer checked, SHA-256", || work::check_digest(&server, &ha1, black_box(&headers[0])));
    least("digest answer checked, MD5", || work::check_digest(&server, &ha1, black_box(&headers[1])));
}

fn least<T>(name: &str, work: impl Fn() -> T) {
    let batch = || {
        let began = Instant::now();
        for _ in 0..BATCH {
            black_box(work());
        }
        began.elapsed().as_nanos() as f64 / f64::from(BATCH)
    };
    let least = (0..BATCHES).map(|_| batch()).fold(f64::INFINITY, f64::min);
    println!("{name:50} {least:6.0} ns");
}

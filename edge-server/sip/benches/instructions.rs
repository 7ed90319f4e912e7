//! Instructions of the same work, counted by callgrind, so that a busy machine does not matter:
//! `cargo bench -p tributary-sip --bench instructions` (needs valgrind and gungraun-runner of the
//! same version as the crate).
#![allow(missing_docs, reason = "the library's macros write undocumented items")]

use std::hint::black_box;

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use tributary_sip::transaction::{FlowId, Hop, Transport, arrived};
use tributary_sip::{DigestServer, Ha1, Message};

mod work;

fn subscribe() -> Bytes {
    Bytes::from_static(work::SUBSCRIBE)
}

fn register() -> Bytes {
    Bytes::from_static(work::REGISTER)
}

fn digest(which: usize) -> (DigestServer, Ha1, String) {
    let server = work::server();
    let header = work::answer(&server, which);
    (server, Ha1::new("bob", "example.com", "secret"), header)
}

#[library_benchmark]
#[bench::subscribe(subscribe())]
#[bench::register(register())]
fn read(raw: Bytes) -> Message {
    work::read(black_box(&raw))
}

#[library_benchmark]
#[bench::subscribe(subscribe())]
fn read_with_typed_headers(raw: Bytes) -> usize {
    work::read_and_use(black_box(&raw))
}

#[library_benchmark]
#[bench::subscribe(subscribe())]
#[bench::register(register())]
fn read_rsip(raw: Bytes) -> rsip::SipMessage {
    work::read_rsip(black_box(&raw))
}

#[library_benchmark]
#[bench::body_1400([b'x'; 1400])]
fn write_notify(body: [u8; 1400]) -> Bytes {
    work::write_notify(black_box(&body), black_box(81))
}

#[library_benchmark]
#[bench::sha256(digest(0))]
#[bench::md5(digest(1))]
fn check_digest(given: (DigestServer, Ha1, String)) -> bool {
    work::check_digest(&given.0, &given.1, black_box(&given.2))
}

fn in_a_datagram() -> (Message, Hop) {
    let peer = "192.0.2.77:40000".parse().expect("an address");
    (work::read(&register()), Hop { flow: FlowId(1), transport: Transport::Udp, peer })
}

#[library_benchmark]
#[bench::register(in_a_datagram())]
fn arrive(given: (Message, Hop)) -> (Message, Hop) {
    arrived(black_box(given.0), &given.1)
}

library_benchmark_group!(
    name = messages;
    benchmarks = read, read_with_typed_headers, read_rsip, write_notify, check_digest, arrive
);
main!(library_benchmark_groups = messages);

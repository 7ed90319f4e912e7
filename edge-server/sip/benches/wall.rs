//! Wall time of the message layer; `cargo bench -p tributary-sip --bench wall`.
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};

mod work;

fn messages(c: &mut Criterion) {
    let subscribe = Bytes::from_static(work::SUBSCRIBE);
    let register = Bytes::from_static(work::REGISTER);
    assert!((850..950).contains(&subscribe.len()), "the target speaks of 900 bytes: {}", subscribe.len());
    let mut group = c.benchmark_group("subscribe_900");
    group.bench_function("ours", |b| b.iter(|| work::read(black_box(&subscribe))));
    group.bench_function("ours_with_typed_headers", |b| b.iter(|| work::read_and_use(black_box(&subscribe))));
    group.bench_function("rsip", |b| b.iter(|| work::read_rsip(black_box(&subscribe))));
    group.finish();
    let mut group = c.benchmark_group("register");
    group.bench_function("ours", |b| b.iter(|| work::read(black_box(&register))));
    group.bench_function("rsip", |b| b.iter(|| work::read_rsip(black_box(&register))));
    group.finish();
    let body = [b'x'; 1400];
    c.bench_function("notify_written", |b| b.iter(|| work::write_notify(black_box(&body), black_box(81))));
}

fn digest(c: &mut Criterion) {
    let server = work::server();
    let ha1 = tributary_sip::Ha1::new("bob", "example.com", "secret");
    let mut group = c.benchmark_group("digest_check");
    for (name, which) in [("sha256", 0), ("md5", 1)] {
        let header = work::answer(&server, which);
        assert!(work::check_digest(&server, &ha1, &header));
        group.bench_function(name, |b| b.iter(|| work::check_digest(&server, &ha1, black_box(&header))));
    }
    group.finish();
}

criterion_group!(benches, messages, digest);
criterion_main!(benches);

//! Wall time of reading, merging and writing. `cargo bench -p merge-core --bench merge`.
//!
//! Instruction counts, which noise does not touch, are in `instructions.rs`; libxml2 doing the same work, in
//! `libxml2/`; WebAssembly, in `wasm/`.

#![allow(missing_docs, reason = "the macros make undocumented items")]

#[path = "support/documents.rs"]
mod documents;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use merge_core::compose::{Composition, compose};
use merge_core::model::Document;

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    for (name, text) in documents::PHONES {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(*name, |b| b.iter(|| Document::read(black_box(text.as_bytes()))));
    }
    group.finish();
}

fn merging(c: &mut Criterion) {
    let mut group = c.benchmark_group("merge + write, documents already read");
    for count in [1, 2, 4, 8] {
        let set = documents::live_set(count);
        group.bench_function(format!("{count} documents"), |b| {
            b.iter(|| compose(black_box(&set), documents::NOW, Composition::Compose).write_pidf());
        });
    }
    group.finish();
    let mut group = c.benchmark_group("read + merge + write");
    for count in [2, 4, 8] {
        group.bench_function(format!("{count} documents"), |b| {
            b.iter(|| {
                let set = documents::live_set(black_box(count));
                compose(&set, documents::NOW, Composition::Compose).write_pidf()
            });
        });
    }
    group.finish();
    let set = documents::live_set(4);
    c.bench_function("merge alone, 4 documents", |b| {
        b.iter(|| compose(black_box(&set), documents::NOW, Composition::Compose).is_empty());
    });
    c.bench_function("merge + write as JSON, 4 documents", |b| {
        b.iter(|| compose(black_box(&set), documents::NOW, Composition::Compose).write_json());
    });
}

criterion_group!(benches, reading, merging);
criterion_main!(benches);

//! Instruction counts under valgrind's callgrind: the same on a quiet machine and on a busy one.
//! `cargo bench -p merge-core --bench instructions`, with valgrind and `gungraun-runner` (of the very version of
//! the `gungraun` crate) installed.

#![allow(missing_docs, reason = "the macros make undocumented items")]

#[path = "support/documents.rs"]
mod documents;

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use merge_core::compose::{Composition, compose};
use merge_core::live::LiveSet;
use merge_core::model::Document;

fn phone(number: usize) -> &'static [u8] {
    documents::PHONES[number].1.as_bytes()
}

#[library_benchmark]
#[bench::desk(phone(0))]
#[bench::mobile(phone(1))]
#[bench::laptop(phone(2))]
#[bench::web(phone(3))]
fn read(text: &[u8]) -> Document {
    black_box(Document::read(black_box(text)).expect("a fixture reads"))
}

#[library_benchmark]
#[bench::documents_2(documents::live_set(2))]
#[bench::documents_4(documents::live_set(4))]
#[bench::documents_8(documents::live_set(8))]
fn merge_and_write(set: LiveSet) -> (LiveSet, Vec<u8>) {
    let written = compose(black_box(&set), documents::NOW, Composition::Compose).write_pidf();
    (set, black_box(written))
}

#[library_benchmark]
#[bench::documents_4(4)]
fn read_merge_and_write(count: usize) -> Vec<u8> {
    let set = documents::live_set(black_box(count));
    black_box(compose(&set, documents::NOW, Composition::Compose).write_pidf())
}

library_benchmark_group!(name = merging; benchmarks = read, merge_and_write, read_merge_and_write);
main!(library_benchmark_groups = merging);

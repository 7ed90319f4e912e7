//! Three exported functions, each doing its work `calls` times; the host (Node, or `native.rs`) keeps the time.

#[path = "../../support/documents.rs"]
mod documents;

use std::cell::OnceCell;
use std::hint::black_box;

use merge_core::compose::{Composition, compose};
use merge_core::live::LiveSet;
use merge_core::model::Document;

thread_local! {
    static FOUR: OnceCell<LiveSet> = const { OnceCell::new() };
}

/// Reads the four documents.
// SAFETY: the names are ours; no other library is linked that could have them.
#[unsafe(no_mangle)]
pub extern "C" fn read(calls: u32) -> u32 {
    let mut bytes = 0;
    for _ in 0..calls {
        for (_, text) in documents::PHONES {
            bytes += Document::read(black_box(text.as_bytes())).map_or(0, |document| document.source().len() as u32);
        }
    }
    bytes
}

/// Merges and writes four documents that were read before.
// SAFETY: see `read`.
#[unsafe(no_mangle)]
pub extern "C" fn merge_write(calls: u32) -> u32 {
    FOUR.with(|four| {
        let set = four.get_or_init(|| documents::live_set(4));
        (0..calls).map(|_| written(black_box(set))).sum()
    })
}

/// Reads, merges and writes four documents.
// SAFETY: see `read`.
#[unsafe(no_mangle)]
pub extern "C" fn read_merge_write(calls: u32) -> u32 {
    (0..calls).map(|_| written(&documents::live_set(black_box(4)))).sum()
}

fn written(set: &LiveSet) -> u32 {
    black_box(compose(set, documents::NOW, Composition::Compose).write_pidf()).len() as u32
}

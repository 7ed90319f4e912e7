//! The same functions in native code.

use std::time::Instant;

use merge_core_wasm_bench::{merge_write, read, read_merge_write};

fn main() {
    for (name, what) in [
        ("read, 4 documents", read as extern "C" fn(u32) -> u32),
        ("merge + write, 4 documents", merge_write),
        ("read + merge + write, 4 documents", read_merge_write),
    ] {
        let mut least = f64::MAX;
        // Short rounds, many of them: the best is one that nothing interrupted.
        for _ in 0..3000 {
            let start = Instant::now();
            what(20);
            least = least.min(start.elapsed().as_secs_f64() * 1e6 / 20.0);
        }
        println!("native {name}: {least:.2} us");
    }
}

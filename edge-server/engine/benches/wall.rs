//! One PUBLISH, from its bytes to the bytes of its answer and of all NOTIFYs, in time:
//! `cargo bench -p tributary-engine --bench wall`.
#![allow(missing_docs, reason = "the library's macros write undocumented items")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use stage::Stage;
use std::cell::RefCell;
use std::hint::black_box;

mod stage;

fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    for watchers in [0, 10, 1_000, 10_000] {
        let stage = RefCell::new(Stage::new(watchers));
        group.throughput(Throughput::Elements(watchers.max(1)));
        group.sample_size(if watchers > 100 { 20 } else { 100 });
        group.bench_function(format!("{watchers} watchers"), |bencher| {
            bencher.iter_batched(
                || {
                    let mut stage = stage.borrow_mut();
                    stage.answer();
                    stage.next_publish(3)
                },
                |bytes| black_box(stage.borrow_mut().publish(bytes)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn answers(criterion: &mut Criterion) {
    let stage = RefCell::new(Stage::new(10));
    criterion.bench_function("answers of 10 watchers, read and handled", |bencher| {
        bencher.iter_batched(
            || {
                let mut stage = stage.borrow_mut();
                let bytes = stage.next_publish(3);
                stage.publish(bytes);
            },
            |()| stage.borrow_mut().answer(),
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, publish, answers);
criterion_main!(benches);

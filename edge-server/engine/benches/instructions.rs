//! Instructions of the same work, counted by callgrind, so that a busy machine does not matter:
//! `cargo bench -p tributary-engine --bench instructions` (needs valgrind and gungraun-runner of the
//! same version as the crate).
#![allow(missing_docs, reason = "the library's macros write undocumented items")]

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use stage::Stage;
use stage::calls::{Calls, invite};
use stage::logins::Logins;
use std::hint::black_box;

mod stage;

fn ready(watchers: u64) -> (Stage, Bytes) {
    let mut stage = Stage::new(watchers);
    stage.answer();
    let bytes = stage.next_publish(3);
    (stage, bytes)
}

#[library_benchmark]
#[bench::no_watchers(ready(0))]
#[bench::ten_watchers(ready(10))]
#[bench::a_hundred_watchers(ready(100))]
fn publish(given: (Stage, Bytes)) -> usize {
    let (mut stage, bytes) = given;
    black_box(stage.publish(black_box(bytes)))
}

#[library_benchmark]
#[bench::to_one(Calls::new(1), invite())]
#[bench::to_three(Calls::new(3), invite())]
fn fork(mut calls: Calls, invite: Bytes) -> (Calls, usize) {
    let sent = calls.fork(black_box(invite));
    (calls, sent)
}

fn ringing() -> Calls {
    let mut calls = Calls::new(3);
    assert_eq!(calls.fork(invite()), 3);
    calls
}

#[library_benchmark]
#[bench::by_one_of_three(ringing())]
fn answered(mut calls: Calls) -> (Calls, usize) {
    let sent = calls.answered();
    // Three INVITEs, two CANCELs, two ACKs.
    assert_eq!(sent, 7);
    (calls, sent)
}

fn without_password() -> (Logins, Bytes) {
    let mut logins = Logins::new();
    let bytes = logins.bare();
    (logins, bytes)
}

fn with_password() -> (Logins, Bytes) {
    let mut logins = Logins::new();
    let bytes = logins.proven();
    (logins, bytes)
}

#[library_benchmark]
#[bench::challenged(without_password())]
#[bench::refreshed(with_password())]
fn register(given: (Logins, Bytes)) -> Logins {
    let (mut logins, bytes) = given;
    logins.ask(black_box(bytes));
    logins
}

library_benchmark_group!(name = engine; benchmarks = publish, fork, answered, register);
main!(library_benchmark_groups = engine);

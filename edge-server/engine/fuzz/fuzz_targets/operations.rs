//! Any sequence of what can happen to a server's shards: nothing panics, what is sent can be read,
//! every table stays within its bound, and in the end every watcher with a connection is told of a
//! change, and of the state as it is.
#![no_main]

mod stage;

use libfuzzer_sys::fuzz_target;
use stage::{SLOTS, Stage, USERS};

fuzz_target!(|octets: &[u8]| {
    let mut stage = Stage::new();
    let mut octets = octets.iter().copied();
    while let Some(what) = octets.next() {
        let mut arg = || octets.next().unwrap_or_default();
        match what % 16 {
            0 => stage.pass(i64::from(arg()) * 40),
            1 => stage.pass(i64::from(arg()) * 20_000),
            2 => stage.connect(usize::from(arg()) % SLOTS),
            3 => stage.hang_up(usize::from(arg()) % SLOTS),
            4 => stage.hear(usize::from(arg())),
            5 | 6 => stage.register(usize::from(arg()) % SLOTS, arg()),
            7 | 8 => stage.publish(usize::from(arg()) % SLOTS, arg()),
            9 | 10 => {
                stage.subscribe(usize::from(arg()) % SLOTS, USERS[usize::from(arg()) % USERS.len()], arg())
            }
            11 => stage.resubscribe(usize::from(arg()), usize::from(arg()) % SLOTS, arg()),
            12 | 13 => stage.answer(usize::from(arg()), arg()),
            14 => {
                let text: Vec<u8> = (0..usize::from(arg()) * 4).map(|_| arg()).collect();
                stage.anything(usize::from(arg()) % SLOTS, text);
            }
            _ => stage.seldom(arg()),
        }
        stage.check_bounds();
    }
    stage.settle();
    for user in USERS {
        stage.judge(user);
    }
});

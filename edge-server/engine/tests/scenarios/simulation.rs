//! Many schedules that nobody would write down: clients that publish and watch over connections that
//! lose, repeat and reorder messages and die, or in datagrams of which every fifth is lost, and a
//! server that is killed at any moment. After the
//! storm comes a calm, and then every watcher must hold exactly the merge of what is live.
//!
//! A seed that fails is in the panic's text; `TRIBUTARY_SEED=n` plays that one alone.

mod client;
mod world;

pub(crate) use world::Dice;
use world::World;

/// Seeds of one test; there are several tests so that they run side by side.
const SEEDS: u64 = 500;

fn play(first: u64) {
    let one = std::env::var("TRIBUTARY_SEED").ok().map(|seed| seed.parse::<u64>().expect("a number"));
    let seeds = one.map_or(first..first + SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        let mut world = World::new(seed);
        world.storm(300_000);
        world.calm(420_000);
        world.judge();
    }
}

#[test]
fn every_watcher_ends_with_the_merge_of_what_is_live_first_part() {
    play(0);
}

#[test]
fn every_watcher_ends_with_the_merge_of_what_is_live_second_part() {
    play(SEEDS);
}

#[test]
fn every_watcher_ends_with_the_merge_of_what_is_live_third_part() {
    play(2 * SEEDS);
}

#[test]
fn every_watcher_ends_with_the_merge_of_what_is_live_fourth_part() {
    play(3 * SEEDS);
}

#[test]
fn one_seed_is_one_story() {
    let play = || {
        let mut world = World::new(42);
        world.storm(120_000);
        world.log
    };
    let (first, second) = (play(), play());
    assert!(first.len() > 100);
    assert_eq!(first, second);
}

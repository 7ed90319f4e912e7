//! Every limit of a call in the limits table: the largest that is allowed passes, one more fails with its code.
//!
//! Those of a file are met in `policy-check`, those of what an output says in `merge-core`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use merge_core::policy::limits::{self, Limit};
use policy_check::{Phase, find_code};
use policy_sandbox::{CallFailure, Outcome, Policy, Sandbox, Settings};

/// A policy whose `pp_merge` does this, with these parts besides.
fn policy(parts: &str, merge: &str) -> Policy {
    let text = format!(
        r#"(module
          (import "presence" "log" (func $log (param i32 i32)))
          (memory (export "memory") 4 4) {parts}
          (func (export "presence_policy_abi_1"))
          (func (export "pp_alloc") (param i32) (result i32) (i32.const 65536))
          (func (export "pp_merge") (param $at i32) (param $length i32) (result i64)
            (local $n i32) {merge}))"#
    );
    let sandbox = Sandbox::new(Settings { instances: 1, ..Settings::default() }).unwrap();
    sandbox.compile(&wat::parse_str(&text).unwrap()).unwrap_or_else(|found| panic!("{text}: {found:#?}"))
}

fn merged(policy: &Policy, input_bytes: usize) -> Outcome {
    policy.merge(&vec![b' '; input_bytes])
}

/// `so many` turns of a loop that does nothing.
fn turns(turns: u64) -> String {
    format!(
        "(local.set $n (i32.const {turns}))
         (loop $next (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
    )
}

/// The fuel that a start function of so many turns takes: what a hook with them takes, without what the hook takes
/// besides.
fn fuel_of_turns(many: u64) -> u64 {
    let of = |body: &str| merged(&policy("", &format!("{body} (i64.const 0)")), 0).fuel_used;
    of(&turns(many)) - of(&turns(1)) + 8
}

/// What becomes of a call that has so much of what this limit bounds: its code, or nothing.
fn call(limit: &str, much: u64) -> Option<&'static str> {
    let code = |result: Result<(), CallFailure>| result.err().map(|failure| failure.code);
    let run = |policy: &Policy, input_bytes: usize| code(merged(policy, input_bytes).result.map(drop));
    match limit {
        "input" => run(&policy("", "(i64.const 0)"), much as usize),
        "output" => run(&policy("", &format!("(i64.const {})", (1024_u64 << 32) | much)), 2),
        "params" => {
            let params = format!(r#"{{"a":"{}"}}"#, "x".repeat(much as usize - r#"{"a":""}"#.len()));
            code(policy("", "(i64.const 0)").check_params(&params))
        }
        other => panic!("{other} bounds a call, and none here meets it"),
    }
}

#[test]
fn each_limit_of_a_call_may_be_met_and_not_passed() {
    // Each has a test of its own: what it takes to meet them is measured, or takes seconds.
    let apart = ["fuel", "fuel-per-input-byte", "fuel-start", "fuel-script", "stack"];
    let of_calls = |limit: &&Limit| {
        let run = find_code(limit.code).is_some_and(|code| code.phase == Phase::Run);
        run && limit.code != "E207" && !apart.contains(&limit.name)
    };
    for limit in limits::TABLE.iter().filter(of_calls) {
        assert_eq!(call(limit.name, limit.value), None, "{} at its limit", limit.name);
        assert_eq!(call(limit.name, limit.value + 1), Some(limit.code), "{} one beyond", limit.name);
    }
}

#[test]
fn a_call_has_two_million_units_of_fuel_and_128_more_for_each_byte_of_its_input() {
    // Two turns are compared, so that what one takes is known; then as many as there is fuel for, and one more.
    let used = |many: u64| merged(&policy("", &format!("{} (i64.const 0)", turns(many))), 0).fuel_used;
    let (one, two) = (used(1), used(2));
    let each = two - one;
    for input_bytes in [0, 1, 64 * 1024] {
        let allowed = limits::FUEL_BASE + limits::FUEL_PER_INPUT_BYTE * input_bytes as u64;
        assert_eq!(allowed, limits::fuel(input_bytes));
        let most = (allowed - one) / each + 1;
        let ran = |many: u64| merged(&policy("", &format!("{} (i64.const 0)", turns(many))), input_bytes);
        let full = ran(most);
        assert_eq!(full.result, Ok(None), "{input_bytes} bytes");
        assert!(full.fuel_used <= allowed && full.fuel_used + each > allowed, "{}", full.fuel_used);
        // The tank is looked at where a turn begins: the one that empties it is run to its end.
        let empty = ran(most + 2);
        assert_eq!(empty.result.unwrap_err().code, "E204", "{input_bytes} bytes");
        assert_eq!(empty.fuel_used, allowed, "an empty tank was all used");
    }
}

#[test]
fn starting_has_fuel_of_its_own_which_the_hook_neither_gets_nor_pays() {
    let started = |many: u64| {
        let start = format!("(func $start (local $n i32) {}) (start $start)", turns(many));
        merged(&policy(&start, "(i64.const 0)"), 0)
    };
    let each = (fuel_of_turns(1_001) - fuel_of_turns(1)) / 1_000;
    let most = limits::FUEL_START / each;
    let (short, long) = (started(1), started(most - 10));
    assert_eq!((&short.result, &long.result), (&Ok(None), &Ok(None)));
    assert_eq!(short.fuel_used, long.fuel_used, "the hook pays for itself alone");
    let failure = started(most + 10).result.unwrap_err();
    assert_eq!(failure.code, "E204");
    assert!(failure.message.contains(&limits::FUEL_START.to_string()), "{failure}");
}

#[test]
fn a_stack_that_is_used_up_is_a_failure_that_names_its_size() {
    // So deep, with locals that need room; a few hundred calls have enough.
    let deep = |calls: u32| {
        let parts = "(func $down (param $n i32) (result i32)
            (if (result i32) (local.get $n)
                (then (i32.add (i32.const 1) (call $down (i32.sub (local.get $n) (i32.const 1)))))
                (else (i32.const 0))))";
        merged(&policy(parts, &format!("(drop (call $down (i32.const {calls}))) (i64.const 0)")), 0).result
    };
    assert_eq!(deep(500), Ok(None));
    let failure = deep(100_000).unwrap_err();
    assert_eq!(failure.code, "E201");
    assert!(failure.message.contains(&limits::STACK_BYTES.to_string()), "{failure}");
}

#[test]
fn a_log_is_cut_where_its_limits_are_reached_and_what_is_dropped_costs_fuel_like_the_rest() {
    let logged = |calls: &str| merged(&policy("", &format!("{calls} (i64.const 0)")), 0);
    let line = |bytes: usize| format!("(call $log (i32.const 0) (i32.const {bytes}))");
    let check = |calls: String, expect: &[usize]| {
        // The memory holds zeros, which are taken out of a line of text: letters are laid there first.
        let fill =
            format!("(memory.fill (i32.const 0) (i32.const 120) (i32.const {}))", 3 * limits::LOG_BYTES);
        let log = logged(&(fill + &calls)).log;
        assert_eq!(log.iter().map(String::len).collect::<Vec<_>>(), expect, "{calls}");
    };
    check(line(limits::LOG_BYTES), &[2048]);
    check(line(limits::LOG_BYTES + 1), &[2048]);
    check(line(2000) + &line(48) + &line(1), &[2000, 48]);
    check(line(2000) + &line(100) + &line(1), &[2000, 48]);
    check(line(1).repeat(limits::LOG_LINES), &[1; 32]);
    check(line(1).repeat(limits::LOG_LINES + 1), &[1; 32]);
    check("(call $log (i32.const 262144) (i32.const 1))".to_owned() + &line(3), &[3]);
    check("(call $log (i32.const -1) (i32.const -1))".to_owned(), &[]);
    let fuel = |calls: usize| logged(&line(100).repeat(calls)).fuel_used;
    assert_eq!(fuel(40) - fuel(39), fuel(2) - fuel(1), "a line that is dropped costs what another does");
    assert!(fuel(2) - fuel(1) > 100);
}

//! Section 2 of the contract, step by step, and what of section 9 one engine can show.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use policy_sandbox::{Outcome, Policy, Sandbox, Settings};

fn compiled(text: &str) -> Policy {
    let sandbox = Sandbox::new(Settings { instances: 2, ..Settings::default() }).unwrap();
    sandbox.compile(&wat::parse_str(text).unwrap()).unwrap_or_else(|found| panic!("{text}: {found:#?}"))
}

fn text(outcome: Outcome) -> String {
    String::from_utf8(outcome.result.unwrap().unwrap()).unwrap()
}

#[test]
fn a_call_is_these_steps_in_this_order_each_once_in_an_instance_of_its_own() {
    // Each step writes its letter; the hook answers with the letters and the input behind them.
    let policy = compiled(
        r#"(module
          (memory (export "memory") 1 4)
          (global $end (mut i32) (i32.const 1024))
          (func $step (param $letter i32)
            (i32.store8 (global.get $end) (local.get $letter))
            (global.set $end (i32.add (global.get $end) (i32.const 1))))
          (func $start (call $step (i32.const 115)))
          (start $start)
          (func (export "presence_policy_abi_1") (call $step (i32.const 33)))
          (func (export "_initialize") (call $step (i32.const 105)))
          (func (export "pp_alloc") (param $length i32) (result i32)
            (call $step (i32.add (i32.const 96) (local.get $length))) (i32.const 2048))
          (func (export "pp_params") (param i32 i32) (result i64) (call $step (i32.const 112)) (i64.const 0))
          (func (export "pp_view") (param i32 i32) (result i64) (call $step (i32.const 118)) (i64.const 0))
          (func (export "pp_merge") (param $at i32) (param $length i32) (result i64)
            (call $step (i32.const 109))
            (memory.copy (global.get $end) (local.get $at) (local.get $length))
            (i64.or (i64.shl (i64.const 1024) (i64.const 32))
              (i64.extend_i32_u
                (i32.add (i32.sub (global.get $end) (i32.const 1024)) (local.get $length))))))"#,
    );
    // The length of the input is the letter of pp_alloc: 3 is `c`.
    for _ in 0..3 {
        assert_eq!(text(policy.merge(b"xyz")), "sicmxyz");
    }
    assert_eq!(policy.view(b"{}").result, Ok(None));
    assert_eq!(policy.check_params("{}"), Ok(()));
    assert_eq!(text(policy.merge(b"xyz")), "sicmxyz", "what other hooks did is gone");
}

#[test]
fn the_bits_of_a_nan_are_the_same_whatever_made_it() {
    // Each way to a NaN with its own bits, as a machine might leave them; all answer with the same eight digits.
    let bits = |expression: &str| {
        let policy = compiled(&format!(
            r#"(module
              (memory (export "memory") 1 4)
              (func (export "presence_policy_abi_1"))
              (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024))
              (func $zero (result f64) (f64.convert_i32_u (i32.load (i32.const 0))))
              (func (export "pp_merge") (param i32 i32) (result i64)
                (i64.store (i32.const 64) (i64.reinterpret_f64 {expression}))
                (i64.or (i64.shl (i64.const 64) (i64.const 32)) (i64.const 8))))"#
        ));
        policy.merge(b"{}").result.unwrap().unwrap()
    };
    let canonical = f64::from_bits(0x7ff8_0000_0000_0000).to_bits().to_le_bytes();
    for expression in [
        "(f64.div (call $zero) (call $zero))",
        "(f64.sqrt (f64.const -1))",
        "(f64.add (f64.const nan:0x4000000000001) (call $zero))",
        "(f64.mul (f64.const -nan:0xfffffffffffff) (call $zero))",
        "(f64.promote_f32 (f32.div (f32.demote_f64 (call $zero)) (f32.demote_f64 (call $zero))))",
    ] {
        assert_eq!(bits(expression), canonical, "{expression}");
    }
}

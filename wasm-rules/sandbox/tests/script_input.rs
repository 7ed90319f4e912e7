//! What a script is given: the engine's own reader of JSON (`javascript/input.c`) beside merge-core's grammar and the
//! language's own `JSON.parse`, on generated values, and on bytes that are no JSON at all.
//!
//! A fuzzer cannot look into the engine, which exists as WebAssembly alone: these are generated from a fixed seed, on
//! top of what stands in `script-inputs/`, where a finding goes too.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::path::Path;

use merge_core::json::{self, Value, Writer};
use policy_sandbox::{Policy, Sandbox, ScriptEngine, Settings, builtin_samples};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Values that are read by the engine's reader and by `JSON.parse`.
const VALUES: u32 = 10_000;
/// How many of them go into one call.
const AT_ONCE: usize = 4;
/// Inputs of any bytes.
const BYTES: u32 = 10_000;

fn compiled(script: &str) -> Policy {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/policies");
    let folder = std::env::var_os("TEST_POLICIES").map_or(target, Into::into);
    let engine = std::fs::read(folder.join("javascript.engine"))
        .unwrap_or_else(|error| panic!("{error}: build the engine for scripts first: cargo xtask policies"));
    let scripts = Some(ScriptEngine::new(&engine));
    let sandbox = Sandbox::new(Settings { instances: 1, scripts, ..Settings::default() }).unwrap();
    sandbox.compile(script.as_bytes()).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// The same cases in each run.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// A string as JSON writes it, with all that may stand in one.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -!#-\\[\\]-~]{0,8}",
        2 => any::<char>().prop_filter("JSON escapes these", |c| !c.is_control() && !['"', '\\'].contains(c)).prop_map(String::from),
        2 => "\\\\[\"\\\\/bfnrt]",
        1 => "\\\\u[0-9a-fA-F]{4}",
        1 => Just(r"\ud83d\ude00".to_owned()),
        1 => Just("\u{2028}\u{1f600}".to_owned()),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A member's name: of those that mean something to JavaScript too.
fn name() -> impl Strategy<Value = String> {
    let known: &'static [&str] = &[
        "__proto__",
        "constructor",
        "toString",
        "toJSON",
        "length",
        "0",
        "10",
        "-1",
        "a",
        "b",
        r"\u0061",
        "",
    ];
    prop_oneof![string(), prop::sample::select(known).prop_map(|name| format!("\"{name}\""))]
}

/// A value as JSON writes it, without spaces.
fn value() -> impl Strategy<Value = String> {
    let numbers: &'static [&str] = &[
        "-0",
        "9007199254740993",
        "99999999999999999",
        "-12345678901234567",
        "123456789012345678901",
        "1.5",
        "-2e3",
        "1E-7",
    ];
    let leaf = prop_oneof![
        prop::sample::select(&["null", "true", "false", "[]", "{}"][..]).prop_map(str::to_owned),
        any::<i32>().prop_map(|number| number.to_string()),
        (-json::MAX_INTEGER..=json::MAX_INTEGER).prop_map(|number| number.to_string()),
        prop::sample::select(numbers).prop_map(str::to_owned),
        string(),
    ];
    leaf.prop_recursive(8, 40, 6, |inner| {
        let member = (name(), inner.clone()).prop_map(|(name, value)| format!("{name}:{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

#[test]
fn what_a_script_is_given_is_what_json_parse_makes_of_it() {
    // Members in their order, and each value with the kind that it has: -0 too, which JSON.stringify writes as 0.
    let policy = compiled(
        "const seen = (value) => JSON.stringify(value, (key, value) => (Object.is(value, -0) ? 'minus nothing' : value));
        export const merge = ({ texts, values }) => ({
            read: values.length,
            differ: texts.filter((text, at) => seen(JSON.parse(text)) !== seen(values[at])),
        });",
    );
    let read = format!(r#"{{"abi":1,"read":{AT_ONCE},"differ":[]}}"#);
    let values = prop::collection::vec(value(), AT_ONCE);
    let check = |values: Vec<String>| {
        let mut texts = Writer::new();
        texts.begin_array();
        values.iter().for_each(|value| texts.string(value));
        texts.end_array();
        let input = format!(r#"{{"abi":1,"texts":{},"values":[{}]}}"#, texts.into_string(), values.join(","));
        let answer = policy.merge(input.as_bytes()).result.map(Option::unwrap_or_default);
        prop_assert_eq!(answer.map(|answer| String::from_utf8(answer).unwrap()), Ok(read.clone()));
        Ok(())
    };
    runner(VALUES / AT_ONCE as u32).run(&values, check).unwrap_or_else(|error| panic!("{error}"));
}

/// What is changed in bytes that are JSON.
#[derive(Clone, Debug)]
enum Change {
    Put(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    End(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    let token = prop::sample::select(&b"\"\\{}[],:-0123456789tfnu e.\0\n\xff\xc3\xed"[..]);
    let tokens = || prop::collection::vec(token.clone(), 1..4);
    prop_oneof![
        (at(), token.clone()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (at(), tokens()).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), 1..20_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        at().prop_map(Change::End),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for change in changes {
        let place = |at: prop::sample::Index| at.index(bytes.len() + 1);
        match change {
            Change::Put(at, byte) => {
                let at = place(at);
                bytes.splice(at..(at + 1).min(bytes.len()), [byte]);
            }
            Change::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new);
            }
            Change::Remove(at, count) => {
                let at = place(at);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Change::End(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

/// The files of `script-inputs/`.
fn committed() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script-inputs");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// The value with its members in the order of their names: an object of JavaScript has numbers first.
fn sorted(mut value: Value<'_>) -> Value<'_> {
    match &mut value {
        Value::Array(items) => {
            *items = std::mem::take(items).into_iter().map(sorted).collect();
        }
        Value::Object(members) => {
            for member in members.iter_mut() {
                member.value = sorted(std::mem::replace(&mut member.value, Value::Null));
                member.offset = 0;
            }
            members.sort_by(|a, b| a.name.cmp(&b.name));
        }
        _ => {}
    }
    value
}

/// What the contract calls JSON comes back as it was; of anything else there is an answer or a reason, and no trap.
fn judge(policy: &Policy, input: &[u8]) -> Result<(), String> {
    let said = match policy.merge(input).result {
        Ok(said) => String::from_utf8(said.unwrap_or_default()).map_err(|error| error.to_string())?,
        // The limits of a call hold here as everywhere: nested too deeply, or too long once it is written out.
        Err(failure) if failure.message.contains("the stack of") || failure.code == "E208" => return Ok(()),
        Err(failure) => return Err(failure.to_string()),
    };
    if let Ok(given) = json::read(input) {
        let back = said.strip_prefix(r#"{"abi":1,"given":"#).and_then(|rest| rest.strip_suffix('}'));
        let back = back.ok_or_else(|| format!("not given: {said}"))?;
        let back = json::read(back.as_bytes()).map_err(|error| format!("{error}: {back}"))?;
        return if sorted(back) == sorted(given) { Ok(()) } else { Err(format!("given as {said}")) };
    }
    let good = said.starts_with(r#"{"abi":1,"given":"#)
        || said.starts_with(r#"{"abi":1,"error":{"code":"input","message":"#);
    if good { Ok(()) } else { Err(format!("answered {said}")) }
}

#[test]
fn whatever_bytes_come_a_script_is_given_them_as_json_or_they_are_refused() {
    let policy = compiled("export const merge = (given) => ({ given });");
    let mut seeds = committed();
    seeds.extend(
        builtin_samples().into_iter().filter(|sample| sample.input.len() < 4096).map(|sample| sample.input),
    );
    for seed in &seeds {
        judge(&policy, seed).unwrap_or_else(|wrong| panic!("{}: {wrong}", String::from_utf8_lossy(seed)));
    }
    let seed = prop_oneof![prop::sample::select(seeds), value().prop_map(String::into_bytes)];
    let input =
        (seed, prop::collection::vec(change(), 0..4)).prop_map(|(seed, changes)| changed(seed, changes));
    let check = |input: Vec<u8>| {
        judge(&policy, &input)
            .map_err(|wrong| TestCaseError::fail(format!("{}: {wrong}", String::from_utf8_lossy(&input))))
    };
    runner(BYTES).run(&input, check).unwrap_or_else(|error| panic!("{error}"));
}

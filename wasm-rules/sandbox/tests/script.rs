//! Policies that are scripts: what they may do, how they fail, and what is told of it.
//!
//! `cargo xtask policies` builds the engine that they run in.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::path::Path;
use std::sync::LazyLock;

use merge_core::policy::limits;
use policy_sandbox::{
    CacheSettings, Finding, Generator, Hook, Made, Owner, Policy, Sandbox, ScriptEngine, Settings,
    builtin_samples, dry_run,
};

fn engine() -> Vec<u8> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/policies");
    let folder = std::env::var_os("TEST_POLICIES").map_or(target, Into::into);
    std::fs::read(folder.join("javascript.engine"))
        .unwrap_or_else(|error| panic!("{error}: build the engine for scripts first: cargo xtask policies"))
}

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    let scripts = Some(ScriptEngine::new(&engine()));
    Sandbox::new(Settings { instances: 4, scripts, ..Settings::default() }).unwrap()
});

fn compiled(script: &str) -> Policy {
    SANDBOX.compile(script.as_bytes()).unwrap_or_else(|findings| panic!("{script}: {findings:#?}"))
}

fn refused(script: &str) -> Finding {
    SANDBOX.compile(script.as_bytes()).map(|_| panic!("{script}: accepted")).unwrap_err().remove(0)
}

/// What bodies of `merge` answer: the answer, `none`, or the failure. They share one script, which chooses by the
/// moment.
fn check(rows: &[(&str, &str)]) {
    let mut script = "export function merge(input) { switch (input.now_ms) {".to_owned();
    for (at, (body, _)) in rows.iter().enumerate() {
        script.push_str(&format!("\ncase {at}: {{ {body} }}"));
    }
    let policy = compiled(&(script + "\n} }"));
    for (at, (body, expect)) in rows.iter().enumerate() {
        let input =
            format!(r#"{{"abi":1,"minor":0,"now_ms":{at},"publications":[{{"etag":"e\u0022 \u00e9"}}]}}"#);
        let said = match policy.merge(input.as_bytes()).result {
            Ok(None) => "none".to_owned(),
            Ok(Some(answer)) => String::from_utf8(answer).unwrap(),
            Err(failure) => failure.to_string(),
        };
        let error = said.strip_prefix(r#"{"abi":1,"error":{"code":"exception","message":""#);
        let said = error.and_then(|error| error.split('"').next()).unwrap_or(&said);
        assert_eq!(said, *expect, "{body}");
    }
}

#[test]
fn the_javascript_of_today_is_understood() {
    check(&[
        ("return { set: { basic: 'open' } };", r#"{"abi":1,"set":{"basic":"open"}}"#),
        ("return { abi: 1 };", r#"{"abi":1}"#),
        ("return {};", r#"{"abi":1}"#),
        ("return null;", "none"),
        ("return;", "none"),
        (
            "const [{ etag, ...rest }] = input.publications; return { x: `${etag}|${Object.keys(rest).length}` };",
            r#"{"abi":1,"x":"e\" é|0"}"#,
        ),
        (
            "return { x: [...new Set([3, 1, 3])].map((n) => n ** 2), y: input.none?.at(0) ?? 'no' };",
            r#"{"abi":1,"x":[9,1],"y":"no"}"#,
        ),
        (
            "return { x: /b(?<n>\\d+)/u.exec('ab12').groups.n, y: 'é'.toUpperCase() };",
            r#"{"abi":1,"x":"12","y":"É"}"#,
        ),
        ("class A { #n = 2; get n() { return this.#n; } } return { x: new A().n };", r#"{"abi":1,"x":2}"#),
        (
            "return { x: new Date(1795225680000).toISOString(), y: new Date(0).getHours() };",
            r#"{"abi":1,"x":"2026-11-21T01:48:00.000Z","y":0}"#,
        ),
        // What is not there is not there at all.
        (
            "return { x: ['Uint8Array', 'DataView', 'SharedArrayBuffer', 'WebAssembly', 'setTimeout', 'fetch', 'performance'].filter((name) => name in globalThis) };",
            r#"{"abi":1,"x":[]}"#,
        ),
        (
            "return { x: JSON.parse('{\"a\":[1.5e3]}').a[0], y: Number('12.5') };",
            r#"{"abi":1,"x":1500,"y":12.5}"#,
        ),
    ]);
}

#[test]
fn what_a_script_throws_is_told_with_line_and_column() {
    // The bodies stand in lines 2, 3 and so on.
    check(&[
        (
            "return input.none.etag;",
            "TypeError: cannot read property 'etag' of undefined (line 2, column 18)",
        ),
        ("throw new Error('no device is left');", "Error: no device is left (line 3, column 21)"),
        ("throw 'a text';", "a text"),
        ("return nothing;", "ReferenceError: nothing is not defined (line 5, column 18)"),
        (
            "return Math.random();",
            "Error: policies have no randomness: the same input gives the same answer (line 6, column 23)",
        ),
        (
            "return new Date();",
            "Error: policies have no clock: use input.now_ms, and input.local_time for the time of day (line 7, column 22)",
        ),
        (
            "return Date.now();",
            "Error: policies have no clock: use input.now_ms, and input.local_time for the time of day (line 8, column 23)",
        ),
        (
            "const f = (n) => f(n + 1); return f(0);",
            "RangeError: Maximum call stack size exceeded (line 9, column 34)",
        ),
        ("return { x: 'a'.padEnd(5e6) };", "InternalError: out of memory (line 10, column 27)"),
        ("return (async () => ({}))();", "an async function answers too late: return the answer itself"),
        ("return [1];", "the answer is no object: return { set: ... }, or null for the built-in merge"),
        ("return 'busy';", "the answer is no object: return { set: ... }, or null for the built-in merge"),
        ("const x = {}; x.x = x; return x;", "TypeError: circular reference"),
    ]);
}

#[test]
fn what_is_thrown_is_the_failure_that_the_contract_shows() {
    let contract = include_str!("../../CONTRACT.md");
    let (_, shown) = contract.split_once("with the place in the script: `").unwrap();
    let shown = shown.split('`').next().unwrap().replace('\n', "");
    let policy = compiled("export function merge(input) {\n  const f = 5;\n  return input.f();\n}");
    let answer = String::from_utf8(policy.merge(br#"{"abi":1}"#).result.unwrap().unwrap()).unwrap();
    assert_eq!(answer, shown);
}

#[test]
fn an_author_is_told_of_what_was_not_sent_and_nothing_of_the_engines_own_functions() {
    let found = |script: &str| dry_run(&compiled(script), &builtin_samples());
    let fails = "export function merge({ registrations }) { return registrations.length ? {} : null; }";
    let said = found(&format!(
        "export const manifest = {{ name: 'p', summary: 's', needs: ['now_ms', 'params'] }}; {fails}"
    ));
    assert_eq!(said.len(), 1, "each sample fails alike: {said:#?}");
    assert!(said[0].place.starts_with("sample nothing-published and 5 more"), "{}", said[0]);
    assert!(said[0].fix.contains("`needs`") && said[0].fix.contains("registrations, dialogs"), "{}", said[0]);
    // Who is sent everything has nothing to add.
    let said = found("export function merge({ registrations }) { return registrations.none.length; }");
    assert!(said.len() == 1 && !said[0].fix.contains("needs"), "{said:#?}");

    let said = found("export function merge() { for (;;); }");
    assert_eq!((said.len(), said[0].code), (1, "E204"), "{said:#?}");
    assert_eq!(said[0].place, "sample nothing-published and 5 more, pp_merge, at or after line 1");
}

#[test]
fn the_line_where_fuel_is_used_up_is_found_by_calling_again() {
    let input = br#"{"abi":1,"now_ms":7}"#;
    let check = |script: &str, hook: Hook, line: i64| {
        let policy = compiled(script);
        let before = policy.call_whole(hook, input);
        assert_eq!(before.result.as_ref().err().map(|failure| failure.code), Some("E204"), "{script}");
        assert_eq!(policy.spent_at(hook, input), Some(format!("at or after line {line}")), "{script}");
        assert_eq!(policy.call_whole(hook, input), before, "calls are as they were");
    };
    let merge = |body: &str, line: i64| {
        check(&format!("export function merge(input) {{\n{body}\n}}"), Hook::Merge, line);
    };
    merge("const f = (n) => n < 2 ? n : f(n - 1) + f(n - 2);\nreturn f(40);", 2);
    merge(
        "let n = [];\nfor (const a of [1, 2]) n.push(a);\ndo {\n  n.push(1); n.pop();\n} while (n.length);",
        5,
    );
    // What it catches is not what stops it.
    merge("for (;;) {\n  try { input.none.x; } catch {}\n}", 3);
    merge("let n = 0;\nreturn Array(9e5).fill(1).map((x) =>\n x + 1);", 3);
    merge("return null ??\n  /(a+)+$/.exec('a'.repeat(40) + 'b');", 3);
    // Where nothing in the loop has a place, the one before it.
    merge("let n = input.now_ms;\n\nwhile (true) n += 1;", 2);
    check("export function merge() {}\nexport function view() { for (;;); }", Hook::View, 2);
}

#[test]
fn what_a_script_logs_is_kept_for_whoever_traces_it() {
    let policy = compiled(
        "console.log('as it is read'); export function merge(input) { console.log('now', input.now_ms, { a: [1] }, null); }",
    );
    let outcome = policy.merge(br#"{"abi":1,"now_ms":7}"#);
    assert_eq!((outcome.result, outcome.log), (Ok(None), vec![r#"now 7 {"a":[1]} null"#.to_owned()]));
}

#[test]
fn nothing_survives_a_call_and_each_takes_the_same_fuel() {
    let policy = compiled(
        "let calls = 0; export function merge() { calls += 1; globalThis.x ??= 0; x += 1; return { explain: [`${calls} ${x}`] }; }",
    );
    let calls: Vec<_> = (0..3).map(|_| policy.merge(br#"{"abi":1}"#)).collect();
    assert_eq!(calls[0].result, Ok(Some(br#"{"abi":1,"explain":["1 1"]}"#.to_vec())));
    assert!(calls.iter().all(|call| *call == calls[0]), "{calls:?}");
}

#[test]
fn parameters_are_judged_by_the_schema_and_by_the_script() {
    let policy = compiled(
        "export const manifest = { name: 'p', summary: 's', params_schema: { type: 'object', properties: { a: { type: 'integer' } } } };
        export function merge() {}
        export function params({ a }) { if (a > 5) return 'a is too much'; if (a < 0) throw new RangeError('a is too little'); }",
    );
    let check = |params: &str, expect: &str| {
        let findings = policy.judge_params(params);
        let told = findings.first().map(|finding| format!("{} {}", finding.code, finding.message));
        assert_eq!(told.unwrap_or_default(), expect, "{params}");
    };
    check(r#"{"a":5}"#, "");
    check(r#"{"a":6}"#, "E209 a is too much");
    check(r#"{"a":-1}"#, "E209 RangeError: a is too little (line 3, column 97)");
    assert!(policy.judge_params(r#"{"a":"x"}"#)[0].code == "E207");
    assert_eq!(policy.name(), Some("p"));
    assert_eq!(dry_run(&policy, &builtin_samples()), []);
}

#[test]
fn a_script_that_exports_view_is_asked_what_a_class_of_watchers_sees() {
    let policy = compiled(
        "export function merge() {}
        export const view = ({ watcher, merged }) => watcher.class === 'family' ? null : { level: 'basic', explain: [merged.entity] };",
    );
    assert!(policy.view_key().is_some());
    let seen = |class: &str| {
        let input = format!(
            r#"{{"abi":1,"now_ms":1,"watcher":{{"class":"{class}","groups":[]}},"merged":{{"entity":"sip:alice@example.com","tuples":[]}},"params":{{}}}}"#
        );
        policy
            .view(input.as_bytes())
            .result
            .map(|output| String::from_utf8(output.unwrap_or_default()).unwrap())
    };
    assert_eq!(seen("family"), Ok(String::new()));
    let basic = r#"{"abi":1,"level":"basic","explain":["sip:alice@example.com"]}"#;
    assert_eq!(seen("stranger"), Ok(basic.to_owned()));
    assert_eq!(dry_run(&policy, &builtin_samples()), []);
    assert!(compiled("export function merge() {}").view_key().is_none());
}

#[test]
fn scripts_share_the_code_of_their_engine_which_a_start_takes_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let cache = Some(CacheSettings { folder: folder.path().to_owned(), secret: [7; 32] });
        let scripts = Some(ScriptEngine::new(&engine()));
        Sandbox::new(Settings { instances: 1, cache, scripts, ..Settings::default() }).unwrap()
    };
    let kept = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        files.map(|file| file.unwrap().path()).collect::<Vec<_>>()
    };
    let check = |sandbox: &Sandbox, answer: u8, made: Made| {
        let script = format!("export function merge() {{ return {{ x: {answer} }}; }}");
        let policy = sandbox.compile(script.as_bytes()).unwrap();
        let said = policy.merge(br#"{"abi":1}"#).result.unwrap().unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), format!(r#"{{"abi":1,"x":{answer}}}"#));
        assert_eq!((policy.made(), kept().len()), (&made, 1), "all that is kept is the engine's code");
    };
    let first = start();
    check(&first, 1, Made::Compiled);
    check(&first, 2, Made::Compiled);
    check(&start(), 2, Made::FromCache);

    let file = kept().remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    check(&start(), 1, Made::Compiled);
    check(&start(), 1, Made::FromCache);
}

#[test]
fn without_the_engine_a_script_is_refused_and_no_other_text_is_taken_for_one() {
    let sandbox = Sandbox::new(Settings { instances: 1, ..Settings::default() }).unwrap();
    let check = |file: &[u8], code: &str, message: &str| {
        let finding = &sandbox.report(file, Owner::Tenant).errors[0];
        assert_eq!((finding.code, finding.message.contains(message)), (code, true), "{finding}");
    };
    check(b"export function merge() {}", "E180", "no engine for scripts");
    check(b"# A policy", "E101", "it is text");
}

#[test]
fn a_script_that_cannot_be_used_is_refused_with_the_place_and_what_to_do() {
    let check = |script: &str, code: &str, place: &str, message: &str| {
        let finding = refused(script);
        assert_eq!((finding.code, finding.place.as_str()), (code, place), "{finding}");
        assert!(finding.message.contains(message), "{finding}");
    };
    check(
        "export function merge(input) {\n  return {;\n}",
        "E180",
        "script, line 2, column 11",
        "SyntaxError",
    );
    check("export const merge = 5;", "E180", "script", "functions");
    check("export const other = 5;", "E180", "script", "`merge`");
    check("import fs from 'fs'; export function merge() {}", "E180", "script", "'fs' cannot be imported");
    check("null.x; export function merge() {}", "E180", "script, line 1, column 1", "TypeError");
    check(
        "export const a = Math.random(); export function merge() {}",
        "E180",
        "script, line 1, column 22",
        "no randomness",
    );
    check("await new Promise(() => {}); export function merge() {}", "E180", "script", "await");
    check("for (;;) {} export function merge() {}", "E204", "script", "fuel");
    check(
        "export const manifest = { name: 'No' }; export function merge() {}",
        "E160",
        "export manifest",
        "name",
    );
    check(
        "export const manifest = { x: 0.5 }; export function merge() {}",
        "E160",
        "export manifest",
        "JSON",
    );
    let long = format!("export function merge() {{}} /*{}*/", "x".repeat(limits::SCRIPT_BYTES));
    check(&long, "E103", "file", "65536");
    let deep = format!(
        "export const a = {}1{}; export function merge() {{}}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    check(&deep, "E180", "script", "stack");
}

#[test]
fn the_script_of_the_documentation_works() {
    let page = include_str!("../../../docs/policies/javascript.md");
    let script = page.split("```js\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let policy = compiled(script);
    assert_eq!((policy.name(), policy.report().warnings.len()), (Some("after-six"), 0));
    assert_eq!(dry_run(&policy, &builtin_samples()), []);
    let said = |minutes: i64, weekday: i64, params: &str| {
        let input = format!(
            r#"{{"abi":1,"minor":0,"now_ms":0,"local_time":{{"minutes":{minutes},"weekday":{weekday}}},"builtin":{{"basic":"open"}},"params":{params}}}"#
        );
        let outcome = policy.merge(input.as_bytes());
        assert!(outcome.fuel_used < limits::FUEL_BASE / 10, "{}", outcome.fuel_used);
        String::from_utf8(outcome.result.unwrap().unwrap()).unwrap()
    };
    assert_eq!(said(17 * 60, 5, "{}"), r#"{"abi":1,"reevaluate_at_ms":3600000}"#);
    let away = |from: i64, hours: i64| {
        format!(
            r#"{{"abi":1,"set":{{"activities":["away"],"note":[{{"lang":"en","text":"Back at {from}:00"}}]}},"reevaluate_at_ms":{},"explain":["outside working hours"]}}"#,
            hours * 3_600_000
        )
    };
    assert_eq!(said(17 * 60, 5, r#"{"to":17}"#), away(9, 16));
    assert_eq!(said(60, 1, r#"{"from":7}"#), away(7, 6));
    assert_eq!(said(12 * 60, 7, "{}"), away(9, 6));
}

/// What a script answers to an input of `pp_merge` with these members.
fn merged(policy: &Policy, members: &str) -> String {
    let outcome = policy.merge(format!(r#"{{"abi":1,"minor":0,{members}}}"#).as_bytes());
    outcome.result.unwrap().map_or_else(|| "none".to_owned(), |output| String::from_utf8(output).unwrap())
}

#[test]
fn the_script_of_the_readme_works() {
    let readme = include_str!("../../../README.md");
    let script = readme.split("```js\n").find(|block| block.starts_with("export const manifest")).unwrap();
    let policy = compiled(script.split("```").next().unwrap());
    assert_eq!((policy.name(), policy.report().warnings.len()), (Some("phone-wins"), 0));
    assert_eq!(dry_run(&policy, &builtin_samples()), []);
    let laptop = r#"{"device":"laptop","person":{"id":"p","activities":["working"]}},{"device":"tv"}"#;
    assert_eq!(merged(&policy, &format!(r#""publications":[{laptop}]"#)), "none");
    let phone = r#"{"device":"desk","person":{"id":"p","activities":["on-the-phone"]}}"#;
    let answer = r#"{"abi":1,"set":{"activities":["on-the-phone"]},"explain":["desk is in a call"]}"#;
    assert_eq!(merged(&policy, &format!(r#""publications":[{laptop},{phone}]"#)), answer);
}

#[test]
fn the_view_of_the_documentation_shows_managers_what_is_so_and_the_others_lunch() {
    let page = include_str!("../../../docs/policies/javascript.md");
    let script = page.split("```js\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    let policy = compiled(script);
    assert_eq!((policy.name(), policy.report().warnings.len()), (Some("lunch"), 0));
    assert_eq!(dry_run(&policy, &builtin_samples()), []);
    let at = |minutes: i64, activities: &str| {
        let time = format!(r#""now_ms":0,"local_time":{{"minutes":{minutes},"weekday":1}}"#);
        let builtin = format!(r#""builtin":{{"basic":"open","activities":[{activities}]}}"#);
        merged(&policy, &format!(r#"{time},{builtin},"publications":[{{"device":"tv"}}]"#))
    };
    assert_eq!(at(690, r#""working""#), r#"{"abi":1,"reevaluate_at_ms":1800000}"#);
    assert_eq!(at(780, ""), format!(r#"{{"abi":1,"reevaluate_at_ms":{}}}"#, 23 * 3_600_000));
    assert_eq!(at(750, r#""away""#), r#"{"abi":1,"reevaluate_at_ms":1800000}"#);
    // A call on one device, and what another has said since; half a minute later.
    let input = r#""now_ms":30000,"local_time":{"minutes":750,"weekday":1},"builtin":{"basic":"open","activities":["working"]},
        "publications":[{"person":{"activities":["working"]}},{"person":{"activities":["on-the-phone"]}}]"#;
    assert_eq!(merged(&policy, input), r#"{"abi":1,"reevaluate_at_ms":1800000}"#);
    let lunch = at(750, r#""working""#);
    let both = r#""activities":["working","away","x-lunch"],"note":[{"lang":"en","text":"Back at one"}]"#;
    assert!(lunch.contains(both), "{lunch}");
    let many = at(750, r#""busy","meeting","travel","tv","playing","shopping","steering","worship""#);
    assert!(many.contains(r#""shopping","away","x-lunch"]"#), "{many}");

    let seen = |group: &str, activities: &str| {
        let watcher = format!(r#"{{"class":"colleague","groups":[{group}]}}"#);
        let person = format!(r#"{{"id":"p","activities":[{activities}],"mood":[],"place":[],"note":[]}}"#);
        let merged = format!(
            r#"{{"entity":"sip:dana@example.com","tuples":[],"person":{person},"devices":[],"note":[],"unknown_xml":0}}"#
        );
        let input = format!(r#"{{"abi":1,"now_ms":1,"watcher":{watcher},"merged":{merged},"params":{{}}}}"#);
        let output = policy.view(input.as_bytes()).result.unwrap().unwrap_or_default();
        let known = policy_check::RecordedInput::read(input.as_bytes()).unwrap();
        assert!(output.is_empty() || known.check_output(&output).is_empty());
        String::from_utf8(output).unwrap()
    };
    let lunch = r#""working","away","x-lunch""#;
    assert_eq!(seen("", lunch), r#"{"abi":1,"set":{"activities":["away"]}}"#);
    let truth = r#"{"abi":1,"set":{"activities":["working"]},"drop":["note"]}"#;
    assert_eq!(seen(r#""managers""#, lunch), truth);
    assert_eq!(seen("", r#""working""#), "");
}

#[test]
fn what_a_script_is_given_is_the_input_as_it_was_written() {
    let policy = compiled("export function merge(input) { return { input }; }");
    let mut generator = Generator::new(7);
    for _ in 0..300 {
        let input = String::from_utf8(generator.next_input()).unwrap();
        let outcome = policy.merge(input.as_bytes());
        // An answer has its limit, which some inputs alone exceed.
        if let Ok(answer) = outcome.result {
            let answer = String::from_utf8(answer.unwrap()).unwrap();
            assert_eq!(answer, format!(r#"{{"abi":1,"input":{input}}}"#));
        }
    }
}

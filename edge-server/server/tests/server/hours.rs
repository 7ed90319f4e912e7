//! The shipped policy that goes by the clock on the wall, where clocks are put forward and back.

use merge_core::live::Presentity;
use merge_core::time::Millis;
use policy_sandbox::{Policy, Sandbox, Settings};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tributary::clock::Clock;
use tributary::config::Config;
use tributary::local_time::Wall;
use tributary::metrics::Exposition;
use tributary::users::Directory;

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wasm-rules")
}

/// `desk-first-in-hours`, built from its source.
fn policy() -> Policy {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--locked", "--quiet", "-p", "desk-first-in-hours"]);
    build.current_dir(rules().join("policies"));
    // The settings of the build that runs this test are not those of the policies.
    for name in [
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_BUILD_DIR",
        "CARGO_TARGET_DIR",
    ] {
        build.env_remove(name);
    }
    assert!(
        build.status().unwrap().success(),
        "if the target is missing: `rustup target add wasm32-unknown-unknown`, or `cargo xtask setup`"
    );
    let built = rules().join("target/wasm32-unknown-unknown/release/desk_first_in_hours.wasm");
    let sandbox = Sandbox::new(Settings { instances: 1, ..Settings::default() }).unwrap();
    sandbox.compile(&std::fs::read(built).unwrap()).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// Calls the policy as a shard does, again whenever it asks for that, and says when the desk came first
/// and when no longer. Every day is a working day.
fn check(policy: &Policy, zone: &str, from: &str, until: &str, expect: &[(&str, bool)]) {
    let mut config = Config::default();
    config.server.timezones = [("example.com".to_owned(), zone.to_owned())].into();
    let users = Directory::open(&config, None, Exposition::default().metrics, Clock::default()).unwrap();
    let wall = Wall::new(&config.server, Arc::new(users));
    let alice = Presentity {
        aor: "sip:alice@example.com".to_owned(),
        domain: "example.com".to_owned(),
        ..Presentity::default()
    };
    let input = std::fs::read(rules().join("policies/inputs/three-devices.json")).unwrap();
    let mut input: Value = serde_json::from_slice(&input).unwrap();
    input["params"] = json!({"days": [1, 2, 3, 4, 5, 6, 7]});

    let (mut now, until) = (Millis::parse_rfc3339(from).unwrap(), Millis::parse_rfc3339(until).unwrap());
    let (mut was, mut changes) = (false, Vec::new());
    while now < until {
        let local = wall.local_time(&alice, now).unwrap();
        input["now_ms"] = json!(now.0);
        input["local_time"] = json!({
            "tz": local.tz, "minutes": local.minutes, "weekday": local.weekday, "date": local.date,
        });
        let output = policy.merge_whole(input.to_string().as_bytes()).result.unwrap().unwrap();
        let output: Value = serde_json::from_slice(&output).unwrap();
        let desk = output["select"].is_array();
        if desk != was {
            changes.push((now, desk));
            was = desk;
        }
        let next = Millis(output["reevaluate_at_ms"].as_i64().unwrap());
        assert!(next > now, "{zone}: {output}");
        now = next;
    }
    let expect: Vec<_> =
        expect.iter().map(|(at, desk)| (Millis::parse_rfc3339(at).unwrap(), *desk)).collect();
    assert_eq!(changes, expect, "{zone}");
}

#[test]
fn working_hours_begin_and_end_by_the_clock_on_the_wall_also_on_the_day_it_is_changed() {
    let policy = policy();
    // To summer time on Sunday at two, and back on Sunday at three.
    check(
        &policy,
        "Europe/Amsterdam",
        "2026-03-27T23:00:00Z",
        "2026-03-30T12:00:00Z",
        &[
            ("2026-03-28T08:00:00Z", true),
            ("2026-03-28T16:30:00Z", false),
            ("2026-03-29T07:00:00Z", true),
            ("2026-03-29T15:30:00Z", false),
            ("2026-03-30T07:00:00Z", true),
        ],
    );
    check(
        &policy,
        "Europe/Amsterdam",
        "2026-10-23T22:00:00Z",
        "2026-10-26T12:00:00Z",
        &[
            ("2026-10-24T07:00:00Z", true),
            ("2026-10-24T15:30:00Z", false),
            ("2026-10-25T08:00:00Z", true),
            ("2026-10-25T16:30:00Z", false),
            ("2026-10-26T08:00:00Z", true),
        ],
    );
    // Where it is half an hour, on a Sunday at two.
    check(
        &policy,
        "Australia/Lord_Howe",
        "2026-10-03T12:00:00Z",
        "2026-10-04T12:00:00Z",
        &[("2026-10-03T22:00:00Z", true), ("2026-10-04T06:30:00Z", false)],
    );
}

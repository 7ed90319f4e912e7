//! The instruction counts of `cargo bench --bench instructions`, held against `xtask/instructions.txt`.
//!
//! Callgrind counts the same on a quiet machine and on a busy one, so a count can fail a build where a time
//! cannot. A change that makes something dearer on purpose raises the limit in the same commit; one that makes it
//! cheaper lowers it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::process::{Result, Run, find};
use crate::{setup, tools};

/// `package benchmark limit`, one a line.
const LIMITS: &str = include_str!("../instructions.txt");
const LOCK: &str = include_str!("../../Cargo.lock");

/// Runs the benchmarks of all packages in the table; the number of those within their limits. Too many
/// instructions, a benchmark without a limit and a limit without a benchmark are errors.
pub(crate) fn run() -> Result<u32> {
    setup::program("valgrind", "valgrind", "counting instructions")?;
    // The runner and the crate in the benchmarks must be of one version.
    let version = locked("gungraun-runner").ok_or("Cargo.lock has no gungraun-runner")?;
    let installed =
        find("gungraun-runner").map(|runner| Run::new(runner).arg("--version").quietly().output());
    if installed.is_none_or(|said| !said.is_ok_and(|said| said.trim().ends_with(version))) {
        tools::install("gungraun-runner", version, &[])?;
    }
    let limits = limits(LIMITS)?;
    let mut faults = Vec::new();
    let mut passed = 0;
    for (package, limits) in limits {
        let counts = count(&package)?;
        let (good, wrong) = compare(&package, &limits, &counts);
        passed += good;
        faults.extend(wrong);
    }
    if faults.is_empty() {
        return Ok(passed);
    }
    Err(format!(
        "instruction counts are off their limits:\n  {}\nmake it cheaper, or change xtask/instructions.txt and \
         say why in the commit (about 5 % above the count)",
        faults.join("\n  ")
    ))
}

type Table = BTreeMap<String, u64>;

fn limits(text: &str) -> Result<BTreeMap<String, Table>> {
    let mut limits: BTreeMap<String, Table> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let wrong = || format!("xtask/instructions.txt: `{line}` is not `package benchmark limit`");
        let words: Vec<&str> = line.split_whitespace().collect();
        let [package, benchmark, limit] = words[..] else { return Err(wrong()) };
        let limit = limit.parse().map_err(|_| wrong())?;
        limits.entry(package.into()).or_default().insert(benchmark.into(), limit);
    }
    Ok(limits)
}

/// The counts of one package by benchmark, `function/case`.
fn count(package: &str) -> Result<Table> {
    let mut counts = Table::new();
    let run = Run::cargo().args(["bench", "-p", package, "--bench", "instructions"]);
    let output = run.args(["--", "--output-format=json"]).output()?;
    for line in output.lines().filter(|line| line.starts_with('{')) {
        let (name, count) = read(line).ok_or_else(|| format!("{package}: no count in `{line}`"))?;
        counts.insert(name, count);
    }
    Ok(counts)
}

/// The name and the count out of one benchmark's report.
fn read(line: &str) -> Option<(String, u64)> {
    let report: Value = serde_json::from_str(line).ok()?;
    let values = report.pointer("/profiles/0/data/total/metrics/Ir/values")?;
    // Beside an earlier run's both are there, the new one first.
    let count = values.get("new").or(values.pointer("/both/0"))?.as_u64()?;
    let part = |name| report.get(name).and_then(Value::as_str);
    Some((format!("{}/{}", part("function_name")?, part("id")?), count))
}

/// How many are within their limits, and what is wrong with the others.
fn compare(package: &str, limits: &Table, counts: &Table) -> (u32, Vec<String>) {
    let mut passed = 0;
    let mut faults = Vec::new();
    for (name, count) in counts {
        match limits.get(name) {
            Some(limit) if count <= limit => {
                eprintln!("    {package} {name}: {count} of {limit}");
                passed += 1;
            }
            Some(limit) => faults.push(format!("{package} {name}: {count}, at most {limit} are allowed")),
            None => faults.push(format!("{package} {name}: {count}, and no limit is set")),
        }
    }
    let missing = limits.keys().filter(|name| !counts.contains_key(*name));
    faults.extend(missing.map(|name| format!("{package} {name}: there is no such benchmark")));
    (passed, faults)
}

fn locked(name: &str) -> Option<&'static str> {
    let (_, rest) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_benchmark_with_its_limit() {
        assert!(limits(LIMITS).is_ok_and(|table| table.len() == 3));
        assert!(limits("merge-core read/desk").is_err());
        assert!(limits("merge-core read/desk many").is_err());
    }

    #[test]
    fn a_count_above_its_limit_one_without_and_a_limit_without_a_count_are_faults() {
        let table =
            |rows: &[(&str, u64)]| rows.iter().map(|(name, count)| ((*name).into(), *count)).collect();
        let limits = table(&[("a/x", 10), ("a/y", 10), ("a/z", 10)]);
        let counts = table(&[("a/x", 10), ("a/y", 11), ("b/x", 1)]);
        let (passed, faults) = compare("p", &limits, &counts);
        assert_eq!(passed, 1);
        assert_eq!(
            faults,
            [
                "p a/y: 11, at most 10 are allowed",
                "p b/x: 1, and no limit is set",
                "p a/z: there is no such benchmark"
            ]
        );
    }

    #[test]
    fn a_count_is_read_with_and_without_an_earlier_run() {
        let report = |values: &str| {
            format!(
                r#"{{"function_name":"read","id":"desk","profiles":[{{"data":{{"total":{{"metrics":{{"Ir":{{"values":{values}}}}}}}}}}}]}}"#
            )
        };
        let check =
            |values: &str| assert_eq!(read(&report(values)), Some(("read/desk".into(), 7)), "{values}");
        check(r#"{"new":7}"#);
        check(r#"{"both":[7,8]}"#);
        assert_eq!(read(&report(r#"{"old":7}"#)), None);
    }

    #[test]
    fn the_runner_is_of_the_locked_version() {
        assert_eq!(locked("gungraun-runner"), locked("gungraun"));
        assert!(locked("gungraun-runner").is_some());
    }
}

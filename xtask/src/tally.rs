//! What ran, how long it took, how it ended: the table at the end of `cargo xtask test`.

use std::time::{Duration, Instant};

use crate::process::Result;

/// One line of the table.
struct Suite {
    name: &'static str,
    time: Duration,
    counts: Counts,
    failure: Option<String>,
}

/// Tests that passed, failed and were skipped, as a runner's own closing line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Counts {
    /// A check that has no tests of its own counts as one.
    pub(crate) const ONE: Counts = Counts { passed: 1, failed: 0, skipped: 0 };

    /// Adds what a line of a runner's output says, if it is a closing line.
    pub(crate) fn read(&mut self, line: &str) {
        let line = plain(line);
        let words: Vec<&str> = line.split([' ', ',', ';', ':']).filter(|word| !word.is_empty()).collect();
        let before = |mark: &str| {
            let at = words.iter().position(|word| *word == mark)?;
            words.get(at.checked_sub(1)?)?.parse::<u32>().ok()
        };
        // nextest:    Summary [   0.1s] 27 tests run: 27 passed, 1 skipped
        // cargo test: test result: ok. 27 passed; 0 failed; 1 ignored; ...
        let closing = line.trim_start().starts_with("Summary [") || line.starts_with("test result:");
        if closing {
            self.passed += before("passed").unwrap_or(0);
            self.failed += before("failed").unwrap_or(0);
            self.skipped += before("skipped").or(before("ignored")).unwrap_or(0);
            return;
        }
        // node --test: "ℹ pass 12" (spec) or "# pass 12" (tap)
        let Some(rest) = line.strip_prefix("ℹ ").or(line.strip_prefix("# ")) else { return };
        let mut parts = rest.split(' ');
        let (Some(what), Some(Ok(number)), None) =
            (parts.next(), parts.next().map(str::parse::<u32>), parts.next())
        else {
            return;
        };
        match what {
            "pass" => self.passed += number,
            "fail" | "cancelled" => self.failed += number,
            "skipped" | "todo" => self.skipped += number,
            _ => {}
        }
    }
}

/// Without the escape sequences of colours.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

/// Collects the suites.
pub(crate) struct Tally {
    suites: Vec<Suite>,
    fail_on_skip: bool,
    only: Vec<String>,
}

impl Tally {
    /// `fail_on_skip`: a skipped test is a failure. `only`: names of suites to run; empty for all.
    pub(crate) fn new(fail_on_skip: bool, only: &[String]) -> Tally {
        Tally { suites: Vec::new(), fail_on_skip, only: only.to_vec() }
    }

    /// Runs a suite; a failure is noted and the next suite runs all the same.
    pub(crate) fn suite(&mut self, name: &'static str, work: impl FnOnce(&mut Counts) -> Result<()>) {
        if !self.only.is_empty() && !self.only.iter().any(|wanted| wanted == name) {
            return;
        }
        eprintln!("\n==> {name}");
        let began = Instant::now();
        let mut counts = Counts::default();
        let mut failure = work(&mut counts).err();
        if failure.is_none() && counts.passed + counts.failed == 0 {
            failure = Some("no test ran".into());
        }
        if failure.is_none() && self.fail_on_skip && counts.skipped > 0 {
            failure = Some(format!("{} tests were skipped", counts.skipped));
        }
        if failure.is_some() && counts.failed == 0 {
            counts.failed = 1;
        }
        if let Some(failure) = &failure {
            eprintln!("    {name}: {failure}");
        }
        self.suites.push(Suite { name, time: began.elapsed(), counts, failure });
    }

    /// Prints the table and the closing line.
    pub(crate) fn close(&self) -> Result<()> {
        println!("\n{:<22} {:>8} {:>7} {:>7} {:>8}", "suite", "time", "passed", "failed", "skipped");
        let mut sum = Counts::default();
        for Suite { name, time, counts, failure } in &self.suites {
            println!(
                "{name:<22} {:>6.1} s {:>7} {:>7} {:>8}{}",
                time.as_secs_f64(),
                counts.passed,
                counts.failed,
                counts.skipped,
                failure.as_deref().map_or(String::new(), |why| format!("  {why}")),
            );
            sum.passed += counts.passed;
            sum.failed += counts.failed;
            sum.skipped += counts.skipped;
        }
        if sum.skipped > 0 {
            println!("{} skipped", sum.skipped);
        }
        println!("{} passed, {} failed", sum.passed, sum.failed);
        let failed: Vec<&str> = self.suites.iter().filter(|s| s.failure.is_some()).map(|s| s.name).collect();
        match (failed.is_empty(), self.suites.is_empty()) {
            (_, true) => Err("no suite has that name".into()),
            (true, _) => Ok(()),
            (false, _) => Err(format!("failed: {}", failed.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_each_runner_are_understood() {
        let check = |lines: &[&str], passed, failed, skipped| {
            let mut counts = Counts::default();
            lines.iter().for_each(|line| counts.read(line));
            assert_eq!(counts, Counts { passed, failed, skipped }, "{lines:?}");
        };
        check(&["     Summary [   0.132s] 27 tests run: 26 passed (1 slow), 1 skipped"], 26, 0, 1);
        check(&["     Summary [   3.1s] 5/27 tests run: 4 passed, 1 failed, 0 skipped"], 4, 1, 0);
        check(
            &["\u{1b}[32m     Summary\u{1b}[0m [   0.1s] 2 tests run: \u{1b}[1m2\u{1b}[0m passed"],
            2,
            0,
            0,
        );
        check(
            &["test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.0s"],
            3,
            0,
            1,
        );
        check(&["ℹ tests 4", "ℹ pass 3", "ℹ fail 1", "ℹ cancelled 0", "ℹ skipped 0", "ℹ todo 0"], 3, 1, 0);
        check(&["# pass 3", "# this is a comment", "# fail 0"], 3, 0, 0);
        check(&["test policy::passed ... ok", "7 passed"], 0, 0, 0);
    }
}

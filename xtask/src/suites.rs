//! `cargo xtask test`: every suite, in one order, with a table at the end.
//!
//! One dev-profile build serves all of them; optimised code is built only for the page's wasm and
//! the policies, which are small.

use crate::process::{Result, Run, find, under_ci};
use crate::tally::{Counts, Tally};
use crate::{clients, fuzz, instructions, paths, policies, setup, site, tidy, tools, wasm, zig};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these suites (names as in the table at the end)
    only: Vec<String>,
}

/// Runs the suites; the error names those that failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut tally = Tally::new(under_ci(), &options.only);
    let once = |counts: &mut Counts, run: Run| -> Result<()> {
        run.run()?;
        *counts = Counts::ONE;
        Ok(())
    };

    tally.suite("setup", |counts| {
        setup::run()?;
        *counts = Counts::ONE;
        Ok(())
    });
    tally.suite("tidy", |counts| {
        tidy::run()?;
        *counts = Counts::ONE;
        Ok(())
    });
    tally.suite("format", |counts| once(counts, Run::cargo().args(["fmt", "--all", "--check"])));
    tally.suite("licences", |counts| {
        tools::ensure("cargo-deny", "0.20.2", &["--no-default-features"])?;
        once(counts, Run::cargo().args(["deny", "--workspace", "check", "bans", "licenses", "sources"]))
    });
    tally.suite("no_std", no_std);
    tally.suite("policies", |counts| {
        policies::run()?;
        counts.passed += 1;
        zig::ensure()?;
        // Each language's template, built by `tributary policy build` as its authors do.
        let run = Run::cargo().args(["test", "--workspace", "--test", "templates"]);
        run.env("PYTHONPATH", zig::python_path()).watched(&mut |line| counts.read(line))
    });
    tally.suite("clippy", |counts| {
        let run = Run::cargo().args(["clippy", "--workspace", "--all-targets", "--all-features"]);
        once(counts, run.args(["--", "-D", "warnings"]))
    });
    tally.suite("rust", rust);
    tally.suite("doc tests", |counts| {
        let run = Run::cargo().args(["test", "--workspace", "--doc", "--quiet"]);
        run.watched(&mut |line| counts.read(line))?;
        // Examples are welcome, not demanded: that the command went well is one passed check.
        counts.passed += 1;
        Ok(())
    });
    tally.suite("docs", |counts| {
        let run = Run::cargo().args(["doc", "--workspace", "--no-deps", "--quiet"]);
        once(counts, run.env("RUSTDOCFLAGS", "-D warnings"))
    });
    tally.suite("fuzz", |counts| {
        counts.passed = fuzz::run(&fuzz::Options::short())?;
        Ok(())
    });
    tally.suite("instructions", |counts| {
        counts.passed = instructions::run()?;
        Ok(())
    });
    let server = paths::program("debug", "tributary");
    tally.suite("server", |counts| {
        // The same words as in `rust`, or cargo would settle features anew and build everything again.
        once(counts, Run::cargo().args(["build", "--workspace", "--bins"]))
    });
    tally.suite("clients", |counts| clients::clients(&server, counts));
    tally.suite("peers", |counts| clients::peers(&server, counts));
    tally.suite("site", |counts| {
        site::run()?;
        once(
            counts,
            Run::new("npm").args(["run", "--silent", "check"]).folder(paths::root().join("web-demo/site")),
        )
    });
    tally.suite("page", |counts| clients::page(&server, counts));
    tally.close()
}

/// What ships without std must build where there is none.
fn no_std(counts: &mut Counts) -> Result<()> {
    let rustc = wasm::rustc()?;
    for package in ["merge-core", "policy-sdk"] {
        wasm::cargo(&rustc, wasm::BARE).args(["--quiet", "-p", package]).run()?;
        counts.passed += 1;
    }
    Ok(())
}

/// Unit, property and integration tests of all crates, crash and containment among them.
fn rust(counts: &mut Counts) -> Result<()> {
    zig::ensure()?;
    policies::run()?;
    let server = paths::program("debug", "tributary");
    // The tests of `tributary-tests` start the server's binary: it must be there first.
    Run::cargo().args(["build", "--workspace", "--bins"]).run()?;
    let run = if find("cargo-nextest").is_some() {
        Run::cargo().args(["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"])
    } else {
        eprintln!(
            "    cargo-nextest is not installed: `cargo test` runs the same tests, one crate after the other"
        );
        Run::cargo().args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"])
    };
    run.env("TEST_SERVER", server)
        .env("TEST_POLICIES", paths::policies())
        .env("PYTHONPATH", zig::python_path())
        .env("INSTA_UPDATE", "no")
        .watched(&mut |line| counts.read(line))
}

//! `cargo xtask load`: builds the server and the generator, optimised, and measures.

use crate::paths;
use crate::process::{Result, Run};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Measure another server in the same run, and print the ratio: `kamailio` (from the system's packages)
    #[arg(long)]
    against: Option<String>,
    /// What one of these costs, in place of the phases: `register`, `message`, `invite`, `publish`; or `policies`
    #[arg(long)]
    scenario: Option<String>,
    /// What is passed on to the generator (`-- --help` lists it)
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the generator against a server of its own on a loopback address.
pub(crate) fn run(options: &Options) -> Result<()> {
    crate::step("release build", || {
        Run::cargo()
            .args([
                "build",
                "--release",
                "-p",
                "tributary",
                "-p",
                "tributary-tests",
                "--bin",
                "tributary",
                "--bin",
                "tributary-load",
            ])
            .run()
    })?;
    let mut run = Run::new(paths::program("release", "tributary-load"))
        .env("TEST_SERVER", paths::program("release", "tributary"));
    if let Some(other) = &options.against {
        run = run.args(["--against", other]);
    }
    if let Some(scenario) = &options.scenario {
        run = run.args(["--scenario", scenario]);
    }
    run.args(&options.rest).run()
}

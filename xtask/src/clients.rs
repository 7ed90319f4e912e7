//! The suites that Node runs: JsSIP and SIP.js against the server, and the page in Chromium.

use std::path::{Path, PathBuf};

use crate::process::{Result, Run};
use crate::tally::Counts;
use crate::{node, paths, setup};

/// `node --test` in tests/clients, against the server at `server`.
pub(crate) fn clients(server: &Path, counts: &mut Counts) -> Result<()> {
    let folder = paths::root().join("tests/clients");
    node_test(&folder, server, &["--test-concurrency=1", "test/"], counts)
}

/// The page's own tests.
pub(crate) fn page(server: &Path, counts: &mut Counts) -> Result<()> {
    let folder = paths::root().join("web-demo/site");
    node_test(&folder, server, &["--test-concurrency=1", "test/"], counts)
}

fn node_test(folder: &Path, server: &Path, args: &[&str], counts: &mut Counts) -> Result<()> {
    node::check()?;
    node::install(folder)?;
    let chromium: PathBuf = setup::chromium()?;
    Run::new("node")
        .args(["--test", "--test-reporter=spec", "--test-force-exit"])
        .args(args)
        .folder(folder)
        .env("CHROMIUM", chromium)
        .env("TEST_SERVER", server)
        .env("TEST_POLICIES", paths::policies())
        .env("TEST_SITE", paths::root().join("web-demo/site/dist"))
        .env("TEST_TARGET", paths::target())
        .watched(&mut |line| counts.read(line))
}

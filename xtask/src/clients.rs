//! The suites that Node runs: JsSIP and SIP.js against the server, phones and testers from the system's
//! packages, and the page in Chromium.

use std::path::{Path, PathBuf};

use crate::process::{Result, Run};
use crate::tally::Counts;
use crate::{node, paths, setup};

/// `node --test` in tests/clients, against the server at `server`.
pub(crate) fn clients(server: &Path, counts: &mut Counts) -> Result<()> {
    let folder = paths::root().join("tests/clients");
    node_test(&folder, server, &["--test-concurrency=1", "test/"], counts)
}

/// The programs of the system's packages that are peers, and in which package each is.
const PEERS: [(&str, &str); 5] = [
    ("sipp", "sip-tester"),
    ("baresip", "baresip-core"),
    ("kamailio", "kamailio"),
    ("linphonec", "linphone-cli"),
    ("openssl", "openssl"),
];

/// SIPp, baresip and linphone, which speak SIP over UDP, TCP and TLS, and Kamailio before and beside us.
pub(crate) fn peers(server: &Path, counts: &mut Counts) -> Result<()> {
    node::check()?;
    for (name, package) in PEERS {
        setup::program(name, package, "calling from one to the other")?;
    }
    let folder = paths::root().join("tests/clients");
    node_run(&folder, server, &["--test-concurrency=1", "peers/"]).watched(&mut |line| counts.read(line))
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
    node_run(folder, server, args)
        .env("CHROMIUM", chromium)
        .env("TEST_POLICIES", paths::policies())
        .env("TEST_SITE", paths::root().join("web-demo/site/dist"))
        .watched(&mut |line| counts.read(line))
}

fn node_run(folder: &Path, server: &Path, args: &[&str]) -> Run {
    let run = Run::new("node").args(["--test", "--test-reporter=spec", "--test-force-exit"]).args(args);
    run.folder(folder).env("TEST_SERVER", server)
}

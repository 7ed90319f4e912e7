//! `cargo xtask demo`: from a fresh clone to a page at one URL.

use std::process::Stdio;

use crate::process::{Result, Run};
use crate::{node, paths, site, step};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the server listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Where the demo keeps its state
    #[arg(long)]
    data: Option<std::path::PathBuf>,
}

/// Builds what is missing and runs the server until it is interrupted.
pub(crate) fn run(options: &Options) -> Result<()> {
    println!(
        "Builds the policies that ship and the page's engines (WebAssembly), the page, and the server (optimised).\n\
         The first time that takes ten to twenty minutes on two cores, afterwards seconds."
    );
    step("node and npm", node::check)?;
    site::run()?;
    step("server (release build: most of the time)", || {
        Run::cargo().args(["build", "--release", "-p", "tributary"]).run()
    })?;
    let data = options.data.clone().unwrap_or_else(|| paths::target().join("demo-data"));
    let mut server = Run::new(paths::program("release", "tributary"))
        .args(["demo", "--listen", &options.listen, "--data"])
        .arg(data)
        .arg("--site")
        .arg(paths::root().join("web-demo/site/dist"))
        .quietly()
        .into_command();
    // The server prints its URL when it listens; Ctrl-C reaches it as it reaches us.
    let status =
        server.stdin(Stdio::null()).status().map_err(|e| format!("the server does not start: {e}"))?;
    match status.code() {
        Some(0) | None => Ok(()),
        Some(code) => Err(format!("the server ended with code {code}")),
    }
}

//! Zig, which builds the policies in Zig and in C: a package of Python's, installed into `target/tools`.

use std::path::PathBuf;

use crate::process::{Result, Run};
use crate::{paths, setup};

/// The version that the templates are tested with.
const VERSION: &str = "0.17.1";

/// Where Python finds it: the value of PYTHONPATH.
pub(crate) fn python_path() -> PathBuf {
    paths::tools().join(format!("ziglang-{VERSION}"))
}

/// Installs it where it is not there yet.
pub(crate) fn ensure() -> Result<()> {
    if python_path().join("ziglang").is_dir() {
        return Ok(());
    }
    setup::program("pip3", "python3-pip", "building policies in C and Zig")?;
    Run::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"])
        .arg(python_path())
        .arg(format!("ziglang=={VERSION}"))
        .run()
}

//! Builds the page into the binary when there is one: `TRIBUTARY_SITE`, or web-demo/site/dist.
//!
//! Without either the server builds as well and says so where the page would be.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=TRIBUTARY_SITE");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = match env::var_os("TRIBUTARY_SITE") {
        Some(folder) => PathBuf::from(folder),
        None => root.join("../../web-demo/site/dist"),
    };
    let mut files = Vec::new();
    // A page is whole once its index is there. Without one, only the variable brings this script back:
    // watching a folder that does not exist would build the server anew every time.
    if folder.join("index.html").is_file() {
        println!("cargo::rerun-if-changed={}", folder.display());
        collect(&folder, &folder, &mut files)?;
    }
    files.sort();
    let mut code = String::from("&[\n");
    for (name, path) in &files {
        let path = path.canonicalize()?;
        let _ = writeln!(code, "    ({name:?}, include_bytes!({:?}) as &[u8]),", path.display().to_string());
    }
    code.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("site.rs"), code)
}

/// Every file below `folder`, by its path relative to `root` with slashes.
fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
            files.push((parts.join("/"), path));
        }
    }
    Ok(())
}

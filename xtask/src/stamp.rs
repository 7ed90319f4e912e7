//! Doing nothing when nothing changed: a stamp file keeps a hash of what a step read.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::paths;
use crate::process::Result;

/// Runs `work` unless `inputs` (files, or folders with all below) hash as they did when the step
/// `name` last went well and every path of `outputs` exists.
pub(crate) fn unless_unchanged(
    name: &str,
    inputs: &[PathBuf],
    outputs: &[PathBuf],
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stamp = paths::target().join("xtask-stamps").join(name);
    let now = hash_of(inputs).to_string();
    let before = std::fs::read_to_string(&stamp).unwrap_or_default();
    if before == now && outputs.iter().all(|path| path.exists()) {
        eprintln!("    {name}: nothing changed");
        return Ok(());
    }
    work()?;
    if let Some(folder) = stamp.parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    std::fs::write(&stamp, now).map_err(|e| format!("{}: {e}", stamp.display()))
}

fn hash_of(inputs: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in inputs {
        for file in files_below(path) {
            file.hash(&mut hasher);
            std::fs::read(&file).unwrap_or_default().hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Every file below `path` (or `path` itself), sorted; what machines make is left out.
pub(crate) fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![path.to_path_buf()];
    while let Some(path) = waiting.pop() {
        if path.is_file() {
            found.push(path);
        } else if let Ok(entries) = std::fs::read_dir(&path) {
            waiting.extend(entries.flatten().map(|entry| entry.path()).filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                !matches!(&*name, "target" | "node_modules" | "dist" | ".git") && !path.is_symlink()
            }));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_changes_with_the_content_of_any_file_below() {
        let folder = paths::target().join("xtask-stamp-test").join(std::process::id().to_string());
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        std::fs::write(folder.join("deep/file"), "one").unwrap();
        let before = hash_of(std::slice::from_ref(&folder));
        assert_eq!(before, hash_of(std::slice::from_ref(&folder)));
        std::fs::write(folder.join("deep/file"), "two").unwrap();
        assert_ne!(before, hash_of(std::slice::from_ref(&folder)));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

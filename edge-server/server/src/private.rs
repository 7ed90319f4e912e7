//! Files and folders that hold secrets: made for their owner alone, and a word where others get at them.
//!
//! Where a system has no modes, this leaves the matter to it.

use crate::config::Config;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes a folder, and those above it that are missing, for their owner alone. One that is there stays as it is.
///
/// # Errors
/// The system's.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    owners_alone().recursive(true).create(folder)
}

/// Makes a folder that was not there, for its owner alone.
///
/// # Errors
/// The system's; also that there is something of that name.
pub(crate) fn make_new_folder(folder: &Path) -> io::Result<()> {
    owners_alone().create(folder)
}

#[cfg_attr(not(unix), allow(unused_mut, reason = "there are no modes"))]
fn owners_alone() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Opens a file, which is its owner's alone from its first moment; one that was open to others is closed to them.
///
/// # Errors
/// The system's, of opening it. Whoever does not own the file cannot change who reads it: that is logged.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0
            && let Err(error) = file.set_permissions(std::fs::Permissions::from_mode(0o600))
        {
            let file = path.display();
            tracing::warn!(%file, %error, "the file holds secrets and is open to others; have its owner chmod 600 it");
        }
    }
    Ok(file)
}

/// Says of what the configuration names and everybody on this machine gets at what to do about it. A group
/// may be meant: certificates are often shared that way.
pub(crate) fn open_to_all(config: &Config) -> Vec<String> {
    let folder = config.store.data.iter().map(|folder| {
        let advice = format!("chmod o= {folder}, for what is kept in it lets one log in as any user");
        ("store.data".to_owned(), folder, advice)
    });
    let more = config.certificates.iter().enumerate();
    let more = more.map(|(index, more)| (format!("certificates[{index}].key"), &more.key));
    let keys =
        std::iter::once(("tls.key".to_owned(), &config.tls.key)).chain(more).filter_map(|(name, key)| {
            let key = key.as_ref()?;
            Some((name, key, format!("chmod o= {key}, for whoever has the key can pass for this server")))
        });
    folder
        .chain(keys)
        .filter(|(_, path, _)| is_open_to_all(Path::new(path)))
        .map(|(name, path, advice)| {
            format!("{name}: {path} is open to everybody who is logged in on this machine; {advice}")
        })
        .collect()
}

/// Whether others than the owner and the group may read a file, or enter or list a folder.
#[cfg(unix)]
fn is_open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // What cannot be looked at is reported by whoever needs it.
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_open_to_all(_path: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::config::Certificate;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_and_keys_that_everybody_gets_at_are_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let data = folder.path().to_str().unwrap().to_owned();
        let pair = |key: String| Certificate { key: Some(key), ..Certificate::default() };
        let mut config = Config::default();
        config.store.data = Some(data.clone());
        config.tls.key = Some(path("own.key", 0o640));
        config.certificates = vec![pair(path("other.key", 0o644)), pair(data.clone() + "/not-there.key")];
        set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let said = open_to_all(&config);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with(&format!("store.data: {data} is open")), "{said:?}");
        assert!(said[1].starts_with("certificates[0].key: ") && said[1].contains("chmod o= "), "{said:?}");
        set_permissions(folder.path(), Permissions::from_mode(0o750)).unwrap();
        assert_eq!(open_to_all(&config).len(), 1);
    }
}

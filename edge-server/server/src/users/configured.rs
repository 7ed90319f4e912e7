//! The users of the configuration file.

use super::{Book, Secrets, User};
use crate::config::{self, Config};
use crate::local_time::zone;
use tributary_sip::digest::Ha1;

/// A password file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("users: the password of {name}: {file}: {source}")]
pub struct PasswordError {
    name: String,
    file: String,
    source: std::io::Error,
}

/// Reads the users of `config`, which was checked.
pub(super) fn read(config: &Config) -> Result<Book, PasswordError> {
    let mut book = Book::new();
    for user in &config.users {
        let domain = user.domain.as_deref().unwrap_or_else(|| config.first_domain()).to_ascii_lowercase();
        let Some(secrets) = secrets(user, &domain, config.realm())? else { continue };
        let zone = user.timezone.as_deref().and_then(zone);
        // The check of the configuration has let nothing else in.
        let groups = crate::contacts::groups(user.groups.clone()).unwrap_or_default();
        let user_of_file = User { secrets, zone, groups, since_ms: None };
        book.insert(format!("sip:{}@{domain}", user.name).into(), user_of_file);
    }
    Ok(book)
}

/// Tries what only a try can tell: whether the password files can be read.
///
/// # Errors
/// See [`PasswordError`].
pub fn check(config: &Config) -> Result<(), PasswordError> {
    read(config).map(drop)
}

fn secrets(user: &config::User, domain: &str, realm: &str) -> Result<Option<Secrets>, PasswordError> {
    let password = match (&user.password, &user.password_file) {
        (Some(password), _) => password.clone(),
        (None, Some(file)) => first_line(file).map_err(|source| PasswordError {
            name: user.name.clone(),
            file: file.clone(),
            source,
        })?,
        (None, None) => {
            let hex = |digest: &Option<String>| digest.as_deref().unwrap_or_default().to_ascii_lowercase();
            let sha512 = user.ha1_sha512_256.as_deref();
            return Ok(Ha1::from_hex(&hex(&user.ha1_md5), &hex(&user.ha1_sha256), sha512).map(Secrets::ready));
        }
    };
    Ok(Some(Secrets::new(&user.name, domain, realm, &password)))
}

/// The first line of a file that holds a secret.
pub(crate) fn first_line(file: &str) -> std::io::Result<String> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().next().unwrap_or_default().trim_end().to_owned())
}

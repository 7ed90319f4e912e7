//! Who exists, and the digests that prove it.

use crate::config::{Config, User};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use tributary_engine::{Account, Users};
use tributary_sip::digest::Ha1;

/// The users of the configuration. Answers from memory; passwords are not kept.
#[derive(Default)]
pub struct Directory {
    /// By the user name that a client gives with its credentials.
    accounts: BTreeMap<String, Account>,
    aors: BTreeSet<String>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("users", &self.aors.len()).finish_non_exhaustive()
    }
}

/// A password file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("users: the password of {name}: {file}: {source}")]
pub struct PasswordError {
    name: String,
    file: String,
    source: std::io::Error,
}

impl Directory {
    /// Reads the users of `config`.
    ///
    /// # Errors
    /// A password file that cannot be read.
    pub fn new(config: &Config) -> Result<Self, PasswordError> {
        let mut directory = Self::default();
        for user in &config.users {
            directory.add(config, user)?;
        }
        Ok(directory)
    }

    /// Every address of record, in order.
    pub fn aors(&self) -> impl Iterator<Item = &str> {
        self.aors.iter().map(String::as_str)
    }

    fn add(&mut self, config: &Config, user: &User) -> Result<(), PasswordError> {
        let domain = user.domain.as_deref().unwrap_or_else(|| config.first_domain()).to_ascii_lowercase();
        let aor = format!("sip:{}@{domain}", user.name);
        let full = format!("{}@{domain}", user.name);
        self.aors.insert(aor.clone());
        let aor: Arc<str> = aor.into();
        let password = match (&user.password, &user.password_file) {
            (Some(password), _) => Some(password.clone()),
            (None, Some(file)) => Some(first_line(file).map_err(|source| PasswordError {
                name: user.name.clone(),
                file: file.clone(),
                source,
            })?),
            (None, None) => None,
        };
        match password {
            // The name is part of the digest, so each way to spell it is an account of its own.
            Some(password) => {
                for name in [user.name.clone(), full] {
                    let ha1 = Ha1::new(&name, config.realm(), &password);
                    self.accounts.entry(name).or_insert(Account { aor: Arc::clone(&aor), ha1 });
                }
            }
            None => {
                let hex =
                    |digest: &Option<String>| digest.as_deref().unwrap_or_default().to_ascii_lowercase();
                // The configuration was checked: both digests are there.
                if let Some(ha1) = Ha1::from_hex(&hex(&user.ha1_md5), &hex(&user.ha1_sha256)) {
                    self.accounts.entry(user.name.clone()).or_insert(Account { aor, ha1 });
                }
            }
        }
        Ok(())
    }
}

impl Users for Directory {
    fn account(&self, username: &str) -> Option<Account> {
        self.accounts.get(username).cloned()
    }

    fn exists(&self, aor: &str) -> bool {
        self.aors.contains(aor)
    }
}

/// The first line of a file that holds a secret.
pub(crate) fn first_line(file: &str) -> std::io::Result<String> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().next().unwrap_or_default().trim_end().to_owned())
}

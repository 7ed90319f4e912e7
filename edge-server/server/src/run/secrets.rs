//! What is secret: the key that signs nonces, and the API's token.

use super::StartError;
use crate::config::Config;
use crate::store::{Op, Store, Table};
use crate::users::first_line;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use tributary_sip::SealingKeys;

/// Where the secret that signs nonces stands in the store, so that a restart does not log anybody out.
const SECRET_KEY: &[u8] = b"nonce-secret";
/// Counts starts of the process: connection ids of different processes never meet.
const STARTS_KEY: &[u8] = b"starts";
/// The nonce secret and the number of this start; kept where there is a store.
pub(super) fn identity(store: Option<&mut (dyn Store + 'static)>) -> Result<([u8; 32], u64), StartError> {
    let mut secret = random()?;
    let Some(store) = store else { return Ok((secret, 1)) };
    let (mut known, mut starts) = (None, 0);
    store.scan(Table::Meta, &mut |key, value| {
        if key == SECRET_KEY {
            known = <[u8; 32]>::try_from(value).ok();
        } else if key == STARTS_KEY {
            starts = <[u8; 8]>::try_from(value).map_or(0, u64::from_be_bytes);
        }
    })?;
    if let Some(known) = known {
        secret = known;
    }
    let starts = starts + 1;
    let put = |key: &'static [u8], value: &[u8]| Op::Put {
        table: Table::Meta,
        key: Bytes::from_static(key),
        value: Bytes::copy_from_slice(value),
    };
    store.commit(&[put(SECRET_KEY, &secret), put(STARTS_KEY, &starts.to_be_bytes())])?;
    Ok((secret, starts))
}

/// What names the flows of datagrams: the same after every restart, and of no use for guessing the
/// secret itself.
pub(super) fn names_of_datagrams(secret: &[u8; 32]) -> [u64; 2] {
    let digest = derived(b"datagrams", secret);
    let (first, second) = digest.split_at(digest.len() / 2);
    [first, second].map(|half| half.iter().fold(0, |name, byte| (name << 8) | u64::from(*byte)))
}

/// What the tokens in our Record-Routes and temporary GRUUs are sealed with: calls between phones go on
/// after a restart, and devices are reached by the names that they had before.
pub(super) fn sealing_keys(secret: &[u8; 32]) -> SealingKeys {
    SealingKeys::new(derived(b"flow tokens", secret), &[])
}

/// What compiled policies are authenticated with from one start to the next.
pub(super) fn compiled_code_key(secret: &[u8; 32]) -> [u8; 32] {
    derived(b"compiled policies", secret)
}

fn derived(purpose: &[u8], secret: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(purpose).chain_update(secret).finalize().into()
}

pub(super) fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System {
        what: "the system gives no random bytes".to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}

/// The API's token: configured, read from a file, or made up and written to the data folder.
pub(super) fn api_token(config: &Config) -> Result<(Option<String>, Option<PathBuf>), StartError> {
    let system = |what: &Path| {
        let what = what.display().to_string();
        move |source| StartError::System { what, source }
    };
    if let Some(token) = &config.api.token {
        return Ok((Some(token.clone()), None));
    }
    if let Some(file) = &config.api.token_file {
        return Ok((Some(first_line(file).map_err(system(Path::new(file)))?), None));
    }
    let Some(folder) = &config.store.data else { return Ok((None, None)) };
    let file = Path::new(folder).join("api-token");
    if file.is_file() {
        let token = first_line(&file.display().to_string()).map_err(system(&file))?;
        if !token.is_empty() {
            return Ok((Some(token), Some(file)));
        }
    }
    let token = crate::policies::hex(random()?.get(..24).unwrap_or_default());
    write_secret(&file, &token).map_err(system(&file))?;
    Ok((Some(token), Some(file)))
}

/// The tokens of those who have their own, by their names.
pub(super) fn further_tokens(config: &Config) -> Result<Vec<(String, String)>, StartError> {
    let read = |(name, file): (&String, &String)| match first_line(file) {
        Ok(token) if !token.is_empty() => Ok((name.clone(), token)),
        Ok(_) => Err(std::io::Error::other("its first line is empty")),
        Err(error) => Err(error),
    };
    let named = |(name, file)| {
        read((name, file))
            .map_err(|source| StartError::System { what: format!("api.tokens: {file}"), source })
    };
    config.api.tokens.iter().map(named).collect()
}

/// Writes a file that only its owner may read.
fn write_secret(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(format!("{text}\n").as_bytes())
}

//! `tributary user`: who may log in, changed from the command line. In the store of a server that does
//! not run, or by the API of one that does.

use super::remote::{Remote, open};
use crate::cli::{UserAction, UserPlace};
use crate::clock::Clock;
use crate::config::{Config, Durability};
use crate::local_time::zone;
use crate::metrics::Exposition;
use crate::store::{RedbStore, Writer};
use crate::users::{ChangeError, Directory, Secrets, Shown, Source, first_line, is_name, is_password};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use tributary_sip::Aor;

type Fault = Box<dyn Error>;

/// Does what is asked, and gives the lines to print.
pub(super) async fn run(action: UserAction) -> Result<Vec<String>, Fault> {
    match action {
        UserAction::Add { address, password_file, timezone, groups, realm, place } => {
            let aor = login(&address)?;
            let zone = timezone.as_deref().map(known_zone).transpose()?;
            let groups = crate::contacts::groups(groups).ok_or(crate::contacts::WHAT_GROUPS)?;
            let password = password(password_file)?;
            let is_new = match &place.data {
                Some(folder) => {
                    let realm = realm.as_deref().unwrap_or(aor.host());
                    let secrets = Secrets::new(aor.user(), aor.host(), realm, &password);
                    stored(folder, realm, async |users| {
                        users.put(aor.as_str(), Some(secrets), zone, groups).await
                    })
                    .await?
                }
                None => {
                    let user = json!({"password": password, "timezone": timezone, "groups": groups});
                    remote(&place).await?.put_user(aor.as_str(), &user).await?
                }
            };
            Ok(vec![format!("{} was {}", aor.as_str(), if is_new { "added" } else { "changed" })])
        }
        UserAction::Remove { address, place } => {
            let aor = login(&address)?;
            match &place.data {
                Some(folder) => {
                    stored(folder, aor.host(), async |users| users.remove(aor.as_str()).await).await?
                }
                None => remote(&place).await?.remove_user(aor.as_str()).await?,
            }
            Ok(vec![format!("{} was removed", aor.as_str())])
        }
        UserAction::Contacts { address, who, class, groups, remove, place } => {
            let (server, aor) = (running(&place).await?, login(&address)?);
            let Some(who) = who else {
                return Ok(server.contacts(aor.as_str()).await?.iter().map(contact_line).collect());
            };
            let known = json!({"class": class, "groups": groups});
            server.contact(aor.as_str(), &who, (!remove).then_some(&known)).await?;
            Ok(vec![format!("{who} was {}", if remove { "removed" } else { "set" })])
        }
        UserAction::Locks { place } => {
            Ok(running(&place).await?.locks().await?.iter().map(lock_line).collect())
        }
        UserAction::Unlock { account, place } => {
            running(&place).await?.unlock(&account).await?;
            Ok(vec![format!("{account} was unlocked")])
        }
        UserAction::List { place } => match &place.data {
            Some(folder) => {
                let all = async |users: &Directory| Ok(users.list(None, usize::MAX));
                Ok(stored(folder, "", all).await?.iter().map(stored_line).collect())
            }
            None => Ok(remote(&place).await?.users().await?.iter().map(remote_line).collect()),
        },
    }
}

fn login(address: &str) -> Result<Aor, Fault> {
    let text = if address.contains(':') { address.to_owned() } else { format!("sip:{address}") };
    let aor = Aor::parse(&text).ok();
    let aor = aor.filter(|aor| aor.user() == aor.user_decoded() && is_name(aor.user()));
    aor.ok_or_else(|| {
        format!("{address} is no address that can log in; write it as alice@example.com").into()
    })
}

fn known_zone(name: &str) -> Result<TimeZone, Fault> {
    zone(name).ok_or_else(|| {
        format!("{name} is not a time zone; give an IANA name, such as Europe/Amsterdam").into()
    })
}

/// The first line of the file, or of standard input.
fn password(file: Option<PathBuf>) -> Result<String, Fault> {
    let password = match file {
        Some(file) => {
            let file = file.display().to_string();
            first_line(&file).map_err(|error| format!("{file}: {error}"))?
        }
        None => {
            let input = std::io::stdin();
            if input.is_terminal() {
                eprintln!(
                    "The password, and Enter; it is shown while you type (--password-file FILE is not):"
                );
            }
            let mut line = String::new();
            input.lock().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    if is_password(&password) {
        Ok(password)
    } else {
        Err("a password has 1 to 256 bytes and no control characters".into())
    }
}

/// Works on the users in the store of `folder`, which no server may have open.
async fn stored<T>(
    folder: &Path,
    realm: &str,
    work: impl AsyncFnOnce(&Directory) -> Result<T, ChangeError>,
) -> Result<T, Fault> {
    if !folder.is_dir() {
        return Err(
            format!("{}: there is no such folder; give the server's store.data", folder.display()).into()
        );
    }
    let store = RedbStore::open(folder, Durability::Fsync)
        .map_err(|error| format!("{error}\n    while the server runs, give its --url and --token-file"))?;
    let mut config = Config::default();
    config.server.realm = Some(realm.to_owned());
    let mut users = Directory::open(&config, Some(&store), Exposition::default().metrics, Clock::default())?;
    let (writer, thread) = Writer::start(Box::new(store), |_, _, _| {})?;
    users.store_in(writer.clone());
    let done = work(&users).await;
    // Nothing else runs here that would have to wait for the last commit.
    writer.stop();
    let ended = thread.join();
    let done = done?;
    ended.map_err(|_| "the store did not end well")?;
    Ok(done)
}

/// The server that runs. Whoever meant one that does not is told how to say so.
async fn remote(place: &UserPlace) -> Result<Remote, Fault> {
    let or_stopped = |error| format!("{error}; or give --data FOLDER, for a server that does not run");
    Ok(open(&place.server).await.map_err(or_stopped)?)
}

/// The server that has what no store shows.
async fn running(place: &UserPlace) -> Result<Remote, Fault> {
    if place.data.is_some() {
        return Err("only a running server is asked for this; give its --url and --token-file".into());
    }
    Ok(open(&place.server).await?)
}

fn contact_line(contact: &Value) -> String {
    let text = |name: &str| contact.get(name).and_then(Value::as_str).unwrap_or_default().escape_debug();
    let groups = contact.get("groups").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let groups: Vec<&str> = groups.iter().filter_map(Value::as_str).collect();
    let groups = if groups.is_empty() { "-".to_owned() } else { groups.join(",") };
    format!("{}\t{}\t{}", text("contact"), text("class"), groups.escape_debug())
}

fn lock_line(lock: &Value) -> String {
    let text = |name: &str| lock.get(name).and_then(Value::as_str);
    let until = lock.get("until_ms").and_then(Value::as_i64).unwrap_or_default();
    let until =
        Timestamp::from_millisecond(until).unwrap_or_default().round(Unit::Second).unwrap_or_default();
    let account = text("account").unwrap_or_default().escape_debug();
    format!("{account}\t{}\t{until}", text("address").unwrap_or("everywhere"))
}

fn stored_line(user: &Shown) -> String {
    let source = match user.source {
        Source::File => "file",
        Source::Store => "store",
    };
    line(&user.aor, source, user.timezone.as_deref())
}

fn remote_line(user: &Value) -> String {
    let text = |name: &str| user.get(name).and_then(Value::as_str);
    line(text("aor").unwrap_or_default(), text("source").unwrap_or_default(), text("timezone"))
}

fn line(aor: &str, source: &str, timezone: Option<&str>) -> String {
    format!("{aor}\t{source}\t{}", timezone.unwrap_or("-"))
}

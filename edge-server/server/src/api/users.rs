//! Users: listed, stored and forgotten. Secrets come in and never go out.

use super::error::ApiError;
use super::presentities::{self, Page};
use super::{Answered, Api};
use crate::contacts::{WHAT_GROUPS, groups};
use crate::local_time::zone;
use crate::users::{ChangeError, Secrets, Shown, Source, is_name, is_password};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, Query as Parameters, State};
use axum::response::IntoResponse as _;
use http::StatusCode;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tributary_sip::Aor;
use tributary_sip::digest::Ha1;

/// What is wanted of a user. Has no `Debug`: it holds a password.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    password: Option<String>,
    ha1_md5: Option<String>,
    ha1_sha256: Option<String>,
    ha1_sha512_256: Option<String>,
    timezone: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
}

pub(super) async fn list(State(api): State<Arc<Api>>, Parameters(page): Parameters<Page>) -> Answered {
    let limit = page.limit();
    // One more than asked for tells whether there is a next page.
    let mut users = api.directory.list(page.after.as_deref(), limit + 1);
    let more = users.len() > limit;
    users.truncate(limit);
    let next = users.last().filter(|_| more).map(|last| last.aor.to_string());
    let users: Vec<Value> = users.iter().map(user_json).collect();
    Ok(Json(json!({"users": users, "next": next})).into_response())
}

pub(super) async fn one(State(api): State<Arc<Api>>, Path(aor): Path<String>) -> Answered {
    let aor = presentities::read(&aor)?;
    let user = api.directory.one(&aor).ok_or_else(|| refused(ChangeError::Unknown(aor)))?;
    Ok(Json(user_json(&user)).into_response())
}

pub(super) async fn put(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(aor): Path<String>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Answered {
    let aor = presentities::read(&aor)?;
    let Json(wanted) = wanted.map_err(|rejection| {
        // The text of a rejection may quote the body, where the password is.
        bad_body(rejection.status(), "the body is not the JSON of a user")
    })?;
    let (name, domain) = name_and_domain(&api, &aor)?;
    let secrets = secrets(&wanted, &name, &domain, api.directory.realm())?;
    let zone = wanted.timezone.as_deref().map(known_zone).transpose()?;
    let groups =
        groups(wanted.groups).ok_or_else(|| bad_body(StatusCode::UNPROCESSABLE_ENTITY, WHAT_GROUPS))?;
    let another_password = secrets.is_some();
    let is_new = api.directory.put(&aor, secrets, zone, groups).await.map_err(refused)?;
    if another_password {
        api.flows.password_changed(&aor);
    }
    let (status, what) = if is_new { (StatusCode::CREATED, "added") } else { (StatusCode::OK, "changed") };
    audit(&aor, peer, what);
    let user = api.directory.one(&aor).ok_or_else(|| refused(ChangeError::Unknown(aor)))?;
    Ok((status, Json(user_json(&user))).into_response())
}

pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(aor): Path<String>,
) -> Answered {
    let aor = presentities::read(&aor)?;
    api.directory.remove(&aor).await.map_err(refused)?;
    api.contacts.forget(&aor).await.map_err(|_| ApiError::store())?;
    api.flows.password_changed(&aor);
    api.shards.user_removed(&aor).await;
    audit(&aor, peer, "removed");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The line that says who may log in since when, and from where that was decided.
fn audit(aor: &str, peer: SocketAddr, what: &str) {
    tracing::info!(aor, %peer, "a user was {what}");
}

fn name_and_domain(api: &Api, aor: &str) -> Result<(String, String), ApiError> {
    // The path was read into a canonical address of record.
    let parsed = Aor::parse(aor).ok().filter(|aor| aor.user() == aor.user_decoded() && is_name(aor.user()));
    let Some(parsed) = parsed else {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_name",
            format!("{aor} has no user part that can be a login name"),
            "take up to 64 bytes before the @, without colons, quotes, blanks and escapes",
        ));
    };
    served(api, parsed.host())?;
    Ok((parsed.user().to_owned(), parsed.host().to_owned()))
}

/// The domain is one that this server serves.
pub(super) fn served(api: &Api, domain: &str) -> Result<(), ApiError> {
    if api.directory.serves(domain) {
        return Ok(());
    }
    let ours = api.directory.domains().join(", ");
    Err(ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "unknown_domain",
        format!("{domain} is not a domain of this server, which serves {ours}"),
        "correct the name, or add the domain to server.domains in the configuration",
    ))
}

fn secrets(wanted: &Wanted, name: &str, domain: &str, realm: &str) -> Result<Option<Secrets>, ApiError> {
    match (&wanted.password, &wanted.ha1_md5, &wanted.ha1_sha256) {
        (None, None, None) => Ok(None),
        (Some(password), None, None) => {
            if !is_password(password) {
                return Err(bad_body(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "a password has 1 to 256 bytes and no control characters",
                ));
            }
            Ok(Some(Secrets::new(name, domain, realm, password)))
        }
        (None, Some(md5), Some(sha256)) => {
            let sha512 = wanted.ha1_sha512_256.as_deref();
            let ha1 = Ha1::from_hex(&md5.to_ascii_lowercase(), &sha256.to_ascii_lowercase(), sha512);
            let ha1 = ha1.ok_or_else(|| {
                bad_body(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "ha1_md5 has 32 hexadecimal digits, and ha1_sha256 and ha1_sha512_256 have 64",
                )
            })?;
            Ok(Some(Secrets::ready(ha1)))
        }
        _ => Err(bad_body(
            StatusCode::UNPROCESSABLE_ENTITY,
            "either password is needed, or both ha1_md5 and ha1_sha256",
        )),
    }
}

fn known_zone(name: &str) -> Result<TimeZone, ApiError> {
    zone(name).ok_or_else(|| {
        ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_timezone",
            format!("{name} is not a time zone"),
            "give an IANA name, such as Europe/Amsterdam",
        )
    })
}

fn bad_body(status: StatusCode, message: &str) -> ApiError {
    ApiError::new(
        status,
        "bad_body",
        message,
        "send {\"password\": TEXT} or {\"ha1_md5\": HEX, \"ha1_sha256\": HEX}, and \"timezone\" and \"groups\" if wanted, as application/json",
    )
}

fn refused(error: ChangeError) -> ApiError {
    let message = error.to_string();
    let (status, code, fix) = match error {
        ChangeError::InFile(_) => (
            StatusCode::CONFLICT,
            "user_of_the_file",
            "the file wins: change the [[users]] table there, or take the user out of it first",
        ),
        ChangeError::Unknown(_) => {
            (StatusCode::NOT_FOUND, "unknown_user", "GET /api/v1/users lists them; PUT adds one")
        }
        ChangeError::NoSecret(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "no_password",
            "send a password, or both ha1_md5 and ha1_sha256",
        ),
        ChangeError::Full(_) => (
            StatusCode::INSUFFICIENT_STORAGE,
            "full",
            "remove users who are no longer there, or raise store.max_users",
        ),
        ChangeError::Store(_) => return ApiError::store(),
    };
    ApiError::new(status, code, message, fix)
}

fn user_json(user: &Shown) -> Value {
    json!({
        "aor": &*user.aor,
        "source": match user.source { Source::File => "file", Source::Store => "store" },
        "timezone": user.timezone,
        "groups": user.groups,
        "since_ms": user.since_ms,
    })
}

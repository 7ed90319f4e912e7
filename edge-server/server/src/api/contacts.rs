//! The contacts of a user: listed, set and forgotten. A change shows in what watchers see at once.

use super::error::ApiError;
use super::presentities;
use super::{Answered, Api};
use crate::contacts::{CLASSES, ChangeError, Known, WHAT_GROUPS, Who, groups};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::IntoResponse as _;
use http::StatusCode;
use merge_core::policy::WatcherClass;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

/// As what somebody is to be known.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    class: String,
    #[serde(default)]
    groups: Vec<String>,
}

pub(super) async fn list(State(api): State<Arc<Api>>, Path(aor): Path<String>) -> Answered {
    let aor = served(&api, &aor)?;
    let contacts = api.contacts.of(&aor);
    let contacts: Vec<Value> = contacts.iter().map(|(who, known)| contact_json(who, known)).collect();
    Ok(Json(json!({"contacts": contacts})).into_response())
}

pub(super) async fn put(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((aor, who)): Path<(String, String)>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Answered {
    let aor = served(&api, &aor)?;
    let who = read_who(&who)?;
    let Json(wanted) = wanted.map_err(|rejection| bad_body(rejection.status(), rejection.body_text()))?;
    let unprocessable = |message| bad_body(StatusCode::UNPROCESSABLE_ENTITY, message);
    let class = WatcherClass::of(&wanted.class).filter(|class| CLASSES.contains(class));
    let class = class.ok_or_else(|| unprocessable(format!("{:?} is no class of contacts", wanted.class)))?;
    let groups = groups(wanted.groups).ok_or_else(|| unprocessable(WHAT_GROUPS.to_owned()))?;
    let known = Known { class, groups };
    let answer = contact_json(&who, &known);
    let is_new = api.contacts.put(&aor, who, known).await.map_err(refused)?;
    api.shards.contacts_changed(&aor).await;
    let (status, what) = if is_new { (StatusCode::CREATED, "added") } else { (StatusCode::OK, "changed") };
    tracing::info!(aor, %peer, "a contact was {what}");
    Ok((status, Json(answer)).into_response())
}

pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((aor, who)): Path<(String, String)>,
) -> Answered {
    let (aor, who) = (served(&api, &aor)?, read_who(&who)?);
    api.contacts.remove(&aor, &who).await.map_err(refused)?;
    api.shards.contacts_changed(&aor).await;
    tracing::info!(aor, %peer, "a contact was removed");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The user of a path: one whom the server serves.
pub(super) fn served(api: &Api, aor: &str) -> Result<String, ApiError> {
    let aor = presentities::read(aor)?;
    let domain = aor.rsplit_once('@').map_or("", |(_, domain)| domain);
    super::users::served(api, domain)?;
    Ok(aor)
}

fn read_who(text: &str) -> Result<Who, ApiError> {
    Who::read(text).ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_contact",
            format!("{text} is neither an address nor a domain"),
            "write it as sip:bob@example.org, or as example.org for everybody there",
        )
    })
}

fn bad_body(status: StatusCode, message: String) -> ApiError {
    let classes = CLASSES.map(|class| format!("{:?}", class.as_str())).join(", ");
    let fix = format!(
        "send {{\"class\": one of {classes}}}, and \"groups\": [TEXT] if wanted, as application/json"
    );
    ApiError::new(status, "bad_body", message, fix)
}

fn refused(error: ChangeError) -> ApiError {
    let message = error.to_string();
    let (status, code, fix) = match error {
        ChangeError::Unknown(..) => (
            StatusCode::NOT_FOUND,
            "unknown_contact",
            "GET the contacts lists them; a domain is a contact apart from its addresses",
        ),
        ChangeError::Full(..) => (
            StatusCode::INSUFFICIENT_STORAGE,
            "full",
            "name a domain in the place of its addresses, or raise store.max_contacts_per_user",
        ),
        ChangeError::AllFull(_) => (StatusCode::INSUFFICIENT_STORAGE, "full", "raise store.max_contacts"),
        ChangeError::Store(_) => return ApiError::store(),
    };
    ApiError::new(status, code, message, fix)
}

fn contact_json(who: &Who, known: &Known) -> Value {
    json!({"contact": who.as_str(), "class": known.class.as_str(), "groups": known.groups})
}

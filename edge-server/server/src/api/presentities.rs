//! Presentities: their devices, their merged state, and where each value came from.

use super::error::ApiError;
use super::{Answered, Api, written};
use axum::Json;
use axum::extract::{Path, Query as Parameters, State};
use axum::response::IntoResponse as _;
use http::StatusCode;
use merge_core::live::Presentity;
use merge_core::policy::Mask;
use serde_json::{Value, json};
use std::sync::Arc;
use tributary_engine::{Answer, Query};
use tributary_sip::Aor;

/// Entries a page holds when the request does not say.
const DEFAULT_LIMIT: usize = 100;

/// Entries a page holds at most.
pub(super) const MOST: usize = 1_000;

#[derive(serde::Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    pub(super) after: Option<String>,
}

impl Page {
    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MOST)
    }
}

pub(super) async fn list(State(api): State<Arc<Api>>, Parameters(page): Parameters<Page>) -> Answered {
    let limit = page.limit();
    // One more than asked for tells whether there is a next page.
    let query = Query::Presentities { limit: limit + 1, after: page.after };
    let mut all = Vec::new();
    for answer in api.shards.ask_all(&query).await {
        if let Answer::Presentities(some) = answer {
            all.extend(some);
        }
    }
    all.sort_by(|a, b| a.aor.cmp(&b.aor));
    let more = all.len() > limit;
    all.truncate(limit);
    let next = if more { all.last().map(|last| last.aor.to_string()) } else { None };
    let entries: Vec<Value> = all
        .iter()
        .map(|one| {
            json!({
                "aor": &*one.aor,
                "devices": one.devices,
                "registrations": one.registrations,
                "watchers": one.watchers,
            })
        })
        .collect();
    Ok(Json(json!({"presentities": entries, "next": next})).into_response())
}

/// Whose eyes a user's state is looked at with.
#[derive(serde::Deserialize)]
pub(super) struct Eyes {
    watcher: Option<String>,
}

pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Path(aor): Path<String>,
    Parameters(eyes): Parameters<Eyes>,
) -> Answered {
    let aor = read(&aor)?;
    let watcher = eyes.watcher.as_deref().map(read).transpose()?;
    let answer = api.shards.ask_about(&aor, Query::Presentity { aor: aor.clone(), watcher }).await;
    let Some(Answer::Presentity(found)) = answer else { return Err(ApiError::stopping()) };
    let found = found.ok_or_else(|| unknown(&aor))?;
    let devices: Vec<Value> = found
        .devices
        .iter()
        .map(|device| {
            json!({
                "etag": device.etag,
                "device": device.device,
                "instance": device.instance,
                "user_agent": device.user_agent,
                "received_ms": device.received_ms,
                "first_ms": device.first_ms,
                "expires_ms": device.expires_ms,
                "waiting": device.waiting,
            })
        })
        .collect();
    let registrations: Vec<Value> = found
        .registrations
        .iter()
        .map(|binding| {
            json!({
                "contact": binding.contact,
                "instance": binding.instance,
                "expires_ms": binding.expires_ms,
                "transport": binding.transport,
                "path": binding.path,
                "headers": binding
                    .headers
                    .iter()
                    .map(|(name, value)| json!({ "name": name, "value": value }))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    // What merge-core and policies wrote is not read only to be written again.
    let seen = found.seen.as_ref().map(|seen| {
        let rest = json!({
            "watcher": seen.watcher,
            "class": seen.class,
            "groups": seen.groups,
            "why": seen.why,
            "asked": seen.asked,
            "failure": seen.failure,
            "pidf": seen.pidf,
        });
        let output = seen.output.as_deref().unwrap_or("null");
        spliced(&format!("{{\"output\":{output},\"document\":{}", seen.json), &rest)
    });
    let rest = json!({
        "devices": devices,
        "registrations": registrations,
        "watchers": found.watchers,
        "pidf": found.merged_pidf,
        "policy": policy(&api, &aor, found.policy.as_ref()),
        "failure": found.failure,
    });
    let head = format!(
        "{{\"aor\":{},\"merged\":{},\"explanation\":{},\"masked\":{}{}",
        json!(&*found.aor),
        nonempty(&found.merged_json),
        nonempty(&found.explanation_json),
        mask_json(found.masked.as_ref()),
        seen.map(|seen| format!(",\"seen\":{seen}")).unwrap_or_default(),
    );
    Ok(written(spliced(&head, &rest)))
}

pub(super) async fn live(State(api): State<Arc<Api>>, Path(aor): Path<String>) -> Answered {
    let aor = read(&aor)?;
    let answer = api.shards.ask_about(&aor, Query::Live { aor: aor.clone() }).await;
    let Some(Answer::Live(found)) = answer else { return Err(ApiError::stopping()) };
    let found = found.ok_or_else(|| unknown(&aor))?;
    let mut policy = policy(&api, &aor, found.policy.as_ref());
    if let (Some(policy), Some(params)) = (policy.as_object_mut(), &found.params) {
        policy.insert("params".to_owned(), serde_json::from_str(params).unwrap_or(Value::Null));
    }
    let rest = json!({"server_pidf": found.server_pidf, "policy": policy, "time_zone": found.time_zone});
    // The live set is one object; what the server adds goes in before its last brace.
    let head = found.live_json.trim_end().strip_suffix('}').unwrap_or("{\"live\":null").trim_end();
    let head = format!("{head},\"mask\":{}", mask_json(found.mask.as_ref()));
    Ok(written(spliced(&head, &rest)))
}

/// `head`, which lacks its last brace, and the members of `rest`.
pub(super) fn spliced(head: &str, rest: &Value) -> String {
    let rest = rest.to_string();
    let comma = if head.ends_with('{') { "" } else { "," };
    format!("{head}{comma}{}", rest.strip_prefix('{').unwrap_or("}"))
}

fn mask_json(mask: Option<&Mask>) -> String {
    mask.map_or_else(|| "null".to_owned(), Mask::write_json)
}

fn nonempty(json: &str) -> &str {
    if json.is_empty() { "null" } else { json }
}

fn policy(api: &Api, aor: &str, policy: Option<&(Arc<str>, [u8; 32])>) -> Value {
    let Some((name, id)) = policy else { return Value::Null };
    let snapshot = api.library.snapshot();
    let presentity = Presentity {
        aor: aor.to_owned(),
        domain: aor.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned(),
        tenant: api.library.tenants().of(aor).to_owned(),
        ..Presentity::default()
    };
    // Another may have come into force since the shard answered.
    let generation = snapshot
        .in_force(&presentity)
        .filter(|generation| generation.policy.as_ref().is_some_and(|policy| policy.id() == *id))
        .map(|generation| generation.number);
    json!({"id": crate::policies::hex(id), "name": &**name, "generation": generation})
}

/// The address of record in a path: `sip:alice@example.com`, or just `alice@example.com`.
pub(super) fn read(text: &str) -> Result<String, ApiError> {
    let text = if text.contains(':') { text.to_owned() } else { format!("sip:{text}") };
    Aor::parse(&text).map(|aor| aor.as_str().to_owned()).map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_aor",
            format!("{text} is not an address of record"),
            "write it as sip:alice@example.com",
        )
    })
}

fn unknown(aor: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "unknown_presentity",
        format!("nothing is known of {aor}"),
        "check the spelling; a user appears with the first REGISTER, PUBLISH or SUBSCRIBE",
    )
}

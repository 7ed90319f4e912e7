//! What is in force and on trial, scope by scope.

use super::error::ApiError;
use super::policies::{enabled, failure_json, finding_json, no_policy, no_tenant, read_id};
use super::users::served;
use super::{Answered, Api, Caller};
use crate::policies::{
    AssignError, Assigned, BUILT_IN, BreakerState, Candidate, Figures, Generation, ON_FAILURE, ShadowFigures,
    Snapshot, Wanted, hex, on_failure, on_failure_name, read_scope, write_scope,
};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::{Extension, Json};
use http::StatusCode;
use policy_sandbox::Finding;
use serde_json::{Value, json};
use std::sync::Arc;
use tributary_engine::{OnFailure, Scope, Users as _};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assignment {
    policy: Option<String>,
    built_in: Option<String>,
    params: Option<serde_json::Map<String, Value>>,
    #[serde(default)]
    locked: bool,
    /// On trial, for so many of a hundred presentities.
    canary: Option<u8>,
    /// Beside what the others go by, without effect.
    #[serde(default)]
    shadow: bool,
    on_failure: Option<String>,
}

/// What is on trial is put in force: for all, or for so many of a hundred.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Activation {
    canary: Option<u8>,
}

pub(super) async fn list(State(api): State<Arc<Api>>) -> Answered {
    Ok(Json(json!({"assignments": all_json(&api.library.snapshot())})).into_response())
}

pub(super) async fn assign(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(scope): Path<String>,
    assignment: Result<Json<Assignment>, JsonRejection>,
) -> Answered {
    enabled(&api)?;
    let scope = scope_of(&scope)?;
    let Json(assignment) = assignment.map_err(|rejection| {
        ApiError::new(
            rejection.status(),
            "bad_body",
            rejection.body_text(),
            "send {\"policy\": ID, \"params\": {..}} or {\"built_in\": NAME} as application/json",
        )
    })?;
    if assignment.policy.is_some() == assignment.built_in.is_some() {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_body",
            "exactly one of policy and built_in is needed",
            "send {\"policy\": ID, \"params\": {..}} or {\"built_in\": NAME}; DELETE takes an assignment back",
        ));
    }
    check_share(assignment.canary)?;
    if (assignment.canary.is_some() || assignment.shadow) && assignment.policy.is_none() {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_body",
            "a built-in merge is not tried",
            "assign it without canary and shadow",
        ));
    }
    known(&api, &scope)?;
    let id = assignment.policy.as_deref().map(read_id).transpose()?;
    let params = Value::Object(assignment.params.unwrap_or_default()).to_string();
    let built_in = assignment.built_in.as_deref();
    let on_failure = assignment.on_failure.as_deref().map(read_on_failure).transpose()?;
    let Assignment { locked, canary, shadow, .. } = assignment;
    let wanted = Wanted { policy: id, built_in, params: &params, locked, canary, shadow, on_failure };
    let assigned = api.library.assign(&caller.0, &scope, wanted).await.map_err(refused)?;
    Ok(changed(&api, &scope, &assigned, "assigned").await)
}

pub(super) async fn unassign(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(scope): Path<String>,
) -> Answered {
    enabled(&api)?;
    let scope = scope_of(&scope)?;
    let is_there = |assigned: &Assigned| assigned.current().is_some() || assigned.candidate.is_some();
    let there = api.library.snapshot().assigned(&scope).is_some_and(is_there);
    if !there {
        return Err(nothing_assigned(&write_scope(&scope)));
    }
    let assigned = api.library.assign(&caller.0, &scope, Wanted::NOTHING).await.map_err(refused)?;
    Ok(changed(&api, &scope, &assigned, "unassigned").await)
}

pub(super) async fn roll_back(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(scope): Path<String>,
) -> Answered {
    enabled(&api)?;
    let scope = scope_of(&scope)?;
    let assigned = api.library.roll_back(&caller.0, &scope).await.map_err(refused)?;
    Ok(changed(&api, &scope, &assigned, "rolled back").await)
}

pub(super) async fn activate(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(scope): Path<String>,
    activation: Result<Option<Json<Activation>>, JsonRejection>,
) -> Answered {
    enabled(&api)?;
    let scope = scope_of(&scope)?;
    let activation = activation.map_err(|rejection| {
        let fix = "send nothing, or {\"canary\": PERCENT} as application/json";
        ApiError::new(rejection.status(), "bad_body", rejection.body_text(), fix)
    })?;
    let Activation { canary } = activation.map_or_else(Activation::default, |Json(activation)| activation);
    check_share(canary)?;
    let assigned = api.library.activate(&caller.0, &scope, canary).await.map_err(refused)?;
    Ok(changed(&api, &scope, &assigned, "activated").await)
}

/// What is new is assigned to a domain that is served, or to a user whom the server knows. What was assigned before
/// somebody changed the configuration can still be taken back.
fn known(api: &Api, scope: &Scope) -> Result<(), ApiError> {
    match scope {
        Scope::All | Scope::Tenant(_) => Ok(()),
        Scope::Domain(domain) => served(api, domain),
        Scope::User(aor) => {
            served(api, aor.rsplit_once('@').map_or("", |(_, domain)| domain))?;
            if api.open || api.directory.exists(aor) {
                return Ok(());
            }
            Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "unknown_user",
                format!("there is no user {aor}"),
                "correct the address, or add the user: tributary user add, or PUT /api/v1/users/ADDRESS",
            ))
        }
    }
}

fn check_share(percent: Option<u8>) -> Result<(), ApiError> {
    match percent {
        Some(101..) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_body",
            "canary is a number of a hundred",
            "write 0 to 100; without it the policy is in force for all",
        )),
        _ => Ok(()),
    }
}

/// Lets the shards merge anew and says what is in force now, and what is on trial.
async fn changed(api: &Api, scope: &Scope, assigned: &Assigned, what: &str) -> axum::response::Response {
    let now = assigned.generations.last();
    let name = now.and_then(|now| now.policy.as_ref()).map_or("none", |policy| &*policy.name);
    let generation = now.map(|now| now.number);
    tracing::info!(scope = write_scope(scope), policy = name, generation, "policy {what}");
    api.shards.policy_changed(scope).await;
    Json(json!({
        "scope": write_scope(scope),
        "in_force": now.map(generation_json),
        "candidate": assigned.candidate.as_ref().map(candidate_json),
    }))
    .into_response()
}

fn refused(error: AssignError) -> ApiError {
    let (code, message) = (error.code(), error.to_string());
    let (status, fix) = match &error {
        AssignError::NoPolicy(id) => return no_policy(id),
        AssignError::NoTenant(tenant) => return no_tenant(tenant),
        AssignError::NothingAssigned(scope) => return nothing_assigned(scope),
        AssignError::Store(_) => return ApiError::store(),
        AssignError::NoBuiltIn(_) => {
            (StatusCode::NOT_FOUND, format!("take one of {}", BUILT_IN.map(|(name, _)| name).join(", ")))
        }
        AssignError::Params(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "the report beside this error names everything that is wrong with them".to_owned(),
        ),
        AssignError::Signature(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "upload it again with a signature by a key that is trusted there".to_owned(),
        ),
        AssignError::Locked(_) => (
            StatusCode::CONFLICT,
            "what is assigned within it has no effect: assign to that scope, without locked, first"
                .to_owned(),
        ),
        AssignError::Quota(finding) => (StatusCode::INSUFFICIENT_STORAGE, finding.fix.clone()),
        AssignError::NoCandidate(_) => {
            let fix = "assign a policy there on trial first: --canary PERCENT, which is `canary` of the API";
            (StatusCode::CONFLICT, fix.to_owned())
        }
        AssignError::NoEarlier { scope, .. } => (
            StatusCode::CONFLICT,
            format!("assign what you want there, or take back what is: tributary policy unassign {scope}"),
        ),
    };
    let answer = ApiError::new(status, code, message, fix);
    let errors =
        |findings: &[Finding]| json!({"errors": findings.iter().map(finding_json).collect::<Vec<_>>()});
    match &error {
        AssignError::Params(findings) => answer.with_report(errors(findings)),
        AssignError::Signature(finding) | AssignError::Quota(finding) => {
            answer.with_report(errors(std::slice::from_ref(finding)))
        }
        _ => answer,
    }
}

pub(super) fn scope_of(text: &str) -> Result<Scope, ApiError> {
    read_scope(text).ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_scope",
            format!("{text} is not a scope"),
            "write operator, tenant:acme, domain:example.com or user:sip:alice@example.com",
        )
    })
}

fn read_on_failure(name: &str) -> Result<OnFailure, ApiError> {
    on_failure(name).ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_body",
            format!("{name} is nothing that can stand in for a policy"),
            format!("take one of {}", ON_FAILURE.map(|(name, _)| name).join(", ")),
        )
    })
}

fn nothing_assigned(scope: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "nothing_assigned",
        format!("nothing is assigned to {scope}"),
        "see what is assigned where: tributary policy status, or GET /api/v1/assignments",
    )
}

fn generation_json(generation: &Generation) -> Value {
    json!({
        "generation": generation.number,
        "policy": match (&generation.policy, generation.lost) {
            (Some(policy), _) => json!({"id": hex(&policy.id()), "name": &*policy.name}),
            (None, Some(lost)) => json!({"id": hex(&lost), "name": "missing"}),
            (None, None) => Value::Null,
        },
        "built_in": generation.built_in.and_then(|merge| BUILT_IN.iter().find(|(_, known)| *known == merge)).map(|(name, _)| *name),
        "params": serde_json::from_str::<Value>(&generation.params).unwrap_or(Value::Null),
        "locked": generation.locked,
        "on_failure": on_failure_name(generation.on_failure),
        "breaker": breaker_json(generation),
        "figures": scope_figures_json(&generation.figures()),
        "since_ms": generation.since.0,
    })
}

/// What was counted in one scope, so that what is on trial can be held against what is in force.
fn scope_figures_json(figures: &Figures) -> Value {
    json!({
        "calls": figures.calls,
        "outputs": figures.outputs,
        "no_opinion": figures.no_opinion,
        "failures": figures.failures.values().sum::<u64>(),
        "held": figures.held,
        "throttled": figures.throttled,
        "fuel": figures.fuel,
    })
}

fn candidate_json(candidate: &Candidate) -> Value {
    json!({
        "percent": candidate.percent,
        "generation": generation_json(&candidate.generation),
        "shadow": candidate.shadow.as_ref().map(|shadow| shadow_json(&shadow.figures())),
    })
}

/// What it would have changed for those whom it does not answer for.
fn shadow_json(figures: &ShadowFigures) -> Value {
    let sample: Vec<Value> = figures
        .sample
        .iter()
        .rev()
        .map(|changed| json!({"at_ms": changed.at.0, "aor": changed.aor, "what": changed.what}))
        .collect();
    json!({
        "compared": figures.compared,
        "changed": figures.changed,
        "failures": figures.failures,
        "skipped": figures.skipped,
        "last_failure": figures.last_failure.as_ref().map(failure_json),
        "sample": sample,
    })
}

/// Every scope that ever had an assignment.
pub(super) fn all_json(snapshot: &Snapshot) -> Vec<Value> {
    snapshot.scopes().into_iter().map(|(scope, assigned)| assigned_json(&scope, assigned)).collect()
}

fn breaker_json(generation: &Generation) -> Value {
    let (state, openings) = generation.breaker.state();
    let until = match state {
        BreakerState::Open(until) | BreakerState::Probing(until) => Some(until.0),
        BreakerState::Closed | BreakerState::Quarantined => None,
    };
    json!({"state": state.name(), "until_ms": until, "openings": openings})
}

fn assigned_json(scope: &Scope, assigned: &Assigned) -> Value {
    json!({
        "scope": write_scope(scope),
        "in_force": assigned.current().map(generation_json),
        "candidate": assigned.candidate.as_ref().map(candidate_json),
        "generations": assigned.generations.iter().rev().map(generation_json).collect::<Vec<_>>(),
    })
}

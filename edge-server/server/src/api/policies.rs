//! Policies and their assignments.

use super::error::ApiError;
use super::{Answered, Api, Caller};
use crate::policies::{
    AssignError, Assigned, BUILT_IN, BreakerState, Brought, Candidate, Entry, Failure, Figures, Generation,
    NameProblem, ON_FAILURE, RemoveError, ShadowFigures, Source, UploadError, Wanted, hex, on_failure,
    on_failure_name, read_scope, unhex, write_scope,
};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse as _;
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, header};
use policy_sandbox::{Finding, Report, is_script};
use serde_json::{Value, json};
use std::sync::Arc;
use tributary_engine::{OnFailure, Scope};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    name: Option<String>,
    /// Whose it is to be; the operator's when not given.
    tenant: Option<String>,
}

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

/// The header of an upload that holds the detached signature of the file, base64.
pub(crate) const SIGNATURE: &str = "policy-signature";

/// Everything that is wrong with a file, as an upload would find it, without keeping it. The answer is
/// 200 either way: the question was what the report is.
pub(super) async fn check(
    State(api): State<Arc<Api>>,
    Query(query): Query<Upload>,
    headers: HeaderMap,
    file: Result<Bytes, BytesRejection>,
) -> Answered {
    let brought = brought(&api, &query, &headers, file)?;
    let report = match api.library.examine(&brought).await {
        Ok(examined) => report_json(&examined.report),
        Err(report) => report_json(&report),
    };
    Ok(Json(report).into_response())
}

pub(super) async fn upload(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<Upload>,
    headers: HeaderMap,
    file: Result<Bytes, BytesRejection>,
) -> Answered {
    enabled(&api)?;
    let brought = brought(&api, &query, &headers, file)?;
    match api.library.upload(&caller.0, query.name.as_deref(), brought).await {
        Ok((entry, report)) => {
            tracing::info!(policy = %entry.name, id = hex(&entry.id()), "a policy was uploaded");
            let answer = json!({
                "id": hex(&entry.id()),
                "name": &*entry.name,
                "signature": signature_json(&entry),
                "report": report_json(&report),
            });
            Ok((StatusCode::CREATED, Json(answer)).into_response())
        }
        Err(UploadError::Refused(report, name)) => {
            let and = name.map(|problem| format!("; {problem}")).unwrap_or_default();
            Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "policy_refused",
                format!("the policy has {} errors{and}", report.errors.len()),
                "the report beside this error names each, with its place and what to do",
            )
            .with_report(report_json(&report)))
        }
        Err(UploadError::Name(problem @ NameProblem::Taken(_))) => Err(ApiError::new(
            StatusCode::CONFLICT,
            "name_taken",
            problem.to_string(),
            "give another name with ?name=, or delete the other policy first",
        )),
        Err(UploadError::Name(problem @ NameProblem::Bad)) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_name",
            problem.to_string(),
            "give another with ?name=",
        )),
        Err(error @ UploadError::Full(_)) => Err(ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "full",
            error.to_string(),
            "delete one that is not in force, or raise policies.max_files",
        )),
        Err(UploadError::Quota(finding)) => {
            let too_often = finding.code == "E192";
            let status =
                if too_often { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::INSUFFICIENT_STORAGE };
            Err(ApiError::new(status, "quota", finding.message.clone(), finding.fix.clone())
                .with_report(json!({"errors": [finding_json(&finding)]})))
        }
        Err(UploadError::NoTenant(tenant)) => Err(no_tenant(&tenant)),
        Err(UploadError::Store(_)) => Err(ApiError::store()),
    }
}

pub(super) async fn list(State(api): State<Arc<Api>>) -> Answered {
    let snapshot = api.library.snapshot();
    let policies: Vec<Value> = snapshot.policies().map(|entry| entry_json(entry)).collect();
    let assignments: Vec<Value> =
        snapshot.scopes().into_iter().map(|(scope, assigned)| assigned_json(&scope, assigned)).collect();
    let built_in: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    Ok(Json(json!({"policies": policies, "built_in": built_in, "assignments": assignments})).into_response())
}

pub(super) async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answered {
    let entry = known(&api, &id)?;
    let mut answer = entry_json(&entry);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("report".to_owned(), report_json(entry.policy.report()));
        answer.insert("log".to_owned(), json!(entry.figures().log));
    }
    Ok(Json(answer).into_response())
}

pub(super) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answered {
    enabled(&api)?;
    let id = read_id(&id)?;
    match api.library.remove(&caller.0, &id).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(RemoveError::Unknown) => Err(no_policy(&hex(&id))),
        Err(error @ RemoveError::InUse(_)) => Err(ApiError::new(
            StatusCode::CONFLICT,
            "in_use",
            error.to_string(),
            "assign something else to that scope first",
        )),
        Err(RemoveError::Store(_)) => Err(ApiError::store()),
    }
}

pub(super) async fn file(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answered {
    let entry = known(&api, &id)?;
    let kind = if is_script(&entry.file) { "text/javascript; charset=utf-8" } else { "application/wasm" };
    Ok(([(header::CONTENT_TYPE, kind)], entry.file.clone()).into_response())
}

pub(super) async fn assignments(State(api): State<Arc<Api>>) -> Answered {
    let snapshot = api.library.snapshot();
    let all: Vec<Value> =
        snapshot.scopes().into_iter().map(|(scope, assigned)| assigned_json(&scope, assigned)).collect();
    Ok(Json(json!({"assignments": all})).into_response())
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
        return Err(nothing_assigned(&scope));
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
            (StatusCode::CONFLICT, "assign a policy there with canary (0 to 100) first".to_owned())
        }
        AssignError::NoEarlier => {
            (StatusCode::CONFLICT, "GET /api/v1/assignments shows the generations that are kept".to_owned())
        }
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

fn enabled(api: &Api) -> Result<(), ApiError> {
    if api.policies_enabled {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "policies_disabled",
        "policies cannot be changed by the API here",
        "set policies.enabled = true",
    ))
}

fn body(api: &Api, file: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    file.map_err(|rejection| {
        let fix = format!("at most {} bytes are taken (api.max_body_bytes)", api.max_body);
        ApiError::new(rejection.status(), "bad_body", rejection.body_text(), fix)
    })
}

fn no_tenant(tenant: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "unknown_tenant",
        format!("no domain is of the tenant {tenant}"),
        "name its domains in server.tenants of the configuration",
    )
}

/// The file with what came beside it: whose it is, and who has signed it.
fn brought(
    api: &Api,
    query: &Upload,
    headers: &HeaderMap,
    file: Result<Bytes, BytesRejection>,
) -> Result<Brought, ApiError> {
    let signature = headers.get(SIGNATURE).map(|value| {
        // What is no text is no signature: it is refused as one that fits no key.
        value.to_str().unwrap_or("?").to_owned()
    });
    let tenant = query.tenant.clone().unwrap_or_default();
    Ok(Brought { file: body(api, file)?, tenant, signature })
}

fn scope_of(text: &str) -> Result<Scope, ApiError> {
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

fn nothing_assigned(scope: &Scope) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "nothing_assigned",
        format!("nothing is assigned to {}", write_scope(scope)),
        "GET /api/v1/assignments lists what is",
    )
}

fn read_id(text: &str) -> Result<[u8; 32], ApiError> {
    unhex(text).ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_id",
            "a policy's id has 64 hexadecimal digits",
            "GET /api/v1/policies lists them",
        )
    })
}

fn known(api: &Api, id: &str) -> Result<Arc<Entry>, ApiError> {
    let id = read_id(id)?;
    api.library.snapshot().policy(&id).ok_or_else(|| no_policy(&hex(&id)))
}

fn no_policy(id: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "unknown_policy",
        format!("there is no policy {id}"),
        "upload it with POST /api/v1/policies; GET lists what is there",
    )
}

fn finding_json(finding: &Finding) -> Value {
    json!({"code": finding.code, "place": finding.place, "message": finding.message, "fix": finding.fix})
}

fn report_json(report: &Report) -> Value {
    let findings = |findings: &[Finding]| findings.iter().map(finding_json).collect::<Vec<_>>();
    let manifest = report.manifest.as_ref().map(|manifest| {
        json!({
            "name": manifest.name,
            "version": manifest.version,
            "summary": manifest.summary,
            "license": manifest.license,
            "hooks": manifest.hooks,
            "privacy": manifest.privacy,
            "params_schema": manifest.params_schema.as_deref().and_then(|schema| serde_json::from_str::<Value>(schema).ok()),
        })
    });
    json!({
        "ok": report.is_ok(),
        "errors": findings(&report.errors),
        "warnings": findings(&report.warnings),
        "manifest": manifest,
        "abi": report.abi,
        "hooks": report.hooks.names(),
    })
}

fn entry_json(entry: &Entry) -> Value {
    let figures = entry.figures();
    json!({
        "id": hex(&entry.id()),
        "name": &*entry.name,
        "source": match entry.source { Source::Shipped => "shipped", Source::Uploaded => "uploaded" },
        "bytes": entry.file.len(),
        "since_ms": entry.since.0,
        "tenant": (!entry.tenant.is_empty()).then_some(&*entry.tenant),
        "signature": signature_json(entry),
        "summary": entry.policy.report().manifest.as_ref().and_then(|manifest| manifest.summary.clone()),
        "figures": {
            "calls": figures.calls,
            "outputs": figures.outputs,
            "no_opinion": figures.no_opinion,
            "failures": figures.failures,
            "held": figures.held,
            "throttled": figures.throttled,
            "fuel": figures.fuel,
            "last_failure": figures.last_failure.as_ref().map(failure_json),
        },
    })
}

/// Who has signed it, of those that are trusted today.
fn signature_json(entry: &Entry) -> Value {
    match (&entry.signature, &entry.signed_by) {
        (None, _) => Value::Null,
        (Some(_), by) => json!({"by": by.as_deref()}),
    }
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

fn failure_json(failure: &Failure) -> Value {
    json!({"at_ms": failure.at.0, "aor": failure.aor, "code": failure.code, "message": failure.message})
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

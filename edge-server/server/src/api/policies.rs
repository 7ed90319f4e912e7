//! Policies: uploaded, examined, shown and removed.

use super::error::ApiError;
use super::{Answered, Api, Caller};
use crate::policies::{
    BUILT_IN, Brought, Entry, Failure, Kept, NameProblem, RemoveError, Source, Tried, TriedCaptured,
    UploadError, hex, unhex,
};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse as _;
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, header};
use merge_core::policy::limits;
use policy_sandbox::{Finding, Report, Vector, is_script};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    name: Option<String>,
    /// Whose it is to be; the operator's when not given.
    tenant: Option<String>,
    /// The scope whose policy in force the answers are held against, and whose captured inputs are tried.
    against: Option<String>,
}

/// An upload with vectors; one without is the file alone.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WithVectors {
    /// The file, base64.
    module: String,
    #[serde(default)]
    vectors: Vec<Sent>,
}

/// A vector as its file holds it, but that `base` is the input itself.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    file: String,
    vector: Value,
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
        Ok(examined) => with_tried(report_json(&examined.report), examined.tried.as_ref()),
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
        Ok(Kept { entry, report, tried }) => {
            tracing::info!(policy = %entry.name, id = hex(&entry.id()), "a policy was uploaded");
            let answer = json!({
                "id": hex(&entry.id()),
                "name": &*entry.name,
                "signature": signature_json(&entry),
                "report": with_tried(report_json(&report), tried.as_ref()),
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
    let assignments = super::assignments::all_json(&snapshot);
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

pub(super) fn enabled(api: &Api) -> Result<(), ApiError> {
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

pub(super) fn no_tenant(tenant: &str) -> ApiError {
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
    let against = query.against.as_deref().map(super::assignments::scope_of).transpose()?;
    let body = body(api, file)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (file, vectors) =
        if kind.starts_with("application/json") { read_with_vectors(&body)? } else { (body, Vec::new()) };
    Ok(Brought { file, tenant, signature, vectors, against })
}

/// The file and the vectors of an upload in JSON.
fn read_with_vectors(body: &[u8]) -> Result<(Bytes, Vec<Vector>), ApiError> {
    let bad = |message: String| {
        let fix =
            "send {\"module\": BASE64, \"vectors\": [{\"file\": NAME, \"vector\": {..}}]}, or the file alone";
        ApiError::new(StatusCode::BAD_REQUEST, "bad_body", message, fix)
    };
    let sent: WithVectors = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
    let module = data_encoding::BASE64.decode(sent.module.as_bytes());
    let module = module.map_err(|error| bad(format!("module: {error}")))?;
    if sent.vectors.len() > limits::UPLOAD_VECTORS {
        return Err(bad(format!("more than {} vectors", limits::UPLOAD_VECTORS)));
    }
    let read = |Sent { file, mut vector }: Sent| {
        let base = vector.get_mut("base").map(Value::take);
        let file = PathBuf::from(&file);
        if let (Some(_), Some(members)) = (&base, vector.as_object_mut()) {
            // What stands in its place is asked for by name, and here there is one.
            members.insert("base".to_owned(), Value::String("base".to_owned()));
        }
        let base = base.unwrap_or_default().to_string().into_bytes();
        Vector::read(&file, vector.to_string().as_bytes(), |_| Ok(base))
            .map_err(|error| bad(error.to_string()))
    };
    let vectors = sent.vectors.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok((module.into(), vectors))
}

fn with_tried(mut report: Value, tried: Option<&Tried>) -> Value {
    if let (Some(tried), Some(report)) = (tried, report.as_object_mut()) {
        let sample: Vec<Value> =
            tried.sample.iter().map(|(vector, what)| json!({"vector": vector, "what": what})).collect();
        let tried = json!({
            "vectors": tried.vectors,
            "compared": tried.compared,
            "changed": tried.changed,
            "against": tried.against.as_deref(),
            "sample": sample,
            "captured": captured_json(&tried.captured),
        });
        report.insert("tried".to_owned(), tried);
    }
    report
}

fn captured_json(captured: &TriedCaptured) -> Value {
    let sample: Vec<Value> = (captured.sample.iter())
        .map(|(aor, at, what)| json!({"aor": &**aor, "at_ms": at.0, "what": what}))
        .collect();
    json!({"inputs": captured.inputs, "changed": captured.changed, "sample": sample})
}

pub(super) fn read_id(text: &str) -> Result<[u8; 32], ApiError> {
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

pub(super) fn no_policy(id: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "unknown_policy",
        format!("there is no policy {id}"),
        "upload it with POST /api/v1/policies; GET lists what is there",
    )
}

pub(super) fn finding_json(finding: &Finding) -> Value {
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
            "takes_long": figures.takes_long,
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

pub(super) fn failure_json(failure: &Failure) -> Value {
    json!({"at_ms": failure.at.0, "aor": failure.aor, "code": failure.code, "message": failure.message})
}

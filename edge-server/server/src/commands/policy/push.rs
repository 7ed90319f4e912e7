//! `tributary policy push`: a file, its signature and its vectors on their way to a server.

use super::Done;
use super::audit::moment;
use super::remote::{answer, list, problem, word};
use crate::cli::PolicyAction;
use crate::commands::remote::{RemoteError, Sent, encoded, open};
use http::Method;
use policy_workbench::{Paint, Problem, module_bytes, vector_files};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) async fn push(action: PolicyAction) -> Done {
    let PolicyAction::Push { policy, name, vectors, against, dry_run, tenant, server } = action else {
        return Err(Problem::usage("this is no upload", "see tributary policy push --help"));
    };
    let (module, bytes) = module_bytes(&policy)?;
    let signature = signature_of(&module)?;
    let query: Vec<String> = [("name", &name), ("tenant", &tenant), ("against", &against)]
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", encoded(value.as_deref()?))))
        .collect();
    let path = if dry_run { "/policies/check" } else { "/policies" };
    let path = format!("{path}?{}", query.join("&"));
    let sent = if vectors.is_empty() {
        Sent::Module(bytes, signature)
    } else {
        let module = data_encoding::BASE64.encode(&bytes);
        Sent::Tried(json!({"module": module, "vectors": sent_vectors(&vectors)?}), signature)
    };
    match open(&server).await?.call(Method::POST, &path, sent).await {
        Ok((_, report)) if dry_run => {
            let good = report.get("ok") == Some(&Value::Bool(true));
            answer(json!({"ok": good, "report": report}), good, tried_out)
        }
        Ok((_, body)) => answer(body, true, pushed),
        // What is wrong with a policy is an answer, with the report beside it.
        Err(RemoteError::Refused(refusal)) if refusal.body.get("report").is_some() => {
            answer(refusal.body, false, refused)
        }
        Err(error) => Err(problem(error)),
    }
}

/// The vectors as a server takes them: each with the input that it names, in place of the name.
fn sent_vectors(paths: &[PathBuf]) -> Result<Vec<Value>, Problem> {
    let read = |file: &Path| -> Result<Value, Problem> {
        let unusable = |error: &dyn std::fmt::Display| {
            Problem::usage(format!("{}: {error}", file.display()), "mend the vector, or leave it out")
        };
        let bytes = std::fs::read(file).map_err(|error| unusable(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| unusable(&error))
    };
    let whole = |file: PathBuf| {
        let mut vector = read(&file)?;
        if let Some(base) = vector.get("base").and_then(Value::as_str) {
            let base = read(&file.parent().unwrap_or(Path::new(".")).join(base))?;
            vector["base"] = base;
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(json!({"file": name, "vector": vector}))
    };
    vector_files(paths)?.into_iter().map(whole).collect()
}

/// What `sign` wrote beside the module, if anything.
fn signature_of(module: &Path) -> Result<Option<String>, Problem> {
    let file = super::sign::file_of(module);
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Problem::usage(format!("{}: {error}", file.display()), "write it with tributary policy sign"))
        }
    }
}

/// What the vectors, and what was captured, came to on the server.
fn tried(report: &Value, paint: Paint) -> String {
    let Some(tried) = report.get("tried").filter(|tried| tried.is_object()) else { return String::new() };
    let figure = |place: &str| word(tried, place);
    let against = match tried.get("against") {
        Some(Value::String(_)) => figure("/against"),
        _ => "the built-in merge".to_owned(),
    };
    let mut out = String::new();
    if figure("/vectors") != "0" {
        out.push_str(&format!("{}\n", paint.good(&format!("{} vectors hold", figure("/vectors")))));
        let (changed, compared) = (figure("/changed"), figure("/compared"));
        out.push_str(&format!("answers {changed} of {compared} otherwise than {against}\n"));
        for changed in list(tried, "/sample") {
            out.push_str(&otherwise(&word(changed, "/vector"), changed));
        }
    }
    if !matches!(figure("/captured/inputs").as_str(), "0" | "-") {
        let (changed, inputs) = (figure("/captured/changed"), figure("/captured/inputs"));
        out.push_str(&format!("answers {changed} of {inputs} captured inputs otherwise than {against}\n"));
        for changed in list(tried, "/captured/sample") {
            let whose = format!("{} at {}", word(changed, "/aor"), moment(changed, "/at_ms"));
            out.push_str(&otherwise(&whose, changed));
        }
    }
    out
}

fn otherwise(which: &str, changed: &Value) -> String {
    let what: Vec<String> = list(changed, "/what").iter().map(|what| word(what, "")).collect();
    format!("    {which}: {}\n", what.join("; "))
}

fn tried_out(body: &Value, paint: Paint) -> String {
    let good = body.get("ok") == Some(&Value::Bool(true));
    let mut out = if good { paint.good("would be taken\n") } else { paint.bad("would be refused\n") };
    findings(&mut out, body, "/report/errors", |code| paint.bad(code));
    findings(&mut out, body, "/report/warnings", |code| paint.warn(code));
    out.push_str(&body.get("report").map(|report| tried(report, paint)).unwrap_or_default());
    out
}

fn pushed(body: &Value, paint: Paint) -> String {
    let mut out = format!("{} is uploaded as {}\n", word(body, "/name"), paint.good(&word(body, "/id")));
    if body.pointer("/signature/by").is_some_and(Value::is_string) {
        out.push_str(&format!("signed by {}\n", word(body, "/signature/by")));
    }
    findings(&mut out, body, "/report/warnings", |code| paint.warn(code));
    out.push_str(&body.get("report").map(|report| tried(report, paint)).unwrap_or_default());
    out.push_str(&paint.dim("not in force yet: tributary policy assign NAME --to domain:DOMAIN\n"));
    out
}

fn refused(body: &Value, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.bad(&word(body, "/error/message")));
    findings(&mut out, body, "/report/errors", |code| paint.bad(code));
    findings(&mut out, body, "/report/warnings", |code| paint.warn(code));
    out
}

fn findings(out: &mut String, body: &Value, place: &str, painted: impl Fn(&str) -> String) {
    for finding in list(body, place) {
        let (code, at) = (painted(&word(finding, "/code")), word(finding, "/place"));
        let (message, fix) = (word(finding, "/message"), word(finding, "/fix"));
        out.push_str(&format!("  {code} {at}: {message}\n       fix: {fix}\n"));
    }
}

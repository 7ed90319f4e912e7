//! The merge core for a page.
//!
//! ```text
//!   live set (JSON) ──> merge ────────────> {"pidf", "json", "explanation"}
//!                  └──> policyInput ──> bytes ──> a policy, in a Worker ──> bytes ─┐
//!                  ┌───────────────────────────────────────────────────────────────┘
//!                  └──> applyPolicy ──────> {"pidf", "json", "explanation", "explain"} or {"error"}
//!   the merged document ──> applyMask ──> {"pidf", "json", "masked"}: the merged document that views are made of
//!   the merged document ──> viewInput ──> bytes ──> pp_view ──> bytes ──> applyView ──> {"pidf", "json", "explain"}
//!   where a policy fails that hides things ──> minimal, minimalView ──> what stands in for it
//!   a document that came over the wire ──> readPidf ──> its JSON form
//! ```
//! The same code that the server merges with, so the bytes are the same. JSON text crosses the border in
//! both directions: one mapping, the one that the API and the policies use, and no glue per type. What is
//! refused is thrown as a JavaScript `Error` with the reason.

#![forbid(unsafe_code)]

mod answer;
mod local_time;
mod mask;
mod watcher;

use merge_core::compose::compose;
use merge_core::live::Snapshot;
use merge_core::model::Document;
use merge_core::policy::{self, Call, Reason, Seen, View, ViewCall};
use merge_core::presence_json;
use merge_core::time::Millis;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// The built-in merge of a live set, at its `now_ms`, in its `composition`.
///
/// # Errors
/// The live set's first member that is missing, of the wrong kind, or holds a document that cannot be read.
#[wasm_bindgen]
pub fn merge(live: &str) -> Result<String, JsError> {
    let snapshot = read(live)?;
    let composed = compose(&snapshot.set, snapshot.now, snapshot.composition);
    Ok(answer::of(&composed, &[]))
}

/// The input that a policy is given for a live set, byte for byte as the contract says. `params` is the
/// operator's JSON object, `local_time` what the presentity's wall clock shows, as the contract's member of that name:
/// a browser knows the time zones, and this module need not bring them.
///
/// # Errors
/// As for [`merge`], and what is wrong with the local time.
#[wasm_bindgen(js_name = policyInput)]
pub fn policy_input(live: &str, params: &str, local_time: &str) -> Result<Vec<u8>, JsError> {
    let snapshot = read(live)?;
    let builtin = compose(&snapshot.set, snapshot.now, snapshot.composition);
    let local_time = local_time::read(local_time).map_err(|error| JsError::new(&error))?;
    let call = Call { local_time: Some(local_time), ..call(&snapshot, params) };
    Ok(policy::write_input(&call, &builtin))
}

/// What the host makes of a policy's output: the same checks and the same writing as on the server. An
/// output that breaks the contract is an `"error"` with its code, since the built-in merge then stands.
///
/// # Errors
/// As for [`merge`].
#[wasm_bindgen(js_name = applyPolicy)]
pub fn apply_policy(live: &str, params: &str, output: &[u8]) -> Result<String, JsError> {
    let snapshot = read(live)?;
    let builtin = compose(&snapshot.set, snapshot.now, snapshot.composition);
    let call = call(&snapshot, params);
    Ok(match policy::read_output(output, &call) {
        Ok(output) => answer::of(&policy::apply(&call, &builtin, &output), &output.explain),
        Err(error) => answer::refused(&error),
    })
}

/// What stands in for a policy that hides things and failed: open or closed, and nothing else.
///
/// # Errors
/// As for [`merge`].
#[wasm_bindgen]
pub fn minimal(live: &str) -> Result<String, JsError> {
    let snapshot = read(live)?;
    let builtin = compose(&snapshot.set, snapshot.now, snapshot.composition);
    Ok(answer::of(&policy::minimal(&call(&snapshot, "{}"), &builtin), &[]))
}

/// The same for its `pp_view`: what is left of a merged document.
///
/// # Errors
/// What is wrong with the document.
#[wasm_bindgen(js_name = minimalView)]
pub fn minimal_view(merged: &str) -> Result<String, JsError> {
    let merged = document(merged)?;
    Ok(answer::of_view(&document(&String::from_utf8_lossy(&View::minimal().apply(&merged)))?, &[]))
}

/// The input that `pp_view` is given for a merged document and a watcher, `{"class","groups":[..],"aor"?}`.
///
/// # Errors
/// What is wrong with the document or the watcher.
#[wasm_bindgen(js_name = viewInput)]
pub fn view_input(merged: &str, watcher: &str, now_ms: f64, params: &str) -> Result<Vec<u8>, JsError> {
    let merged = document(merged)?;
    let watcher = watcher::read(watcher).map_err(|error| JsError::new(&error))?;
    // A JavaScript number holds the milliseconds of a date without loss.
    let call = ViewCall { merged: &merged, watcher: &watcher, now: Millis(now_ms as i64), params };
    Ok(policy::write_view_input(&call))
}

/// What the host makes of the output of `pp_view`: the same document with less in it, or an `"error"`.
///
/// # Errors
/// What is wrong with the document.
#[wasm_bindgen(js_name = applyView)]
pub fn apply_view(merged: &str, output: &[u8]) -> Result<String, JsError> {
    let merged = document(merged)?;
    Ok(match policy::read_view(output, &Seen::in_document(&merged)) {
        Ok(view) => {
            answer::of_view(&document(&String::from_utf8_lossy(&view.apply(&merged)))?, &view.explain)
        }
        Err(error) => answer::refused(&error),
    })
}

/// What the operator's mask, `{"drop":[..],"level":".."}`, leaves of a merged document, and what it takes away of it.
///
/// # Errors
/// What is wrong with the document or the mask.
#[wasm_bindgen(js_name = applyMask)]
pub fn apply_mask(merged: &str, mask: &str) -> Result<String, JsError> {
    let merged = document(merged)?;
    let mask = mask::read(mask).map_err(|error| JsError::new(&error))?;
    let masked = document(&String::from_utf8_lossy(&mask.apply(&merged)))?;
    Ok(answer::of_masked(&masked, &mask.taken(&merged)))
}

/// The JSON form of a document.
///
/// # Errors
/// What is wrong with the document, with line and column where it is no XML.
#[wasm_bindgen(js_name = readPidf)]
pub fn read_pidf(xml: &str) -> Result<String, JsError> {
    Ok(presence_json::write(&document(xml)?))
}

fn document(xml: &str) -> Result<Document, JsError> {
    Document::read(xml.as_bytes()).map_err(|error| JsError::new(&error.to_string()))
}

fn read(live: &str) -> Result<Snapshot, JsError> {
    Snapshot::read_json(live.as_bytes()).map_err(|error| JsError::new(&error.to_string()))
}

fn call<'a>(snapshot: &'a Snapshot, params: &'a str) -> Call<'a> {
    Call {
        set: &snapshot.set,
        now: snapshot.now,
        reason: Reason::Publish,
        changed_etag: None,
        params,
        local_time: None,
    }
}

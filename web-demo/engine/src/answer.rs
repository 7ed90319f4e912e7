//! What goes back to the page: one JSON object, its parts written by merge-core.

use merge_core::compose::Composed;
use merge_core::json::Writer;
use merge_core::model::Document;
use merge_core::policy::{Mask, OutputError};
use merge_core::presence_json;

/// `{"pidf","json","explanation","explain"}`: the document, its JSON form, where each value came from,
/// and what a policy said about itself.
pub(crate) fn of(composed: &Composed<'_>, explain: &[String]) -> String {
    let pidf = String::from_utf8_lossy(&composed.write_pidf()).into_owned();
    format!(
        r#"{{"pidf":{},"json":{},"explanation":{},"explain":{}}}"#,
        quoted(&pidf),
        composed.write_json(),
        explanation(composed),
        lines(explain),
    )
}

/// `{"pidf","json","explain"}`: what some watchers get, and why.
pub(crate) fn of_view(document: &Document, explain: &[String]) -> String {
    format!(
        r#"{{"pidf":{},"json":{},"explain":{}}}"#,
        quoted(document.source()),
        presence_json::write(document),
        lines(explain),
    )
}

/// `{"pidf","json","masked"}`: what the operator's mask has left, and what it took away; null for nothing.
pub(crate) fn of_masked(document: &Document, taken: &Mask) -> String {
    let masked = if taken.is_nothing() { "null".to_owned() } else { taken.write_json() };
    format!(
        r#"{{"pidf":{},"json":{},"masked":{masked}}}"#,
        quoted(document.source()),
        presence_json::write(document),
    )
}

/// `{"error":{"code","place","message"}}`: why a policy's output is not used.
pub(crate) fn refused(error: &OutputError) -> String {
    let mut out = Writer::new();
    out.begin_object();
    out.key("error").begin_object();
    out.key("code").string(error.code);
    out.key("place").string(&error.place);
    out.key("message").string(&error.message);
    out.end_object();
    out.end_object();
    out.into_string()
}

fn lines(lines: &[String]) -> String {
    let mut out = Writer::new();
    out.begin_array();
    lines.iter().for_each(|line| out.string(line));
    out.end_array();
    out.into_string()
}

fn explanation(composed: &Composed<'_>) -> String {
    composed.explain().write_json()
}

/// The text as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = Writer::with_capacity(text.len() + 64);
    out.string(text);
    out.into_string()
}

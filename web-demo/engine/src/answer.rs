//! What goes back to the page: one JSON object, its parts written by merge-core.

use merge_core::compose::Composed;
use merge_core::json::Writer;
use merge_core::policy::OutputError;

/// `{"pidf","json","explanation","explain"}`: the document, its JSON form, where each value came from,
/// and what a policy said about itself.
pub(crate) fn of(composed: &Composed<'_>, explain: &[String]) -> String {
    let pidf = String::from_utf8_lossy(&composed.write_pidf()).into_owned();
    let mut says = Writer::new();
    says.begin_array();
    explain.iter().for_each(|line| says.string(line));
    says.end_array();
    format!(
        r#"{{"pidf":{},"json":{},"explanation":{},"explain":{}}}"#,
        quoted(&pidf),
        composed.write_json(),
        explanation(composed),
        says.into_string(),
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

fn explanation(composed: &Composed<'_>) -> String {
    composed.explain().write_json()
}

/// The text as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = Writer::with_capacity(text.len() + 64);
    out.string(text);
    out.into_string()
}

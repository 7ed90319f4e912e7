//! Results before the RFCs' own schemas.

#[path = "../support/xmllint.rs"]
mod xmllint;

/// Panics unless the document is valid.
pub(crate) fn check(what: &str, document: &str) {
    let verdict = xmllint::judge("presence.xsd", document.as_bytes());
    assert!(verdict.is_empty(), "{what} is not valid:\n{verdict}\n{}", document.replace("><", ">\n<"));
}

//! Results before the RFCs' own schemas, by xmllint (libxml2).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Panics unless the document is valid by `tests/xsd/presence.xsd`.
pub(crate) fn check(what: &str, document: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xsd/presence.xsd");
    let mut child = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schema)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("xmllint: {error}; install libxml2-utils"));
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{what} is not valid:\n{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        document.replace("><", ">\n<")
    );
}

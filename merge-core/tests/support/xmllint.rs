//! libxml2's `xmllint` as the judge of documents, by the schemas of the RFCs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What xmllint says of a document by a schema in `tests/xsd`; empty when it is valid.
pub(crate) fn judge(schema: &str, document: &[u8]) -> String {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xsd").join(schema);
    let mut child = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schema)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xmllint is needed for this test: install libxml2-utils");
    child.stdin.take().expect("a pipe").write_all(document).expect("xmllint reads its input");
    let output = child.wait_with_output().expect("xmllint ends");
    if output.status.success() { String::new() } else { String::from_utf8_lossy(&output.stderr).into_owned() }
}

//! Making live sets out of documents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use merge_core::compose::{Composition, compose};
use merge_core::live::{DeviceIdentity, DeviceKind, LiveSet, Presentity, Publication, SourceKind};
use merge_core::model::Document;
use merge_core::time::Millis;

/// 2026-11-21T12:10:00Z.
pub(crate) const NOW: Millis = Millis(1_795_263_000_000);

pub(crate) fn minutes(minutes: i64) -> Millis {
    Millis(NOW.0 + minutes * 60_000)
}

/// A publication of the device of that name, received at `received`.
pub(crate) fn publication(device: &str, received: Millis, text: &str) -> Publication {
    let document =
        Document::read(text.as_bytes()).unwrap_or_else(|error| panic!("{device}: {error:?}\n{text}"));
    Publication {
        etag: format!("e-{device}"),
        source: SourceKind::Publish,
        device: DeviceIdentity {
            key: device.to_owned(),
            kind: DeviceKind::Soft,
            instance: None,
            gruu: None,
            label: Some(format!("{}{}", device[..1].to_uppercase(), &device[1..])),
        },
        user_agent: None,
        received,
        first: received,
        expires: minutes(60),
        document: Arc::new(document),
    }
}

pub(crate) fn set(publications: Vec<Publication>) -> LiveSet {
    LiveSet {
        presentity: Presentity {
            aor: "sip:alice@example.com".into(),
            domain: "example.com".into(),
            ..Presentity::default()
        },
        publications,
        ..LiveSet::default()
    }
}

/// A document with this inside `presence`; the usual prefixes are bound.
pub(crate) fn document(inside: &str) -> String {
    format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:alice@example.com\">{inside}</presence>"
    )
}

pub(crate) fn pidf(set: &LiveSet, how: Composition) -> String {
    String::from_utf8(compose(set, NOW, how).write_pidf()).unwrap()
}

/// One element a line, so that a difference can be read.
pub(crate) fn lines(xml: &str) -> String {
    xml.replace("><", ">\n<")
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The documents of a folder by file name, in the order of their names.
pub(crate) fn folder(path: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The four phones: desk, laptop, mobile, web; received a minute after each other, the last just now.
pub(crate) fn four_phones() -> Vec<Publication> {
    let files = folder(&fixtures().join("phones"));
    let count = i64::try_from(files.len()).unwrap();
    files.iter().zip(0..).map(|((name, text), at)| publication(name, minutes(at - count), text)).collect()
}

//! Any set of documents merges, into a document that reads again, whatever the order they came in.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use merge_core::compose::{Composition, compose};
use merge_core::live::{DeviceIdentity, LiveSet, Presentity, Publication};
use merge_core::model::Document;
use merge_core::time::Millis;
use merge_core::xml::Limits;

fn publication(number: usize, document: Document) -> Publication {
    let at = |seconds: i64| Millis(1_795_236_480_000 + seconds * 1000);
    Publication {
        etag: format!("e{number}"),
        source: Default::default(),
        device: DeviceIdentity { key: format!("device-{number}"), ..Default::default() },
        user_agent: None,
        received: at(number as i64 % 3),
        first: at(0),
        expires: at(3600),
        document: Arc::new(document),
    }
}

fuzz_target!(|bytes: &[u8]| {
    // Documents are parted by zero bytes, which no document has.
    let publications: Vec<_> = bytes
        .split(|byte| *byte == 0)
        .filter_map(|part| Document::read(part).ok())
        .take(8)
        .enumerate()
        .map(|(number, document)| publication(number, document))
        .collect();
    if publications.is_empty() {
        return;
    }
    let presentity = Presentity {
        aor: "sip:alice@example.com".into(),
        domain: "example.com".into(),
        ..Default::default()
    };
    let set = LiveSet { presentity, publications, ..Default::default() };
    let mut reversed = set.clone();
    reversed.publications.reverse();
    let now = Millis(1_795_236_500_000);
    for how in [Composition::Compose, Composition::Union, Composition::Newest, Composition::MostAvailable] {
        let written = compose(&set, now, how).write_pidf();
        assert_eq!(written, compose(&reversed, now, how).write_pidf(), "the order of arrival shows");
        let limits = Limits {
            bytes: usize::MAX,
            nodes: usize::MAX,
            attributes: 250,
            namespaces: 250,
            ..Limits::DEFAULT
        };
        if let Err(error) = Document::read_with(&written, &limits) {
            panic!("{how:?}: {error}\n{}", String::from_utf8_lossy(&written));
        }
        let _ = compose(&set, now, how).write_json();
        let _ = compose(&set, now, how).explain();
    }
});

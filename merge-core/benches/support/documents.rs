//! What all measurements run on: the documents of four phones, and live sets of them.

use std::sync::Arc;

use merge_core::live::{DeviceIdentity, LiveSet, Presentity, Publication};
use merge_core::model::Document;
use merge_core::time::Millis;

/// Four phones' documents, 1.36 to 1.55 KB, of all styles of prefixes.
pub(crate) const PHONES: &[(&str, &str)] = &[
    ("desk", include_str!("../../tests/fixtures/phones/desk.xml")),
    ("mobile", include_str!("../../tests/fixtures/phones/mobile.xml")),
    ("laptop", include_str!("../../tests/fixtures/phones/laptop.xml")),
    ("web", include_str!("../../tests/fixtures/phones/web.xml")),
];

/// The instant of the merge.
pub(crate) const NOW: Millis = Millis(1_795_264_000_000);

/// Reads `count` documents, the phones' in turn, into a live set.
pub(crate) fn live_set(count: usize) -> LiveSet {
    let publications = (0..count)
        .map(|number| {
            let (name, text) = PHONES[number % PHONES.len()];
            let document = Document::read(text.as_bytes()).expect("a fixture reads");
            Publication {
                etag: format!("e{number}"),
                source: Default::default(),
                device: DeviceIdentity { key: format!("{name}{number}"), ..Default::default() },
                user_agent: None,
                received: Millis(NOW.0 - 1000 * number as i64),
                first: Millis(NOW.0 - 60_000),
                expires: Millis(NOW.0 + 3_600_000),
                document: Arc::new(document),
            }
        })
        .collect();
    let presentity = Presentity {
        aor: "sip:alice@example.com".into(),
        domain: "example.com".into(),
        ..Default::default()
    };
    LiveSet { presentity, publications, ..Default::default() }
}

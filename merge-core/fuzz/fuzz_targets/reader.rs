//! Any bytes: the reader neither panics nor accepts what another parser refuses, and both see the same tree.
#![no_main]

#[path = "../../tests/documents/compare.rs"]
mod compare;

use libfuzzer_sys::fuzz_target;
use merge_core::model::Document;
use merge_core::xml::Tree;

fuzz_target!(|bytes: &[u8]| {
    match Tree::read(bytes) {
        Ok(tree) => {
            let text = std::str::from_utf8(bytes).expect("we read UTF-8 only");
            // Line ends are normalised before anything else; roxmltree forgets it beside references.
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            let other = roxmltree::Document::parse(&text).expect("another parser accepts it too");
            assert_eq!(compare::ours(tree.root()), compare::theirs(other.root_element()));
        }
        Err(error) => assert!(error.offset <= bytes.len() && error.line >= 1 && error.column >= 1),
    }
    // The views may be looked at whatever is in the document.
    if let Ok(document) = Document::read(bytes) {
        for tuple in document.tuples() {
            let _ = (
                tuple.basic(),
                tuple.contact().and_then(|c| c.priority_milli()),
                tuple.timestamp(),
                tuple.user_input(),
            );
            let _ = (
                tuple.notes().count(),
                tuple.fields().count(),
                tuple.status_fields().count(),
                tuple.activities(),
            );
        }
        for person in document.persons() {
            let _ = (
                person.activities().map(|a| a.values().count()),
                person.timestamp(),
                person.rpid().time_offset(),
            );
        }
    }
});

//! What is copied out of a document means what it meant there, in whatever company it is written.
#![no_main]

#[path = "../../tests/documents/compare.rs"]
mod compare;

use libfuzzer_sys::fuzz_target;
use merge_core::xml::{Namespace, Tree, Writer};

fuzz_target!(|bytes: &[u8]| {
    // Two documents in one input, parted by a zero byte, which no document has.
    let parts: Vec<_> = bytes.splitn(2, |byte| *byte == 0).collect();
    let trees: Vec<_> = parts.iter().filter_map(|part| Tree::read(part).ok()).collect();
    // An inherited language is added to a copy: another test's matter.
    if trees.is_empty() || bytes.windows(8).any(|window| window == b"xml:lang") {
        return;
    }
    let elements: Vec<_> = trees.iter().flat_map(|tree| tree.root().subtree().take(24)).collect();
    let mut writer = Writer::new();
    writer.declare(Namespace::Pidf);
    for element in elements.iter().filter(|element| element.id() == elements[0].id()) {
        writer.declare_scope_of(*element);
    }
    writer.start(Namespace::Pidf, "presence");
    for element in &elements {
        writer.copy(*element);
    }
    let written = writer.finish();
    // A copy of everything in everything is larger than what may be published.
    let limits = merge_core::xml::Limits {
        bytes: usize::MAX,
        depth: 100,
        nodes: usize::MAX,
        namespaces: 250,
        ..Default::default()
    };
    let read = match Tree::read_with(&written, &limits) {
        Ok(read) => read,
        Err(error) if matches!(error.kind, merge_core::xml::XmlErrorKind::Limit(_)) => return,
        Err(error) => panic!("{error}\n{}", String::from_utf8_lossy(&written)),
    };
    let copies: Vec<_> = read.root().children().collect();
    assert_eq!(copies.len(), elements.len());
    for (element, copy) in elements.iter().zip(copies) {
        assert_eq!(compare::ours(*element), compare::ours(copy));
    }
});

//! Documents that come out of the writer are valid by the schemas of the RFCs: libxml2's `xmllint` is the judge.

use merge_core::xml::{Namespace, Tree, Writer};

use crate::fixtures;

#[path = "../support/xmllint.rs"]
mod xmllint;

fn judge(document: &[u8]) -> String {
    xmllint::judge("presence.xsd", document)
}

#[test]
fn the_judge_refuses_what_is_wrong() {
    let broken = fixtures::ALL[0].1.replace("<basic>open</basic>", "<basic>ajar</basic>");
    assert!(judge(broken.as_bytes()).contains("basic"), "{}", judge(broken.as_bytes()));
    let broken = fixtures::ALL[0].1.replace("<r:meeting/>", "<r:meating/>");
    assert!(judge(broken.as_bytes()).contains("meating"), "{}", judge(broken.as_bytes()));
}

#[test]
fn parts_of_valid_documents_make_valid_documents() {
    // Clients that put the person before the tuple, and RFC examples with faults of their own, are not valid.
    let invalid = ["jitsi", "baresip", "rfc4479-data-model", "rfc4480-rpid"];
    for (name, text) in fixtures::ALL.iter().filter(|(name, _)| !invalid.contains(name)) {
        assert_eq!(judge(text.as_bytes()), "", "{name} itself");
        let tree = Tree::read(text.as_bytes()).expect("a fixture");
        let mut writer = Writer::new();
        writer.declare(Namespace::Pidf);
        for child in tree.root().children() {
            writer.declare_scope_of(child);
        }
        writer.start(Namespace::Pidf, "presence");
        writer.attributes_of(tree.root(), &[]);
        for child in tree.root().children() {
            writer.copy(child);
        }
        let written = writer.finish();
        assert_eq!(judge(&written), "", "{name}: {}", String::from_utf8_lossy(&written));
    }
}

#[test]
fn an_inherited_language_does_not_make_a_document_invalid() {
    let text = fixtures::ALL[0].1.replacen("entity=", "xml:lang='nl' entity=", 1);
    let tree = Tree::read(text.as_bytes()).expect("a fixture");
    let mut writer = Writer::new();
    writer.declare_scope_of(tree.root());
    writer.start(Namespace::Pidf, "presence");
    writer.attribute("entity", "sip:alice@example.com");
    for child in tree.root().children() {
        writer.copy(child);
    }
    let written = writer.finish();
    assert_eq!(judge(&written), "", "{}", String::from_utf8_lossy(&written));
    let text = String::from_utf8_lossy(&written);
    assert!(text.contains("<note xml:lang=\"nl\">Presentity</note>"), "{text}");
}

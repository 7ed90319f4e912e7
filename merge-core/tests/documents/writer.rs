//! Parts of documents written into another: names, text and languages as they were.

use merge_core::model::Document;
use merge_core::xml::{Element, Namespace, Tree, Writer};
use proptest::prelude::*;

use crate::compare::ours;
use crate::fixtures;
use crate::generate;

/// A presence document around copies of the elements.
fn copies(elements: &[Element<'_>], offered: bool) -> String {
    let mut writer = Writer::new();
    writer.declare(Namespace::Pidf);
    if offered {
        for element in elements {
            writer.declare_scope_of(*element);
        }
    }
    writer.start(Namespace::Pidf, "presence");
    writer.attribute("entity", "sip:alice@example.com");
    for element in elements {
        writer.copy(*element);
    }
    writer.end();
    String::from_utf8(writer.finish()).expect("the writer writes UTF-8")
}

#[track_caller]
fn check(source: &str, expect: &str) {
    let tree = Tree::read(source.as_bytes()).expect("a document");
    let elements: Vec<_> = tree.root().children().collect();
    let written = copies(&elements, true);
    let body = written
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence ")
        .expect("it starts as always");
    assert_eq!(body, expect, "\nof {source}");
}

#[test]
fn a_copy_without_clashes_is_the_source_itself() {
    check(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:x='urn:x'><note a='1' x:b=\"2\">n &amp; m</note><x:e/></presence>",
        "xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:x=\"urn:x\" entity=\"sip:alice@example.com\">\n  \
         <note a='1' x:b=\"2\">n &amp; m</note>\n  <x:e/>\n</presence>\n",
    );
}

#[test]
fn a_prefix_bound_to_two_uris_is_declared_where_it_differs() {
    check(
        "<p><a:x xmlns:a='urn:1'><a:y/></a:x><a:x xmlns:a='urn:2'/></p>",
        "xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:a=\"urn:1\" entity=\"sip:alice@example.com\">\n  \
         <a:x xmlns:a='urn:1'><a:y/></a:x>\n  <a:x xmlns:a='urn:2'/>\n</presence>\n",
    );
    let one = Tree::read(b"<r xmlns:a='urn:1'><a:x a:y=''/></r>").expect("a document");
    let two = Tree::read(b"<r xmlns:a='urn:2' xmlns:b='urn:1'><a:x b:y=''/></r>").expect("a document");
    let elements: Vec<_> = [&one, &two].iter().flat_map(|tree| tree.root().children()).collect();
    let written = copies(&elements, true);
    assert!(written.contains("<a:x a:y=''/>"), "{written}");
    assert!(written.contains("<a:x xmlns:a=\"urn:2\" b:y=''/>"), "{written}");
}

#[test]
fn a_default_namespace_is_declared_where_it_differs() {
    check(
        "<p:p xmlns:p='urn:ietf:params:xml:ns:pidf' xmlns='urn:d'><p:note>x</p:note><e/></p:p>",
        "xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:p=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:alice@example.com\">\n  \
         <p:note xmlns=\"urn:d\">x</p:note>\n  <e xmlns=\"urn:d\"/>\n</presence>\n",
    );
    check(
        "<p:p xmlns:p='urn:ietf:params:xml:ns:pidf'><p:note>x</p:note><p:e><e/></p:e></p:p>",
        "xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:p=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:alice@example.com\">\n  \
         <p:note>x</p:note>\n  <p:e xmlns=\"\"><e/></p:e>\n</presence>\n",
    );
}

#[test]
fn comments_and_instructions_are_dropped_and_cdata_becomes_text() {
    check(
        "<p xmlns='urn:d'><x><!-- c -->a<?i i?>b<![CDATA[<&>]]>c</x></p>",
        "xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:alice@example.com\">\n  \
         <x xmlns=\"urn:d\">ab&lt;&amp;&gt;c</x>\n</presence>\n",
    );
}

#[test]
fn what_a_comment_kept_apart_does_not_become_the_end_of_a_cdata_section() {
    check(
        "<p xmlns='urn:d'><x>]]<!-- c -->></x><x>]<?i i?>]><!-- c -->></x><x><![CDATA[]]]]>>]]</x></p>",
        "xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:alice@example.com\">\n  \
         <x xmlns=\"urn:d\">]]&gt;</x>\n  <x xmlns=\"urn:d\">]]&gt;&gt;</x>\n  \
         <x xmlns=\"urn:d\">]]&gt;]]</x>\n</presence>\n",
    );
}

#[test]
fn an_inherited_language_goes_where_the_schemas_allow_it() {
    check(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xml:lang='de' xmlns:x='urn:x'><tuple id='a'><status/>\
         <x:e><x:f/></x:e><note>eins</note><note xml:lang='en'>two</note></tuple></presence>",
        "xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:x=\"urn:x\" entity=\"sip:alice@example.com\">\n  \
         <tuple id='a'><status/><x:e xml:lang=\"de\"><x:f/></x:e><note xml:lang=\"de\">eins</note>\
         <note xml:lang='en'>two</note></tuple>\n</presence>\n",
    );
}

#[test]
fn a_language_around_the_copy_is_not_inherited_by_it() {
    let tree = Tree::read(
        b"<p xmlns='urn:ietf:params:xml:ns:pidf'><note>none</note><note xml:lang='de'>eins</note></p>",
    )
    .expect("a document");
    let mut writer = Writer::new();
    writer.start(Namespace::Other("urn:x"), "around");
    writer.lang("de");
    for note in tree.root().children() {
        writer.copy(note);
    }
    let written = Tree::read(&writer.finish()).expect("it reads");
    let langs: Vec<_> =
        written.root().children().map(|note| note.lang().unwrap_or_default().into_owned()).collect();
    assert_eq!(langs, ["", "de"]);
}

#[test]
fn ids_are_renamed_where_they_are_ids() {
    let source = "<tuple xmlns='urn:ietf:params:xml:ns:pidf' xmlns:x='urn:x' xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' id='a'>\
        <r:mood id=\"a\"><r:note>id='a'</r:note></r:mood><x:e id='a' x:id='a' xml:id='b'/></tuple>";
    let tree = Tree::read(source.as_bytes()).expect("a document");
    let ids: Vec<_> = tree.root().ids().map(|(e, id)| (e.local(), id.into_owned())).collect();
    assert_eq!(ids, [("tuple", "a".to_owned()), ("mood", "a".to_owned()), ("e", "b".to_owned())]);
    let mut writer = Writer::new();
    writer.declare(Namespace::Pidf);
    writer.declare_scope_of(tree.root());
    writer.start(Namespace::Pidf, "presence");
    writer.copy_renamed(tree.root(), &[("a", "a-2"), ("b", "c")]);
    let written = String::from_utf8(writer.finish()).expect("UTF-8");
    let inside =
        "<r:mood id=\"a-2\"><r:note>id='a'</r:note></r:mood><x:e id='a' x:id='a' xml:id='c'/></tuple>";
    assert!(written.contains(inside) && written.contains(" id='a-2'>"), "{written}");
}

#[test]
fn attributes_keep_their_namespaces_on_a_tag_of_our_own() {
    let one = Tree::read(b"<t xmlns:a='urn:1' xmlns:b='urn:2' a:x='1' b:x='2' x='3' id='4' xml:lang='en'/>")
        .expect("a document");
    let two = Tree::read(b"<t xmlns:a='urn:2' xmlns:b='urn:3' a:x='5' b:x='&quot;&#10;6' y='7'/>")
        .expect("a document");
    let mut writer = Writer::new();
    writer.declare(Namespace::Pidf);
    writer.declare_scope_of(one.root());
    writer.start(Namespace::Pidf, "presence");
    writer.start(Namespace::Pidf, "tuple");
    writer.attribute("id", "own");
    writer.attributes_of(one.root(), &["id"]);
    writer.attributes_of(two.root(), &[]);
    let written = writer.finish();
    let written =
        Tree::read(&written).unwrap_or_else(|e| panic!("{}: {e}", String::from_utf8_lossy(&written)));
    let tuple = written.root().children().next().expect("the tuple");
    let other = |uri: &'static str| tuple.attribute_in(Namespace::Other(uri), "x").map(|v| v.into_owned());
    assert_eq!(other("urn:1").as_deref(), Some("1"));
    assert_eq!(other("urn:2").as_deref(), Some("2"));
    assert_eq!(other("urn:3").as_deref(), Some("\"\n6"));
    assert_eq!(tuple.attribute("x").as_deref(), Some("3"));
    assert_eq!(tuple.attribute("y").as_deref(), Some("7"));
    assert_eq!(tuple.attribute("id").as_deref(), Some("own"));
    assert_eq!(tuple.lang().as_deref(), Some("en"));
}

#[test]
fn text_and_attributes_are_escaped_so_that_they_read_as_they_were() {
    let hard = "<a b=\"c\">&amp; ]]> \r\n\t'x' é😀";
    let mut writer = Writer::new();
    writer.start(Namespace::Pidf, "presence");
    writer.attribute("entity", hard);
    writer.leaf(Namespace::Pidf, "note", hard);
    writer.leaf(Namespace::Pidf, "note", "");
    let written = Tree::read(&writer.finish()).expect("it reads");
    assert_eq!(written.root().attribute("entity").as_deref(), Some(hard));
    let texts: Vec<_> = written.root().children().map(|note| note.text().into_owned()).collect();
    assert_eq!(texts, [hard, ""]);
}

#[test]
fn elements_of_our_own_take_the_prefixes_that_are_there() {
    let mut writer = Writer::new();
    for namespace in [Namespace::Rpid, Namespace::Pidf, Namespace::DataModel] {
        writer.declare(namespace);
    }
    writer.start(Namespace::Pidf, "presence");
    writer.start(Namespace::DataModel, "person");
    writer.start(Namespace::Rpid, "activities");
    writer.start(Namespace::Other("urn:x"), "juggling");
    writer.end();
    writer.end();
    writer.start(Namespace::None, "plain");
    writer.finish_into(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\">\n  \
         <dm:person>\n    <rpid:activities>\n      <x:juggling xmlns:x=\"urn:x\"/>\n    </rpid:activities>\n    \
         <plain xmlns=\"\"/>\n  </dm:person>\n</presence>\n",
    );
}

/// Finishes and compares.
trait FinishInto {
    fn finish_into(self, expect: &str);
}

impl FinishInto for Writer<'_> {
    #[track_caller]
    fn finish_into(self, expect: &str) {
        assert_eq!(String::from_utf8(self.finish()).expect("UTF-8"), expect);
    }
}

#[test]
fn every_part_of_every_fixture_survives_beside_all_the_others() {
    let trees: Vec<_> =
        fixtures::ALL.iter().map(|(_, text)| Tree::read(text.as_bytes()).expect("a fixture")).collect();
    let parts: Vec<_> = trees.iter().flat_map(|tree| tree.root().children()).collect();
    for offered in [true, false] {
        let written = copies(&parts, offered);
        let written = Document::read(written.as_bytes()).unwrap_or_else(|error| panic!("{written}: {error}"));
        let copied: Vec<_> = written.root().children().collect();
        assert_eq!(copied.len(), parts.len());
        for (part, copy) in parts.iter().zip(copied) {
            assert_eq!(ours(*part), ours(copy));
        }
    }
}

fn bindings<'a>(element: Element<'a>) -> Vec<(&'a str, &'a str)> {
    element.bindings().map(|b| (b.prefix, b.namespace.uri())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn copies_mean_what_their_sources_mean_whatever_the_prefixes(
        texts in prop::collection::vec(generate::document(false), 1..4), offered in any::<bool>(), deep in any::<bool>(),
    ) {
        let trees: Vec<_> = texts.iter().map(|text| Tree::read(text.as_bytes()).expect("well-formed")).collect();
        // The roots, or all elements, each for itself.
        let parts: Vec<_> = trees
            .iter()
            .flat_map(|tree| tree.root().subtree().take(if deep { 40 } else { 1 }))
            .collect();
        let written = copies(&parts, offered);
        let tree = Tree::read(written.as_bytes()).map_err(|e| TestCaseError::fail(format!("{written}: {e}")))?;
        let copied: Vec<_> = tree.root().children().collect();
        prop_assert_eq!(copied.len(), parts.len());
        for (part, copy) in parts.iter().zip(copied) {
            prop_assert_eq!(ours(*part), ours(copy), "\n{}", written);
            // Prefixes inside values keep their meaning too.
            let at_copy = bindings(copy);
            for (prefix, uri) in bindings(*part) {
                let same = at_copy.contains(&(prefix, uri)) || uri.is_empty();
                prop_assert!(same, "{} is not {} in {}", prefix, uri, written);
            }
        }
    }

    #[test]
    fn languages_stay_with_what_they_are_about(text in generate::document(true)) {
        let tree = Tree::read(text.as_bytes()).expect("well-formed");
        let parts: Vec<_> = tree.root().subtree().collect();
        let written = copies(&parts, true);
        let written = Tree::read(written.as_bytes()).map_err(|e| TestCaseError::fail(format!("{written}: {e}")))?;
        for (part, copy) in parts.iter().zip(written.root().children()) {
            let free = |e: &Element<'_>| {
                matches!(e.namespace(), Namespace::Other(_) | Namespace::None) || matches!(e.local(), "note")
            };
            for (inner, copied) in part.subtree().zip(copy.subtree()).filter(|(inner, _)| free(inner)) {
                let lang = |e: Element<'_>| e.lang().unwrap_or_default().into_owned();
                prop_assert_eq!(lang(inner), lang(copied), "{}", text);
            }
        }
    }

    #[test]
    fn a_document_written_whole_reads_equal_and_writes_the_same_again(text in generate::document(true)) {
        let tree = Tree::read(text.as_bytes()).expect("well-formed");
        let mut writer = Writer::new();
        writer.copy(tree.root());
        let once = writer.finish();
        let again = Tree::read(&once).map_err(|e| TestCaseError::fail(format!("{e}")))?;
        prop_assert_eq!(ours(tree.root()), ours(again.root()));
        let mut writer = Writer::new();
        writer.copy(again.root());
        prop_assert_eq!(once, writer.finish());
    }
}

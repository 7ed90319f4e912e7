//! What the reader accepts, and how it refuses.

use merge_core::model::Document;
use merge_core::xml::{Limits, Tree, XmlErrorKind};

use crate::compare::{ours, theirs};

/// Reads, and means what roxmltree makes of it.
#[track_caller]
fn accept(text: &str) {
    let tree = Tree::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let other = roxmltree::Document::parse(text).expect("roxmltree reads it too");
    assert_eq!(ours(tree.root()), theirs(other.root_element()), "{text}");
}

#[track_caller]
fn refuse(text: &str, kind: XmlErrorKind, place: (usize, usize), word: &str) {
    refuse_bytes(text.as_bytes(), kind, place, word);
}

#[track_caller]
fn refuse_bytes(bytes: &[u8], kind: XmlErrorKind, place: (usize, usize), word: &str) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let error = Tree::read(bytes).expect_err(&shown);
    assert_eq!((error.kind, (error.line, error.column)), (kind, place), "{shown}: {error}");
    assert!(error.message.contains(word), "{shown}: {error} does not say {word:?}");
}

use XmlErrorKind::{Doctype, Encoding, Malformed, Namespace};

#[test]
fn well_formed_documents_are_read_as_other_parsers_read_them() {
    for text in [
        "<a/>",
        "<a></a>",
        "<a ></a >",
        "\u{FEFF}<a/>",
        "<?xml version='1.0'?><a/>",
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes' ?>\r\n<a/>\n",
        "<?xml version='1.0' encoding='US-ASCII'?><a/>",
        "<!-- before --><?app x?><a/><!-- after --><?app?> ",
        "<a>text</a>",
        "<a>a&lt;b&gt;c&amp;d&quot;e&apos;f</a>",
        "<a>&#65;&#x42;&#x1F600;&#0067;</a>",
        "<a>x<!-- c -->y<?p i?>z</a>",
        "<a><![CDATA[<b>&amp;]] ]]></a>",
        "<a>x<![CDATA[]]>y<![CDATA[ ]]]]><![CDATA[>]]></a>",
        "<a>]] > ]&gt; ]]&gt;</a>",
        "<a>one\r\ntwo\rthree\n</a>",
        "<a><![CDATA[one\r\ntwo\r]]></a>",
        "<a>&#13;&#10;</a>",
        "<a b='1' c=\"2\"/>",
        "<a b = '\"' c\n=\t\"'\"/>",
        "<a b='x\ty\nz\r\nw&#10;&#9;&#13;'/>",
        "<a b='&lt;&amp;&apos;>'/>",
        "<a>text<b>more</b>tail<c/>end</a>",
        "<a xmlns='u'><b xmlns=''><c xmlns='v'/></b></a>",
        "<p:a xmlns:p='u' p:b='1' b='2'><p:c/></p:a>",
        "<a xmlns:p='u'><b xmlns:p='v'><p:c/></b><p:d/></a>",
        "<a xmlns:p='u' xmlns:q='u' p:x='1'><q:b/></a>",
        "<a xmlns='a&amp;b'><b xmlns='a&amp;b'/><c xmlns='a&#38;b'/></a>",
        "<a xml:lang='en' xml:space='preserve'/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<\u{e9}l\u{e9}ment \u{3b1}='\u{fffd}'>\u{10348}\u{ef80}</\u{e9}l\u{e9}ment>",
        "<_a-b.c1/>",
        "<a>\t\n\u{85}\u{7f}\u{a0}</a>",
    ] {
        accept(text);
    }
}

#[test]
fn what_is_not_well_formed_is_refused_with_its_place() {
    refuse("", Malformed, (1, 1), "no element");
    refuse("  \n ", Malformed, (2, 2), "no element");
    refuse("hello", Malformed, (1, 1), "text before the root");
    refuse("<a", Malformed, (1, 1), "not closed");
    refuse("<a>", Malformed, (1, 4), "</a> is missing");
    refuse("<a>\n <b>\n</a>", Malformed, (3, 1), "</a> does not end <b> of line 2");
    refuse("<a></ab>", Malformed, (1, 4), "</ab> does not end <a>");
    refuse("<ab></a>", Malformed, (1, 5), "</a> does not end <ab>");
    refuse("<a></a", Malformed, (1, 7), "closed with >");
    refuse("</a>", Malformed, (1, 2), "a name is expected");
    refuse("<a/><b/>", Malformed, (1, 5), "only comments");
    refuse("<a/>x", Malformed, (1, 5), "only comments");
    refuse("<a/>&amp;", Malformed, (1, 5), "only comments");
    refuse("<1a/>", Malformed, (1, 2), "a name is expected");
    refuse("<a><-b/></a>", Malformed, (1, 5), "a name is expected");
    refuse("<a>1 < 2</a>", Malformed, (1, 7), "&lt;");
    refuse("<a b/>", Malformed, (1, 5), "= is expected");
    refuse("<a b=c/>", Malformed, (1, 6), "in quotes");
    refuse("<a b='c/>", Malformed, (1, 4), "not closed");
    refuse("<a b='<'/>", Malformed, (1, 7), "&lt;");
    refuse("<a b='1'c='2'/>", Malformed, (1, 9), "white space");
    refuse("<a / >", Malformed, (1, 4), "followed by >");
    refuse("<a>]]></a>", Malformed, (1, 4), "]]&gt;");
    refuse("<a>&</a>", Malformed, (1, 4), "&amp;");
    refuse("<a>&amp</a>", Malformed, (1, 4), "&amp;");
    refuse("<a>&nbsp;</a>", Malformed, (1, 4), "&nbsp;");
    refuse("<a b='&x;'/>", Malformed, (1, 7), "&x;");
    refuse("<a>&#0;</a>", Malformed, (1, 4), "&#0;");
    refuse("<a>&#xD800;</a>", Malformed, (1, 4), "&#xD800;");
    refuse("<a>&#xFFFE;</a>", Malformed, (1, 4), "&#xFFFE;");
    refuse("<a>&#x110000;</a>", Malformed, (1, 4), "&#x110000;");
    refuse("<a>&#X41;</a>", Malformed, (1, 4), "&#X41;");
    refuse("<a>&#;</a>", Malformed, (1, 4), "&#;");
    refuse("<a>&#x;</a>", Malformed, (1, 4), "&#x;");
    refuse("<a>\u{1}</a>", Malformed, (1, 4), "U+0001");
    refuse("<a>\u{e9}\u{FFFE}</a>", Malformed, (1, 5), "U+FFFE");
    refuse("<a b='\u{FFFF}'/>", Malformed, (1, 7), "U+FFFF");
    refuse("<a><!-- \u{0} --></a>", Malformed, (1, 9), "U+0000");
    refuse("<a><![CDATA[\u{1f}]]></a>", Malformed, (1, 13), "U+001F");
    refuse("<a><!-- -- --></a>", Malformed, (1, 9), "--");
    refuse("<a><!-- --->", Malformed, (1, 9), "--");
    refuse("<a><!-- </a>", Malformed, (1, 4), "not closed with -->");
    refuse("<a><![CDATA[ </a>", Malformed, (1, 4), "not closed with ]]>");
    refuse("<a><?p </a>", Malformed, (1, 4), "not closed with ?>");
    refuse("<a><!ELEMENT b></a>", Malformed, (1, 4), "CDATA");
    refuse("<![CDATA[x]]><a/>", Malformed, (1, 1), "inside an element");
    refuse(" <?xml version='1.0'?><a/>", Malformed, (1, 2), "very start");
    refuse("<a><?XML x?></a>", Malformed, (1, 4), "very start");
    refuse("<?xml?><a/>", Malformed, (1, 6), "version");
    refuse("<?xml version='2.0'?><a/>", Malformed, (1, 20), "1.0");
    refuse("<?xml version='1.0'encoding='UTF-8'?><a/>", Malformed, (1, 20), "white space");
    refuse("<?xml version='1.0' standalone='maybe'?><a/>", Malformed, (1, 39), "standalone");
    refuse("<?xml version='1.0' standalone='no' encoding='UTF-8'?><a/>", Malformed, (1, 37), "?>");
    refuse("<?xml version='1.0><a/>", Malformed, (1, 24), "not closed");
    refuse("<a\u{d7}/>", Malformed, (1, 3), "cannot be part of a name");
    refuse("<\u{d7}/>", Malformed, (1, 2), "cannot start");
}

#[test]
fn namespaces_are_kept_strictly() {
    refuse("<p:a/>", Namespace, (1, 1), "xmlns:p");
    refuse("<a p:b='1'/>", Namespace, (1, 4), "xmlns:p");
    refuse("<a><b xmlns:p='u'/><p:c/></a>", Namespace, (1, 20), "xmlns:p");
    refuse("<a b='1' b='2'/>", Namespace, (1, 10), "twice");
    refuse("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", Namespace, (1, 36), "twice");
    refuse("<a xmlns='u' xmlns='v'/>", Namespace, (1, 14), "twice");
    refuse("<a xmlns:p='u' xmlns:p='v'/>", Namespace, (1, 22), "twice");
    refuse("<a xmlns:p=''/>", Namespace, (1, 10), "empty namespace");
    refuse("<a xmlns:xml='u'/>", Namespace, (1, 10), "xml");
    refuse("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", Namespace, (1, 10), "xml");
    refuse("<a xmlns='http://www.w3.org/XML/1998/namespace'/>", Namespace, (1, 4), "xml");
    refuse("<a xmlns:xmlns='u'/>", Namespace, (1, 10), "xmlns");
    refuse("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", Namespace, (1, 10), "xmlns");
    refuse("<xmlns:a/>", Namespace, (1, 1), "declarations only");
    refuse("<:a/>", Namespace, (1, 2), "colon");
    refuse("<a:/>", Malformed, (1, 4), "a name is expected");
    refuse("<a:b:c xmlns:a='u'/>", Namespace, (1, 5), "one colon");
    refuse("<a xmlns:='u'/>", Malformed, (1, 10), "a name is expected");
    refuse("<?a:b c?><a/>", Namespace, (1, 1), "colon");
}

#[test]
fn document_types_are_refused_whatever_they_hold() {
    refuse("<!DOCTYPE a><a/>", Doctype, (1, 1), "DOCTYPE");
    refuse("<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", Doctype, (2, 1), "DOCTYPE");
    refuse("<!DOCTYPE a SYSTEM 'http://example.com/a.dtd'><a/>", Doctype, (1, 1), "DOCTYPE");
}

#[test]
fn only_utf_8_is_read() {
    refuse_bytes(b"<a>\xE9</a>", Encoding, (1, 4), "UTF-8");
    refuse_bytes(b"<a>\xC0\x80</a>", Encoding, (1, 4), "UTF-8");
    refuse_bytes(b"<a>\n\xED\xA0\x80</a>", Encoding, (2, 1), "UTF-8");
    let ascii = "<?xml version='1.0' encoding='US-ASCII'?>\n<a>\u{e9}</a>";
    refuse(ascii, Encoding, (2, 4), "US-ASCII");
    refuse_bytes(b"\xFF\xFE<\0a\0/\0>\0", Encoding, (1, 1), "UTF-16");
    refuse_bytes(b"\0<\0a\0/\0>", Encoding, (1, 1), "UTF-16");
    refuse("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", Encoding, (1, 42), "ISO-8859-1");
}

#[test]
fn every_limit_is_met_exactly_and_named_when_passed() {
    let limits = Limits { bytes: 600, depth: 3, nodes: 5, attributes: 2, namespaces: 2, name: 8 };
    let check = |text: &str, expect: Result<(), &'static str>| {
        let read = Tree::read_with(text.as_bytes(), &limits);
        assert_eq!(read.map(drop).map_err(|e| e.kind), expect.map_err(XmlErrorKind::Limit), "{text}");
    };
    check("<a><b><c/></b></a>", Ok(()));
    check("<a><b><c><d/></c></b></a>", Err("depth"));
    check("<a><b/><b/><b/><b/></a>", Ok(()));
    check("<a><b/><b/><b/><b/><b/></a>", Err("nodes"));
    check("<a b='' c=''/>", Ok(()));
    check("<a b='' c='' d=''/>", Err("attributes"));
    check("<a xmlns:b='u' xmlns:c='u' b:d='' c:e=''/>", Ok(()));
    check("<a xmlns:b='u' xmlns:c='u' xmlns:d='u'/>", Err("namespaces"));
    check("<a xmlns:b='u'><a xmlns:c='u'><a xmlns:d='u'/></a></a>", Err("namespaces"));
    check("<a><a xmlns='u'/><a xmlns='v'/></a>", Ok(()));
    check("<a><a xmlns='u'/><a xmlns='v'/><a xmlns='w'/></a>", Err("namespaces"));
    check("<abcdefgh/>", Ok(()));
    check("<abcdefghi/>", Err("name"));
    check("<a xmlns:b='u' b:cdefghi=''/>", Err("name"));
    check(&format!("<a>{}</a>", "x".repeat(593)), Ok(()));
    check(&format!("<a>{}</a>", "x".repeat(594)), Err("bytes"));
}

#[test]
fn the_default_limits_are_those_of_the_design() {
    let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    let kind = |text: &str| Tree::read(text.as_bytes()).map(drop).map_err(|e| e.kind);
    assert_eq!(kind(&deep(64)), Ok(()));
    assert_eq!(kind(&deep(65)), Err(XmlErrorKind::Limit("depth")));
    assert_eq!(kind(&deep(9000)), Err(XmlErrorKind::Limit("depth")));
    assert_eq!(kind(&format!("<a>{}</a>", "<b/>".repeat(8191))), Ok(()));
    assert_eq!(kind(&format!("<a>{}</a>", "<b/>".repeat(8192))), Err(XmlErrorKind::Limit("nodes")));
    let attributes = |n: usize| (0..n).map(|i| format!(" a{i}=''")).collect::<String>();
    assert_eq!(kind(&format!("<a{}/>", attributes(64))), Ok(()));
    assert_eq!(kind(&format!("<a{}/>", attributes(65))), Err(XmlErrorKind::Limit("attributes")));
    let bindings = |n: usize| (0..n).map(|i| format!(" xmlns:a{i}='u'")).collect::<String>();
    assert_eq!(kind(&format!("<a{}/>", bindings(64))), Ok(()));
    assert_eq!(kind(&format!("<a{}/>", bindings(3000))), Err(XmlErrorKind::Limit("namespaces")));
    assert_eq!(kind(&format!("<a>{}</a>", "x".repeat(65_536 - 7))), Ok(()));
    assert_eq!(kind(&format!("<a>{}</a>", "x".repeat(65_536 - 6))), Err(XmlErrorKind::Limit("bytes")));
}

#[test]
fn names_of_the_greatest_length_are_read_whole() {
    let check = |prefix: usize, local: usize| {
        let (prefix, local) = ("p".repeat(prefix), "l".repeat(local));
        let name = if prefix.is_empty() { local.clone() } else { format!("{prefix}:{local}") };
        let declared = if prefix.is_empty() { String::new() } else { format!(" xmlns:{prefix}='u'") };
        let text = format!("<a{declared}><{name} {name}='1'>x</{name} ></a>");
        let limits = Limits { name: usize::MAX, ..Limits::DEFAULT };
        match Tree::read_with(text.as_bytes(), &limits) {
            Ok(_) => accept(&text),
            Err(error) => assert_eq!(error.kind, XmlErrorKind::Limit("name"), "{error}"),
        }
        Tree::read(text.as_bytes()).is_ok()
    };
    assert!(check(0, 256) && check(249, 6) && check(1, 254));
    assert!(!check(0, 257) && !check(249, 7) && !check(1, 255));
}

#[test]
fn the_place_counts_lines_and_characters_and_a_byte_order_mark_as_bytes_only() {
    let error = Tree::read("\u{FEFF}<a>\n\u{e9}\u{e9}&x;</a>".as_bytes()).expect_err("an unknown entity");
    assert_eq!((error.line, error.column, error.offset), (2, 3, 3 + 4 + 4));
    assert_eq!(error.to_string(), format!("line 2, column 3: {}", error.message));
}

#[test]
fn a_document_costs_little_more_than_its_text() {
    let text = include_str!("../fixtures/clients/desk-phone.xml");
    let document = Document::read(text.as_bytes()).expect("a fixture");
    // The budget of the server: 3.5 KB a publication of 1.4 KB, all else included.
    let memory = document.memory();
    println!("{memory} bytes for a text of {}", text.len());
    assert!(memory > document.tree().memory(), "what is looked up once is kept beside the tree");
    assert!(memory <= text.len() + 1400, "{memory} bytes for a text of {}", text.len());
}

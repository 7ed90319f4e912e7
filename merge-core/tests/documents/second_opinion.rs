//! Two other parsers, roxmltree and libxml2, look over the reader's shoulder: on the fixtures, on generated
//! documents, and on broken ones.

use std::io::Write as _;
use std::process::{Command, Stdio};

use merge_core::xml::{Tree, XmlErrorKind};
use proptest::prelude::*;

use crate::compare::{ours, theirs};
use crate::fixtures;
use crate::generate;

/// What we accept, roxmltree accepts and means the same. What it accepts and we refuse, we have a policy against.
#[track_caller]
fn agree(bytes: &[u8]) {
    // Line ends are normalised before anything else (XML 1.0 section 2.11); roxmltree forgets it beside references.
    let text = std::str::from_utf8(bytes).map(|text| text.replace("\r\n", "\n").replace('\r', "\n"));
    let other = text.as_deref().ok().and_then(|text| roxmltree::Document::parse(text).ok());
    match (Tree::read(bytes), other) {
        (Ok(tree), Some(other)) => {
            assert_eq!(ours(tree.root()), theirs(other.root_element()), "{}", String::from_utf8_lossy(bytes))
        }
        (Ok(_), None) => panic!("we alone accept {}", String::from_utf8_lossy(bytes)),
        (Err(error), Some(_)) => {
            let policy =
                matches!(error.kind, XmlErrorKind::Encoding | XmlErrorKind::Limit(_) | XmlErrorKind::Doctype)
                    || error.message.contains("XML declaration")
                    || error.message.contains("XML version");
            // roxmltree is lax about colons, instructions and declarations: libxml2 decides.
            assert!(
                policy || libxml2_complains(bytes),
                "we alone refuse {}: {error}",
                String::from_utf8_lossy(bytes)
            );
        }
        (Err(_), None) => {}
    }
}

fn libxml2_complains(bytes: &[u8]) -> bool {
    let mut child = Command::new("xmllint")
        .args(["--nonet", "--noout", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("xmllint is needed for this test: install libxml2-utils");
    child.stdin.take().expect("a pipe").write_all(bytes).expect("xmllint reads its input");
    let output = child.wait_with_output().expect("xmllint ends");
    String::from_utf8_lossy(&output.stderr).contains("error")
}

#[test]
fn the_fixtures_mean_the_same_to_others() {
    for (_, text) in fixtures::ALL {
        agree(text.as_bytes());
        assert!(Tree::read(text.as_bytes()).is_ok());
    }
    agree(fixtures::MISPRINTED.as_bytes());
}

/// One small damage.
#[derive(Clone, Debug)]
enum Damage {
    Replace(usize, u8),
    Insert(usize, &'static str),
    Remove(usize, usize),
    Repeat(usize, usize),
}

const PIECES: &[&str] = &[
    "<",
    ">",
    "&",
    ";",
    "\"",
    "'",
    "=",
    "/",
    " ",
    ":",
    "x",
    "]]>",
    "<!--",
    "-->",
    "<![CDATA[",
    "<?",
    "?>",
    "&amp;",
    "&#10;",
    "\r\n",
    "\r",
    "\t",
    "xmlns=\"\"",
    " xmlns:dm=\"urn:z\"",
    " id=\"a\"",
    " xml:lang=\"en\"",
    "<a>",
    "</a>",
    "<a/>",
    "\u{e9}",
    "\u{FFFF}",
    "\u{0}",
    "<!DOCTYPE a>",
    "dm:",
    "xml",
    "--",
];

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<usize>(), prop::sample::select(PIECES)).prop_map(|(at, piece)| Damage::Insert(at, piece)),
        (any::<usize>(), 1usize..12).prop_map(|(at, count)| Damage::Remove(at, count)),
        (any::<usize>(), 1usize..60).prop_map(|(at, count)| Damage::Repeat(at, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: Damage) {
    let length = bytes.len();
    match damage {
        _ if length == 0 => {}
        Damage::Replace(at, byte) => bytes[at % length] = byte,
        Damage::Insert(at, piece) => {
            bytes.splice(at % length..at % length, piece.bytes());
        }
        Damage::Remove(at, count) => {
            bytes.drain(at % length..(at % length + count).min(length));
        }
        Damage::Repeat(at, count) => {
            let piece = bytes[at % length..(at % length + count).min(length)].to_vec();
            bytes.splice(at % length..at % length, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn damaged_documents_are_never_read_as_something_else(
        which in 0..fixtures::ALL.len(), damages in prop::collection::vec(damage(), 1..4),
    ) {
        let mut bytes = fixtures::ALL[which].1.as_bytes().to_vec();
        for damage in damages {
            apply(&mut bytes, damage);
        }
        agree(&bytes);
    }

    #[test]
    fn generated_documents_mean_the_same_to_others(text in generate::document(true), damages in prop::collection::vec(damage(), 0..3)) {
        if damages.is_empty() {
            prop_assert!(Tree::read(text.as_bytes()).is_ok(), "{}", text);
        }
        let mut bytes = text.into_bytes();
        for damage in damages {
            apply(&mut bytes, damage);
        }
        agree(&bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        agree(&bytes);
    }
}

//! Random well-formed documents with everything that makes namespaces hard: clashes, crossed prefixes, defaults
//! declared and taken back, prefixed attributes, and all kinds of content.

use std::fmt::Write as _;

use proptest::prelude::*;

const PREFIXES: [&str; 5] = ["", "a", "b", "dm", "rpid"];
const URIS: [&str; 6] = [
    "urn:u",
    "urn:v",
    "urn:w?a&amp;b",
    "urn:ietf:params:xml:ns:pidf",
    "urn:ietf:params:xml:ns:pidf:data-model",
    "",
];
const LOCALS: [&str; 4] = ["note", "tuple", "x", "Y"];
const TEXTS: [&str; 16] = [
    "text",
    " ",
    "\n  ",
    "&lt;&amp;&#65;",
    "\r\n",
    "&#13;",
    "<!-- c -->",
    "<?p i?>",
    "<![CDATA[<x>&]]>",
    "<![CDATA[]]>",
    "é😀",
    "]]",
    ">",
    "]>",
    "a:x",
    "\"'",
];

/// An element before it has prefixes for sure.
#[derive(Clone, Debug)]
struct Sketch {
    prefix: usize,
    local: usize,
    declares: Vec<(usize, usize)>,
    attributes: Vec<(usize, usize, usize)>,
    lang: Option<bool>,
    content: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(usize),
    Element(Sketch),
}

/// A document's text; with `lang`, some elements have an `xml:lang`.
pub(crate) fn document(lang: bool) -> impl Strategy<Value = String> {
    sketch(lang).prop_map(|root| {
        let mut out = String::new();
        write(&root, &mut vec![(0, 5)], &mut out);
        out
    })
}

fn sketch(lang: bool) -> impl Strategy<Value = Sketch> {
    let head = move || {
        (
            0..PREFIXES.len(),
            0..LOCALS.len(),
            prop::collection::vec((0..PREFIXES.len(), 0..URIS.len()), 0..3),
            prop::collection::vec((0..PREFIXES.len(), 0..LOCALS.len(), 0..TEXTS.len()), 0..3),
            prop::option::weighted(0.2, any::<bool>()).prop_map(move |each| each.filter(|_| lang)),
        )
    };
    let leaf =
        (head(), prop::collection::vec((0..TEXTS.len()).prop_map(Piece::Text), 0..3)).prop_map(assemble);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let piece = prop_oneof![(0..TEXTS.len()).prop_map(Piece::Text), inner.prop_map(Piece::Element)];
        (head(), prop::collection::vec(piece, 0..5)).prop_map(assemble)
    })
}

type Head = (usize, usize, Vec<(usize, usize)>, Vec<(usize, usize, usize)>, Option<bool>);

fn assemble(((prefix, local, declares, attributes, lang), content): (Head, Vec<Piece>)) -> Sketch {
    Sketch { prefix, local, declares, attributes, lang, content }
}

/// Writes an element; prefixes that nothing binds are bound on the spot.
fn write(sketch: &Sketch, scope: &mut Vec<(usize, usize)>, out: &mut String) {
    let outer = scope.len();
    for (prefix, uri) in &sketch.declares {
        let unbinds_prefix = *prefix != 0 && URIS[*uri].is_empty();
        if !unbinds_prefix && !scope[outer..].iter().any(|(each, _)| each == prefix) {
            scope.push((*prefix, *uri));
        }
    }
    let used = sketch.attributes.iter().map(|(prefix, ..)| *prefix).chain([sketch.prefix]);
    for prefix in used.filter(|prefix| *prefix != 0) {
        if !scope.iter().any(|(each, _)| *each == prefix) {
            scope.push((prefix, prefix % 5));
        }
    }
    let name = |prefix: usize, local: usize| match PREFIXES[prefix] {
        "" => LOCALS[local].to_owned(),
        prefix => format!("{prefix}:{}", LOCALS[local]),
    };
    write!(out, "<{}", name(sketch.prefix, sketch.local)).expect("a String takes all");
    for (prefix, uri) in &scope[outer..] {
        match PREFIXES[*prefix] {
            "" => write!(out, " xmlns='{}'", URIS[*uri]),
            prefix => write!(out, " xmlns:{prefix}=\"{}\"", URIS[*uri]),
        }
        .expect("a String takes all");
    }
    // One attribute of each {namespace}local.
    let meaning = |prefix: usize| match prefix {
        0 => None,
        _ => scope.iter().rev().find(|(each, _)| *each == prefix).map(|(_, uri)| *uri),
    };
    let mut seen = Vec::new();
    for (prefix, local, value) in &sketch.attributes {
        let key = (meaning(*prefix), *local);
        let value = TEXTS[*value];
        if !seen.contains(&key) && !value.contains('<') && !value.contains('"') {
            seen.push(key);
            write!(out, "\n {}=\"{value}\"", name(*prefix, *local)).expect("a String takes all");
        }
    }
    match sketch.lang {
        Some(true) => out.push_str(" xml:lang='de'"),
        Some(false) => out.push_str(" xml:lang=''"),
        None => {}
    }
    if sketch.content.is_empty() {
        out.push_str("/>");
    } else {
        out.push('>');
        for piece in &sketch.content {
            match piece {
                // "]]" and then ">" in the next text would be "]]>", which is not well-formed.
                Piece::Text(text) if TEXTS[*text].contains('>') && ends_in_brackets(out, TEXTS[*text]) => {}
                Piece::Text(text) => out.push_str(TEXTS[*text]),
                Piece::Element(inner) => write(inner, scope, out),
            }
        }
        write!(out, "</{}\n>", name(sketch.prefix, sketch.local)).expect("a String takes all");
    }
    scope.truncate(outer);
}

/// Whether the `>` that a text begins with would make a `]]>` of what is there.
fn ends_in_brackets(out: &str, text: &str) -> bool {
    let before = text.trim_end_matches('>');
    text.starts_with([']', '>']) && format!("{out}{before}").ends_with("]]") && !out.ends_with("]]>")
}

//! One text for all documents that mean the same: names by namespace, attributes sorted, text joined.

use std::fmt::Write as _;

use merge_core::xml::{Content, Element};

/// An element of our tree. Walks without recursion: depth is bounded, the test's stack is not the question.
pub(crate) fn ours(root: Element<'_>) -> String {
    enum Step<'a> {
        Visit(Content<'a>),
        Leave,
    }
    let mut out = String::new();
    let mut stack = vec![Step::Visit(Content::Element(root))];
    while let Some(step) = stack.pop() {
        match step {
            Step::Leave => out.push_str("</>\n"),
            Step::Visit(Content::Text(text)) => writeln!(out, "{text:?}").expect("a String takes all"),
            Step::Visit(Content::Element(element)) => {
                // roxmltree takes p:xmlns for a declaration and leaves it out; it is an attribute like any other.
                let attributes = element
                    .attributes()
                    .filter(|each| each.name.local != "xmlns")
                    .map(|each| {
                        (
                            each.name.namespace.uri().to_owned(),
                            each.name.local.to_owned(),
                            each.value.into_owned(),
                        )
                    })
                    .collect();
                open(&mut out, element.namespace().uri(), element.local(), attributes);
                stack.push(Step::Leave);
                let content: Vec<_> = element.content().collect();
                stack.extend(content.into_iter().rev().map(Step::Visit));
            }
        }
    }
    out
}

/// The same of roxmltree's.
pub(crate) fn theirs(root: roxmltree::Node<'_, '_>) -> String {
    let mut out = String::new();
    let mut text = String::new();
    let mut depth = 0;
    // Document order with the ends made visible by depth.
    for node in root.descendants() {
        let level = node.ancestors().count();
        if node.is_text() {
            while depth >= level {
                flush(&mut out, &mut text);
                out.push_str("</>\n");
                depth -= 1;
            }
            text.push_str(node.text().unwrap_or_default());
        } else if node.is_element() {
            flush(&mut out, &mut text);
            while depth >= level {
                out.push_str("</>\n");
                depth -= 1;
            }
            let attributes = node
                .attributes()
                .map(|each| {
                    (
                        each.namespace().unwrap_or_default().to_owned(),
                        each.name().to_owned(),
                        each.value().to_owned(),
                    )
                })
                .collect();
            let name = node.tag_name();
            open(&mut out, name.namespace().unwrap_or_default(), name.name(), attributes);
            depth = level;
        }
    }
    flush(&mut out, &mut text);
    for _ in 0..=depth - root.ancestors().count() {
        out.push_str("</>\n");
    }
    out
}

fn flush(out: &mut String, text: &mut String) {
    if !text.is_empty() {
        writeln!(out, "{text:?}").expect("a String takes all");
        text.clear();
    }
}

fn open(out: &mut String, namespace: &str, local: &str, mut attributes: Vec<(String, String, String)>) {
    attributes.sort();
    write!(out, "<{{{namespace}}}{local}").expect("a String takes all");
    for (namespace, local, value) in attributes {
        write!(out, " {{{namespace}}}{local}={value:?}").expect("a String takes all");
    }
    out.push_str(">\n");
}

//! What a copy of an element differs in from its source: declarations and attributes that are put in, ids that are
//! renamed, comments that are left out. Without any of them a copy is one stretch of bytes.

use alloc::vec::Vec;

use super::names::Namespace;
use super::text;
use super::tree::{Cut, Element};
use super::writer::write_declaration;

/// The changes to one copy.
#[derive(Default)]
pub(super) struct Edits {
    edits: Vec<Edit>,
}

/// `source[start..end]` becomes `text`.
struct Edit {
    start: u32,
    end: u32,
    text: Vec<u8>,
}

impl Edits {
    /// A namespace declaration on the copied element.
    pub(super) fn declare(&mut self, element: Element<'_>, prefix: &str, namespace: Namespace<'_>) {
        let mut text = Vec::new();
        write_declaration(prefix, namespace, &mut text);
        self.insert(element, text);
    }

    fn insert(&mut self, element: Element<'_>, text: Vec<u8>) {
        let at = element.name_end();
        self.edits.push(Edit { start: at, end: at, text });
    }

    /// `xml:lang`, where the element has another language around it in its own document than in the output.
    /// It is put where the schemas allow it: on notes and their like, and on extensions.
    pub(super) fn keep_lang(&mut self, element: Element<'_>, around: Option<&str>) {
        let lang = element.parent().and_then(Element::lang);
        if lang.as_deref() == around {
            return;
        }
        let lang = lang.unwrap_or_default();
        let (mut at, end) = (element.id.0, u32::from(element.node().next));
        while at < end {
            let inner = Element { tree: element.tree, id: super::NodeId(at) };
            at = if inner.attribute_in(Namespace::Xml, "lang").is_some() {
                u32::from(inner.node().next)
            } else if takes_lang(inner) {
                let mut text = b" xml:lang=\"".to_vec();
                text::escape_attribute(&lang, &mut text);
                text.push(b'"');
                self.insert(inner, text);
                u32::from(inner.node().next)
            } else {
                at + 1
            };
        }
    }

    /// New values for the `xs:ID` attributes of those elements for which there is one.
    pub(super) fn rename_ids<'n>(
        &mut self,
        element: Element<'_>,
        new_id: &dyn Fn(Element<'_>, &str) -> Option<&'n str>,
    ) {
        for inner in element.with_id() {
            let Some(attribute) = inner.raw_id() else {
                continue;
            };
            let value = inner.tree.attribute_value(attribute);
            if let Some(new) = new_id(inner, &value) {
                let mut text = Vec::new();
                text::escape_attribute(new, &mut text);
                self.edits.push(Edit {
                    start: attribute.value,
                    end: attribute.value + attribute.value_len,
                    text,
                });
            }
        }
    }

    /// Writes the element's source with the changes, comments and instructions left out and CDATA as text.
    pub(super) fn write(mut self, element: Element<'_>, out: &mut Vec<u8>) {
        let tree = element.tree;
        let node = element.node();
        let cuts = cuts_in(&tree.cuts, node.start, node.end);
        if self.edits.is_empty() && cuts.is_empty() {
            out.extend_from_slice(tree.slice(node.start, node.end).as_bytes());
            return;
        }
        for cut in cuts {
            let mut text = Vec::new();
            if cut.cdata {
                // "<![CDATA[" and "]]>" are 9 and 3 bytes.
                text::escape_cdata(tree.slice(cut.start + 9, cut.end - 3), &mut text);
            }
            self.edits.push(Edit { start: cut.start, end: cut.end, text });
        }
        // Stable: what is put in at one place stays in the order in which it was asked for.
        crate::order::sort_by_key(&mut self.edits, |edit| edit.start);
        let mut at = node.start;
        for edit in &self.edits {
            out.extend_from_slice(tree.slice(at, edit.start).as_bytes());
            out.extend_from_slice(&edit.text);
            at = edit.end;
        }
        out.extend_from_slice(tree.slice(at, node.end).as_bytes());
    }
}

fn cuts_in(cuts: &[Cut], start: u32, end: u32) -> &[Cut] {
    if cuts.is_empty() {
        return cuts;
    }
    let first = cuts.partition_point(|cut| cut.start < start);
    let last = cuts.partition_point(|cut| cut.start < end);
    cuts.get(first..last).unwrap_or_default()
}

/// Whether the schema of a known element has `xml:lang`; an unknown one may have it.
fn takes_lang(element: Element<'_>) -> bool {
    match element.namespace() {
        Namespace::None | Namespace::Xml | Namespace::Other(_) => true,
        _ => matches!(element.local(), "note" | "other" | "description"),
    }
}

//! What a copy of an element differs in from its source: declarations and attributes that are put in, ids that are
//! renamed, comments that are left out. Without any of them a copy is one stretch of bytes.

use alloc::vec::Vec;
use core::ops::Range;

use super::element::IdAttribute;
use super::names::Namespace;
use super::text;
use super::tree::{Cut, CutKind, Element};
use super::writer::write_declaration;

/// How many bytes of namespace declarations and languages may be repeated, for all parts of one source document
/// together, because its parts stand in a place where they would mean something else without. What needs more is
/// left out of the result, the last parts first. A document that binds a few prefixes of its own comes nowhere near;
/// one of 64 KiB made for the purpose would otherwise be written as hundreds of megabytes.
pub const REPEATED_MAX: usize = 128 * 1024;

/// The changes to one copy; used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Edits {
    edits: Vec<Edit>,
    /// The texts of all of them.
    texts: Vec<u8>,
    /// Bytes that the source does not have at that place: declarations and languages from around it.
    repeated: usize,
}

/// `source[start..end]` becomes `texts[text]`.
#[derive(Debug)]
struct Edit {
    start: u32,
    end: u32,
    text: Range<usize>,
}

impl Edits {
    /// Begins with the next copy.
    pub(super) fn clear(&mut self) {
        self.edits.clear();
        self.texts.clear();
        self.repeated = 0;
    }

    /// How many bytes are repeated in this copy from what stood around its source.
    pub(super) fn repeated(&self) -> usize {
        self.repeated
    }

    fn edit(&mut self, start: u32, end: u32, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let from = self.texts.len();
        write(&mut self.texts);
        let text = from..self.texts.len();
        let length = text.len();
        self.edits.push(Edit { start, end, text });
        length
    }

    /// A namespace declaration on the copied element.
    pub(super) fn declare(&mut self, element: Element<'_>, prefix: &str, namespace: Namespace<'_>) {
        let at = element.name_end();
        self.repeated += self.edit(at, at, |text| write_declaration(prefix, namespace, text));
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
        // One that costs too much already is not written at all.
        while at < end && self.repeated <= REPEATED_MAX {
            let inner = Element { tree: element.tree, id: super::NodeId(at) };
            at = if inner.attribute_in(Namespace::Xml, "lang").is_some() {
                u32::from(inner.node().next)
            } else if takes_lang(inner) {
                let place = inner.name_end();
                self.repeated += self.edit(place, place, |text| {
                    text.extend_from_slice(b" xml:lang=\"");
                    text::escape_attribute(&lang, text);
                    text.push(b'"');
                });
                u32::from(inner.node().next)
            } else {
                at + 1
            };
        }
    }

    /// New values for those `xs:ID` attributes for which there is one.
    pub(super) fn rename_ids<'n>(
        &mut self,
        element: Element<'_>,
        new_id: &dyn Fn(IdAttribute<'_>) -> Option<&'n str>,
    ) {
        for id in element.id_attributes() {
            if let Some(new) = new_id(id) {
                let (start, end) = (id.raw().value, id.raw().value + id.raw().value_len);
                self.edit(start, end, |text| text::escape_attribute(new, text));
            }
        }
    }

    /// Writes the element's source with the changes, comments and instructions left out and CDATA as text.
    pub(super) fn write(&mut self, element: Element<'_>, out: &mut Vec<u8>) {
        let tree = element.tree;
        let node = element.node();
        let cuts = cuts_in(&tree.cuts, node.start, node.end);
        if self.edits.is_empty() && cuts.is_empty() {
            out.extend_from_slice(tree.slice(node.start, node.end).as_bytes());
            return;
        }
        for cut in cuts {
            self.edit(cut.start, cut.end, |text| match cut.kind {
                CutKind::Dropped => {}
                // "<![CDATA[" and "]]>" are 9 and 3 bytes.
                CutKind::Cdata => text::escape_cdata(tree.slice(cut.start + 9, cut.end - 3), text),
                CutKind::Greater => text.extend_from_slice(b"&gt;"),
            });
        }
        // Stable: what is put in at one place stays in the order in which it was asked for.
        crate::order::sort_by_key(&mut self.edits, |edit| edit.start);
        let mut at = node.start;
        for edit in &self.edits {
            out.extend_from_slice(tree.slice(at, edit.start).as_bytes());
            out.extend_from_slice(self.texts.get(edit.text.clone()).unwrap_or_default());
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

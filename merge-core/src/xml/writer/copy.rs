//! Copies of elements of other documents.

use super::Writer;
use crate::xml::edit::REPEATED_MAX;
use crate::xml::element::IdAttribute;
use crate::xml::names::Namespace;
use crate::xml::tree::{Element, Tree};

impl<'a> Writer<'a> {
    /// A whole element of another document: text, attributes and extensions as they were, comments and
    /// processing instructions left out, every prefix bound as it was there, an inherited `xml:lang` made
    /// explicit. Left out where its document has used up [`REPEATED_MAX`].
    pub fn copy(&mut self, element: Element<'a>) {
        self.edits.clear();
        self.copy_edited(element);
    }

    /// [`Writer::copy`] with the `xs:ID` attributes (see [`Element::ids`]) in it renamed: pairs of old and new.
    pub fn copy_renamed(&mut self, element: Element<'a>, renames: &[(&str, &str)]) {
        self.copy_with_ids(element, &|id| {
            let old = id.value();
            renames.iter().find(|(each, _)| *each == old).map(|(_, new)| *new)
        });
    }

    /// [`Writer::copy`] with new values for those `xs:ID` attributes in it for which there is one.
    pub(crate) fn copy_with_ids<'n>(
        &mut self,
        element: Element<'a>,
        new_id: &dyn Fn(IdAttribute<'_>) -> Option<&'n str>,
    ) {
        self.edits.clear();
        self.edits.rename_ids(element, new_id);
        self.copy_edited(element);
    }

    fn copy_edited(&mut self, element: Element<'a>) {
        self.bind(element);
        let lang = self.frames.last().and_then(|frame| frame.lang.as_deref());
        if element.tree.inherits_lang || lang.is_some() {
            self.edits.keep_lang(element, lang);
        }
        if self.afford(element.tree, self.edits.repeated()) {
            self.before_child();
            self.edits.write(element, &mut self.out);
        }
    }

    /// Asks for a declaration of each binding in scope at the element that means something else here.
    fn bind(&mut self, element: Element<'a>) {
        let tree = element.tree;
        let parent = element.parent();
        for at in self.compare(tree, parent.map_or(0, |parent| parent.node().scope)) {
            let Some(binding) = self.differences.get(at) else { continue };
            if !element.declared().any(|own| own.prefix == binding.prefix) {
                self.edits.declare(element, binding.prefix, binding.namespace);
            }
        }
        // No default at all means no namespace, which is a difference to those only that stand in none.
        if tree.unqualified && self.meaning("") != Namespace::None {
            let default = parent.is_some_and(|parent| parent.bindings().any(|each| each.prefix.is_empty()));
            let own_default = element.declared().any(|own| own.prefix.is_empty());
            let needs =
                |inner: Element<'_>| inner.namespace() == Namespace::None && inner.prefix().is_empty();
            if !default && !own_default && element.subtree().any(needs) {
                self.edits.declare(element, "", Namespace::None);
            }
        }
    }

    /// Whether the parts of a document may repeat that many bytes more.
    pub(super) fn afford(&mut self, tree: &'a Tree, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let known = self.repeated.iter().position(|(each, _)| core::ptr::eq(*each, tree));
        let at = known.unwrap_or_else(|| {
            self.repeated.push((tree, 0));
            self.repeated.len() - 1
        });
        let spent = &mut self.repeated[at].1;
        let enough = *spent + bytes <= REPEATED_MAX;
        if enough {
            *spent += bytes;
        }
        enough
    }
}

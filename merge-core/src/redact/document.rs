//! A published document without what people wrote in it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::{Redactor, SPHERES};
use crate::live::{LiveSet, Publication};
use crate::model::Document;
use crate::presence_json::location;
use crate::xml::{Content, Element, Namespace, Writer};

impl Redactor {
    /// What is live, for a merge elsewhere: each document redacted, devices without the names that people gave them.
    pub fn live_set(&mut self, set: &mut LiveSet) {
        set.publications.retain_mut(|publication| self.publication(publication).is_some());
        for registration in &mut set.registrations {
            registration.contact = self.address(&registration.contact);
        }
        for device in set.dialogs.iter_mut().filter_map(|dialog| dialog.device.as_mut()) {
            *device = self.device(device);
        }
    }

    /// Nothing where what was written cannot be read, which no document that was read leads to.
    fn publication(&mut self, publication: &mut Publication) -> Option<()> {
        let redacted = self.pidf(&publication.document);
        publication.document = Arc::new(Document::read_written(&redacted).ok()?);
        publication.device.key = self.device(&publication.device.key);
        publication.device.label = None;
        Some(())
    }

    /// The document with its parts, ids and statuses. Elements of namespaces that are not presence's are left, and
    /// nothing in them.
    #[must_use]
    pub fn pidf(&mut self, document: &Document) -> Vec<u8> {
        let mut out = Writer::with_capacity(document.source().len());
        out.declare_scope_of(document.root());
        let mut steps = vec![Step::Element(document.root())];
        while let Some(step) = steps.pop() {
            match step {
                Step::End => out.end(),
                Step::Text(text) => out.text(&self.text(&text)),
                Step::Element(element) => {
                    out.start(element.namespace(), element.local());
                    steps.push(Step::End);
                    if !is_of_presence(element.namespace()) {
                        if location(element).is_some() {
                            out.leaf(element.namespace(), "pos", "0 0");
                        }
                        continue;
                    }
                    if let Some(lang) = element.attribute_in(Namespace::Xml, "lang") {
                        out.lang(&lang);
                    }
                    for attribute in element.attributes().filter(|a| a.name.namespace == Namespace::None) {
                        out.attribute(attribute.name.local, &attribute.value);
                    }
                    if element.children().next().is_none() {
                        out.text(&self.value(element));
                        continue;
                    }
                    let content: Vec<Step<'_>> = element
                        .content()
                        .map(|inside| match inside {
                            Content::Text(text) => Step::Text(text.into_owned()),
                            Content::Element(inside) => Step::Element(inside),
                        })
                        .collect();
                    steps.extend(content.into_iter().rev());
                }
            }
        }
        out.finish()
    }

    /// The text of an element that holds nothing else.
    fn value(&mut self, element: Element<'_>) -> String {
        let value = element.value().into_owned();
        match (element.namespace(), element.local()) {
            (Namespace::Pidf, "contact") => self.address(value.trim()),
            (Namespace::Pidf | Namespace::TimedStatus, "basic")
            | (Namespace::Pidf | Namespace::DataModel, "timestamp")
            | (Namespace::DataModel, "deviceID")
            | (Namespace::Rpid, "user-input" | "time-offset") => value,
            (Namespace::Rpid, "sphere") if SPHERES.contains(&value.trim()) => value,
            (Namespace::Caps, _) if matches!(value.trim(), "true" | "false") => value,
            _ => self.text(&value),
        }
    }
}

/// A step of a walk through a document, the last one first.
enum Step<'a> {
    Element(Element<'a>),
    Text(String),
    End,
}

fn is_of_presence(namespace: Namespace<'_>) -> bool {
    matches!(
        namespace,
        Namespace::Pidf
            | Namespace::DataModel
            | Namespace::Rpid
            | Namespace::Caps
            | Namespace::Cipid
            | Namespace::TimedStatus
    )
}

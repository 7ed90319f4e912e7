//! Carrying a view out: the merged document, with less in it.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{Level, View, ViewDrop};
use crate::activity::hindrance;
use crate::compose::{BARE_TUPLE, Hidden};
use crate::model::{Basic, Document};
use crate::policy::apply::write_tokens;
use crate::uri::is_gruu;
use crate::xml::{Content, Element, Known, Namespace, Writer};

const PIDF: Namespace<'static> = Namespace::Pidf;
const DATA_MODEL: Namespace<'static> = Namespace::DataModel;
const RPID: Namespace<'static> = Namespace::Rpid;

impl View {
    /// What these watchers are sent of a merged document.
    ///
    /// First all is taken out that is dropped, however deep it stands, then values are coarsened, and at last the
    /// level decides what of that is left. Whatever stands in the result stood in the document, but for the tokens
    /// of [`COARSE`](super::COARSE), the word `closed`, and the ids of parts that are written anew.
    #[must_use]
    pub fn apply(&self, merged: &Document) -> Vec<u8> {
        match self.level {
            _ if self.is_full() => merged.source().as_bytes().to_vec(),
            Level::Full => self.less(merged),
            Level::BusyFree | Level::Basic => self.summary(merged),
        }
    }

    fn less(&self, merged: &Document) -> Vec<u8> {
        let cut = Cut::new(self);
        let activities = self.activities.as_deref().unwrap_or_default();
        let mut out = Writer::with_capacity(merged.source().len() + 256);
        if !activities.is_empty() {
            out.declare(DATA_MODEL);
            out.declare(RPID);
        }
        out.declare_scope_of(merged.root());
        out.start(PIDF, "presence");
        out.attribute("entity", entity(merged));
        let mut unsaid = !activities.is_empty();
        for part in merged.root().children().filter(|part| !cut.hides(*part)) {
            if unsaid && part.known() == Known::PERSON {
                unsaid = false;
                out.start(DATA_MODEL, "person");
                out.attributes_of(part, &[]);
                write_tokens("activities", RPID, activities, &mut out);
                part.children().for_each(|field| cut.copy(field, &mut out));
                out.end();
            } else {
                cut.copy(part, &mut out);
            }
        }
        let id = unsaid.then(|| free_id(merged));
        if let Some(id) = &id {
            write_person(id, activities, &mut out);
        }
        out.end();
        out.finish()
    }

    /// One service and one person that stand for all.
    fn summary(&self, merged: &Document) -> Vec<u8> {
        let cut = Cut::new(self);
        let services = || merged.tuples().filter(|tuple| !cut.hides(tuple.element));
        let basic = services().filter_map(|tuple| tuple.basic()).min();
        let basic = basic.map(|basic| if self.closed { Basic::Closed } else { basic });
        let busy: Vec<String> = match (self.level, &self.activities) {
            (Level::BusyFree, Some(activities)) => coarse(activities.iter().map(String::as_str)),
            (Level::BusyFree, None) => {
                let persons = merged.persons().filter(|person| !cut.hides(person.element)).take(1);
                let activities = persons
                    .filter_map(|person| person.activities())
                    .chain(services().filter_map(|tuple| tuple.activities()));
                let shown = activities.filter(|activities| !cut.hides(activities.element));
                coarse(shown.flat_map(|activities| activities.values().map(|value| value.token)))
            }
            _ => Vec::new(),
        };
        let mut out = Writer::with_capacity(512);
        if !busy.is_empty() {
            out.declare(DATA_MODEL);
            out.declare(RPID);
        }
        out.start(PIDF, "presence");
        out.attribute("entity", entity(merged));
        if let Some(basic) = basic {
            out.start(PIDF, "tuple");
            out.attribute("id", BARE_TUPLE);
            out.start(PIDF, "status");
            out.leaf(PIDF, "basic", basic.as_str());
            out.end();
            out.end();
        }
        if !busy.is_empty() {
            write_person("p", &busy, &mut out);
        }
        out.end();
        out.finish()
    }
}

/// Whom a document is about.
fn entity(merged: &Document) -> &str {
    merged.entity().map_or("", crate::uri::Entity::as_str)
}

/// What several activities come to: away, or else busy, or nothing.
fn coarse<'a>(activities: impl Iterator<Item = &'a str>) -> Vec<String> {
    match activities.map(hindrance).max().unwrap_or(0) {
        0 => Vec::new(),
        1 => alloc::vec!["busy".to_string()],
        _ => alloc::vec!["away".to_string()],
    }
}

fn write_person<'a>(id: &'a str, activities: &'a [String], out: &mut Writer<'a>) {
    out.start(DATA_MODEL, "person");
    out.attribute("id", id);
    write_tokens("activities", RPID, activities, out);
    out.end();
}

/// An id that the document has not given away.
fn free_id(merged: &Document) -> String {
    let taken: Vec<_> = merged.root().ids().map(|(_, id)| id).collect();
    let mut id = "p".to_string();
    // As many tries as there are ids, and one more.
    while taken.iter().any(|other| *other == id) {
        id.push('p');
    }
    id
}

/// What a view takes out of a document, and what it writes in another way.
pub(super) struct Cut<'v> {
    hidden: Vec<Hidden<'static>>,
    tuples: Vec<&'v str>,
    contacts: bool,
    gruus: bool,
    closed: bool,
}

impl<'v> Cut<'v> {
    pub(super) fn new(view: &'v View) -> Cut<'v> {
        let mut cut = Cut {
            hidden: Vec::new(),
            tuples: Vec::new(),
            contacts: view.drop.contains(&ViewDrop::Contacts),
            gruus: view.drop.contains(&ViewDrop::Devices),
            closed: view.closed,
        };
        for drop in &view.drop {
            match drop {
                ViewDrop::Geo => cut.hidden.push(Hidden::Geo),
                ViewDrop::Notes => cut.hidden.push(Hidden::Notes),
                ViewDrop::Devices => cut.hidden.push(Hidden::Devices),
                ViewDrop::Person => cut.hidden.push(Hidden::Persons),
                ViewDrop::Field(local) => cut.hidden.push(Hidden::Rpid(local)),
                ViewDrop::Tuple(id) => cut.tuples.push(id),
                ViewDrop::Contacts => {}
            }
        }
        if view.activities.is_some() {
            cut.hidden.push(Hidden::Rpid("activities"));
        }
        cut
    }

    fn hides(&self, element: Element<'_>) -> bool {
        if self.hidden.iter().any(|hidden| hidden.covers(element)) {
            return true;
        }
        match element.known() {
            Known::TUPLE => {
                let id = element.attribute("id").unwrap_or_default();
                self.tuples.iter().any(|dropped| *dropped == id)
            }
            // A GRUU says which device a service runs on.
            Known::CONTACT => self.contacts || (self.gruus && is_gruu(&element.value())),
            _ => false,
        }
    }

    /// Whether it is written in another way: the statuses of RFC 3863 and RFC 4481.
    fn coarsens(&self, element: Element<'_>) -> bool {
        self.closed
            && element.local() == "basic"
            && matches!(element.namespace(), Namespace::Pidf | Namespace::TimedStatus)
    }

    pub(super) fn touches(&self, element: Element<'_>) -> bool {
        element.subtree().any(|inside| self.hides(inside) || self.coarsens(inside))
    }

    /// Writes what is left of an element.
    fn copy<'a>(&self, element: Element<'a>, out: &mut Writer<'a>) {
        let mut steps = alloc::vec![Step::Write(Content::Element(element))];
        while let Some(step) = steps.pop() {
            match step {
                Step::End => out.end(),
                Step::Write(Content::Text(text)) => out.text(&text),
                Step::Write(Content::Element(inside)) if self.hides(inside) => {}
                Step::Write(Content::Element(inside)) if self.coarsens(inside) => {
                    out.leaf(inside.namespace(), "basic", Basic::Closed.as_str());
                }
                Step::Write(Content::Element(inside)) if !self.touches(inside) => out.copy(inside),
                Step::Write(Content::Element(inside)) => {
                    out.start(inside.namespace(), inside.local());
                    out.attributes_of(inside, &[]);
                    steps.push(Step::End);
                    let content: Vec<Content<'a>> = inside.content().collect();
                    steps.extend(content.into_iter().rev().map(Step::Write));
                }
            }
        }
    }
}

/// A step of a walk through an element, the last one first.
enum Step<'a> {
    Write(Content<'a>),
    End,
}

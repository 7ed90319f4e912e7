//! What a policy hides: elements that the result must not hold, wherever in a copied part they stand.

use alloc::vec::Vec;

use super::Composed;
use crate::xml::{Content, Element, Namespace, Tree, Writer};

/// The namespaces of locations begin so: RFC 4119 and its kin (RFC 5139, RFC 5491), and GML.
const LOCATIONS: [&str; 2] = ["urn:ietf:params:xml:ns:pidf:geopriv", "http://www.opengis.net/"];

/// A kind of element that is not shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hidden<'a> {
    /// Locations.
    Geo,
    /// The notes of RFC 3863, 4479, 4480 and 4481.
    Notes,
    /// Those of one document.
    NotesOf(&'a Tree),
    /// Persons.
    Persons,
    /// Devices, and what says on which of them a service runs.
    Devices,
    /// An RPID element, in whatever it stands.
    Rpid(&'static str),
}

impl Hidden<'_> {
    /// Whether this element is of the kind.
    pub(crate) fn covers(self, element: Element<'_>) -> bool {
        match self {
            Hidden::Geo => {
                let uri = element.namespace().uri();
                LOCATIONS.iter().any(|start| uri.starts_with(start))
            }
            Hidden::Notes => is_note(element),
            Hidden::NotesOf(tree) => core::ptr::eq(element.tree(), tree) && is_note(element),
            Hidden::Persons => element.is(Namespace::DataModel, "person"),
            Hidden::Devices => {
                element.is(Namespace::DataModel, "device") || element.is(Namespace::DataModel, "deviceID")
            }
            Hidden::Rpid(local) => element.is(Namespace::Rpid, local),
        }
    }
}

fn is_note(element: Element<'_>) -> bool {
    use Namespace::{DataModel, Pidf, Rpid, TimedStatus};
    element.local() == "note" && matches!(element.namespace(), Pidf | DataModel | Rpid | TimedStatus)
}

impl Composed<'_> {
    /// Whether the result must not hold this element.
    fn hides(&self, element: Element<'_>) -> bool {
        self.hidden.iter().any(|hidden| hidden.covers(element))
    }

    /// Whether something inside this element, or it itself, is hidden.
    pub(super) fn hides_inside(&self, element: Element<'_>) -> bool {
        !self.hidden.is_empty() && element.subtree().any(|inside| self.hides(inside))
    }
}

/// A step of a walk through an element, the last one first.
enum Step<'a> {
    Write(Content<'a>),
    End,
}

/// Writes an element without what is hidden in it; `copy` writes the parts that hold nothing of the kind.
pub(super) fn copy_shown<'a>(
    composed: &Composed<'_>,
    element: Element<'a>,
    out: &mut Writer<'a>,
    copy: &dyn Fn(Element<'a>, &mut Writer<'a>),
) {
    let mut steps = alloc::vec![Step::Write(Content::Element(element))];
    while let Some(step) = steps.pop() {
        match step {
            Step::End => out.end(),
            Step::Write(Content::Text(text)) => out.text(&text),
            Step::Write(Content::Element(inside)) if composed.hides(inside) => {}
            Step::Write(Content::Element(inside)) if !composed.hides_inside(inside) => copy(inside, out),
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

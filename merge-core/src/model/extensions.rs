//! Timed status (RFC 4481), contact information (RFC 4482) and capabilities (RFC 5196).

use alloc::borrow::Cow;

use super::fields::{Basic, Note};
use crate::time::Millis;
use crate::xml::{Element, Namespace};

/// `timed-status` of a tuple: what was, or will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedStatus<'a> {
    /// The `timed-status` element.
    pub element: Element<'a>,
}

impl<'a> TimedStatus<'a> {
    /// Start of the interval.
    #[must_use]
    pub fn from(self) -> Option<Millis> {
        Millis::parse_rfc3339(self.element.attribute("from")?.trim())
    }

    /// End of the interval; none for "until further notice".
    #[must_use]
    pub fn until(self) -> Option<Millis> {
        Millis::parse_rfc3339(self.element.attribute("until")?.trim())
    }

    /// `basic` in that interval.
    #[must_use]
    pub fn basic(self) -> Option<Basic> {
        Basic::of(&self.element.child(Namespace::TimedStatus, "basic")?.value())
    }

    /// The note on it.
    #[must_use]
    pub fn note(self) -> Option<Note<'a>> {
        self.element.child(Namespace::TimedStatus, "note").map(|element| Note { element })
    }

    /// Everything else in it.
    pub fn fields(self) -> impl Iterator<Item = Element<'a>> {
        self.element.children().filter(|e| e.namespace() != Namespace::TimedStatus)
    }
}

/// The RFC 4482 elements directly inside a person or tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cipid<'a> {
    pub(super) around: Element<'a>,
}

impl<'a> Cipid<'a> {
    fn value(self, local: &str) -> Option<Cow<'a, str>> {
        self.around.child(Namespace::Cipid, local).map(Element::value)
    }

    /// `card`: the URI of a business card.
    #[must_use]
    pub fn card(self) -> Option<Cow<'a, str>> {
        self.value("card")
    }

    /// `display-name`: how to show the presentity.
    #[must_use]
    pub fn display_name(self) -> Option<Cow<'a, str>> {
        self.value("display-name")
    }

    /// `homepage`: a URI.
    #[must_use]
    pub fn homepage(self) -> Option<Cow<'a, str>> {
        self.value("homepage")
    }

    /// `icon`: the URI of an image.
    #[must_use]
    pub fn icon(self) -> Option<Cow<'a, str>> {
        self.value("icon")
    }

    /// `map`: a URI.
    #[must_use]
    pub fn map(self) -> Option<Cow<'a, str>> {
        self.value("map")
    }

    /// `sound`: a URI.
    #[must_use]
    pub fn sound(self) -> Option<Cow<'a, str>> {
        self.value("sound")
    }
}

/// RFC 5196 `servcaps` of a tuple or `devcaps` of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps<'a> {
    /// The element.
    pub element: Element<'a>,
}

impl<'a> Caps<'a> {
    /// A boolean capability (`audio`, `video`, `message`, ...) if it is given.
    #[must_use]
    pub fn flag(self, local: &str) -> Option<bool> {
        match &*self.element.child(Namespace::Caps, local)?.value() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// The values that a list (`methods`, `event-packages`, `mobility`, ...) names as supported.
    pub fn supported(self, list: &str) -> impl Iterator<Item = Element<'a>> {
        self.side(list, "supported")
    }

    /// The values that a list names as not supported.
    pub fn not_supported(self, list: &str) -> impl Iterator<Item = Element<'a>> {
        self.side(list, "notsupported")
    }

    fn side(self, list: &str, side: &str) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let side =
            self.element.child(Namespace::Caps, list).and_then(|list| list.child(Namespace::Caps, side));
        side.into_iter().flat_map(Element::children)
    }

    /// `description`s, each with its language.
    pub fn descriptions(self) -> impl Iterator<Item = Note<'a>> {
        self.element
            .children()
            .filter(|e| e.is(Namespace::Caps, "description"))
            .map(|element| Note { element })
    }
}

//! A service (RFC 3863 section 4.1.2, RFC 4479 section 3.3).

use alloc::borrow::Cow;

use super::document::timestamp;
use super::extensions::{Caps, Cipid, TimedStatus};
use super::fields::{Basic, Contact, Note};
use super::rpid::{Activities, Rpid, UserInput};
use crate::time::Millis;
use crate::xml::{Element, Known, Namespace};

/// One service of the presentity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple<'a> {
    /// The `tuple` element.
    pub element: Element<'a>,
}

impl<'a> Tuple<'a> {
    /// Its `id`; empty when missing.
    #[must_use]
    pub fn id(self) -> Cow<'a, str> {
        self.element.attribute("id").unwrap_or_default()
    }

    /// The `status` element.
    #[must_use]
    pub fn status(self) -> Option<Element<'a>> {
        self.element.child(Namespace::Pidf, "status")
    }

    /// `status/basic`.
    #[must_use]
    pub fn basic(self) -> Option<Basic> {
        Basic::of(&self.status()?.child(Namespace::Pidf, "basic")?.value())
    }

    /// `contact`.
    #[must_use]
    pub fn contact(self) -> Option<Contact<'a>> {
        self.element.child(Namespace::Pidf, "contact").map(|element| Contact { element })
    }

    /// `timestamp`, when there is one that can be read.
    #[must_use]
    pub fn timestamp(self) -> Option<Millis> {
        timestamp(self.element, Namespace::Pidf)
    }

    /// Its notes (PIDF namespace).
    pub fn notes(self) -> impl Iterator<Item = Note<'a>> {
        self.element.children_known(Known::NOTE).map(|element| Note { element })
    }

    /// `deviceID` (RFC 4479): the device that this service runs on.
    #[must_use]
    pub fn device_id(self) -> Option<Cow<'a, str>> {
        self.element.child(Namespace::DataModel, "deviceID").map(Element::value)
    }

    /// Its RFC 4480 elements, those in its status included.
    #[must_use]
    pub fn rpid(self) -> Rpid<'a> {
        Rpid { around: self.element, status: self.status() }
    }

    /// Its RFC 4482 elements.
    #[must_use]
    pub fn cipid(self) -> Cipid<'a> {
        Cipid { around: self.element }
    }

    /// `timed-status` (RFC 4481), in the tuple's status or beside it.
    pub fn timed_status(self) -> impl Iterator<Item = TimedStatus<'a>> {
        let inside = |element: Element<'a>| element.children();
        inside(self.element)
            .chain(self.status().into_iter().flat_map(inside))
            .filter(|e| e.is(Namespace::TimedStatus, "timed-status"))
            .map(|element| TimedStatus { element })
    }

    /// RPID `activities`, in the tuple or in its status (older clients).
    #[must_use]
    pub fn activities(self) -> Option<Activities<'a>> {
        self.rpid().activities()
    }

    /// RPID `user-input`.
    #[must_use]
    pub fn user_input(self) -> Option<UserInput<'a>> {
        self.rpid().user_input()
    }

    /// `servcaps` (RFC 5196).
    #[must_use]
    pub fn caps(self) -> Option<Caps<'a>> {
        self.find(Namespace::Caps, "servcaps").map(|element| Caps { element })
    }

    /// A child of the tuple, or of its status, by name.
    #[must_use]
    pub fn find(self, namespace: Namespace<'_>, local: &str) -> Option<Element<'a>> {
        self.element
            .child(namespace, local)
            .or_else(|| self.status().and_then(|status| status.child(namespace, local)))
    }

    /// The children of `status` but `basic`, in document order.
    pub fn status_fields(self) -> impl Iterator<Item = Element<'a>> {
        self.status().into_iter().flat_map(|status| status.children().filter(|e| e.known() != Known::BASIC))
    }

    /// The children of the tuple but `status`, `contact`, `note` and `timestamp`, in document order.
    pub fn fields(self) -> impl Iterator<Item = Element<'a>> {
        self.element
            .children()
            .filter(|e| !matches!(e.known(), Known::STATUS | Known::CONTACT | Known::NOTE | Known::TIMESTAMP))
    }
}

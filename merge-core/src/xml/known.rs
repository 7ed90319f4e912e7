//! The elements that reading and composing ask for by name, told by one byte that is looked up once: when they are
//! read.

use super::names::Namespace;

/// Which of those elements one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known(u8);

impl Known {
    /// None of them.
    pub(crate) const OTHER: Known = Known(0);
    // RFC 3863.
    pub(crate) const TUPLE: Known = Known(1);
    pub(crate) const STATUS: Known = Known(2);
    pub(crate) const BASIC: Known = Known(3);
    pub(crate) const CONTACT: Known = Known(4);
    pub(crate) const NOTE: Known = Known(5);
    pub(crate) const TIMESTAMP: Known = Known(6);
    // RFC 4479.
    pub(crate) const PERSON: Known = Known(7);
    pub(crate) const DEVICE: Known = Known(8);
    pub(crate) const DEVICE_ID: Known = Known(9);
    /// The note of a person or a device.
    pub(crate) const PART_NOTE: Known = Known(10);
    /// The timestamp of a person or a device.
    pub(crate) const PART_TIMESTAMP: Known = Known(11);
    // RFC 4480.
    pub(crate) const ACTIVITIES: Known = Known(12);
    pub(crate) const USER_INPUT: Known = Known(13);

    /// The element of a namespace, by its number, and a local name.
    pub(super) fn of(namespace: u8, local: &[u8]) -> Known {
        match Namespace::KNOWN.get(usize::from(namespace)) {
            Some(Namespace::Pidf) => match local {
                b"tuple" => Known::TUPLE,
                b"status" => Known::STATUS,
                b"basic" => Known::BASIC,
                b"contact" => Known::CONTACT,
                b"note" => Known::NOTE,
                b"timestamp" => Known::TIMESTAMP,
                _ => Known::OTHER,
            },
            Some(Namespace::DataModel) => match local {
                b"person" => Known::PERSON,
                b"device" => Known::DEVICE,
                b"deviceID" => Known::DEVICE_ID,
                b"note" => Known::PART_NOTE,
                b"timestamp" => Known::PART_TIMESTAMP,
                _ => Known::OTHER,
            },
            Some(Namespace::Rpid) => match local {
                b"activities" => Known::ACTIVITIES,
                b"user-input" => Known::USER_INPUT,
                _ => Known::OTHER,
            },
            _ => Known::OTHER,
        }
    }
}

/// A [`Known`], and whether all inside the element is text that means itself: no child, reference, comment or carriage
/// return.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks(u8);

impl Marks {
    const NOT_PLAIN: u8 = 0x80;

    /// Of an element in which nothing was seen yet.
    pub(super) fn of(known: Known) -> Marks {
        Marks(known.0)
    }

    pub(super) fn set_not_plain(&mut self) {
        self.0 |= Marks::NOT_PLAIN;
    }

    pub(super) fn is_plain(self) -> bool {
        self.0 & Marks::NOT_PLAIN == 0
    }

    pub(super) fn known(self) -> Known {
        Known(self.0 & !Marks::NOT_PLAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn each_name_is_known_in_its_own_namespace_and_no_two_are_one() {
        let names: [&[u8]; 11] = [
            b"tuple",
            b"status",
            b"basic",
            b"contact",
            b"note",
            b"timestamp",
            b"person",
            b"device",
            b"deviceID",
            b"activities",
            b"user-input",
        ];
        let found = |namespace: Namespace<'_>| -> Vec<u8> {
            let number = namespace.number().unwrap();
            names
                .iter()
                .map(|name| Known::of(number, name).0)
                .filter(|known| *known != Known::OTHER.0)
                .collect()
        };
        assert_eq!(found(Namespace::Pidf), [1, 2, 3, 4, 5, 6]);
        assert_eq!(found(Namespace::DataModel), [10, 11, 7, 8, 9]);
        assert_eq!(found(Namespace::Rpid), [12, 13]);
        for other in
            [Namespace::None, Namespace::Xml, Namespace::TimedStatus, Namespace::Cipid, Namespace::Caps]
        {
            assert_eq!(found(other), [0; 0]);
        }
        assert_eq!(Known::of(Namespace::KNOWN.len() as u8, b"tuple"), Known::OTHER);
    }

    #[test]
    fn an_element_stays_what_it_is_when_it_is_not_plain() {
        let mut marks = Marks::of(Known::USER_INPUT);
        assert!(marks.is_plain() && marks.known() == Known::USER_INPUT);
        marks.set_not_plain();
        assert!(!marks.is_plain() && marks.known() == Known::USER_INPUT);
    }
}

//! The values of PIDF itself: basic status, contact, note.

use alloc::borrow::Cow;

use crate::xml::Element;

/// `basic` (RFC 3863 section 4.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basic {
    /// Ready for communication.
    Open,
    /// Not ready.
    Closed,
}

impl Basic {
    /// From its text.
    #[must_use]
    pub fn of(text: &str) -> Option<Basic> {
        match text {
            "open" => Some(Basic::Open),
            "closed" => Some(Basic::Closed),
            _ => None,
        }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Basic::Open => "open",
            Basic::Closed => "closed",
        }
    }
}

/// `contact` of a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact<'a> {
    /// The `contact` element.
    pub element: Element<'a>,
}

impl<'a> Contact<'a> {
    /// The URI.
    #[must_use]
    pub fn uri(self) -> Cow<'a, str> {
        self.element.value()
    }

    /// `priority` in thousandths, 0 to 1000; none when missing or out of its grammar.
    #[must_use]
    pub fn priority_milli(self) -> Option<u16> {
        qvalue_milli(self.element.attribute("priority")?.trim())
    }
}

/// `qvalue` of RFC 3863 section 4.1.5 in thousandths.
fn qvalue_milli(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = (0..3)
        .fold(0, |sum, at| sum * 10 + fraction.as_bytes().get(at).map_or(0, |digit| u16::from(digit - b'0')));
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// A note, of whatever namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// The `note` element.
    pub element: Element<'a>,
}

impl<'a> Note<'a> {
    /// The language, inherited from the elements around it if it has none of its own.
    #[must_use]
    pub fn lang(self) -> Option<Cow<'a, str>> {
        self.element.lang()
    }

    /// The text.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        self.element.text()
    }
}

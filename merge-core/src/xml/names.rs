//! Namespaces. The ones that presence documents are made of are known by a small tag, so that
//! comparing two names is mostly comparing two integers.

/// A namespace name, with the well-known ones told apart without comparing text.
///
/// [`Namespace::Other`] never holds the URI of one of the known variants: values come from
/// [`Namespace::from_uri`], so `==` is equality of URIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace<'a> {
    /// No namespace: an unprefixed attribute, or an element where no default is declared.
    None,
    /// `http://www.w3.org/XML/1998/namespace`, always bound to `xml`.
    Xml,
    /// RFC 3863, `urn:ietf:params:xml:ns:pidf`.
    Pidf,
    /// RFC 4479, `urn:ietf:params:xml:ns:pidf:data-model`.
    DataModel,
    /// RFC 4480, `urn:ietf:params:xml:ns:pidf:rpid`.
    Rpid,
    /// RFC 4481, `urn:ietf:params:xml:ns:pidf:timed-status`.
    TimedStatus,
    /// RFC 4482, `urn:ietf:params:xml:ns:pidf:cipid`.
    Cipid,
    /// RFC 5196, `urn:ietf:params:xml:ns:pidf:caps`.
    Caps,
    /// Any other namespace, by its URI.
    Other(&'a str),
}

/// The URI that the prefix `xmlns` is bound to; no element or attribute may be in it.
pub(crate) const XMLNS_URI: &str = "http://www.w3.org/2000/xmlns/";

impl<'a> Namespace<'a> {
    /// The namespaces that have a tag, in the order of their declaration.
    pub(crate) const KNOWN: [Namespace<'static>; 8] = [
        Namespace::None,
        Namespace::Xml,
        Namespace::Pidf,
        Namespace::DataModel,
        Namespace::Rpid,
        Namespace::TimedStatus,
        Namespace::Cipid,
        Namespace::Caps,
    ];

    /// The place in [`Namespace::KNOWN`], which is its number in every tree.
    #[inline]
    pub(crate) fn number(self) -> Option<u8> {
        Some(match self {
            Namespace::None => 0,
            Namespace::Xml => 1,
            Namespace::Pidf => 2,
            Namespace::DataModel => 3,
            Namespace::Rpid => 4,
            Namespace::TimedStatus => 5,
            Namespace::Cipid => 6,
            Namespace::Caps => 7,
            Namespace::Other(_) => return None,
        })
    }

    /// The namespace of a URI; the empty string is no namespace.
    #[must_use]
    pub fn from_uri(uri: &'a str) -> Namespace<'a> {
        match uri {
            "" => Namespace::None,
            "urn:ietf:params:xml:ns:pidf" => Namespace::Pidf,
            "urn:ietf:params:xml:ns:pidf:data-model" => Namespace::DataModel,
            "urn:ietf:params:xml:ns:pidf:rpid" => Namespace::Rpid,
            "urn:ietf:params:xml:ns:pidf:timed-status" => Namespace::TimedStatus,
            "urn:ietf:params:xml:ns:pidf:cipid" => Namespace::Cipid,
            "urn:ietf:params:xml:ns:pidf:caps" => Namespace::Caps,
            "http://www.w3.org/XML/1998/namespace" => Namespace::Xml,
            other => Namespace::Other(other),
        }
    }

    /// The URI; empty for [`Namespace::None`].
    #[must_use]
    pub fn uri(self) -> &'a str {
        match self {
            Namespace::None => "",
            Namespace::Xml => "http://www.w3.org/XML/1998/namespace",
            Namespace::Pidf => "urn:ietf:params:xml:ns:pidf",
            Namespace::DataModel => "urn:ietf:params:xml:ns:pidf:data-model",
            Namespace::Rpid => "urn:ietf:params:xml:ns:pidf:rpid",
            Namespace::TimedStatus => "urn:ietf:params:xml:ns:pidf:timed-status",
            Namespace::Cipid => "urn:ietf:params:xml:ns:pidf:cipid",
            Namespace::Caps => "urn:ietf:params:xml:ns:pidf:caps",
            Namespace::Other(uri) => uri,
        }
    }

    /// The prefix that our own output binds to a known namespace; the PIDF namespace is the default one.
    #[must_use]
    pub fn usual_prefix(self) -> &'static str {
        match self {
            Namespace::None | Namespace::Pidf => "",
            Namespace::Xml => "xml",
            Namespace::DataModel => "dm",
            Namespace::Rpid => "rpid",
            Namespace::TimedStatus => "ts",
            Namespace::Cipid => "c",
            Namespace::Caps => "caps",
            Namespace::Other(_) => "x",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_namespace_has_the_number_of_its_place_and_the_uri_that_it_is_found_by() {
        for (place, namespace) in Namespace::KNOWN.into_iter().enumerate() {
            assert_eq!(namespace.number(), Some(place as u8));
            assert_eq!(Namespace::from_uri(namespace.uri()), namespace);
        }
        assert_eq!(Namespace::from_uri("urn:x").number(), None);
    }
}

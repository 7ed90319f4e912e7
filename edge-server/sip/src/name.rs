//! Header field names (RFC 3261 7.3.1, 20; the IANA registry for the rest).
//!
//! Known names are a small number, so looking one up in a message compares bytes, not
//! strings. Compact and odd-case forms are understood on input; output is always the full
//! form, because a browser library in wide use does not know `o:`, `u:` and `k:`.

use core::fmt;

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident = $full:literal $(/ $compact:literal)?),+ $(,)?) => {
        /// A header field name that this crate knows, or [`Name::Extension`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = concat!("`", $full, "`" $(, " (compact `", $compact, "`)")?)] $variant,)+
            /// Any other name; ask for it with [`Message::header_named`](crate::Message::header_named).
            Extension,
        }

        impl Name {
            /// Every known name, in the order of the enum.
            pub const ALL: &'static [Name] = &[$(Name::$variant),+];

            /// The full name as it is written, or the empty string for [`Name::Extension`].
            pub const fn as_str(self) -> &'static str {
                match self { $(Name::$variant => $full,)+ Name::Extension => "" }
            }

            /// The one-letter form, where one is registered.
            pub const fn compact(self) -> Option<char> {
                match self { $($(Name::$variant => Some($compact),)?)+ _ => None }
            }
        }
    };
}

names! {
    Accept = "Accept",
    AcceptContact = "Accept-Contact" / 'a',
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AlertInfo = "Alert-Info",
    Allow = "Allow",
    AllowEvents = "Allow-Events" / 'u',
    AuthenticationInfo = "Authentication-Info",
    Authorization = "Authorization",
    CallId = "Call-ID" / 'i',
    CallInfo = "Call-Info",
    Contact = "Contact" / 'm',
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding" / 'e',
    ContentLanguage = "Content-Language",
    ContentLength = "Content-Length" / 'l',
    ContentType = "Content-Type" / 'c',
    CSeq = "CSeq",
    Date = "Date",
    ErrorInfo = "Error-Info",
    Event = "Event" / 'o',
    Expires = "Expires",
    FlowTimer = "Flow-Timer",
    From = "From" / 'f',
    Identity = "Identity" / 'y',
    InReplyTo = "In-Reply-To",
    MaxBreadth = "Max-Breadth",
    MaxForwards = "Max-Forwards",
    MimeVersion = "MIME-Version",
    MinExpires = "Min-Expires",
    MinSe = "Min-SE",
    Organization = "Organization",
    PAssertedIdentity = "P-Asserted-Identity",
    Path = "Path",
    PPreferredIdentity = "P-Preferred-Identity",
    Priority = "Priority",
    Privacy = "Privacy",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyRequire = "Proxy-Require",
    RAck = "RAck",
    Reason = "Reason",
    RecordRoute = "Record-Route",
    ReferTo = "Refer-To" / 'r',
    ReferredBy = "Referred-By" / 'b',
    RejectContact = "Reject-Contact" / 'j',
    Replaces = "Replaces",
    ReplyTo = "Reply-To",
    RequestDisposition = "Request-Disposition" / 'd',
    Require = "Require",
    RetryAfter = "Retry-After",
    Route = "Route",
    RSeq = "RSeq",
    Server = "Server",
    ServiceRoute = "Service-Route",
    SessionExpires = "Session-Expires" / 'x',
    SipEtag = "SIP-ETag",
    SipIfMatch = "SIP-If-Match",
    Subject = "Subject" / 's',
    SubscriptionState = "Subscription-State",
    Supported = "Supported" / 'k',
    SuppressIfMatch = "Suppress-If-Match",
    Timestamp = "Timestamp",
    To = "To" / 't',
    Unsupported = "Unsupported",
    UserAgent = "User-Agent",
    Via = "Via" / 'v',
    Warning = "Warning",
    WwwAuthenticate = "WWW-Authenticate",
}

impl Name {
    /// The name that these bytes spell, in any case, full or compact.
    #[inline]
    pub fn from_bytes(name: &[u8]) -> Name {
        Name::usual(name).unwrap_or_else(|| Name::any_spelling(name))
    }

    /// The names that most messages consist of, spelt as most programs spell them. The compiler
    /// makes a decision tree of this, which takes a third of the steps of the search below.
    #[inline]
    fn usual(name: &[u8]) -> Option<Name> {
        Some(match name {
            b"Accept" => Name::Accept,
            b"Allow" => Name::Allow,
            b"Authorization" => Name::Authorization,
            b"CSeq" => Name::CSeq,
            b"Call-ID" => Name::CallId,
            b"Contact" => Name::Contact,
            b"Content-Length" => Name::ContentLength,
            b"Content-Type" => Name::ContentType,
            b"Event" => Name::Event,
            b"Expires" => Name::Expires,
            b"From" => Name::From,
            b"Max-Forwards" => Name::MaxForwards,
            b"Route" => Name::Route,
            b"SIP-If-Match" => Name::SipIfMatch,
            b"Supported" => Name::Supported,
            b"To" => Name::To,
            b"User-Agent" => Name::UserAgent,
            b"Via" => Name::Via,
            _ => return None,
        })
    }

    fn any_spelling(name: &[u8]) -> Name {
        let Some(first) = name.first().map(u8::to_ascii_lowercase) else { return Name::Extension };
        if name.len() == 1 {
            return compact(first);
        }
        // Length and first letter leave at most four candidates.
        let candidates: &[Name] = match (name.len(), first) {
            (2, b't') => &[Name::To],
            (3, b'v') => &[Name::Via],
            (4, b'c') => &[Name::CSeq],
            (4, b'd') => &[Name::Date],
            (4, b'f') => &[Name::From],
            (4, b'p') => &[Name::Path],
            (4, b'r') => &[Name::RAck, Name::RSeq],
            (5, b'a') => &[Name::Allow],
            (5, b'e') => &[Name::Event],
            (5, b'r') => &[Name::Route],
            (6, b'a') => &[Name::Accept],
            (6, b'm') => &[Name::MinSe],
            (6, b'r') => &[Name::Reason],
            (6, b's') => &[Name::Server],
            (7, b'c') => &[Name::CallId, Name::Contact],
            (7, b'e') => &[Name::Expires],
            (7, b'p') => &[Name::Privacy],
            (7, b'r') => &[Name::Require],
            (7, b's') => &[Name::Subject],
            (7, b'w') => &[Name::Warning],
            (8, b'i') => &[Name::Identity],
            (8, b'p') => &[Name::Priority],
            (8, b'r') => &[Name::ReferTo, Name::Replaces, Name::ReplyTo],
            (8, b's') => &[Name::SipEtag],
            (9, b'c') => &[Name::CallInfo],
            (9, b's') => &[Name::Supported],
            (9, b't') => &[Name::Timestamp],
            (10, b'a') => &[Name::AlertInfo],
            (10, b'e') => &[Name::ErrorInfo],
            (10, b'f') => &[Name::FlowTimer],
            (10, b'u') => &[Name::UserAgent],
            (11, b'i') => &[Name::InReplyTo],
            (11, b'm') => &[Name::MaxBreadth, Name::MinExpires],
            (11, b'r') => &[Name::ReferredBy, Name::RetryAfter],
            (11, b'u') => &[Name::Unsupported],
            (12, b'a') => &[Name::AllowEvents],
            (12, b'c') => &[Name::ContentType],
            (12, b'm') => &[Name::MaxForwards, Name::MimeVersion],
            (12, b'o') => &[Name::Organization],
            (12, b'r') => &[Name::RecordRoute],
            (12, b's') => &[Name::SipIfMatch],
            (13, b'a') => &[Name::Authorization],
            (13, b'p') => &[Name::ProxyRequire],
            (13, b's') => &[Name::ServiceRoute],
            (14, b'a') => &[Name::AcceptContact],
            (14, b'c') => &[Name::ContentLength],
            (14, b'r') => &[Name::RejectContact],
            (15, b'a') => &[Name::AcceptEncoding, Name::AcceptLanguage],
            (15, b's') => &[Name::SessionExpires],
            (16, b'c') => &[Name::ContentEncoding, Name::ContentLanguage],
            (16, b'w') => &[Name::WwwAuthenticate],
            (17, b's') => &[Name::SuppressIfMatch],
            (18, b'p') => &[Name::ProxyAuthenticate],
            (18, b's') => &[Name::SubscriptionState],
            (19, b'a') => &[Name::AuthenticationInfo],
            (19, b'c') => &[Name::ContentDisposition],
            (19, b'p') => &[Name::PAssertedIdentity, Name::ProxyAuthorization],
            (19, b'r') => &[Name::RequestDisposition],
            (20, b'p') => &[Name::PPreferredIdentity],
            _ => &[],
        };
        let found = candidates.iter().find(|known| known.as_str().as_bytes().eq_ignore_ascii_case(name));
        found.copied().unwrap_or(Name::Extension)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const fn compact(letter: u8) -> Name {
    match letter {
        b'a' => Name::AcceptContact,
        b'u' => Name::AllowEvents,
        b'i' => Name::CallId,
        b'm' => Name::Contact,
        b'e' => Name::ContentEncoding,
        b'l' => Name::ContentLength,
        b'c' => Name::ContentType,
        b'o' => Name::Event,
        b'f' => Name::From,
        b'y' => Name::Identity,
        b'r' => Name::ReferTo,
        b'b' => Name::ReferredBy,
        b'j' => Name::RejectContact,
        b'd' => Name::RequestDisposition,
        b'x' => Name::SessionExpires,
        b's' => Name::Subject,
        b'k' => Name::Supported,
        b't' => Name::To,
        b'v' => Name::Via,
        _ => Name::Extension,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case_and_by_its_compact_form() {
        for &name in Name::ALL {
            let full = name.as_str();
            for spelling in [full.to_owned(), full.to_uppercase(), full.to_lowercase()] {
                assert_eq!(Name::from_bytes(spelling.as_bytes()), name, "{spelling}");
            }
            if let Some(letter) = name.compact() {
                assert_eq!(Name::from_bytes(letter.to_string().as_bytes()), name);
                assert_eq!(Name::from_bytes(letter.to_uppercase().to_string().as_bytes()), name);
            }
        }
        assert_eq!(Name::ALL.len(), Name::Extension as usize);
    }

    #[test]
    fn other_names_are_extensions() {
        for other in ["", "z", "X-Foo", "C%6Fntact", "Viaa", "Expire"] {
            assert_eq!(Name::from_bytes(other.as_bytes()), Name::Extension, "{other}");
        }
    }
}

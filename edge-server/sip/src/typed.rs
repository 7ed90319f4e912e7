//! Typed headers, read from a message when asked for.
//!
//! `Ok(None)` is "not there", `Err` is "there, but not readable": the caller answers 400, or
//! ignores the header where the RFC says so.

use crate::accept::Accept;
use crate::auth::{AuthenticationInfo, Challenge, Credentials};
use crate::date::SipDate;
use crate::error::HeaderError;
use crate::event::{Event, SubscriptionState};
use crate::lex::{self, Lex};
use crate::message::Message;
use crate::name::Name;
use crate::name_addr::NameAddr;
use crate::params::Params;
use crate::uri::{Uri, UriError};
use crate::values::{CSeq, Contacts, EntityTag, MediaType, Reason, RetryAfter, Warning};
use crate::via::Via;

impl Message {
    /// The Request-URI, read. Of a request that [`Message::parse`] let through it is always
    /// well formed, but it may be of another scheme (416).
    pub fn request_uri(&self) -> Result<Uri<'_>, UriError> {
        Uri::parse(self.uri())
    }

    /// The top Via.
    pub fn via(&self) -> Result<Via<'_>, HeaderError> {
        self.vias().next().unwrap_or(Err(HeaderError::new(Name::Via, "missing")))
    }

    /// All Vias from the top; ends at the first that cannot be read.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, HeaderError>> {
        self.list(Name::Via, Via::lex)
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.one_addr(Name::From)
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.one_addr(Name::To)
    }

    /// Call-ID, to be compared octet by octet.
    pub fn call_id(&self) -> &str {
        self.header(Name::CallId).unwrap_or("")
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq<'_>, HeaderError> {
        CSeq::parse(self.must(Name::CSeq)?).map_err(|reason| HeaderError::new(Name::CSeq, reason))
    }

    /// Max-Forwards, 0 to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        let number = self.number(Name::MaxForwards)?;
        let small = |n| u8::try_from(n).map_err(|_| HeaderError::new(Name::MaxForwards, "out of range"));
        number.map(small).transpose()
    }

    /// Contact: `*`, or the addresses of all its lines.
    pub fn contacts(&self) -> Result<Contacts<'_>, HeaderError> {
        if self.header(Name::Contact) == Some("*") && self.headers(Name::Contact).count() == 1 {
            return Ok(Contacts::Star);
        }
        Ok(Contacts::List(self.addrs(Name::Contact).collect::<Result<_, _>>()?))
    }

    /// The first Contact address.
    pub fn contact(&self) -> Result<Option<NameAddr<'_>>, HeaderError> {
        self.addrs(Name::Contact).next().transpose()
    }

    /// The addresses of Contact, Route, Record-Route, Path, Service-Route or
    /// P-Asserted-Identity, over all lines in order; ends at the first that cannot be read.
    pub fn addrs(&self, name: Name) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.list(name, NameAddr::lex)
    }

    /// Route.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addrs(Name::Route)
    }

    /// Record-Route.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addrs(Name::RecordRoute)
    }

    /// Path (RFC 3327).
    pub fn paths(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addrs(Name::Path)
    }

    /// Service-Route (RFC 3608).
    pub fn service_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addrs(Name::ServiceRoute)
    }

    /// P-Asserted-Identity (RFC 3325). Only from a trusted peer does it mean anything.
    pub fn asserted_identities(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.addrs(Name::PAssertedIdentity)
    }

    /// Event (RFC 6665 8.4).
    pub fn event(&self) -> Result<Option<Event<'_>>, HeaderError> {
        self.read(Name::Event, Event::parse)
    }

    /// Subscription-State (RFC 6665 8.2.3).
    pub fn subscription_state(&self) -> Result<Option<SubscriptionState<'_>>, HeaderError> {
        self.read(Name::SubscriptionState, SubscriptionState::parse)
    }

    /// Expires in seconds, clamped to `u32::MAX`.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.number(Name::Expires)
    }

    /// Min-Expires in seconds, clamped to `u32::MAX`.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        self.number(Name::MinExpires)
    }

    /// Flow-Timer in seconds: how often keep-alives are wanted (RFC 5626 10).
    pub fn flow_timer(&self) -> Result<Option<u32>, HeaderError> {
        self.number(Name::FlowTimer)
    }

    /// SIP-ETag (RFC 3903 11.3.1).
    pub fn sip_etag(&self) -> Result<Option<EntityTag<'_>>, HeaderError> {
        self.read(Name::SipEtag, EntityTag::new)
    }

    /// SIP-If-Match (RFC 3903 11.3.2).
    pub fn sip_if_match(&self) -> Result<Option<EntityTag<'_>>, HeaderError> {
        self.read(Name::SipIfMatch, EntityTag::new)
    }

    /// Suppress-If-Match (RFC 5839): an entity tag, or `*`.
    pub fn suppress_if_match(&self) -> Result<Option<EntityTag<'_>>, HeaderError> {
        self.read(Name::SuppressIfMatch, EntityTag::new)
    }

    /// The tokens of Supported, Require, Proxy-Require, Unsupported, Allow or Allow-Events over
    /// all lines. Empty lines (`Supported:`) add nothing; pieces that are no tokens come as they
    /// are, and so match nothing.
    pub fn tokens(&self, name: Name) -> impl Iterator<Item = &str> {
        self.headers(name).flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
    }

    /// Whether one of the tokens of this header is this one, without regard to case.
    pub fn has_token(&self, name: Name, token: &str) -> bool {
        self.tokens(name).any(|t| t.eq_ignore_ascii_case(token))
    }

    /// Supported.
    pub fn supported(&self) -> impl Iterator<Item = &str> {
        self.tokens(Name::Supported)
    }

    /// Require.
    pub fn require(&self) -> impl Iterator<Item = &str> {
        self.tokens(Name::Require)
    }

    /// Proxy-Require.
    pub fn proxy_require(&self) -> impl Iterator<Item = &str> {
        self.tokens(Name::ProxyRequire)
    }

    /// The option tags of Require or Proxy-Require that are not among these: when there is one, 420
    /// names them in Unsupported (8.2.2.3, 16.3 item 5).
    pub fn options_beyond<'m>(&'m self, name: Name, known: &'m [&'m str]) -> impl Iterator<Item = &'m str> {
        self.tokens(name).filter(|tag| !known.iter().any(|known| known.eq_ignore_ascii_case(tag)))
    }

    /// Unsupported.
    pub fn unsupported(&self) -> impl Iterator<Item = &str> {
        self.tokens(Name::Unsupported)
    }

    /// Allow-Events (RFC 6665 8.2.2).
    pub fn allow_events(&self) -> impl Iterator<Item = &str> {
        self.tokens(Name::AllowEvents)
    }

    /// Accept over all lines; `None` when there is no such header, which means the package's default.
    pub fn accept(&self) -> Result<Option<Accept<'_>>, HeaderError> {
        if self.header(Name::Accept).is_none() {
            return Ok(None);
        }
        let malformed = HeaderError::new(Name::Accept, "malformed");
        Accept::parse(self.headers(Name::Accept)).map(Some).ok_or(malformed)
    }

    /// Content-Type.
    pub fn content_type(&self) -> Result<Option<MediaType<'_>>, HeaderError> {
        self.read(Name::ContentType, MediaType::parse)
    }

    /// Authorization, each line; ends at the first that cannot be read.
    pub fn authorization(&self) -> impl Iterator<Item = Result<Credentials<'_>, HeaderError>> {
        self.headers(Name::Authorization)
            .map(|value| Credentials::parse(value).ok_or(HeaderError::new(Name::Authorization, "malformed")))
    }

    /// Proxy-Authorization, each line.
    pub fn proxy_authorization(&self) -> impl Iterator<Item = Result<Credentials<'_>, HeaderError>> {
        self.headers(Name::ProxyAuthorization).map(|value| {
            Credentials::parse(value).ok_or(HeaderError::new(Name::ProxyAuthorization, "malformed"))
        })
    }

    /// WWW-Authenticate, each line, in the server's order of preference.
    pub fn www_authenticate(&self) -> impl Iterator<Item = Result<Challenge<'_>, HeaderError>> {
        self.headers(Name::WwwAuthenticate)
            .map(|value| Challenge::parse(value).ok_or(HeaderError::new(Name::WwwAuthenticate, "malformed")))
    }

    /// Proxy-Authenticate, each line, in the server's order of preference.
    pub fn proxy_authenticate(&self) -> impl Iterator<Item = Result<Challenge<'_>, HeaderError>> {
        self.headers(Name::ProxyAuthenticate).map(|value| {
            Challenge::parse(value).ok_or(HeaderError::new(Name::ProxyAuthenticate, "malformed"))
        })
    }

    /// Authentication-Info of a response (RFC 7616 3.5).
    pub fn authentication_info(&self) -> Result<Option<AuthenticationInfo<'_>>, HeaderError> {
        self.read(Name::AuthenticationInfo, AuthenticationInfo::parse)
    }

    /// Warning over all lines.
    pub fn warnings(&self) -> impl Iterator<Item = Result<Warning<'_>, HeaderError>> {
        self.list(Name::Warning, Warning::lex)
    }

    /// Retry-After.
    pub fn retry_after(&self) -> Result<Option<RetryAfter<'_>>, HeaderError> {
        self.read(Name::RetryAfter, RetryAfter::parse)
    }

    /// Reason over all lines.
    pub fn reasons(&self) -> impl Iterator<Item = Result<Reason<'_>, HeaderError>> {
        self.list(Name::Reason, |lex| {
            lex.skip_ws();
            let protocol = lex.token()?;
            Some(Reason { protocol, params: Params::lex(lex)? })
        })
    }

    /// Date.
    pub fn date(&self) -> Result<Option<SipDate>, HeaderError> {
        self.read(Name::Date, SipDate::parse)
    }

    /// User-Agent as written.
    pub fn user_agent(&self) -> Option<&str> {
        self.header(Name::UserAgent).filter(|agent| !agent.is_empty())
    }

    fn must(&self, name: Name) -> Result<&str, HeaderError> {
        self.header(name).ok_or(HeaderError::new(name, "missing"))
    }

    fn one_addr(&self, name: Name) -> Result<NameAddr<'_>, HeaderError> {
        NameAddr::parse(self.must(name)?).ok_or(HeaderError::new(name, "malformed"))
    }

    fn number(&self, name: Name) -> Result<Option<u32>, HeaderError> {
        let clamp = |n| u32::try_from(n).unwrap_or(u32::MAX);
        self.read(name, |value| lex::digits(value).map(clamp))
    }

    fn read<'a, T>(
        &'a self,
        name: Name,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, HeaderError> {
        let read = |value| parse(value).ok_or(HeaderError::new(name, "malformed"));
        self.header(name).map(read).transpose()
    }

    /// A comma list over all lines of a name. After an error the list is at its end.
    pub(crate) fn list<'a, T>(
        &'a self,
        name: Name,
        item: impl Fn(&mut Lex<'a>) -> Option<T>,
    ) -> impl Iterator<Item = Result<T, HeaderError>> {
        let mut lines = self.headers(name);
        let mut current: Option<Lex<'a>> = None;
        let mut over = false;
        std::iter::from_fn(move || {
            if over {
                return None;
            }
            let mut lex = match current.take() {
                Some(lex) => lex,
                None => Lex::new(lines.next()?),
            };
            let read = item(&mut lex);
            lex.skip_ws();
            let more = lex.eat(b',');
            if more {
                current = Some(lex);
            }
            let whole = read.filter(|_| more || lex.is_empty());
            over = whole.is_none();
            Some(whole.ok_or(HeaderError::new(name, "malformed")))
        })
    }
}

//! Where a request goes by its Request-URI and Route: loose routing, and getting along with strict
//! routers before us (RFC 3261 16.4) and behind us (16.6 item 6).

use crate::error::HeaderError;
use crate::message::Message;
use crate::name::Name;
use crate::name_addr::NameAddr;
use crate::uri::Uri;

/// The Request-URI and the Route values, top first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// The Request-URI.
    pub uri: &'a str,
    /// What Route will hold.
    pub routes: Vec<NameAddr<'a>>,
    /// Whether the next hop knows no loose routing, and so stands in the Request-URI.
    strict: bool,
}

impl<'a> Path<'a> {
    /// The path of a request that came, without ourselves (16.4). `ours` says whether a URI is one
    /// that we put into Record-Route, Path or Service-Route.
    ///
    /// # Errors
    /// A Route that cannot be read: 400.
    pub fn received(request: &'a Message, ours: impl Fn(&Uri<'_>) -> bool) -> Result<Path<'a>, HeaderError> {
        let mut uri = request.uri();
        let mut routes = request.routes().collect::<Result<Vec<_>, _>>()?;
        // A strict router before us has put us into the Request-URI and the target last.
        if request.request_uri().is_ok_and(|uri| ours(&uri))
            && let Some(target) = routes.pop()
        {
            let target = as_request_uri(target.uri);
            uri = target.ok_or(HeaderError::new(Name::Route, "malformed URI"))?;
        }
        if let Some(first) = routes.first() {
            let first = first.parse_uri().map_err(|_| HeaderError::new(Name::Route, "malformed URI"))?;
            if ours(&first) {
                routes.remove(0);
            }
        }
        Ok(Path { uri, routes, strict: false })
    }

    /// The path to a registered contact: its Path vector comes before the contact (RFC 3327 5.3).
    /// Where Route says already how to go on, inside a dialog, the vector is left out, or the
    /// request would go round (RFC 5627 6.1).
    #[must_use]
    pub fn through(&self, vector: &[NameAddr<'a>]) -> Path<'a> {
        let routes = if self.routes.is_empty() { vector.to_vec() } else { self.routes.clone() };
        Path { routes, ..*self }
    }

    /// The path of what is forwarded to one target (16.6 items 2 and 6). `target` takes the place
    /// of the Request-URI; `None` where Route decides alone.
    #[must_use]
    pub fn towards(&self, target: Option<&'a str>) -> Path<'a> {
        let uri = target.map_or(self.uri, |target| as_request_uri(target).unwrap_or(target));
        let mut routes = self.routes.clone();
        let strict = routes.first().is_some_and(|first| {
            first.parse_uri().is_ok_and(|uri| uri.is_sip() && uri.params.get("lr").is_none())
        });
        if !strict {
            return Path { uri, routes, strict };
        }
        let next = routes.remove(0);
        routes.push(NameAddr { display: None, uri, params: Default::default() });
        Path { uri: as_request_uri(next.uri).unwrap_or(next.uri), routes, strict }
    }

    /// The URI that the next hop is found by (16.6 item 7, RFC 3263).
    pub fn next_hop(&self) -> &'a str {
        match self.routes.first() {
            Some(first) if !self.strict => first.uri,
            _ => self.uri,
        }
    }
}

/// A URI without its headers, which a Request-URI may not have (19.1.1).
fn as_request_uri(uri: &str) -> Option<&str> {
    match Uri::parse(uri).ok()?.headers {
        Some(headers) => uri.get(..uri.len() - headers.len() - 1),
        None => Some(uri),
    }
}

//! For programs written on `rsip`: our messages as its values.
//!
//! The values are made from what this crate has read; `rsip`'s own reader is never run, because
//! it takes `alice` in `sip:alice.smith@x` for the user and knows no IPv6. What `rsip` cannot say
//! (an extension method, a URI of another scheme, with headers or with an IPv6 host) is an error,
//! never a value that means something else.

use std::net::IpAddr;

use rsip::headers as theirs;

use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::uri::{Scheme, Uri};

impl TryFrom<&Message> for rsip::SipMessage {
    type Error = rsip::Error;

    fn try_from(message: &Message) -> Result<rsip::SipMessage, rsip::Error> {
        let headers: rsip::Headers = message.lines().map(header).collect::<Vec<_>>().into();
        let (version, body) = (rsip::Version::V2, message.body().to_vec());
        Ok(match message.status() {
            None => {
                let uri = message.request_uri().map_err(|error| unsayable(&error.to_string()))?;
                let (method, uri) = (method(message.method())?, rsip::Uri::try_from(&uri)?);
                rsip::SipMessage::Request(rsip::Request { method, uri, version, headers, body })
            }
            Some(status) => {
                let status_code = match rsip::StatusCode::from(status.code()) {
                    rsip::StatusCode::Other(code, _) => {
                        rsip::StatusCode::Other(code, message.reason().to_owned())
                    }
                    known => known,
                };
                rsip::SipMessage::Response(rsip::Response { status_code, version, headers, body })
            }
        })
    }
}

impl TryFrom<&Uri<'_>> for rsip::Uri {
    type Error = rsip::Error;

    fn try_from(uri: &Uri<'_>) -> Result<rsip::Uri, rsip::Error> {
        let scheme = match uri.scheme {
            Scheme::Sip => rsip::Scheme::Sip,
            Scheme::Sips => rsip::Scheme::Sips,
            Scheme::Other(scheme) => return Err(unsayable(scheme)),
        };
        if uri.headers.is_some() {
            return Err(unsayable("headers in a URI"));
        }
        let host = match uri.ip() {
            None => rsip::Host::Domain(rsip::Domain::from(uri.host)),
            Some(ip @ IpAddr::V4(_)) => rsip::Host::IpAddr(ip),
            // Its host writes an IPv6 address without the brackets.
            Some(IpAddr::V6(_)) => return Err(unsayable("IPv6")),
        };
        let auth = uri
            .user
            .map(|user| rsip::Auth { user: user.to_owned(), password: uri.password.map(str::to_owned) });
        Ok(rsip::Uri {
            scheme: Some(scheme),
            auth,
            host_with_port: rsip::HostWithPort { host, port: uri.port.map(rsip::Port::from) },
            params: uri.params.iter().map(|param| uri_param(param.name, param.value)).collect(),
            headers: Vec::new(),
        })
    }
}

fn method(method: Method<'_>) -> Result<rsip::Method, rsip::Error> {
    Ok(match method {
        Method::Ack => rsip::Method::Ack,
        Method::Bye => rsip::Method::Bye,
        Method::Cancel => rsip::Method::Cancel,
        Method::Info => rsip::Method::Info,
        Method::Invite => rsip::Method::Invite,
        Method::Message => rsip::Method::Message,
        Method::Notify => rsip::Method::Notify,
        Method::Options => rsip::Method::Options,
        Method::Prack => rsip::Method::PRack,
        Method::Publish => rsip::Method::Publish,
        Method::Refer => rsip::Method::Refer,
        Method::Register => rsip::Method::Register,
        Method::Subscribe => rsip::Method::Subscribe,
        Method::Update => rsip::Method::Update,
        Method::Extension(token) => return Err(unsayable(token)),
    })
}

fn uri_param(name: &str, value: Option<&str>) -> rsip::Param {
    let lower = name.to_ascii_lowercase();
    if let ("transport", Some(Ok(transport))) = (lower.as_str(), value.map(str::parse)) {
        return rsip::Param::Transport(transport);
    }
    match (lower.as_str(), value) {
        ("lr", None) => rsip::Param::Lr,
        ("maddr", Some(value)) => rsip::Param::Maddr(value.into()),
        ("ttl", Some(value)) => rsip::Param::Ttl(value.into()),
        ("user", Some(value)) => rsip::Param::User(value.into()),
        _ => rsip::Param::Other(name.into(), value.map(Into::into)),
    }
}

fn header((name, spelt, value): (Name, &str, &str)) -> rsip::Header {
    macro_rules! map {
        ($($name:ident),+ $(,)?) => {
            match name {
                $(Name::$name => rsip::Header::$name(theirs::$name::from(value)),)+
                Name::Extension => rsip::Header::Other(spelt.to_owned(), value.to_owned()),
                known => rsip::Header::Other(known.as_str().to_owned(), value.to_owned()),
            }
        };
    }
    map!(
        Accept,
        AcceptEncoding,
        AcceptLanguage,
        AlertInfo,
        Allow,
        AuthenticationInfo,
        Authorization,
        CSeq,
        CallId,
        CallInfo,
        Contact,
        ContentDisposition,
        ContentEncoding,
        ContentLanguage,
        ContentLength,
        ContentType,
        Date,
        ErrorInfo,
        Event,
        Expires,
        From,
        InReplyTo,
        MaxForwards,
        MimeVersion,
        MinExpires,
        Organization,
        Priority,
        ProxyAuthenticate,
        ProxyAuthorization,
        ProxyRequire,
        RecordRoute,
        ReplyTo,
        Require,
        RetryAfter,
        Route,
        Server,
        Subject,
        SubscriptionState,
        Supported,
        Timestamp,
        To,
        Unsupported,
        UserAgent,
        Via,
        Warning,
        WwwAuthenticate,
    )
}

fn unsayable(what: &str) -> rsip::Error {
    rsip::Error::Unexpected(format!("rsip has no value for {what}"))
}

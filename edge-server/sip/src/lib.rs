//! SIP on the wire: messages, headers, digest, transactions. Sans-IO: no socket, clock, file or random
//! source is touched here; octets, time, keys and tags are arguments.
//!
//! ```text
//!             octets of one datagram or WebSocket message
//!                              |
//!                       Message::parse  --- refused ---> ParseError::response()   400 413 505 513
//!                              |
//!     Bytes (shared) + one allocation: where each header stands
//!          |                   |                    |
//!   header(Name) -> &str   typed on demand       body() -> &[u8]
//!                    via() from() contacts() event() accept() ...
//!                              |
//!            ResponseBuilder / RequestBuilder  -->  octets to send
//! ```
//!
//! * [`Message`] is what came in. It owns the octets and never copies them; every typed header
//!   borrows from it. What every element must check is checked by [`Message::parse`], the rest
//!   when it is asked for, so that an odd header nobody reads harms nobody.
//! * [`ResponseBuilder`] and [`RequestBuilder`] write. A value with a line end in it is refused.
//! * [`Uri`] with the comparison of RFC 3261 19.1.4, and [`Aor`], the canonical name of a user.
//! * [`digest`]: both ends of digest authentication, MD5 and SHA-256.
//! * [`transaction`]: the transaction layer; [`DialogId`]: which messages belong together above it.
//! * [`proxy`]: where a request goes next, which answers go back, and when it must go no further;
//!   [`preferences`]: which of a user's contacts it goes to.
//! * [`locate`]: the addresses of a next hop, by DNS.
//! * [`gruu`] and [`flow_token`]: names of devices and of connections, sealed with keys.
//! * [`rsip_compat`]: our messages for programs written on `rsip`.
//!
//! * [`stream`]: where messages begin and end on TCP and TLS; [`stun`]: keep-alives between datagrams.
//!
//! Bounds are in [`limits`].
#![forbid(unsafe_code)]

pub mod accept;
mod aor;
pub mod auth;
mod check;
pub mod date;
pub mod dialog;
pub mod digest;
pub mod error;
pub mod event;
pub mod flow_token;
pub mod gruu;
mod hash;
mod host_port;
mod lex;
pub mod limits;
pub mod locate;
mod message;
mod method;
mod name;
mod name_addr;
pub mod params;
pub mod preferences;
pub mod proxy;
mod reader;
mod redact;
pub mod rsip_compat;
mod seal;
pub mod status;
pub mod stream;
pub mod stun;
pub mod transaction;
mod typed;
pub mod uri;
mod values;
mod via;
mod write;

pub use crate::accept::Accept;
pub use crate::aor::Aor;
pub use crate::auth::{AuthenticationInfo, Challenge, Credentials, DigestChallenge, DigestCredentials};
pub use crate::date::SipDate;
pub use crate::dialog::DialogId;
pub use crate::digest::{Algorithm, DigestServer, Ha1, Verdict};
pub use crate::error::{HeaderError, ParseError, ParseErrorKind};
pub use crate::event::{Event, SubState, SubscriptionState};
pub use crate::host_port::HostPort;
pub use crate::limits::Limits;
pub use crate::message::{KeepAlive, Message};
pub use crate::method::Method;
pub use crate::name::Name;
pub use crate::name_addr::{InstanceId, NameAddr};
pub use crate::params::{Param, Params};
pub use crate::seal::{MOST_SEALING_KEYS, SealingKeys};
pub use crate::status::{Status, reason_phrase};
pub use crate::transaction::{Keys, TransactionKey};
pub use crate::uri::{Scheme, Uri, UriError, UriParams};
pub use crate::values::{CSeq, Contacts, EntityTag, MediaType, Reason, RetryAfter, Warning};
pub use crate::via::{MAGIC_COOKIE, Via};
pub use crate::write::{BuildError, RequestBuilder, ResponseBuilder};

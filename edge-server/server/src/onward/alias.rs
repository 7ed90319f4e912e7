//! Connections that other servers have opened to us and want used both ways (RFC 5923).
//!
//! ```text
//!   other server ==TLS, its certificate==> us      Via: SIP/2.0/TLS its.example:5061;alias;...
//!                                                   └▶ (its address, 5061) is this connection
//!   a request for its.example at that address goes over it, and no other is opened
//! ```
//! Only a connection whose certificate is a trusted server's is one of these, and only for the hosts that
//! the certificate names (RFC 5922): anybody can write a Via.

use super::trust::Names;
use crate::transport::FlowHandle;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tributary_engine::{Hop, Transport};
use tributary_sip::{HostPort, Via};

/// The connections that may be used, by the address at which the other server listens. Each connection is
/// in it once at most, so there are no more than connections.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    by_address: Mutex<HashMap<SocketAddr, Alias>>,
}

#[derive(Debug)]
struct Alias {
    handle: Arc<FlowHandle>,
    names: Names,
}

impl Aliases {
    /// A connection wants to be used, as the Via of a request that came over it says. `names` are those of
    /// its certificate. Gives the address that it stands for: that of its peer, with the port of sent-by.
    pub(crate) fn note(&self, handle: &Arc<FlowHandle>, via: &Via<'_>, names: Names) -> SocketAddr {
        let port = via.port.unwrap_or(Transport::Tls.default_port());
        let address = SocketAddr::new(handle.peer().ip().to_canonical(), port);
        self.all().insert(address, Alias { handle: Arc::clone(handle), names });
        address
    }

    /// The connection is over.
    pub(crate) fn forget(&self, address: SocketAddr, handle: &FlowHandle) {
        let mut all = self.all();
        // A newer one may have taken its place.
        if all.get(&address).is_some_and(|alias| alias.handle.id() == handle.id()) {
            all.remove(&address);
        }
    }

    /// The way to a host at this address over a connection that it has opened. Within a dialog a server may
    /// be known by its address alone: then its name is what it was.
    pub(super) fn hop_to(&self, address: SocketAddr, host: &str) -> Option<Hop> {
        let is_address = host.parse::<HostPort>().is_ok_and(|host| host.ip().is_some());
        let all = self.all();
        let alias = all.get(&SocketAddr::new(address.ip().to_canonical(), address.port()))?;
        if !alias.handle.is_open() || !(is_address || alias.names.has(host)) {
            return None;
        }
        // Where it listens, so that this way is known as tried when it comes to nothing.
        Some(Hop { peer: address, ..alias.handle.flow().hop })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SocketAddr, Alias>> {
        // Entries are whole even after a panic beside them.
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Why the server does not start.

use crate::onward::TrustError;
use crate::policies::LibraryError;
use crate::store::StoreError;
use crate::tokens::KeysError;
use crate::transport::TlsError;
use crate::users::DirectoryError;
use std::net::SocketAddr;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Other servers.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Users.
    #[error(transparent)]
    Users(#[from] DirectoryError),
    /// Bearer tokens.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Policies.
    #[error(transparent)]
    Policies(#[from] LibraryError),
    /// The port.
    #[error(
        "cannot listen on {address}: {source}; another program may have the port: choose another with --listen"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or a resource of the system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

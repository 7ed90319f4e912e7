//! What a proxy must work out before it forwards a request (RFC 3261 16.3 to 16.6, RFC 5393), as
//! pure functions of the request.
//!
//! ```text
//!   request --> max_forwards --> Hops::is_loop --> Path::received --> (targets) --> breadth_shares
//!                   483              482           strict routers,                      440
//!                                                  our own Route
//!                                        for each target: Path::towards --> next hop
//!                                                          Forward::request --> octets
//! ```
//! [`Forward`] and [`Backward`] write what goes on from what came.

mod forward;
mod loops;
mod path;

pub use forward::{Backward, Forward, ForwardError};
pub use loops::{Hops, MOST_BREADTH, breadth_shares, max_forwards};
pub use path::Path;

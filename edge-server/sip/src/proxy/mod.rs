//! What a proxy does with a request and its answers (RFC 3261 16, RFC 3841, RFC 5393), as pure
//! functions and one small machine.
//!
//! ```text
//!   request --> max_forwards --> max_breadth --> Hops::is_loop --> Path::received
//!                   483              400              482          strict routers, our own Route
//!                                                                        |
//!            (targets, by preference) --> Disposition::groups --> Context::begin
//!                                          no-fork, sequential           | Start     ^ Response
//!                                                                        v           |
//!   next hop <-- Path::towards <-- Path::through <-- one contact    Forward::request |
//!                                                                   Backward::response --> caller
//! ```
//! [`Forward`] and [`Backward`] write what goes on from what came; [`context`] decides which answers
//! go back and when branches begin and end.

pub mod context;
mod disposition;
mod fork_policy;
mod forward;
mod loops;
mod path;

pub use context::{Context, Device};
pub use disposition::{Disposition, Order};
pub use fork_policy::ForkPolicy;
pub use forward::{Backward, Forward, ForwardError};
pub use loops::{Hops, MOST_BREADTH, breadth_shares, max_breadth, max_forwards};
pub use path::Path;

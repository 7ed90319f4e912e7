//! What a presence document says: typed views of an XML tree. Nothing is allocated to look at a document.
//!
//! ```text
//! Document --tuples()---> Tuple  --basic() contact() caps() timed_status()--> values
//!          --persons()--> Person --rpid() cipid()--> activities, mood, display name ...
//!          --devices()--> Device --device_id()
//!          --notes()----> Note
//!          --extensions() elements that no RFC of ours describes
//! ```
//! Every view keeps its [`Element`](crate::xml::Element) in a public field: what a view does not know is still there.

mod document;
mod extensions;
mod fields;
pub(crate) mod parts;
mod read_error;
mod rpid;
mod shape;
mod tuple;

pub use document::{Device, Document, Person};
pub use extensions::{Caps, Cipid, TimedStatus};
pub use fields::{Basic, Contact, Note};
pub use read_error::{ReadError, ReadErrorKind};
pub use rpid::{Activities, Activity, PlaceIs, Rpid, UserInput};
pub use tuple::Tuple;

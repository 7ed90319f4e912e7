//! XML as presence needs it: a strict, bounded, namespace-aware reader into an arena that owns its text, and a
//! writer that copies parts of such documents into a new one.
//!
//! ```text
//!  bytes --Tree::read--> Tree --root()--> Element --name() attribute() text() children()-->
//!                                            |
//!                                            +-- Writer::copy --> bytes of another document
//! ```
//! What is read: XML 1.0 with namespaces, in UTF-8, without a document type, inside [`Limits`]. Comments and
//! processing instructions are skipped; the five named references and those to characters by number are resolved.
//! A tree keeps its source text, prefixes and places included, so that a part of it can be written elsewhere
//! without being taken apart, and so that every later complaint can name a line.
//!
//! No function in here recurses.

mod chars;
mod edit;
mod element;
mod error;
mod known;
mod limits;
mod names;
mod reader;
mod text;
mod tree;
mod writer;

pub use chars::is_ncname;
pub(crate) use chars::{continues_ncname, starts_ncname};
pub use edit::REPEATED_MAX;
pub(crate) use element::IdAttribute;
pub use element::{Children, Content};
pub use error::{XmlError, XmlErrorKind};
pub(crate) use known::Known;
pub use limits::Limits;
pub use names::Namespace;
pub use tree::{AttributeView, Binding, Element, Name, NodeId, Tree};
pub use writer::Writer;

//! What presence is, and how it merges: many devices publish, one person appears.
//!
//! ```text
//!   PUBLISH bodies                                                       NOTIFY body
//!        │  model::Document::read (once each, when published)                 ▲
//!        ▼                                                                    │ xml::Writer
//!   ┌──────────┐   ┌───────────────┐   ┌──────────────────┐   ┌────────────┐  │
//!   │ Document ├──►│ live::LiveSet ├──►│ compose::compose ├──►│  Composed  ├──┼─► write_pidf
//!   └──────────┘   │ + dialogs,    │   │  pure: (set, now)│   │ references │  ├─► write_json
//!   Document ─────►│ registrations │   └──────────────────┘   │ only       │  └─► explain
//!   Document ─────►└───────┬───────┘                          └─────▲──────┘
//!                          │  policy::write_input                   │ policy::apply
//!                          └────────────► a policy, in WebAssembly ─┘
//! ```
//!
//! This crate knows documents (RFC 3863, 4479, 4480, 4481, 4482, 5196) and nothing of SIP, clocks, files or threads:
//! the same code runs in the server, in a policy and in a web page, and gives the same bytes in each. It has no
//! dependencies, and needs `alloc` only.
//!
//! - [`xml`]: a strict, bounded reader into a tree that owns its text, and a writer that copies parts of trees.
//! - [`model`]: what a document says, as views of its tree.
//! - [`time`] and [`uri`]: instants, presentities and contacts, comparable whatever way they were written.
//! - [`live`]: everything that is known about one presentity at one moment.
//! - [`compose`]: the merge; [`explain`]: why the result is what it is.
//! - [`policy`]: what a policy is told, what it may answer, and what becomes of that.
//! - [`json`] and [`presence_json`]: the one JSON form of all this; [`redact`]: the same without what is personal.
//!
//! # Invariants
//! 1. A result depends on the set and on `now`: not on the order of arrival, not on entity-tags.
//! 2. A result is valid by the RFCs' schemas; ids are unique, and stable from refresh to refresh.
//! 3. Names are namespaces and local parts; prefixes never decide anything, and are bound as they were.
//! 4. What is not understood is carried along with the element that it stands in.
//! 5. Times are compared as instants; a part without one counts as of its receipt.
//! 6. What is malformed, too large or about someone else is refused when it is read, with a reason.
//! 7. A document is parsed once. A merge copies references, and writing copies bytes.
//!
//! # One document, read and looked at
//! ```
//! use merge_core::model::{Basic, Document};
//!
//! let document = Document::read(br#"<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:alice@example.com">
//!     <tuple id="t1"><status><basic>open</basic></status><contact priority="0.8">sip:alice@desk</contact></tuple>
//! </presence>"#)?;
//! assert_eq!(document.entity().map(|entity| entity.as_str()), Some("sip:alice@example.com"));
//! let tuple = document.tuples().next().ok_or("a tuple")?;
//! assert_eq!((tuple.basic(), tuple.contact().and_then(|c| c.priority_milli())), (Some(Basic::Open), Some(800)));
//!
//! let refused = Document::read(b"<presence/>").map(drop).map_err(|error| (error.status(), error.to_string()));
//! assert!(refused.is_err_and(|(status, why)| status == 400 && why.starts_with("line 1, column 1: the root has no namespace")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod activity;
pub mod compose;
pub mod explain;
pub mod json;
pub mod live;
pub mod model;
mod order;
pub mod policy;
pub mod presence_json;
pub mod redact;
pub mod time;
pub mod tokens;
pub mod uri;
pub mod xml;

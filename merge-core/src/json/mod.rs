//! JSON with one grammar everywhere: a strict reader and a writer with no choices of its own.
//!
//! The reader takes RFC 8259 less what two readers could see differently: a member given twice, a
//! number that is not an integer of at most 53 bits (`900.0` too), a lone surrogate, a byte order
//! mark, invalid UTF-8, anything after the value. The writer writes members in the order it is told
//! and never a space, so equal values give equal bytes.
//!
//! ```
//! use merge_core::json::{read, Writer};
//! let value = read(br#"{"abi":1,"base":"builtin"}"#).unwrap();
//! assert_eq!(value.get("abi").and_then(|v| v.as_int()), Some(1));
//! assert_eq!(read(br#"{"a":1,"a":2}"#).unwrap_err().offset, 7);
//!
//! let mut out = Writer::new();
//! out.begin_object();
//! out.key("note").string("a \"quoted\" word");
//! out.end_object();
//! assert_eq!(out.into_bytes(), br#"{"note":"a \"quoted\" word"}"#);
//! ```

mod reader;
mod value;
mod writer;

pub use reader::{JsonError, JsonErrorKind, MAX_DEPTH, MAX_INTEGER, read};
pub use value::{Member, Value};
pub use writer::Writer;

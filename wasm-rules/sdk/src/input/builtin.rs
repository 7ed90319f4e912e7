//! What the built-in merge would answer.

use super::{Note, Texts, items, maybe_text, text, view};
use crate::json::Json;

view! {
    /// What the built-in merge would answer.
    Builtin
}
impl<'j> Builtin<'j> {
    /// `open` or `closed`.
    #[must_use]
    pub fn basic(self) -> Option<&'j str> {
        maybe_text(self.0, "basic")
    }
    /// The person's activities.
    #[must_use]
    pub fn activities(self) -> Texts<'j> {
        Texts(items(self.0, "activities"))
    }
    /// The services it would show, in their order.
    pub fn select(self) -> impl Iterator<Item = Selected<'j>> + Clone + use<'j> {
        items(self.0, "select")
            .map(|value| Selected { etag: text(value, "etag"), tuple: text(value, "tuple") })
    }
    /// The notes it would show.
    pub fn notes(self) -> impl Iterator<Item = Note<'j>> + Clone + use<'j> {
        items(self.0, "note").map(Note)
    }
}

/// A service by its publication and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected<'j> {
    /// The publication.
    pub etag: &'j str,
    /// The tuple in it.
    pub tuple: &'j str,
}

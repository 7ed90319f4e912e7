//! The operator's parameters.

use super::{Texts, items, maybe_int, maybe_text, view};
use crate::json::Json;

view! {
    /// The operator's parameters.
    Params
}
impl<'j> Params<'j> {
    /// An integer, or this where it is not given.
    #[must_use]
    pub fn int_or(self, name: &str, otherwise: i64) -> i64 {
        maybe_int(self.0, name).unwrap_or(otherwise)
    }
    /// A flag, or this where it is not given.
    #[must_use]
    pub fn flag_or(self, name: &str, otherwise: bool) -> bool {
        self.0.get(name).and_then(Json::as_bool).unwrap_or(otherwise)
    }
    /// A text.
    #[must_use]
    pub fn text(self, name: &str) -> Option<&'j str> {
        maybe_text(self.0, name)
    }
    /// A list of words.
    #[must_use]
    pub fn texts(self, name: &str) -> Texts<'j> {
        Texts(items(self.0, name))
    }
    /// A list of integers; other items are passed over.
    pub fn ints(self, name: &str) -> impl Iterator<Item = i64> + Clone + use<'j> {
        items(self.0, name).filter_map(Json::as_int)
    }
    /// Whether this parameter is given.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.0.get(name).is_some()
    }
}

//! What `pp_view` is told.

use alloc::vec::Vec;

use super::Watcher;
use crate::json::Writer;
use crate::model::Document;
use crate::policy::input::write_params;
use crate::presence_json;
use crate::time::Millis;

/// One call of `pp_view`.
#[derive(Clone, Copy, Debug)]
pub struct ViewCall<'a> {
    /// The document as the merge left it.
    pub merged: &'a Document,
    /// Who watches.
    pub watcher: &'a Watcher,
    /// The moment.
    pub now: Millis,
    /// The operator's parameters: a JSON object. What is no JSON object counts as `{}`.
    pub params: &'a str,
}

/// Writes the input of `pp_view`: equal documents and watchers give equal bytes.
#[must_use]
pub fn write_view_input(call: &ViewCall<'_>) -> Vec<u8> {
    let mut out = Writer::with_capacity(call.merged.source().len() + 256);
    out.begin_object();
    out.key("abi").int(1);
    out.key("now_ms").int(call.now.0);
    out.key("watcher").begin_object();
    out.key("class").string(call.watcher.class.as_str());
    out.key("groups").begin_array();
    call.watcher.groups.iter().for_each(|group| out.string(group));
    out.end_array();
    out.string_member("aor", call.watcher.aor.as_deref());
    out.end_object();
    out.key("merged").begin_object();
    out.key("entity").string(call.merged.entity().map_or("", crate::uri::Entity::as_str));
    presence_json::write_members(&mut out, call.merged);
    out.end_object();
    out.key("params");
    write_params(&mut out, call.params);
    out.end_object();
    out.into_bytes()
}

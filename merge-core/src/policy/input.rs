//! What a policy is told: `pp_merge`'s input, members in one order.

use alloc::vec::Vec;

use super::Call;
use crate::compose::Composed;
use crate::json::{self, Value, Writer};
use crate::live::Publication;
use crate::live::snapshot::{write_dialog, write_registration};
use crate::model::Note;
use crate::presence_json;

/// The input's minor version: it rises with each optional member that is added.
pub const INPUT_MINOR: i64 = 0;

/// Writes the input of `pp_merge`: equal states give equal bytes.
///
/// Publications are sorted by when they were received, newest first, then by entity-tag. Those that took no
/// part in the built-in composition because they have expired or a newer one superseded them are left out.
#[must_use]
pub fn write_input(call: &Call<'_>, builtin: &Composed<'_>) -> Vec<u8> {
    let set = call.set;
    let mut publications: Vec<&Publication> = live(call, builtin);
    crate::order::sort_by(&mut publications, |a, b| {
        b.received.cmp(&a.received).then_with(|| a.etag.cmp(&b.etag))
    });
    let size: usize = publications.iter().map(|publication| publication.document.source().len()).sum();
    let mut out = Writer::with_capacity(size + 1024);
    out.begin_object();
    out.key("abi").int(1);
    out.key("minor").int(INPUT_MINOR);
    out.key("now_ms").int(call.now.0);
    out.key("reason").string(call.reason.as_str());
    out.string_member("changed_etag", call.changed_etag);
    out.key("presentity").begin_object();
    out.key("aor").string(&set.presentity.aor);
    out.key("domain").string(&set.presentity.domain);
    out.key("tenant").string(&set.presentity.tenant);
    out.key("groups").begin_array();
    set.presentity.groups.iter().for_each(|group| out.string(group));
    out.end_array();
    out.string_member("locale", set.presentity.locale.as_deref());
    out.end_object();
    out.key("publications").begin_array();
    publications.iter().for_each(|publication| write_publication(&mut out, publication));
    out.end_array();
    out.key("registrations").begin_array();
    let mut registrations: Vec<_> = set.registrations.iter().filter(|r| r.expires > call.now).collect();
    crate::order::sort_by(&mut registrations, |a, b| {
        a.contact.cmp(&b.contact).then_with(|| a.instance.cmp(&b.instance))
    });
    registrations.iter().for_each(|registration| write_registration(&mut out, registration));
    out.end_array();
    out.key("dialogs").begin_array();
    let mut dialogs: Vec<_> = set.dialogs.iter().collect();
    crate::order::sort_by(&mut dialogs, |a, b| a.id.cmp(&b.id));
    dialogs.iter().for_each(|dialog| write_dialog(&mut out, dialog));
    out.end_array();
    if let Some(local) = &call.local_time {
        out.key("local_time").begin_object();
        out.key("tz").string(&local.tz);
        out.key("minutes").int(i64::from(local.minutes));
        out.key("weekday").int(i64::from(local.weekday));
        out.key("date").string(&local.date);
        out.end_object();
    }
    write_builtin(&mut out, builtin);
    out.key("params");
    write_params(&mut out, call.params);
    out.end_object();
    out.into_bytes()
}

fn live<'a>(call: &Call<'a>, builtin: &Composed<'a>) -> Vec<&'a Publication> {
    // `newest` looks at one device only; a policy over it still chooses among all.
    if builtin.how == crate::compose::Composition::Newest {
        let all = crate::compose::compose(call.set, call.now, crate::compose::Composition::Union);
        return all.publications().collect();
    }
    builtin.publications().collect()
}

fn write_publication(out: &mut Writer, publication: &Publication) {
    out.begin_object();
    out.key("etag").string(&publication.etag);
    out.key("source").string(publication.source.as_str());
    out.key("device").string(&publication.device.key);
    out.key("device_kind").string(publication.device.kind.as_str());
    out.string_member("instance", publication.device.instance.as_deref());
    out.string_member("user_agent", publication.user_agent.as_deref());
    out.key("received_ms").int(publication.received.0);
    out.key("first_ms").int(publication.first.0);
    let ends = publication.expires.0;
    out.int_member("expires_ms", (ends <= json::MAX_INTEGER).then_some(ends));
    presence_json::write_members(out, &publication.document);
    out.end_object();
}

/// What the built-in composition answers: most policies are "built-in, except".
fn write_builtin(out: &mut Writer, builtin: &Composed<'_>) {
    out.key("builtin").begin_object();
    out.string_member("basic", builtin.basic().map(|basic| basic.as_str()));
    out.key("activities").begin_array();
    builtin.activities().for_each(|token| out.string(token));
    out.end_array();
    out.key("select").begin_array();
    for tuple in &builtin.tuples {
        // The contributor whose fields win stands for a merged tuple.
        let Some(candidate) = builtin.tuple_candidates.get(tuple.group.start) else { continue };
        let Some(source) = builtin.source_of(candidate.source) else { continue };
        out.begin_object();
        out.key("etag").string(&source.publication.etag);
        out.key("tuple").string(&candidate.id);
        out.end_object();
    }
    out.end_array();
    out.key("note").begin_array();
    builtin.shown_notes().for_each(|note: Note<'_>| presence_json::write_note(out, note));
    out.end_array();
    out.end_object();
}

/// The parameters as they were given, without spaces; `{}` for what is no object of the strict grammar.
fn write_params(out: &mut Writer, params: &str) {
    match json::read(params.as_bytes()) {
        Ok(value @ Value::Object(_)) => out.value(&value),
        _ => {
            out.begin_object();
            out.end_object();
        }
    }
}

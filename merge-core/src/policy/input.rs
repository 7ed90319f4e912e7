//! What a policy is told: `pp_merge`'s input, members in one order.

use alloc::vec::Vec;

use super::Call;
use crate::compose::{Composed, current};
use crate::json::{self, Value, Writer};
use crate::live::snapshot::{write_dialog, write_registration};
use crate::live::{Presentity, Publication};
use crate::model::Note;
use crate::presence_json;

/// The input's minor version: it rises with each optional member that is added.
pub const INPUT_MINOR: i64 = 0;

/// The members of `pp_merge`'s input that a policy may ask for by name, in the order they are written.
/// `abi` and `minor` are always there.
pub const INPUT_MEMBERS: [&str; 10] = [
    "now_ms",
    "reason",
    "changed_etag",
    "presentity",
    "publications",
    "registrations",
    "dialogs",
    "local_time",
    "builtin",
    "params",
];

/// Which members of the input a policy is sent: those that its manifest's `needs` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs(u16);

impl Needs {
    /// Every member: where a manifest does not say.
    pub const ALL: Needs = Needs(u16::MAX);

    /// These members; `None` where one is not among [`INPUT_MEMBERS`].
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Needs> {
        names.into_iter().try_fold(Needs(0), |needs, name| {
            let at = INPUT_MEMBERS.iter().position(|member| *member == name)?;
            Some(Needs(needs.0 | 1 << at))
        })
    }

    /// Whether this member is sent; `abi` and `minor` always are.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self == Needs::ALL
            || matches!(name, "abi" | "minor")
            || Needs::of([name]).is_some_and(|one| self.0 & one.0 != 0)
    }

    /// An input that holds everything, without the members that are not sent: the same bytes as
    /// [`write_needed`] writes. For inputs that were recorded or made up.
    ///
    /// # Errors
    /// The input is no JSON of the strict grammar.
    pub fn cut(self, input: &[u8]) -> Result<Vec<u8>, json::JsonError> {
        let value = json::read(input)?;
        let mut out = Writer::with_capacity(input.len());
        out.begin_object();
        for member in value.members().iter().filter(|member| self.has(&member.name)) {
            out.key(&member.name).value(&member.value);
        }
        out.end_object();
        Ok(out.into_bytes())
    }
}

/// Writes the input of `pp_merge`, all of it: [`write_needed`] for a policy that says nothing of its needs.
#[must_use]
pub fn write_input(call: &Call<'_>, builtin: &Composed<'_>) -> Vec<u8> {
    write_needed(call, builtin, Needs::ALL)
}

/// Writes the input of `pp_merge`: equal states give equal bytes.
///
/// Publications are sorted by when they were received, newest first, then by entity-tag. Those that have expired
/// or that a newer one superseded are left out, and none of the input's other members names them.
#[must_use]
pub fn write_needed(call: &Call<'_>, builtin: &Composed<'_>, needs: Needs) -> Vec<u8> {
    let set = call.set;
    let publications = live(call);
    let size: usize = publications.iter().map(|publication| publication.document.source().len()).sum();
    let mut out = Writer::with_capacity(if needs.has("publications") { size + 1024 } else { 1024 });
    out.begin_object();
    out.key("abi").int(1);
    out.key("minor").int(INPUT_MINOR);
    if needs.has("now_ms") {
        out.key("now_ms").int(call.now.0);
    }
    if needs.has("reason") {
        out.key("reason").string(call.reason.as_str());
    }
    if needs.has("changed_etag") {
        let changed = publications.iter().find(|shown| Some(shown.etag.as_str()) == call.changed_etag);
        out.string_member("changed_etag", changed.map(|shown| shown.etag.as_str()));
    }
    if needs.has("presentity") {
        write_presentity(out.key("presentity"), &set.presentity);
    }
    if needs.has("publications") {
        out.key("publications").begin_array();
        publications.iter().for_each(|publication| write_publication(&mut out, publication));
        out.end_array();
    }
    if needs.has("registrations") {
        out.key("registrations").begin_array();
        let mut registrations: Vec<_> = set.registrations.iter().filter(|r| r.expires > call.now).collect();
        crate::order::sort_by(&mut registrations, |a, b| {
            a.contact.cmp(&b.contact).then_with(|| a.instance.cmp(&b.instance))
        });
        registrations.iter().for_each(|registration| write_registration(&mut out, registration));
        out.end_array();
    }
    if needs.has("dialogs") {
        out.key("dialogs").begin_array();
        let mut dialogs: Vec<_> = set.dialogs.iter().collect();
        crate::order::sort_by(&mut dialogs, |a, b| a.id.cmp(&b.id));
        dialogs.iter().for_each(|dialog| write_dialog(&mut out, dialog));
        out.end_array();
    }
    if let Some(local) = call.local_time.as_ref().filter(|_| needs.has("local_time")) {
        out.key("local_time").begin_object();
        out.key("tz").string(&local.tz);
        out.key("minutes").int(i64::from(local.minutes));
        out.key("weekday").int(i64::from(local.weekday));
        out.key("date").string(&local.date);
        out.end_object();
    }
    if needs.has("builtin") {
        write_builtin(&mut out, builtin);
    }
    if needs.has("params") {
        out.key("params");
        write_params(&mut out, call.params);
    }
    out.end_object();
    out.into_bytes()
}

fn write_presentity(out: &mut Writer, presentity: &Presentity) {
    out.begin_object();
    out.key("aor").string(&presentity.aor);
    out.key("domain").string(&presentity.domain);
    out.key("tenant").string(&presentity.tenant);
    out.key("groups").begin_array();
    presentity.groups.iter().for_each(|group| out.string(group));
    out.end_array();
    out.string_member("locale", presentity.locale.as_deref());
    out.end_object();
}

/// The publications that are shown to a policy, in the order of the contract.
fn live<'a>(call: &Call<'a>) -> Vec<&'a Publication> {
    // Not those of the built-in composition: `newest` looks at one device, a policy over it still chooses among all.
    let mut publications: Vec<&Publication> = current(call.set, call.now).collect();
    crate::order::sort_by(&mut publications, |a, b| {
        b.received.cmp(&a.received).then_with(|| a.etag.cmp(&b.etag))
    });
    publications
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
pub(super) fn write_params(out: &mut Writer, params: &str) {
    match json::read(params.as_bytes()) {
        Ok(value @ Value::Object(_)) => out.value(&value),
        _ => {
            out.begin_object();
            out.end_object();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::{Composition, compose};
    use crate::live::LiveSet;
    use crate::model::Document;
    use crate::policy::{LocalTime, Reason};
    use crate::time::Millis;

    #[test]
    fn what_is_written_for_some_needs_is_the_whole_input_without_the_other_members() {
        let document = Document::read(b"<presence xmlns='urn:ietf:params:xml:ns:pidf'/>").unwrap();
        let publication = Publication {
            etag: "e-1".into(),
            source: Default::default(),
            device: Default::default(),
            user_agent: None,
            received: Millis(4),
            first: Millis(4),
            expires: Millis(6),
            document: document.into(),
        };
        let set = LiveSet { publications: [publication].into(), ..LiveSet::default() };
        let builtin = compose(&set, Millis(5), Composition::Compose);
        let call = Call {
            set: &set,
            now: Millis(5),
            reason: Reason::Publish,
            changed_etag: Some("e-1"),
            params: "{\"a\":1}",
            local_time: Some(LocalTime {
                tz: "UTC".into(),
                minutes: 1,
                weekday: 6,
                date: "2026-11-21".into(),
            }),
        };
        let whole = write_input(&call, &builtin);
        assert_eq!(Needs::ALL.cut(&whole).as_ref(), Ok(&whole));
        let value = json::read(&whole).unwrap();
        let names: Vec<&str> = value.members().iter().map(|member| &*member.name).collect();
        assert_eq!(names[2..], INPUT_MEMBERS, "the list of members and the writer differ");
        for name in INPUT_MEMBERS {
            let needs = Needs::of([name, "reason"]).unwrap();
            assert_eq!(needs.cut(&whole), Ok(write_needed(&call, &builtin, needs)), "{name}");
        }
        assert_eq!(Needs::of(["publication"]), None);
        assert_eq!(Needs::of([]).unwrap().cut(&whole).unwrap(), br#"{"abi":1,"minor":0}"#);
    }
}

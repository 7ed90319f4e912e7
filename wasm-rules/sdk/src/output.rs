//! What a policy answers.

use alloc::string::String;
use alloc::vec::Vec;

use merge_core::json::Writer;
use merge_core::tokens::{is_activity, is_language, is_mood, is_place};

use crate::input::{Input, Note, Person, Publication, Texts, Tuple};

// The contract's limits; a test compares. What devices publish has others.
/// Services that an answer may select.
pub const MOST_TUPLES: usize = 32;
const MOST_TOKENS: usize = 8;
const MOST_NOTES: usize = 4;
const NOTE_CHARS: usize = 512;

/// The answer under construction. Left alone, it says "no opinion".
#[derive(Clone, Debug, Default)]
pub struct Output {
    touched: bool,
    empty: bool,
    select: Option<Vec<Selection>>,
    basic: Option<String>,
    activities: Option<Vec<String>>,
    mood: Option<Vec<String>>,
    place: Option<Vec<String>>,
    notes: Option<Vec<(Option<String>, String)>>,
    drop: Vec<String>,
    reevaluate_at_ms: Option<i64>,
    explain: Vec<String>,
    error: Option<(String, String)>,
}

/// One chosen service.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    etag: String,
    tuple: String,
    priority_milli: Option<i64>,
    basic: Option<String>,
}

impl Selection {
    /// Its priority in thousandths, 0 to 1000.
    pub fn priority_milli(&mut self, priority: i64) -> &mut Self {
        self.priority_milli = Some(priority);
        self
    }

    /// Its status, `open` or `closed`.
    pub fn basic(&mut self, basic: &str) -> &mut Self {
        self.basic = Some(basic.into());
        self
    }
}

impl Output {
    /// No opinion, so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with nothing instead of the built-in merge.
    pub fn base_empty(&mut self) -> &mut Self {
        self.touched = true;
        self.empty = true;
        self
    }

    /// Shows what these publications say, as if there were no others: of the services that the built-in merge
    /// shows those that are theirs, in its order; what the newest of them says the person does, how the
    /// person feels and where; and their notes, newest first. As much of it as an answer may hold.
    pub fn show_only(&mut self, input: &Input<'_>, keep: impl Fn(Publication<'_>) -> bool) -> &mut Self {
        // Looked at once: each question walks through the JSON.
        let kept: Vec<(&str, Publication<'_>)> =
            input.publications().filter(|one| keep(*one)).map(|one| (one.etag(), one)).collect();
        self.base_empty();
        self.select.get_or_insert_default();
        let is_kept = |etag: &str| kept.iter().any(|(known, _)| *known == etag);
        for chosen in input.builtin().select().filter(|chosen| is_kept(chosen.etag)).take(MOST_TUPLES) {
            self.select_named(chosen.etag, chosen.tuple);
        }
        let mut persons = kept.iter().filter_map(|(_, publication)| publication.person());
        if let Some(person) = persons.find(|person| person.activities().next().is_some()) {
            self.activities_of(person);
            self.mood = Some(taken(person.mood(), is_mood));
            self.place = Some(taken(person.place(), is_place));
        }
        for (_, publication) in &kept {
            self.notes_of(*publication);
        }
        self
    }

    /// Shows all services of a publication, as many as an answer may hold.
    pub fn select_all(&mut self, publication: Publication<'_>) -> &mut Self {
        self.touched = true;
        self.select.get_or_insert_default();
        for tuple in publication.tuples().take(MOST_TUPLES) {
            self.select(publication, tuple);
        }
        self
    }

    /// What a device says that the person does, in place of all other activities. Devices say what they like; what the
    /// host does not take from a policy is left out.
    pub fn activities_of(&mut self, person: Person<'_>) -> &mut Self {
        self.touched = true;
        self.activities = Some(taken(person.activities(), is_activity));
        self
    }

    /// Adds the notes of a publication, as many as an answer may hold, each no longer than it may be, and none twice.
    pub fn notes_of(&mut self, publication: Publication<'_>) -> &mut Self {
        publication.all_notes().for_each(|note| self.copy_note(note));
        self
    }

    // Once in a policy, not in each place that copies notes.
    #[inline(never)]
    fn copy_note(&mut self, note: Note<'_>) {
        let text = note.text();
        let end = text.char_indices().nth(NOTE_CHARS).map_or(text.len(), |(at, _)| at);
        let text = text.get(..end).unwrap_or(text);
        let told = self.notes.as_deref().unwrap_or_default();
        if told.len() < MOST_NOTES && told.iter().all(|(_, known)| known != text) {
            self.note(note.lang().filter(|lang| is_language(lang)), text);
        }
    }

    /// Shows this service. The first call replaces the built-in merge's choice; the order of the
    /// calls is the order of the services. Contacts cannot be invented, only chosen.
    pub fn select(&mut self, publication: Publication<'_>, tuple: Tuple<'_>) -> &mut Selection {
        self.select_named(publication.etag(), tuple.id())
    }

    /// As [`select`](Self::select), by name: what [`Builtin::select`](crate::Builtin::select) lists.
    pub fn select_named(&mut self, etag: &str, tuple: &str) -> &mut Selection {
        self.touched = true;
        let list = self.select.get_or_insert_default();
        list.push(Selection { etag: etag.into(), tuple: tuple.into(), ..Selection::default() });
        let last = list.len() - 1;
        &mut list[last]
    }

    /// The status of the whole, `open` or `closed`.
    pub fn basic(&mut self, basic: &str) -> &mut Self {
        self.touched = true;
        self.basic = Some(basic.into());
        self
    }

    /// The person's activities, in place of all others.
    pub fn activities<'t>(&mut self, activities: impl IntoIterator<Item = &'t str>) -> &mut Self {
        self.touched = true;
        self.activities = Some(activities.into_iter().map(String::from).collect());
        self
    }

    /// The person's mood, in place of all others.
    pub fn mood<'t>(&mut self, mood: impl IntoIterator<Item = &'t str>) -> &mut Self {
        self.touched = true;
        self.mood = Some(mood.into_iter().map(String::from).collect());
        self
    }

    /// What kind of place the person is at, in place of all others.
    pub fn place<'t>(&mut self, place: impl IntoIterator<Item = &'t str>) -> &mut Self {
        self.touched = true;
        self.place = Some(place.into_iter().map(String::from).collect());
        self
    }

    /// Adds a note. The first one replaces all notes that were there.
    pub fn note(&mut self, lang: Option<&str>, text: &str) -> &mut Self {
        self.touched = true;
        self.notes.get_or_insert_default().push((lang.map(String::from), text.into()));
        self
    }

    /// Leaves something out: `geo`, `note:ETAG`, `tuple:ETAG/ID`.
    pub fn drop(&mut self, what: &str) -> &mut Self {
        self.touched = true;
        self.drop.push(what.into());
        self
    }

    /// Asks to be called again at this moment, between a second and a day from now.
    pub fn reevaluate_at_ms(&mut self, moment: i64) -> &mut Self {
        self.touched = true;
        self.reevaluate_at_ms = Some(moment);
        self
    }

    /// Adds a line to the explanation that the owner sees.
    pub fn explain(&mut self, line: &str) -> &mut Self {
        self.touched = true;
        self.explain.push(line.into());
        self
    }

    /// Fails: the built-in merge stands, and the owner sees the message.
    pub fn fail(&mut self, code: &str, message: &str) {
        self.error = Some((code.into(), message.into()));
    }

    /// Writes the answer; `None` for no opinion.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        if let Some((code, message)) = &self.error {
            return Some(failure(code, message));
        }
        if !self.touched {
            return None;
        }
        let mut out = Writer::with_capacity(512);
        out.begin_object();
        out.key("abi").int(1);
        out.key("base").string(if self.empty { "empty" } else { "builtin" });
        if let Some(select) = &self.select {
            out.key("select").begin_array();
            for chosen in select {
                out.begin_object();
                out.key("etag").string(&chosen.etag);
                out.key("tuple").string(&chosen.tuple);
                out.int_member("priority_milli", chosen.priority_milli);
                out.string_member("basic", chosen.basic.as_deref());
                out.end_object();
            }
            out.end_array();
        }
        if self.sets() {
            self.write_set(&mut out);
        }
        strings(&mut out, "drop", (!self.drop.is_empty()).then_some(&self.drop));
        out.int_member("reevaluate_at_ms", self.reevaluate_at_ms);
        strings(&mut out, "explain", (!self.explain.is_empty()).then_some(&self.explain));
        out.end_object();
        Some(out.into_bytes())
    }

    fn sets(&self) -> bool {
        self.basic.is_some()
            || self.activities.is_some()
            || self.mood.is_some()
            || self.place.is_some()
            || self.notes.is_some()
    }

    fn write_set(&self, out: &mut Writer) {
        out.key("set").begin_object();
        out.string_member("basic", self.basic.as_deref());
        strings(out, "activities", self.activities.as_ref());
        strings(out, "mood", self.mood.as_ref());
        strings(out, "place", self.place.as_ref());
        if let Some(notes) = &self.notes {
            out.key("note").begin_array();
            for (lang, text) in notes {
                out.begin_object();
                out.string_member("lang", lang.as_deref());
                out.key("text").string(text);
                out.end_object();
            }
            out.end_array();
        }
        out.end_object();
    }
}

/// Of these words those that the host takes, as many as an answer may hold.
#[inline(never)]
fn taken(words: Texts<'_>, good: fn(&str) -> bool) -> Vec<String> {
    words.filter(|word| good(word)).take(MOST_TOKENS).map(String::from).collect()
}

/// An answer that reports a failure.
pub(crate) fn failure(code: &str, message: &str) -> Vec<u8> {
    let mut out = Writer::with_capacity(128);
    out.begin_object();
    out.key("abi").int(1);
    out.key("error").begin_object();
    out.key("code").string(code);
    out.key("message").string(message);
    out.end_object();
    out.end_object();
    out.into_bytes()
}

pub(crate) fn strings(out: &mut Writer, name: &str, items: Option<&Vec<String>>) {
    let Some(items) = items else { return };
    out.key(name).begin_array();
    items.iter().for_each(|item| out.string(item));
    out.end_array();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Input;

    const INPUT: &[u8] = br#"{"abi":1,"now_ms":1000,"publications":[
        {"etag":"e-1","device_kind":"desk","tuples":[{"id":"t1","basic":"open"}],
         "person":{"activities":["busy"]}}],"params":{"from":540}}"#;

    fn check(policy: impl Fn(&Input<'_>, &mut Output), expect: Option<&str>) {
        let mut out = Output::new();
        policy(&Input::new(INPUT).unwrap(), &mut out);
        let text = out.finish().map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(text.as_deref(), expect);
    }

    #[test]
    fn an_output_that_was_left_alone_is_no_opinion() {
        check(|_, _| (), None);
    }

    #[test]
    fn members_come_in_the_order_of_the_contract_and_only_where_they_were_set() {
        check(
            |input, out| {
                let publication = input.publications().next().unwrap();
                let tuple = publication.tuples().next().unwrap();
                out.explain("because").basic("closed").activities(["busy"]);
                out.select(publication, tuple).priority_milli(900).basic("open");
                out.reevaluate_at_ms(input.now_ms() + 5000).drop("geo").note(Some("en"), "a \"b\"");
            },
            Some(concat!(
                r#"{"abi":1,"base":"builtin","select":[{"etag":"e-1","tuple":"t1","priority_milli":900,"basic":"open"}],"#,
                r#""set":{"basic":"closed","activities":["busy"],"note":[{"lang":"en","text":"a \"b\""}]},"#,
                r#""drop":["geo"],"reevaluate_at_ms":6000,"explain":["because"]}"#
            )),
        );
    }

    #[test]
    fn what_devices_say_is_copied_as_far_as_the_host_takes_it() {
        let list = |one: &dyn Fn(usize) -> String| (0..40).map(one).collect::<Vec<_>>().join(",");
        let tuples = list(&|n| alloc::format!(r#"{{"id":"t{n}"}}"#));
        let long = "\u{e9}".repeat(600);
        let input = alloc::format!(
            r#"{{"publications":[{{"etag":"e","tuples":[{tuples}],
            "person":{{"activities":["available","busy","busy","busy","busy","busy","busy","busy","busy","busy"],
            "mood":["so-so","calm"],"place":["Office","home"],
            "note":[{{"text":"a"}},{{"lang":"e n","text":"{long}"}},{{"text":"c"}},{{"text":"d"}},{{"text":"e"}}]}},
            "note":[{{"lang":"en","text":"a"}}]}}],"builtin":{{"select":[{}]}}}}"#,
            list(&|n| alloc::format!(r#"{{"etag":"e","tuple":"t{n}"}}"#))
        );
        let input = Input::new(input.as_bytes()).unwrap();
        let mut out = Output::new();
        out.show_only(&input, |_| true);
        let text = String::from_utf8(out.finish().unwrap()).unwrap();
        assert_eq!(text.matches("\"tuple\"").count(), MOST_TUPLES);
        let note = &long[..2 * NOTE_CHARS];
        let set = alloc::format!(
            r#""set":{{"activities":[{}],"mood":["calm"],"place":["home"],"note":[{{"lang":"en","text":"a"}},{{"text":"{note}"}},{{"text":"c"}},{{"text":"d"}}]}}"#,
            ["\"busy\""; MOST_TOKENS].join(",")
        );
        assert!(text.contains(&set), "{text}");
        let mut all = Output::new();
        all.select_all(input.publications().next().unwrap());
        let text = String::from_utf8(all.finish().unwrap()).unwrap();
        assert_eq!(text.matches("\"tuple\"").count(), MOST_TUPLES);
    }

    #[test]
    fn what_is_shown_alone_is_what_those_publications_say() {
        let input = br#"{"abi":1,"publications":[
            {"etag":"e-1","tuples":[{"id":"a"}],"person":{"activities":["busy"],"note":[{"text":"one"}]}},
            {"etag":"e-2","tuples":[{"id":"b"}],"person":{"activities":[],"note":[{"lang":"en","text":"two"}]}},
            {"etag":"e-3","tuples":[{"id":"c"}],"person":{"activities":["away"],"mood":["calm"],"place":["home"]}}],
            "builtin":{"select":[{"etag":"e-3","tuple":"c"},{"etag":"e-1","tuple":"a"},{"etag":"e-2","tuple":"b"}]}}"#;
        let input = Input::new(input).unwrap();
        let mut out = Output::new();
        out.show_only(&input, |publication| publication.etag() != "e-1");
        assert_eq!(
            String::from_utf8(out.finish().unwrap()).unwrap(),
            concat!(
                r#"{"abi":1,"base":"empty","select":[{"etag":"e-3","tuple":"c"},{"etag":"e-2","tuple":"b"}],"#,
                r#""set":{"activities":["away"],"mood":["calm"],"place":["home"],"note":[{"lang":"en","text":"two"}]}}"#
            )
        );
        let mut out = Output::new();
        out.show_only(&input, |_| false);
        assert_eq!(out.finish().unwrap(), br#"{"abi":1,"base":"empty","select":[]}"#);
        use merge_core::policy::limits;
        assert_eq!(
            [MOST_TUPLES, MOST_TOKENS, MOST_NOTES, NOTE_CHARS],
            [limits::OUTPUT_TUPLES, limits::OUTPUT_ACTIVITIES, limits::OUTPUT_NOTES, limits::NOTE_CHARS]
        );
    }

    #[test]
    fn a_refusal_replaces_everything_else() {
        check(
            |_, out| {
                out.basic("open");
                out.fail("config", "no hours");
            },
            Some(r#"{"abi":1,"error":{"code":"config","message":"no hours"}}"#),
        );
    }

    #[test]
    fn what_is_missing_reads_as_empty() {
        check(
            |input, out| {
                assert_eq!(input.dialogs().count(), 0);
                assert_eq!(input.presentity().aor(), "");
                assert!(input.local_time().is_none());
                assert!(input.publications().next().unwrap().has_activity("busy"));
                assert_eq!(input.params().int_or("from", 0), 540);
                assert_eq!(input.params().int_or("to", 7), 7);
                out.base_empty();
            },
            Some(r#"{"abi":1,"base":"empty"}"#),
        );
    }
}

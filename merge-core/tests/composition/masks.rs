//! What an operator lets nobody see: gone from what is merged, and from every view of that.

use merge_core::compose::{Composition, compose};
use merge_core::model::Document;
use merge_core::policy::{Level, Mask, Seen, View};
use proptest::prelude::*;

use crate::privacy::{marks, publications};
use crate::published::{NOW, set};
use crate::views::{all_leaves, views};

const NAMES: [&str; 10] =
    ["geo", "note", "devices", "person", "contact", "activities", "mood", "place", "sphere", "user_input"];

fn read(drop: &[&str], level: &str) -> Result<Mask, Vec<String>> {
    let drop: Vec<String> = drop.iter().map(|name| (*name).to_owned()).collect();
    let told = |findings: Vec<merge_core::policy::Finding>| {
        findings.iter().map(|f| format!("{}: {}; {}", f.place, f.message, f.fix)).collect()
    };
    Mask::read(&drop, level).map_err(told)
}

#[test]
fn a_mask_names_what_views_drop_and_whoever_writes_another_word_is_told_the_nearest() {
    assert_eq!(
        read(&NAMES, "busy_free").unwrap().write_json(),
        r#"{"drop":["geo","note","devices","person","contact","activities","mood","place","sphere","user_input"],"level":"busy_free"}"#
    );
    assert!(read(&[], "full").unwrap().is_nothing());
    assert_eq!(read(&["note", "note"], "full").unwrap().write_json(), r#"{"drop":["note"],"level":"full"}"#);
    let errors = read(&["nots", "tuple:t1", "geo"], "busyfree").unwrap_err();
    assert_eq!(errors[0], r#"drop: "nots" cannot be taken away; did you mean note?"#);
    assert!(errors[1].starts_with(r#"drop: "tuple:t1" cannot be taken away; known are geo, note, "#));
    assert_eq!(errors[2..], [r#"level: "busyfree" is no level; did you mean busy_free?"#]);
}

#[test]
fn two_masks_together_take_away_what_either_does() {
    let (one, other) =
        (read(&["geo", "note"], "busy_free").unwrap(), read(&["note", "mood"], "full").unwrap());
    assert_eq!(one.and(&other), read(&["geo", "note", "mood"], "busy_free").unwrap());
    assert_eq!(other.and(&one), read(&["note", "mood", "geo"], "busy_free").unwrap());
    assert_eq!(one.and(&Mask::default()), one);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_view_of_a_masked_document_shows_what_the_mask_took_away(
        list in publications(),
        dropped in prop::sample::subsequence(NAMES.to_vec(), 0..=4),
        level in prop::sample::select(Level::ALL.to_vec()),
        view in views(),
        how in prop::sample::select(Composition::ALL.to_vec()),
    ) {
        let set = set(list);
        let merged = Document::read(&compose(&set, NOW, how).write_pidf()).unwrap();
        let mask = read(&dropped, level.as_str()).unwrap();
        let masked = Document::read(&mask.apply(&merged)).unwrap();
        // A view that says more than there is, is refused.
        let fits = view.fits(&Seen::in_document(&masked));
        let view = if fits { view } else { View { activities: None, ..view } };
        let viewed = Document::read(&view.apply(&masked)).unwrap();
        for document in [&masked, &viewed] {
            for mark in marks(document.source()) {
                let gone = mark.split('.').any(|kind| dropped.contains(&kind));
                prop_assert!(!gone && level == Level::Full, "{mark} is there: {mask:?}\n{}", document.source());
            }
            let left = read(&[], level.as_str()).unwrap();
            // But for a person that is written anew, with a coarser word for what a service says.
            if !dropped.contains(&"person") {
                prop_assert_eq!(mask.taken(document), left, "it finds nothing more to take");
            }
            if level == Level::Basic || dropped.contains(&"activities") {
                let activities = all_leaves(document);
                prop_assert!(activities.iter().all(|(path, _)| !path.ends_with(".activities")), "{activities:?}");
            }
        }
        // What it says it took is what was there.
        let taken = mask.taken(&merged);
        prop_assert_eq!(taken.apply(&merged), mask.apply(&merged));
        if taken.is_nothing() {
            prop_assert_eq!(mask.apply(&merged), merged.source().as_bytes());
        }
    }
}

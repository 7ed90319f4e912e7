//! Every shape of document that a composition must stand, one folder each. The files of a folder are the
//! publications of as many devices, a minute after each other in the order of their names.

use merge_core::compose::Composition;
use merge_core::model::Document;
use merge_core::uri::Entity;

use crate::published::{fixtures, folder, lines, minutes, pidf, publication, set};
use crate::xsd;

/// What no schema can allow, since it is there already in what was published, and stays.
const INVALID_AS_PUBLISHED: &[&str] = &[
    // Attributes of other namespaces on tuple and status.
    "prefixed-attributes",
    // RFC 4480's own example writes a word into sphere, where its schema wants an element.
    "rfc4480-rpid",
];

fn valid(what: &str, result: &str) {
    if !INVALID_AS_PUBLISHED.contains(&what) {
        xsd::check(what, result);
    }
}

fn check(shape: &str) {
    let files = folder(&fixtures().join("shapes").join(shape));
    let mut report = String::new();
    let mut publications = Vec::new();
    let alice = Entity::parse("sip:alice@example.com").unwrap();
    for ((name, text), at) in files.iter().zip(-10..) {
        match Document::read(text.as_bytes()) {
            Err(error) => {
                report.push_str(&format!("{name} is refused with {}: {}\n", error.status(), error.message))
            }
            Ok(document) if document.entity().is_some_and(|entity| *entity != alice) => {
                report.push_str(&format!(
                    "{name} is refused: it is about {}\n",
                    document.entity().unwrap().as_str()
                ));
            }
            Ok(_) => publications.push(publication(name, minutes(at), text)),
        }
    }
    if !publications.is_empty() {
        let result = pidf(&set(publications.clone()), Composition::Compose);
        publications.reverse();
        assert_eq!(pidf(&set(publications), Composition::Compose), result, "the order of arrival counts");
        valid(shape, &result);
        report.push_str(&lines(&result));
        report.push('\n');
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("shape-{shape}"), report);
    });
}

macro_rules! shapes {
    ($($test:ident = $folder:literal,)*) => {
        $(#[test] fn $test() { check($folder); })*

        /// A folder without a test would be a shape that nobody looks at.
        #[test]
        fn every_folder_has_its_test() {
            let mut tested = vec![$($folder),*];
            tested.sort_unstable();
            let mut folders: Vec<String> = std::fs::read_dir(fixtures().join("shapes"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            folders.sort();
            assert_eq!(folders, tested);
        }
    };
}

shapes! {
    a_prefix_bound_to_two_uris_stays_two = "prefix-bound-to-two-uris",
    crossed_prefixes_are_told_apart = "crossed-prefixes",
    prefixed_attributes_keep_their_namespaces = "prefixed-attributes",
    nested_declarations_hold_where_they_held = "nested-xmlns",
    comments_go_cdata_and_references_stay_as_text = "comments-cdata-entities",
    one_id_on_different_kinds_of_element_is_made_three = "one-id-on-different-kinds",
    duplicate_ids_inside_one_document_are_made_unique = "duplicate-ids-inside-one-document",
    ids_inside_fields_share_the_space = "ids-inside-fields",
    a_tuple_in_a_foreign_namespace_is_an_extension = "a-tuple-in-a-foreign-namespace",
    instants_are_compared_not_texts = "offsets-and-fractions",
    equal_notes_are_said_once = "equal-notes",
    a_document_about_another_user_is_refused = "another-users-entity",
    the_case_of_a_host_does_not_matter = "host-in-another-case",
    a_language_on_the_root_goes_with_the_texts = "lang-on-the-root",
    mixed_text_stays_whole = "mixed-text",
    both_kinds_of_quote_are_read = "both-kinds-of-quote",
    a_document_may_leave_out_its_entity = "no-entity",
    an_empty_tuple_gets_a_status_and_an_id = "empty-tuple",
    ids_that_are_no_ids_are_mended = "ids-that-are-none",
    malformed_documents_are_refused = "malformed",
    an_entity_that_is_no_uri_is_refused = "entity-that-is-no-uri",
    a_timestamp_against_none = "timestamp-against-none",
    none_against_a_timestamp = "none-against-timestamp",
    one_document_alone_is_written_anew = "one-document-alone",
    a_wrong_root_is_refused = "wrong-root",
    ids_differing_in_case_are_two = "ids-differing-in-case",
    a_root_with_no_namespace_is_refused = "a-root-with-no-namespace",
    equal_contacts_are_one_service = "equal-contacts-field-by-field",
    must_understand_is_carried_through = "must-understand",
}

/// Each document of `tests/fixtures/rfc` and `clients` alone, and the clients' together.
#[test]
fn documents_of_the_rfcs_and_of_real_clients_compose() {
    for name in ["rfc", "clients"] {
        for (file, text) in folder(&fixtures().join(name)) {
            let Ok(document) = Document::read(text.as_bytes()) else {
                assert!(file.contains("misprinted"), "{file} is refused");
                continue;
            };
            let mut set = set(vec![publication("device", minutes(-5), &text)]);
            if let Some(entity) = document.entity() {
                set.presentity.aor = entity.as_str().to_owned();
            }
            let result = pidf(&set, Composition::Compose);
            valid(&file, &result);
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(format!("{name}-{file}"), lines(&result));
            });
        }
    }
    let clients = folder(&fixtures().join("clients"));
    let all = clients.iter().zip(-20..).map(|((name, text), at)| publication(name, minutes(at), text));
    let result = pidf(&set(all.collect()), Composition::Compose);
    valid("all clients", &result);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("clients-together", lines(&result));
    });
}

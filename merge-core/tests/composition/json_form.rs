//! The JSON form of presence, and the schema that describes it.

use std::collections::BTreeSet;
use std::path::Path;

use merge_core::compose::{Composition, compose};
use merge_core::model::Document;
use merge_core::presence_json;
use serde_json::Value;

use crate::published::{NOW, document, fixtures, folder, four_phones, set};

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/presence.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What of JSON Schema the file uses, and a list of the properties that occurred.
fn validate(root: &Value, schema: &Value, value: &Value, place: &str, seen: &mut BTreeSet<String>) {
    for keyword in schema.as_object().unwrap().keys() {
        let known = [
            "$schema",
            "title",
            "description",
            "type",
            "additionalProperties",
            "required",
            "properties",
            "$defs",
            "$ref",
            "items",
            "enum",
            "minimum",
            "maximum",
        ];
        assert!(known.contains(&keyword.as_str()), "this test does not know the keyword {keyword}");
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").unwrap();
        return validate(root, &root["$defs"][name], value, &format!("<{name}>"), seen);
    }
    if let Some(list) = schema["enum"].as_array() {
        assert!(list.contains(value), "{place}: {value}");
    }
    match schema["type"].as_str() {
        Some("object") => {
            let object = value.as_object().unwrap_or_else(|| panic!("{place}: {value}"));
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(object.contains_key(name.as_str().unwrap()), "{place} lacks {name}");
            }
            for (name, member) in object {
                let place = format!("{place}.{name}");
                match (&schema["properties"][name], &schema["additionalProperties"]) {
                    (Value::Null, Value::Bool(false)) => panic!("{place} is not in the schema"),
                    (Value::Null, other) => validate(root, other, member, &place, seen),
                    (property, _) => validate(root, property, member, &place, seen),
                }
                seen.insert(place);
            }
        }
        Some("array") => {
            for item in value.as_array().unwrap_or_else(|| panic!("{place}: {value}")) {
                validate(root, &schema["items"], item, place, seen);
            }
        }
        Some("integer") => {
            let number = value.as_i64().unwrap_or_else(|| panic!("{place}: {value}"));
            assert!(schema["minimum"].as_i64().is_none_or(|least| number >= least), "{place}: {number}");
            assert!(schema["maximum"].as_i64().is_none_or(|most| number <= most), "{place}: {number}");
        }
        Some("string") => assert!(value.is_string(), "{place}: {value}"),
        Some("boolean") => assert!(value.is_boolean(), "{place}: {value}"),
        Some(other) => panic!("this test does not know the type {other}"),
        None => {}
    }
}

fn properties(schema: &Value, place: &str, all: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        all.insert(format!("{place}.{name}"));
        properties(property, &format!("{place}.{name}"), all);
    }
    if let Some(items) = schema.get("items") {
        properties(items, place, all);
    }
    for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
        properties(definition, &format!("<{name}>"), all);
    }
}

#[test]
fn every_document_has_a_form_that_the_schema_allows_and_uses_up() {
    let schema = schema();
    let mut seen = BTreeSet::new();
    let mut folders =
        vec![fixtures(), fixtures().join("phones"), fixtures().join("rfc"), fixtures().join("clients")];
    folders.extend(std::fs::read_dir(fixtures().join("shapes")).unwrap().map(|entry| entry.unwrap().path()));
    let mut texts: Vec<String> = folders.iter().flat_map(|path| folder(path)).map(|(_, text)| text).collect();
    texts.push(document(
        "<tuple id='t'><status><basic>open</basic><rpid:activities><rpid:busy/></rpid:activities></status></tuple>\
         <dm:person id='p'><g:geopriv xmlns:g='urn:ietf:params:xml:ns:pidf:geopriv10' xmlns:gml='http://www.opengis.net/gml'>\
         <g:location-info><gml:pos>52.5 -4.25</gml:pos><gml:radius>30</gml:radius></g:location-info></g:geopriv></dm:person>\
         <dm:device id='d'><rpid:user-input last-input='2026-11-21T12:00:00Z'>idle</rpid:user-input></dm:device>",
    ));
    for text in texts {
        let Ok(document) = Document::read(text.as_bytes()) else { continue };
        let json = presence_json::write(&document);
        let value: Value = serde_json::from_str(&json).unwrap();
        validate(&schema, &schema, &value, "", &mut seen);
    }
    let mut all = BTreeSet::new();
    properties(&schema, "", &mut all);
    let unused: Vec<&String> = all.difference(&seen).collect();
    assert!(unused.is_empty(), "never written: {unused:?}");
}

#[test]
fn the_form_of_the_four_phones_is_as_expected() {
    let set = set(four_phones());
    let json = compose(&set, NOW, Composition::Compose).write_json();
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&json).unwrap()).unwrap();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("phones-json", pretty);
    });
}

#[test]
fn notes_cannot_change_the_structure_of_anything() {
    let text = document("<note>&#x202e;gnp.exe&#13;&#10;\"&lt;/script&gt;</note>");
    let json = presence_json::write(&Document::read(text.as_bytes()).unwrap());
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["note"][0]["text"], "gnp.exe \"</script>");
}

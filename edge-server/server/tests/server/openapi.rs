//! openapi.json against the router, and the documents against what they are made from.

use crate::harness::{ask, call, server};
use serde_json::Value;
use std::collections::BTreeSet;
use tributary::api::{OPENAPI, ROUTES};

fn described() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

#[test]
fn the_description_and_the_router_name_the_same_operations() {
    let description = described();
    let mut written = BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            written.insert((method.to_ascii_uppercase(), path.clone()));
        }
    }
    let routed: BTreeSet<_> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(written, routed);
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    let description = described();
    let mut references = BTreeSet::new();
    let mut todo = vec![&description];
    while let Some(value) = todo.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    references.insert(reference.clone());
                }
                todo.extend(members.values());
            }
            Value::Array(items) => todo.extend(items),
            _ => {}
        }
    }
    assert!(references.len() > 10);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_and_every_get_answers_as_it_says() {
    let server = server(|_| {}).await;
    let mut alice = crate::harness::Client::connect(server.address, "alice").await;
    alice.publish(200, "here").await;
    let served = ask(server.address, "GET", "/api/v1/openapi.json", &[], None).await;
    assert_eq!(served.json(), described());
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let path = route.path.replace("{aor}", "sip:alice@example.com").replace("{id}", &"0".repeat(64));
        let answer = call(server.address, "GET", &format!("/api/v1{path}"), None).await;
        let operation = &described()["paths"][route.path]["get"];
        let response = &operation["responses"][answer.status.to_string()];
        assert!(response.is_object(), "{} answered {}, which is not described", route.path, answer.status);
        if answer.status == 200 {
            let schema = &response["content"]["application/json"]["schema"];
            check_required(&described(), schema, &answer.json(), route.path);
        }
    }
    server.stop().await;
}

/// The members that the schema requires are there, and no others where it lists them all; nested
/// objects and the items of arrays too.
fn check_required(root: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    if let Some(required) = schema["required"].as_array() {
        for name in required {
            let name = name.as_str().unwrap();
            let member = value.get(name).unwrap_or_else(|| panic!("{place} lacks {name}: {value}"));
            check_required(root, &schema["properties"][name], member, &format!("{place}/{name}"));
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for value in values {
            check_required(root, items, value, place);
        }
    }
}

#[test]
fn the_documentation_of_the_configuration_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        stored,
        tributary::config::documentation(),
        "run `tributary check-config --document edge-server/server/docs`"
    );
}

//! The reader that builds nothing says what the strict reader says, of all that the strict one takes.

use super::*;
use alloc::string::ToString;
use alloc::vec::Vec;
use merge_core::json::{Value, Writer, read};
use proptest::prelude::*;

/// Compares a value with the tree of it, all the way down.
fn check_same(lazy: Json<'_>, tree: &Value<'_>) {
    assert_eq!(lazy.as_str(), tree.as_str());
    assert_eq!(lazy.as_int(), tree.as_int());
    assert_eq!(lazy.as_bool(), tree.as_bool());
    assert_eq!(lazy.is_null(), tree.is_null());
    assert_eq!(lazy.is_array(), tree.as_array().is_some());
    let items: Vec<_> = lazy.items().collect();
    let expect = tree.as_array().unwrap_or_default();
    assert_eq!(items.len(), expect.len());
    items.iter().zip(expect).for_each(|(lazy, tree)| check_same(*lazy, tree));
    let members: Vec<_> = lazy.members().collect();
    assert_eq!(members.len(), tree.members().len());
    for ((name, value), member) in members.into_iter().zip(tree.members()) {
        assert_eq!(name, member.name);
        check_same(value, &member.value);
        check_same(lazy.get(name).unwrap(), &member.value);
    }
    assert!(lazy.get("no such member").is_none());
}

fn check(text: &str) {
    check_same(Json::new(text.as_bytes()), &read(text.as_bytes()).unwrap());
}

#[test]
fn values_of_every_kind_are_read_with_and_without_spaces() {
    check("null");
    check(" [ 1 , -2, 9007199254740991 ,true,false,null , \"\" ] ");
    check(r#"{"a":{"b":[{"c":"}"},"]",{}]},"d":[],"e":"\"\\\u00e9\ud83d\ude00\n","f":12345678901234}"#);
    check(r#" { "a b" : [ [ [ ] , { } ] , 1 ] , "\"x\\" : "long enough to fill several words of eight" } "#);
}

#[test]
fn a_bracket_a_quote_or_a_backslash_at_any_place_of_a_word_is_seen() {
    for before in 0..18 {
        for text in [r#"\"}]"#, r#"\\"#, "{[", "é\u{1F600}", r#"\\\""#] {
            let padding = "x".repeat(before);
            check(&alloc::format!(r#"{{"a":["{padding}{text}",{{"b":"{text}{padding}"}}],"c":[[]],"d":1}}"#));
        }
    }
}

#[test]
fn bytes_that_are_no_json_read_as_missing() {
    for text in [
        "", "{", "{\"a", "{\"a\"", "{\"a\":", "[", "[1", "[1,", "\"a", "\"a\\", "-", "}", "{1:2}", "{\"a\"1}",
    ] {
        let json = Json::new(text.as_bytes());
        assert!(
            json.get("b").is_none() && json.as_str().is_none() && json.is_null() == text.starts_with('n')
        );
        json.items().take(9).for_each(|item| _ = (item.as_str(), item.as_int(), item.source()));
        json.members().take(9).for_each(|(_, value)| _ = (value.as_str(), value.source()));
    }
    assert_eq!(Json::new(b"900.0").as_int(), None);
    assert_eq!(Json::new(b"99999999999999999999").as_int(), None);
    assert_eq!(Json::new(b"\"\xff\"").as_str(), None);
    assert_eq!(Json::new(br#""\ud83d""#).as_str(), None);
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    let text = prop_oneof!["[a-z{}\\[\\],:\"\\\\ ]{0,20}", ".{0,12}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-merge_core::json::MAX_INTEGER..=merge_core::json::MAX_INTEGER).prop_map(Value::Int),
        text.prop_map(|text| Value::String(text.into())),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map("[a-c\"\\\\é]{0,9}", inner, 0..6).prop_map(|map| {
                let member = |(name, value): (String, _)| merge_core::json::Member {
                    name: name.into(),
                    value,
                    offset: 0,
                };
                Value::Object(map.into_iter().map(member).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_the_strict_reader_takes_is_read_alike(value in any_value()) {
        let mut out = Writer::new();
        out.value(&value);
        let text = out.into_string();
        check_same(Json::new(text.as_bytes()), &value);
        prop_assert_eq!(alloc::format!("{:?}", Json::new(text.as_bytes())), text.to_string());
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_run_on(bytes in prop::collection::vec(
        prop_oneof![Just(b'{'), Just(b'['), Just(b'}'), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), any::<u8>()],
        0..64,
    )) {
        fn walk(json: Json<'_>, left: &mut u32) {
            let _ = (json.as_str(), json.as_int(), json.source(), json.get("a"));
            for inner in json.items().chain(json.members().map(|(_, value)| value)) {
                *left = left.checked_sub(1).expect("no more values than bytes can hold");
                walk(inner, left);
            }
        }
        walk(Json::new(&bytes), &mut 10_000);
    }
}

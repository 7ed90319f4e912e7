//! `params_schema`: what a policy's parameters look like, in a part of JSON Schema (draft 2020-12).
//!
//! The part is what a form can be made of and what can be judged in a time that both sizes bound: types,
//! ranges, lengths, choices, members, items, and the four ways to combine schemas. A keyword outside of it is
//! refused with the manifest instead of being passed over, so that no author relies on a check that nobody
//! makes. Left out on purpose: `pattern` (a tenant's regular expression would run on the server without
//! fuel) and `$ref` (a schema of 8 KiB need not point into itself, and one that does may never end).
//!
//! `default` says what a policy assumes; the host does not fill it in. `number` and `integer` are the same,
//! since the contract's JSON has integers only. Both values come from [`merge_core::json::read`], which
//! bounds how deep they are, and with it the recursion here.

use merge_core::json::{Value, Writer};

use crate::report::{Finding, Findings};

/// What is said and not judged.
const ANNOTATIONS: [&str; 9] = [
    "$schema",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "format",
];
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
const KEYWORDS: &str = "type, enum, const, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, \
     minLength, maxLength, items, minItems, maxItems, uniqueItems, properties, required, additionalProperties, \
     minProperties, maxProperties, allOf, anyOf, oneOf, not";

/// What is wrong with a schema itself: each place in it, and what has to stand there.
pub(crate) fn check_schema(schema: &Value<'_>) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    schema_at(schema, "params_schema", &mut wrong);
    wrong
}

fn schema_at(schema: &Value<'_>, place: &str, wrong: &mut Vec<(String, String)>) {
    if !matches!(schema, Value::Object(_) | Value::Bool(_)) {
        wrong
            .push((place.to_owned(), format!("a schema is an object, true or false, not {}", schema.kind())));
    }
    for member in schema.members() {
        let (name, value) = (&*member.name, &member.value);
        let place = format!("{place}.{name}");
        let names =
            |value: &Value<'_>| value.as_array().is_some_and(|all| all.iter().all(|n| n.as_str().is_some()));
        let type_name = |value: &Value<'_>| value.as_str().is_some_and(|name| TYPES.contains(&name));
        let expected = match name {
            "type" => (!type_name(value) && !value.as_array().is_some_and(|all| all.iter().all(type_name)))
                .then(|| format!("one or a list of {}", TYPES.join(", "))),
            "enum" => value.as_array().is_none_or(<[_]>::is_empty).then(|| "a list of values".to_owned()),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                value.as_int().is_none().then(|| "an integer".to_owned())
            }
            "multipleOf" => value.as_int().is_none_or(|n| n < 1).then(|| "an integer above 0".to_owned()),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
                value.as_int().is_none_or(|n| n < 0).then(|| "an integer, 0 or more".to_owned())
            }
            "uniqueItems" => value.as_bool().is_none().then(|| "true or false".to_owned()),
            "required" => (!names(value)).then(|| "a list of members' names".to_owned()),
            "properties" => {
                for member in value.members() {
                    schema_at(&member.value, &format!("{place}.{}", member.name), wrong);
                }
                (!matches!(value, Value::Object(_))).then(|| "an object of schemas".to_owned())
            }
            "items" | "additionalProperties" | "not" => {
                schema_at(value, &place, wrong);
                None
            }
            "allOf" | "anyOf" | "oneOf" => {
                let all = value.as_array().unwrap_or_default();
                all.iter().enumerate().for_each(|(at, one)| schema_at(one, &format!("{place}[{at}]"), wrong));
                all.is_empty().then(|| "a list of schemas".to_owned())
            }
            "const" => None,
            _ if ANNOTATIONS.contains(&name) => None,
            _ => Some(format!("one of the keywords that are judged ({KEYWORDS})")),
        };
        wrong.extend(expected.map(|expected| (place, format!("has to be {expected}"))));
    }
}

/// What in `params` is not as the schema has it, all of it: code E207, the place, what is allowed.
#[must_use]
pub fn judge_params(schema: &Value<'_>, params: &Value<'_>) -> Vec<Finding> {
    let mut findings = Findings::new();
    judge(schema, params, "params", &mut |place, allowed| {
        let fix = "give what the policy's params_schema describes";
        findings.push(Finding::new("E207", place, allowed, fix));
    });
    findings.finish()
}

/// Whether a value is as the schema has it.
fn fits(schema: &Value<'_>, value: &Value<'_>) -> bool {
    let mut fits = true;
    judge(schema, value, "", &mut |_, _| fits = false);
    fits
}

fn judge(schema: &Value<'_>, value: &Value<'_>, place: &str, wrong: &mut dyn FnMut(&str, String)) {
    if *schema == Value::Bool(false) {
        return wrong(place, "nothing may stand here".to_owned());
    }
    for member in schema.members() {
        let rule = &member.value;
        let list = rule.as_array().unwrap_or_default();
        match &*member.name {
            "type" => {
                let fits = list.iter().chain([rule]).filter_map(Value::as_str).any(|name| is(value, name));
                if !fits {
                    wrong(place, format!("is {}, and has to be of type {}", value.kind(), written(rule)));
                }
            }
            "enum" if !list.iter().any(|one| same(one, value)) => {
                wrong(place, format!("is {}, allowed are {}", written(value), written(rule)));
            }
            "const" if !same(rule, value) => {
                wrong(place, format!("is {}, allowed is {}", written(value), written(rule)));
            }
            "allOf" => list.iter().for_each(|one| judge(one, value, place, wrong)),
            "anyOf" if !list.iter().any(|one| fits(one, value)) => {
                wrong(place, "fits none of the forms that are allowed".to_owned());
            }
            "oneOf" => match list.iter().filter(|one| fits(one, value)).count() {
                1 => {}
                found => {
                    wrong(place, format!("fits {found} of the forms that are allowed, and has to fit one"))
                }
            },
            "not" if fits(rule, value) => wrong(place, "is of a form that is not allowed".to_owned()),
            name => match value {
                Value::Int(number) => judge_number(name, rule, *number, place, wrong),
                Value::String(text) => {
                    let length = text.chars().count();
                    let (least, most) = ("minLength", "maxLength");
                    judge_length(name, rule, length, (least, most, "characters"), place, wrong);
                }
                Value::Array(items) => judge_items(name, rule, items, place, wrong),
                Value::Object(_) => judge_members(name, rule, (schema, value), place, wrong),
                Value::Null | Value::Bool(_) => {}
            },
        }
    }
}

fn is(value: &Value<'_>, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Int(_) => name == "integer" || name == "number",
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

fn judge_number(name: &str, rule: &Value<'_>, number: i64, place: &str, wrong: &mut dyn FnMut(&str, String)) {
    let Some(bound) = rule.as_int() else { return };
    let (fits, allowed) = match name {
        "minimum" => (number >= bound, format!("at least {bound}")),
        "maximum" => (number <= bound, format!("at most {bound}")),
        "exclusiveMinimum" => (number > bound, format!("more than {bound}")),
        "exclusiveMaximum" => (number < bound, format!("less than {bound}")),
        "multipleOf" => (number.checked_rem(bound) == Some(0), format!("a multiple of {bound}")),
        _ => return,
    };
    if !fits {
        wrong(place, format!("is {number}, and has to be {allowed}"));
    }
}

fn judge_length(
    name: &str,
    rule: &Value<'_>,
    length: usize,
    (least, most, what): (&str, &str, &str),
    place: &str,
    wrong: &mut dyn FnMut(&str, String),
) {
    let Some(bound) = rule.as_int() else { return };
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if name == least && length < bound {
        wrong(place, format!("has {length} {what}, at least {bound} are needed"));
    }
    if name == most && length > bound {
        wrong(place, format!("has {length} {what}, at most {bound} are allowed"));
    }
}

fn judge_items(
    name: &str,
    rule: &Value<'_>,
    items: &[Value<'_>],
    place: &str,
    wrong: &mut dyn FnMut(&str, String),
) {
    match name {
        "items" => {
            for (at, item) in items.iter().enumerate() {
                judge(rule, item, &format!("{place}[{at}]"), wrong);
            }
        }
        "uniqueItems" if *rule == Value::Bool(true) => {
            let twice =
                |(at, item): (usize, &Value<'_>)| items.iter().take(at).any(|other| same(other, item));
            if let Some(at) = items.iter().enumerate().position(twice) {
                wrong(&format!("{place}[{at}]"), "stands there twice".to_owned());
            }
        }
        _ => judge_length(name, rule, items.len(), ("minItems", "maxItems", "items"), place, wrong),
    }
}

fn judge_members(
    name: &str,
    rule: &Value<'_>,
    (schema, value): (&Value<'_>, &Value<'_>),
    place: &str,
    wrong: &mut dyn FnMut(&str, String),
) {
    let described = |name: &str| schema.get("properties").is_some_and(|known| known.get(name).is_some());
    match name {
        "properties" => {
            for known in rule.members() {
                if let Some(value) = value.get(&known.name) {
                    judge(&known.value, value, &format!("{place}.{}", known.name), wrong);
                }
            }
        }
        "required" => {
            for missing in rule.as_array().unwrap_or_default().iter().filter_map(Value::as_str) {
                if value.get(missing).is_none() {
                    wrong(&format!("{place}.{missing}"), "is missing".to_owned());
                }
            }
        }
        "additionalProperties" => {
            for other in value.members().iter().filter(|member| !described(&member.name)) {
                let place = format!("{place}.{}", other.name);
                if *rule == Value::Bool(false) {
                    let known = schema.get("properties").map_or(&[][..], Value::members);
                    let known: Vec<&str> = known.iter().map(|member| &*member.name).collect();
                    wrong(&place, format!("is not known; there are {}", known.join(", ")));
                } else {
                    judge(rule, &other.value, &place, wrong);
                }
            }
        }
        _ => {
            let names = ("minProperties", "maxProperties", "members");
            judge_length(name, rule, value.members().len(), names, place, wrong);
        }
    }
}

/// Equal as JSON: the order of members says nothing.
fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(members), Value::Object(others)) => {
            let there = |name: &str, value| b.get(name).is_some_and(|other| same(value, other));
            members.len() == others.len() && members.iter().all(|member| there(&member.name, &member.value))
        }
        _ => a == b,
    }
}

fn written(value: &Value<'_>) -> String {
    let mut out = Writer::new();
    out.value(value);
    out.into_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;
    use merge_core::json::read;

    #[test]
    fn each_keyword_takes_what_it_describes_and_says_where_the_rest_is_wrong() {
        let check = |schema: &str, params: &str, expect: &[&str]| {
            let schema = read(schema.as_bytes()).unwrap();
            assert_eq!(check_schema(&schema), [], "{schema:?}");
            let found = judge_params(&schema, &read(params.as_bytes()).unwrap());
            let found: Vec<String> = found.iter().map(|f| format!("{}: {}", f.place, f.message)).collect();
            assert_eq!(found, expect, "{params}");
        };
        let hours = r#"{"type":"object","properties":{"from":{"type":"integer","minimum":0,"maximum":24,
            "multipleOf":2},"days":{"type":"array","items":{"enum":["mon","tue"]},"minItems":1,"maxItems":2,
            "uniqueItems":true},"note":{"type":["string","null"],"minLength":2,"maxLength":3}},
            "required":["from"],"additionalProperties":false,"title":"Hours"}"#;
        check(hours, r#"{"from":8,"days":["mon"],"note":"\u00e9\u00e9\u00e9"}"#, &[]);
        check(hours, r#"{"from":8,"note":null}"#, &[]);
        check(
            hours,
            r#"{"days":["mon","mon"],"fro":9,"note":"x"}"#,
            &[
                "params.days[1]: stands there twice",
                "params.note: has 1 characters, at least 2 are needed",
                "params.from: is missing",
                "params.fro: is not known; there are from, days, note",
            ],
        );
        check(
            hours,
            r#"{"from":25}"#,
            &[
                "params.from: is 25, and has to be at most 24",
                "params.from: is 25, and has to be a multiple of 2",
            ],
        );
        check(hours, r#"{"from":"8"}"#, &["params.from: is a string, and has to be of type \"integer\""]);
        check(
            hours,
            r#"{"from":0,"days":["wed"]}"#,
            &[r#"params.days[0]: is "wed", allowed are ["mon","tue"]"#],
        );
        check(hours, r#"{"from":0,"days":[]}"#, &["params.days: has 0 items, at least 1 are needed"]);
        check(r#"{"exclusiveMinimum":1}"#, "{}", &[]);
        check(r#"{"properties":{"a":{"exclusiveMinimum":1,"exclusiveMaximum":3}}}"#, r#"{"a":2}"#, &[]);
        check(
            r#"{"properties":{"a":{"exclusiveMinimum":2}}}"#,
            r#"{"a":2}"#,
            &["params.a: is 2, and has to be more than 2"],
        );
        check(r#"{"const":{"a":1,"b":2}}"#, r#"{"b":2,"a":1}"#, &[]);
        check(
            r#"{"additionalProperties":{"type":"boolean"},"maxProperties":1}"#,
            r#"{"a":1,"b":true}"#,
            &[
                "params.a: is an integer, and has to be of type \"boolean\"",
                "params: has 2 members, at most 1 are allowed",
            ],
        );
        let forms = r#"{"properties":{"a":{"anyOf":[{"type":"string"},{"minimum":5}]},
            "b":{"oneOf":[{"minimum":5},{"maximum":7}]},"c":{"not":{"type":"null"}},"d":false,
            "e":{"allOf":[{"minimum":1},{"maximum":2}]}}}"#;
        check(forms, r#"{"a":"x","b":8,"c":1,"e":2}"#, &[]);
        check(
            forms,
            r#"{"a":1,"b":6,"c":null,"d":1,"e":3}"#,
            &[
                "params.a: fits none of the forms that are allowed",
                "params.b: fits 2 of the forms that are allowed, and has to fit one",
                "params.c: is of a form that is not allowed",
                "params.d: nothing may stand here",
                "params.e: is 3, and has to be at most 2",
            ],
        );
    }

    #[test]
    fn the_keywords_of_the_contract_are_those_that_are_judged_and_those_that_are_passed_over() {
        let contract = include_str!("../../CONTRACT.md");
        let (_, section) = contract.split_once("JSON Schema (draft 2020-12) of these keywords").unwrap();
        let (section, _) = section.split_once("Any other keyword").unwrap();
        let (_, list) = section.split_once("\n- ").unwrap();
        let (judged, said) = list.split_once("\n- ").unwrap();
        let words = |text: &str| -> Vec<String> {
            text.split('`').skip(1).step_by(2).filter(|word| *word != "default").map(str::to_owned).collect()
        };
        assert_eq!(words(judged), KEYWORDS.split(", ").collect::<Vec<_>>());
        assert_eq!(
            words(said),
            ANNOTATIONS.into_iter().filter(|word| *word != "default").collect::<Vec<_>>()
        );
        for word in ANNOTATIONS {
            let schema = format!(r#"{{"{word}":[{{"pattern":1}}]}}"#);
            assert_eq!(check_schema(&read(schema.as_bytes()).unwrap()), [], "{word}");
        }
    }

    #[test]
    fn a_keyword_that_is_not_judged_or_has_the_wrong_kind_of_value_is_refused_by_name() {
        for (schema, place) in [
            (r#"{"properties":{"a":{"pattern":"(a+)+$"}}}"#, "params_schema.properties.a.pattern"),
            (r##"{"$ref":"#"}"##, "params_schema.$ref"),
            (r#"{"type":"float"}"#, "params_schema.type"),
            (r#"{"type":["string",1]}"#, "params_schema.type"),
            (r#"{"enum":[]}"#, "params_schema.enum"),
            (r#"{"items":[{}]}"#, "params_schema.items"),
            (r#"{"minimum":"1"}"#, "params_schema.minimum"),
            (r#"{"multipleOf":0}"#, "params_schema.multipleOf"),
            (r#"{"maxLength":-1}"#, "params_schema.maxLength"),
            (r#"{"anyOf":{}}"#, "params_schema.anyOf"),
            (r#"{"anyOf":[{"oneOf":[1]}]}"#, "params_schema.anyOf[0].oneOf[0]"),
            (r#"{"required":"a"}"#, "params_schema.required"),
            (r#"{"properties":[]}"#, "params_schema.properties"),
            (r#"{"uniqueItems":1}"#, "params_schema.uniqueItems"),
        ] {
            let wrong = check_schema(&read(schema.as_bytes()).unwrap());
            let places: Vec<&str> = wrong.iter().map(|(place, _)| &**place).collect();
            assert_eq!(places, [place], "{schema}");
        }
    }
}

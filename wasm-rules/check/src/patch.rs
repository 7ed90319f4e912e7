//! JSON merge patches (RFC 7396): how a test vector says in what its input differs from its base.

use merge_core::json::{self, Member, Value};

/// `target` as `patch` changes it: members of the patch replace those of the target, `null` removes.
#[must_use]
pub fn merge_patch<'a>(target: Value<'a>, patch: &Value<'a>) -> Value<'a> {
    patched(target, patch, 0)
}

fn patched<'a>(target: Value<'a>, patch: &Value<'a>, depth: usize) -> Value<'a> {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut target = match target {
        object @ Value::Object(_) => object,
        _ => Value::Object(Vec::new()),
    };
    for change in changes {
        if change.value.is_null() {
            if let Value::Object(members) = &mut target {
                members.retain(|member| member.name != change.name);
            }
        } else if depth < json::MAX_DEPTH {
            let before = target.get(&change.name).cloned().unwrap_or(Value::Null);
            set(&mut target, &change.name, patched(before, &change.value, depth + 1));
        }
    }
    target
}

/// Gives an object a member, in the place of the one of that name.
pub(crate) fn set<'a>(object: &mut Value<'a>, name: &str, value: Value<'a>) {
    let Value::Object(members) = object else { return };
    match members.iter_mut().find(|member| member.name == name) {
        Some(member) => member.value = value,
        None => members.push(Member { name: name.to_owned().into(), value, offset: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use merge_core::json::Writer;

    fn check(target: &str, patch: &str) -> String {
        let (target, patch) = (json::read(target.as_bytes()).unwrap(), json::read(patch.as_bytes()).unwrap());
        let mut out = Writer::new();
        out.value(&merge_patch(target, &patch));
        out.into_string()
    }

    #[test]
    fn a_patch_does_what_rfc_7396_shows() {
        assert_eq!(check(r#"{"a":"b"}"#, r#"{"a":"c"}"#), r#"{"a":"c"}"#);
        assert_eq!(check(r#"{"a":"b"}"#, r#"{"b":"c"}"#), r#"{"a":"b","b":"c"}"#);
        assert_eq!(check(r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#), r#"{"b":"c"}"#);
        assert_eq!(check(r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#), r#"{"a":{"b":"d"}}"#);
        assert_eq!(check(r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#), r#"{"a":[1]}"#);
        assert_eq!(check("[1,2]", r#"{"a":"b","c":null}"#), r#"{"a":"b"}"#);
        assert_eq!(check(r#"{"a":"foo"}"#, r#""bar""#), r#""bar""#);
        assert_eq!(check("{}", r#"{"a":{"bb":{"ccc":null}}}"#), r#"{"a":{"bb":{}}}"#);
    }
}

//! JSON laid out for people: one member a line, lists of plain values on one.

use merge_core::json::{Value, Writer};

/// The lines of `value`, two spaces a level.
pub(crate) fn lines(value: &Value<'_>) -> Vec<String> {
    let mut out = Vec::new();
    lay(&mut out, "", value, "", 0);
    out
}

/// The lines of `value` as one text.
pub(crate) fn text(value: &Value<'_>) -> String {
    lines(value).join("\n") + "\n"
}

/// `start` stands before the value, `end` behind it. The reader bounds how deep a value is.
fn lay(out: &mut Vec<String>, start: &str, value: &Value<'_>, end: &str, level: usize) {
    let indent = "  ".repeat(level);
    let (open, close, count) = match value {
        Value::Object(members) => ('{', '}', members.len()),
        Value::Array(items) if items.iter().any(is_nested) => ('[', ']', items.len()),
        _ => {
            let mut line = Writer::new();
            line.value(value);
            out.push(format!("{indent}{start}{}{end}", line.into_string()));
            return;
        }
    };
    if count == 0 {
        out.push(format!("{indent}{start}{open}{close}{end}"));
        return;
    }
    out.push(format!("{indent}{start}{open}"));
    let comma = |at: usize| if at + 1 < count { "," } else { "" };
    match value {
        Value::Object(members) => {
            for (at, member) in members.iter().enumerate() {
                let mut name = Writer::new();
                name.string(&member.name);
                lay(out, &format!("{}: ", name.into_string()), &member.value, comma(at), level + 1);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                lay(out, "", item, comma(at), level + 1);
            }
        }
        _ => {}
    }
    out.push(format!("{indent}{close}{end}"));
}

fn is_nested(value: &Value<'_>) -> bool {
    matches!(value, Value::Object(_) | Value::Array(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use merge_core::json::read;

    #[test]
    fn lists_of_plain_values_stay_on_one_line() {
        let value = read(
            br#"{"abi":1,"set":{"activities":["busy","x-a"],"note":[{"text":"a \"b\""}],"mood":[]},"e":{}}"#,
        );
        let expected = "{\n  \"abi\": 1,\n  \"set\": {\n    \"activities\": [\"busy\",\"x-a\"],\n    \"note\": [\n      {\n        \"text\": \"a \\\"b\\\"\"\n      }\n    ],\n    \"mood\": []\n  },\n  \"e\": {}\n}\n";
        assert_eq!(text(&value.unwrap()), expected);
    }
}

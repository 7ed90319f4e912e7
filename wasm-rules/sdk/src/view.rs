//! What a policy lets some watchers see.

use alloc::string::String;
use alloc::vec::Vec;

use merge_core::json::Writer;

use crate::output::{failure, strings};

/// The view under construction. Left alone, it hides nothing. All that it can do is take away.
#[derive(Clone, Debug, Default)]
pub struct View {
    level: Option<&'static str>,
    drop: Vec<String>,
    closed: bool,
    activities: Option<Vec<String>>,
    explain: Vec<String>,
    error: Option<(String, String)>,
}

impl View {
    /// Everything is seen, so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves whether the person is there, and whether they are busy or away.
    pub fn busy_free(&mut self) -> &mut Self {
        self.level = Some("busy_free");
        self
    }

    /// Leaves whether the person is there, and nothing else.
    pub fn basic(&mut self) -> &mut Self {
        self.level = Some("basic");
        self
    }

    /// Leaves something out: `geo`, `note`, `devices`, `person`, `contact`, `activities`, `mood`, `place`, `sphere`,
    /// `user_input`, `tuple:ID`.
    pub fn drop(&mut self, what: &str) -> &mut Self {
        self.drop.push(what.into());
        self
    }

    /// Says that every service is closed.
    pub fn closed(&mut self) -> &mut Self {
        self.closed = true;
        self
    }

    /// What stands in the place of all activities: some of them, or `busy`, `away` or `unknown` for what says more.
    pub fn activities<'t>(&mut self, activities: impl IntoIterator<Item = &'t str>) -> &mut Self {
        self.activities = Some(activities.into_iter().map(String::from).collect());
        self
    }

    /// Adds a line for whoever asks why.
    pub fn explain(&mut self, line: &str) -> &mut Self {
        self.explain.push(line.into());
        self
    }

    /// Fails: the owner sees the message, and watchers get what the assignment says.
    pub fn fail(&mut self, code: &str, message: &str) {
        self.error = Some((code.into(), message.into()));
    }

    /// Writes the answer; `None` for no opinion.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        if let Some((code, message)) = &self.error {
            return Some(failure(code, message));
        }
        let hides = self.level.is_some() || !self.drop.is_empty() || self.closed || self.activities.is_some();
        if !hides && self.explain.is_empty() {
            return None;
        }
        let mut out = Writer::with_capacity(256);
        out.begin_object();
        out.key("abi").int(1);
        strings(&mut out, "drop", (!self.drop.is_empty()).then_some(&self.drop));
        if self.closed || self.activities.is_some() {
            out.key("set").begin_object();
            out.string_member("basic", self.closed.then_some("closed"));
            strings(&mut out, "activities", self.activities.as_ref());
            out.end_object();
        }
        out.string_member("level", self.level);
        strings(&mut out, "explain", (!self.explain.is_empty()).then_some(&self.explain));
        out.end_object();
        Some(out.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contained, ViewInput};

    #[test]
    fn members_come_in_the_order_of_the_contract_and_only_where_they_were_set() {
        let check = |policy: fn(&mut View), expect: Option<&str>| {
            let mut out = View::new();
            policy(&mut out);
            let text = out.finish().map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(text.as_deref(), expect);
        };
        check(|_| (), None);
        check(
            |out| {
                out.basic();
            },
            Some(r#"{"abi":1,"level":"basic"}"#),
        );
        check(
            |out| {
                out.explain("a stranger").busy_free().closed().activities(["busy"]).drop("note");
            },
            Some(concat!(
                r#"{"abi":1,"drop":["note"],"set":{"basic":"closed","activities":["busy"]},"#,
                r#""level":"busy_free","explain":["a stranger"]}"#
            )),
        );
        check(
            |out| {
                out.basic().fail("hours", "none given");
            },
            Some(r#"{"abi":1,"error":{"code":"hours","message":"none given"}}"#),
        );
    }

    #[test]
    fn the_input_tells_who_watches_and_what_there_is() {
        let input = br#"{"abi":1,"now_ms":7,"watcher":{"class":"family","groups":["choir"]},
            "merged":{"entity":"sip:a@b","tuples":[{"id":"t","activities":["away"]}],
            "person":{"activities":["meeting"]},"note":[{"text":"n"}]},"params":{"x":1}}"#;
        let input = ViewInput::new(input).unwrap();
        assert_eq!((input.watcher().class(), input.watcher().aor(), input.now_ms()), ("family", None, 7));
        assert!(input.watcher().groups().has("choir") && input.params().has("x"));
        let merged = input.merged();
        assert_eq!(merged.activities().collect::<Vec<_>>(), ["meeting", "away"]);
        assert_eq!((merged.entity(), merged.notes().count(), merged.tuples().count()), ("sip:a@b", 1, 1));
        assert!(merged.has_activity("away") && !merged.has_activity("busy"));
    }
}

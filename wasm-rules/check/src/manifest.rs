//! The manifest: what a policy says about itself, in a custom section of its own.

use merge_core::json::{self, Value, Writer};
use merge_core::policy::{INPUT_MEMBERS, INPUT_MINOR, Needs, ViewKey, limits};

use crate::report::{Finding, Findings, Hooks};
use crate::schema::{check_schema, judge_params};

/// The name of the custom section.
pub const SECTION: &str = "presence-policy";

/// The members of a manifest.
const MEMBERS: [&str; 12] = [
    "name",
    "version",
    "abi",
    "input_minor",
    "hooks",
    "needs",
    "view_key",
    "privacy",
    "summary",
    "license",
    "params_schema",
    "build",
];

/// A manifest that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// A label for people: lower-case letters, digits, `-`, `_` and `.`, at most 64 characters.
    pub name: String,
    /// The author's version, any text. What the host goes by is the file's SHA-256.
    pub version: Option<String>,
    /// The ABI version that the author had in mind.
    pub abi: Option<i64>,
    /// The oldest `minor` of the input that has all the policy needs.
    pub input_minor: i64,
    /// The hooks the author meant to export.
    pub hooks: Vec<String>,
    /// The input members that are used. `None`: all of them.
    pub needs: Option<Vec<String>>,
    /// `class` or `identity`: whether `pp_view` is called per class of watchers or per watcher.
    pub view_key: Option<String>,
    /// Whether the policy hides things, so that a failure must not fail open.
    pub privacy: bool,
    /// One sentence for the person who chooses a policy.
    pub summary: Option<String>,
    /// An SPDX expression.
    pub license: Option<String>,
    /// A JSON schema of the parameters, as JSON text: see [`judge_params`].
    pub params_schema: Option<String>,
    /// How the file was built, any text.
    pub build: Option<String>,
}

impl Manifest {
    /// The members of the input that the policy is sent.
    #[must_use]
    pub fn needs(&self) -> Needs {
        // What is not a member of the input was refused with the manifest.
        let named = self.needs.as_ref().and_then(|names| Needs::of(names.iter().map(String::as_str)));
        named.unwrap_or(Needs::ALL)
    }

    /// Whom `pp_view` tells apart.
    #[must_use]
    pub fn view_key(&self) -> ViewKey {
        // What is neither of the two words was refused with the manifest.
        match self.view_key.as_deref() {
            Some("identity") => ViewKey::Identity,
            _ => ViewKey::Class,
        }
    }

    /// What in these parameters is not as the schema has it; nothing where there is no schema.
    #[must_use]
    pub fn judge_params(&self, params: &Value<'_>) -> Vec<Finding> {
        let schema = self.params_schema.as_deref().and_then(|schema| json::read(schema.as_bytes()).ok());
        schema.map_or_else(Vec::new, |schema| judge_params(&schema, params))
    }
}

/// Reads the manifest sections of a file: none is a warning, as is a member that is not known; two are an error.
pub(crate) fn read(
    sections: &[(&[u8], u64)],
    hooks: Hooks,
    errors: &mut Findings,
    warnings: &mut Vec<Finding>,
) -> Option<Manifest> {
    match sections {
        [] => {
            warnings.push(Finding::new(
                "W301",
                "file",
                format!("no manifest (custom section `{SECTION}`)"),
                "say at least what the policy is called: `policy!{ name: \"...\", summary: \"...\" }`",
            ));
            None
        }
        [(bytes, offset)] => {
            read_one(bytes, format!("section {SECTION}, offset {offset:#x}"), hooks, errors, warnings)
        }
        [_, (_, second), ..] => {
            errors.push(Finding::new(
                "E160",
                format!("section {SECTION}, offset {second:#x}"),
                format!("{} manifests, allowed is one", sections.len()),
                "link the manifest once",
            ));
            None
        }
    }
}

/// Reads the one manifest there is; findings name its place so.
pub(crate) fn read_one(
    bytes: &[u8],
    place: String,
    hooks: Hooks,
    errors: &mut Findings,
    warnings: &mut Vec<Finding>,
) -> Option<Manifest> {
    let mut reader = Reader { errors, warnings, place };
    let manifest = reader.manifest(bytes)?;
    reader.cross_check(&manifest, hooks);
    Some(manifest)
}

struct Reader<'e> {
    errors: &'e mut Findings,
    warnings: &'e mut Vec<Finding>,
    place: String,
}

impl Reader<'_> {
    fn refuse(&mut self, message: String, fix: &str) {
        self.errors.push(Finding::new("E160", self.place.clone(), message, fix));
    }

    fn manifest(&mut self, bytes: &[u8]) -> Option<Manifest> {
        if bytes.len() > limits::MANIFEST_BYTES {
            let allowed = limits::MANIFEST_BYTES;
            self.refuse(format!("{} bytes, allowed are {allowed}", bytes.len()), "shorten it");
            return None;
        }
        let value = match json::read(bytes) {
            Ok(value @ Value::Object(_)) => value,
            Ok(other) => {
                self.refuse(
                    format!("the manifest is {}, and has to be an object", other.kind()),
                    "write an object",
                );
                return None;
            }
            Err(error) => {
                self.refuse(
                    format!("not JSON: {error}"),
                    "write strict JSON: integers only, no member twice",
                );
                return None;
            }
        };
        self.unknown(&value);
        let before = self.errors.count();
        let name = self.text(&value, "name", 64).unwrap_or_default();
        if name.is_empty()
            || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
        {
            self.refuse(
                "`name` is missing or not a name".into(),
                "use lower-case letters, digits, `-`, `_` and `.`",
            );
        }
        let manifest = Manifest {
            name,
            version: self.text(&value, "version", 64),
            abi: self.int(&value, "abi"),
            input_minor: self.int(&value, "input_minor").unwrap_or(0),
            hooks: self.list(&value, "hooks", &["pp_merge", "pp_view", "pp_params"]).unwrap_or_default(),
            needs: self.list(&value, "needs", &INPUT_MEMBERS),
            view_key: self.text(&value, "view_key", 16),
            privacy: self.flag(&value, "privacy"),
            summary: self.text(&value, "summary", 512),
            license: self.text(&value, "license", 128),
            params_schema: self.schema(&value),
            build: self.build(&value),
        };
        (self.errors.count() == before).then_some(manifest)
    }

    /// What is misspelt says nothing: least of all `privacy` may be passed over in silence.
    fn unknown(&mut self, manifest: &Value<'_>) {
        let names = manifest.members().iter().map(|member| &*member.name);
        let unknown: Vec<&str> = names.filter(|name| !MEMBERS.contains(name)).collect();
        if !unknown.is_empty() {
            let message = format!("no members of a manifest that this host knows: {}", unknown.join(", "));
            let fix = format!("there are {}", MEMBERS.join(", "));
            self.warnings.push(Finding::new("W302", self.place.clone(), message, fix));
        }
    }

    fn cross_check(&mut self, manifest: &Manifest, hooks: Hooks) {
        if manifest.abi.is_some_and(|abi| abi != i64::from(crate::ABI)) {
            self.refuse(
                format!("`abi` is {}, the file exports version {}", manifest.abi.unwrap_or(0), crate::ABI),
                "let the two agree",
            );
        }
        if manifest.input_minor > INPUT_MINOR {
            self.errors.push(Finding::new(
                "E212",
                self.place.clone(),
                format!(
                    "the policy needs input minor {}, this host writes {INPUT_MINOR}",
                    manifest.input_minor
                ),
                "update the server, or build against an older SDK",
            ));
        }
        let found = hooks.names();
        for hook in &manifest.hooks {
            if !found.contains(&hook.as_str()) {
                self.refuse(
                    format!("`hooks` names {hook}, which the file does not export"),
                    "export it, or leave it out",
                );
            }
        }
        if let Some(key) = &manifest.view_key
            && key != "class"
            && key != "identity"
        {
            self.refuse(format!("`view_key` is {key:?}"), "use \"class\" or \"identity\"");
        }
    }

    fn text(&mut self, value: &Value<'_>, member: &str, longest: usize) -> Option<String> {
        match value.get(member)? {
            Value::String(text) if text.chars().count() <= longest && !text.chars().any(char::is_control) => {
                Some(text.clone().into_owned())
            }
            _ => {
                self.refuse(format!("`{member}` is not a line of text"), "use a short string");
                None
            }
        }
    }

    fn int(&mut self, value: &Value<'_>, member: &str) -> Option<i64> {
        match value.get(member)? {
            Value::Int(number) if *number >= 0 => Some(*number),
            _ => {
                self.refuse(format!("`{member}` is not a number"), "use an integer, 0 or more");
                None
            }
        }
    }

    fn flag(&mut self, value: &Value<'_>, member: &str) -> bool {
        match value.get(member) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.refuse(format!("`{member}` is neither true nor false"), "use true or false");
                false
            }
        }
    }

    fn list(&mut self, value: &Value<'_>, member: &str, known: &[&str]) -> Option<Vec<String>> {
        let value = value.get(member)?;
        let words: Option<Vec<String>> = value.as_array().and_then(|items| {
            items
                .iter()
                .map(|item| item.as_str().filter(|word| known.contains(word)).map(str::to_owned))
                .collect()
        });
        if words.is_none() {
            self.refuse(
                format!("`{member}` is not a list of known names"),
                &format!("choose among {}", known.join(", ")),
            );
        }
        words
    }

    fn schema(&mut self, value: &Value<'_>) -> Option<String> {
        let schema = value.get("params_schema")?;
        if !matches!(schema, Value::Object(_)) {
            self.refuse("`params_schema` is not an object".into(), "write a JSON schema");
            return None;
        }
        for (place, message) in check_schema(schema) {
            self.refuse(format!("`{place}` {message}"), "CONTRACT.md lists the keywords, section 6");
        }
        let mut out = Writer::new();
        out.value(schema);
        Some(out.into_string())
    }

    fn build(&mut self, value: &Value<'_>) -> Option<String> {
        match value.get("build")? {
            Value::String(text) => Some(text.clone().into_owned()),
            other => {
                let mut out = Writer::new();
                out.value(other);
                Some(out.into_string())
            }
        }
    }
}

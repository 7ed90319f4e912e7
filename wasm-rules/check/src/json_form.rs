//! A report as JSON: the answer of the API and what the page shows.

use merge_core::json::{self, Writer};

use crate::manifest::Manifest;
use crate::report::{Finding, Report};

impl Report {
    /// Writes `{"ok","abi","hooks","errors":[{"code","place","message","fix"}],"warnings","manifest"}`.
    #[must_use]
    pub fn write_json(&self) -> String {
        let mut out = Writer::new();
        self.write(&mut out);
        out.into_string()
    }

    /// Writes the same object into a text that has begun already.
    pub fn write(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(self.is_ok());
        out.key("abi").int(i64::from(self.abi));
        strings(out, "hooks", self.hooks.names().into_iter());
        findings(out, "errors", &self.errors);
        findings(out, "warnings", &self.warnings);
        match &self.manifest {
            Some(manifest) => manifest.write(out.key("manifest")),
            None => out.key("manifest").null(),
        }
        out.end_object();
    }
}

impl Finding {
    /// Writes `{"code","place","message","fix"}`.
    pub fn write(&self, out: &mut Writer) {
        out.begin_object();
        out.key("code").string(self.code);
        out.key("place").string(&self.place);
        out.key("message").string(&self.message);
        out.key("fix").string(&self.fix);
        out.end_object();
    }
}

impl Manifest {
    /// Writes the members that are there, in the order of the contract.
    pub fn write(&self, out: &mut Writer) {
        out.begin_object();
        out.key("name").string(&self.name);
        out.string_member("version", self.version.as_deref());
        out.int_member("abi", self.abi);
        out.key("input_minor").int(self.input_minor);
        strings(out, "hooks", self.hooks.iter().map(String::as_str));
        if let Some(needs) = &self.needs {
            strings(out, "needs", needs.iter().map(String::as_str));
        }
        out.string_member("view_key", self.view_key.as_deref());
        out.key("privacy").bool(self.privacy);
        out.string_member("summary", self.summary.as_deref());
        out.string_member("license", self.license.as_deref());
        if let Some(schema) = &self.params_schema
            && let Ok(value) = json::read(schema.as_bytes())
        {
            out.key("params_schema").value(&value);
        }
        out.string_member("build", self.build.as_deref());
        out.end_object();
    }
}

fn strings<'a>(out: &mut Writer, name: &str, items: impl Iterator<Item = &'a str>) {
    out.key(name).begin_array();
    items.for_each(|item| out.string(item));
    out.end_array();
}

fn findings(out: &mut Writer, name: &str, findings: &[Finding]) {
    out.key(name).begin_array();
    findings.iter().for_each(|finding| finding.write(out));
    out.end_array();
}

//! `tributary policy check`: what an upload would say.

use std::path::{Path, PathBuf};

use merge_core::json::Writer;
use policy_check::{Owner, Report};
use policy_sandbox::{Finding, builtin_samples, dry_run};

use crate::answer::{Answer, Paint, Problem};
use crate::load::{Workbench, module_bytes};

/// What a file comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Everything that was found: in the file or, where that is good, in the compile or the dry run.
    pub report: Report,
}

/// Checks the module at `path`, compiles it and tries it on the built-in samples.
///
/// # Errors
/// There is no module.
pub fn check(workbench: &Workbench, path: &Path, owner: Owner) -> Result<Checked, Problem> {
    let (file, bytes) = module_bytes(path)?;
    let mut report = workbench.report(&bytes, owner);
    if report.is_ok() {
        report.errors = match workbench.compile(&bytes) {
            Ok(policy) => dry_run(&policy, &builtin_samples()),
            Err(findings) => findings,
        };
    }
    Ok(Checked { file, bytes: bytes.len(), report })
}

impl Answer for Checked {
    fn is_good(&self) -> bool {
        self.report.is_ok()
    }

    fn text(&self, paint: Paint) -> String {
        let verdict = match self.report.errors.len() {
            0 => paint.good("good"),
            1 => paint.bad("1 error"),
            n => paint.bad(&format!("{n} errors")),
        };
        let mut out = format!("{}: {verdict}\n", self.file.display());
        if let Some(manifest) = &self.report.manifest {
            let version = manifest.version.as_deref().map_or(String::new(), |version| format!(" {version}"));
            let summary = manifest.summary.as_deref().map_or(String::new(), |summary| format!(": {summary}"));
            out.push_str(&format!("  {}{version}{summary}\n", manifest.name));
        }
        let hooks = self.report.hooks.names().join(", ");
        out.push_str(&paint.dim(&format!("  {} bytes; hooks: {hooks}", self.bytes)));
        out.push('\n');
        for finding in &self.report.errors {
            out.push_str(&finding_text(finding, &paint.bad(finding.code)));
        }
        for finding in &self.report.warnings {
            out.push_str(&finding_text(finding, &paint.warn(finding.code)));
        }
        out
    }

    /// The report as the API gives it.
    fn write_json(&self, out: &mut Writer) {
        self.report.write(out);
    }
}

/// A finding in two lines: what it is, and what to do.
pub(crate) fn finding_text(finding: &Finding, code: &str) -> String {
    format!("  {code} {}: {}\n       fix: {}\n", finding.place, finding.message, finding.fix)
}

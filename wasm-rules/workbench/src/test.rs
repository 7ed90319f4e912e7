//! `tributary policy test`: a policy against its vectors.

use std::path::{Path, PathBuf};

use merge_core::json::{self, Member, Value, Writer};
use policy_sandbox::{Expect, Hook, Mismatch, Policy, Vector, Verdict};

use crate::answer::{Answer, Paint, Problem};
use crate::diff::diff;
use crate::load::written;
use crate::pretty;

/// What a run of vectors came to, in the order of their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// The file, the vector, and what came of it.
    pub results: Vec<(PathBuf, Vector, Verdict)>,
}

/// Runs the vectors at `paths`: files, or folders of them. Without any, the folder `vectors` of the
/// project (`project` is a folder) or beside the module or one level above it.
///
/// # Errors
/// There are none, or one cannot be used.
pub fn test(policy: &Policy, project: &Path, paths: &[PathBuf]) -> Result<Tested, Problem> {
    let files = if paths.is_empty() { vector_files(&[vectors_of(project)?])? } else { vector_files(paths)? };
    let results = files
        .into_iter()
        .map(|file| {
            let vector = Vector::load(&file).map_err(|error| {
                Problem::usage(error.to_string(), "a vector has a name, a hook, a base and what is expected")
            })?;
            let verdict = policy.try_vector(&vector);
            Ok((file, vector, verdict))
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Ok(Tested { results })
}

/// The folder of a project's vectors.
fn vectors_of(project: &Path) -> Result<PathBuf, Problem> {
    let places: Vec<PathBuf> = if project.is_dir() {
        vec![project.join("vectors")]
    } else {
        project.ancestors().skip(1).take(2).map(|folder| folder.join("vectors")).collect()
    };
    places.into_iter().find(|folder| folder.is_dir()).ok_or_else(|| {
        Problem::usage(
            format!("{} has no folder `vectors`", project.display()),
            "name vectors, or make one with: tributary policy run POLICY INPUT --save vectors/NAME.json",
        )
    })
}

/// The files of `paths`, folders opened, in order.
///
/// # Errors
/// A folder cannot be read, or there are none.
pub fn vector_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path)
            .map_err(|error| Problem::usage(format!("{}: {error}", path.display()), "name another folder"))?;
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        found.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        found.sort();
        files.extend(found);
    }
    if files.is_empty() {
        return Err(Problem::usage("there are no vectors", "a vector is a file NAME.json"));
    }
    Ok(files)
}

impl Tested {
    fn failed(&self) -> usize {
        self.results.iter().filter(|(_, _, verdict)| verdict.mismatch.is_some()).count()
    }
}

impl Answer for Tested {
    fn is_good(&self) -> bool {
        self.failed() == 0
    }

    fn text(&self, paint: Paint) -> String {
        let mut out = String::new();
        for (file, vector, verdict) in &self.results {
            let fuel = paint.dim(&format!("{} fuel", verdict.fuel_used));
            match &verdict.mismatch {
                None => out.push_str(&format!("{}   {} {fuel}\n", paint.good("ok"), vector.name)),
                Some(mismatch) => {
                    out.push_str(&format!("{} {} {fuel}\n", paint.bad("FAIL"), vector.name));
                    out.push_str(&format!("    {}\n", paint.dim(&file.display().to_string())));
                    out.push_str(&mismatch_text(mismatch, paint));
                    for line in &verdict.log {
                        out.push_str(&format!("    log: {line}\n"));
                    }
                }
            }
        }
        let (all, failed) = (self.results.len(), self.failed());
        let verdict = format!("{} hold, {failed} fail", all - failed);
        out.push_str(&if failed == 0 { paint.good(&verdict) } else { paint.bad(&verdict) });
        out.push('\n');
        out
    }

    fn write_json(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(self.is_good());
        out.key("vectors").begin_array();
        for (file, vector, verdict) in &self.results {
            out.begin_object();
            out.key("file").string(&file.display().to_string());
            out.key("name").string(&vector.name);
            out.key("ok").bool(verdict.mismatch.is_none());
            out.key("fuel").int(verdict.fuel_used as i64);
            if let Some(output) = &verdict.output {
                value_of(out.key("output"), output);
            }
            out.string_member("mismatch", verdict.mismatch.as_ref().map(ToString::to_string).as_deref());
            out.end_object();
        }
        out.end_array();
        out.end_object();
    }
}

/// JSON as JSON, and what is none as a text.
pub(crate) fn value_of(out: &mut Writer, text: &str) {
    match json::read(text.as_bytes()) {
        Ok(value) => out.value(&value),
        Err(_) => out.string(text),
    }
}

fn mismatch_text(mismatch: &Mismatch, paint: Paint) -> String {
    match mismatch {
        Mismatch::Failed { expected, message, .. } => {
            format!("    expected {expected}\n    {}\n", paint.bad(message))
        }
        Mismatch::Output { expected: Expect::Exact(expected), got: Some(got) } => {
            side_by_side(expected, got, false, paint)
        }
        Mismatch::Output { expected: Expect::Subset(expected), got: Some(got) } => {
            side_by_side(expected, got, true, paint)
        }
        other => format!("    {}\n", paint.bad(&other.to_string())),
    }
}

fn side_by_side(expected: &str, got: &str, subset: bool, paint: Paint) -> String {
    let (Ok(expected), Ok(got)) = (json::read(expected.as_bytes()), json::read(got.as_bytes())) else {
        return String::new();
    };
    let got = like(&expected, &got, subset);
    diff(&pretty::lines(&expected), &pretty::lines(&got), paint)
}

/// `got` with its members in the order of `expected`; of a subset, without those that were not asked for.
/// The reader bounds how deep a value is.
fn like<'v>(expected: &Value<'v>, got: &Value<'v>, subset: bool) -> Value<'v> {
    let (Value::Object(wanted), Value::Object(members)) = (expected, got) else { return got.clone() };
    let named = wanted.iter().filter_map(|want| {
        let value = got.get(&want.name)?;
        Some(Member { name: want.name.clone(), value: like(&want.value, value, subset), offset: 0 })
    });
    let others = members.iter().filter(|member| !subset && expected.get(&member.name).is_none()).cloned();
    Value::Object(named.chain(others).collect())
}

/// A vector of this input that expects this answer, as a file holds it.
pub(crate) fn vector_text(name: &str, hook: Hook, input: &Value<'_>, output: Option<&str>) -> String {
    let mut out = Writer::new();
    out.begin_object();
    out.key("name").string(name);
    out.key("hook").string(hook.as_str());
    // Without a base the patch is the input.
    out.key("patch").value(input);
    match output {
        Some(output) => {
            value_of(out.key("expect"), output);
            out.key("match").string("exact");
        }
        None => out.key("match").string("no_opinion"),
    }
    out.end_object();
    let text = out.into_string();
    json::read(text.as_bytes()).map_or_else(|_| text.clone(), |value| pretty::text(&value))
}

/// The parameters that the vectors at `paths` use, without those that are not JSON.
pub(crate) fn params_in(paths: &[PathBuf]) -> Vec<String> {
    let vectors = paths.iter().filter_map(|file| Vector::load(file).ok());
    let mut params: Vec<String> = vectors.map(|vector| vector.params).collect();
    params.sort();
    params.dedup();
    params.retain(|params| json::read(params.as_bytes()).is_ok_and(|value| written(&value) != "{}"));
    params
}

/// The vectors of a project, for those who can do without.
pub(crate) fn vectors_if_any(project: &Path) -> Vec<PathBuf> {
    vectors_of(project).and_then(|folder| vector_files(&[folder])).unwrap_or_default()
}

//! From a path to a policy.

use std::path::{Path, PathBuf};

use merge_core::json::{self, Value, Writer};
use merge_core::policy::limits;
use policy_sandbox::{Compile, Finding, Owner, Policy, Report, Sandbox, ScriptEngine, Settings};

use crate::answer::Problem;
use crate::project::Language;

/// The largest file that is read of what is not a module: a recorded live set may hold many documents.
const FILE_BYTES: u64 = 4 << 20;

/// Compiles policies as the server does.
#[derive(Debug)]
pub struct Workbench {
    sandbox: Sandbox,
}

impl Workbench {
    /// A workbench that compiles in this way, and runs scripts in this engine, where there is one.
    ///
    /// # Errors
    /// The platform is one that the engine does not know.
    pub fn new(compile: Compile, scripts: Option<ScriptEngine>) -> Result<Self, Problem> {
        let sandbox = Sandbox::new(Settings { instances: 4, compile, cache: None, scripts })
            .map_err(|error| Problem::tool(error.to_string(), "try on a 64-bit x86 or ARM machine"))?;
        Ok(Self { sandbox })
    }

    /// Everything that can be told from a file before it is compiled; of a script, what its engine says of it.
    #[must_use]
    pub fn report(&self, bytes: &[u8], owner: Owner) -> Report {
        self.sandbox.report(bytes, owner)
    }

    /// Compiles a file.
    ///
    /// # Errors
    /// Everything that an upload would find before the dry run.
    pub fn compile(&self, bytes: &[u8]) -> Result<Policy, Vec<Finding>> {
        self.sandbox.compile_as(bytes, Owner::Operator)
    }

    /// Reads and compiles the policy at `path`: a module, or the folder of a project that was built.
    ///
    /// # Errors
    /// There is none, or it is refused, with the first finding.
    pub fn load(&self, path: &Path) -> Result<Policy, Problem> {
        let (file, bytes) = module_bytes(path)?;
        self.compile(&bytes).map_err(|findings| {
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            Problem::usage(
                format!("{}: {first}", file.display()),
                format!("see everything with: tributary policy check {}", file.display()),
            )
        })
    }
}

/// The file that `path` means: itself, what a project was built to, or its script.
fn module_at(path: &Path) -> Result<PathBuf, Problem> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let script = path.join(Language::JavaScript.source());
    if script.is_file() {
        return Ok(script);
    }
    let folder = path.join("build");
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(file), true) => Ok(file),
        (None, _) => Err(Problem::usage(
            format!("{} holds no .wasm file", folder.display()),
            format!("build it first: tributary policy build {}", path.display()),
        )),
        (Some(_), false) => Err(Problem::usage(
            format!("{} holds several .wasm files", folder.display()),
            "name the one that is meant",
        )),
    }
}

/// The module that `path` means, and its bytes: a file, or the folder of a project that was built.
///
/// # Errors
/// There is none.
pub fn module_bytes(path: &Path) -> Result<(PathBuf, Vec<u8>), Problem> {
    let file = module_at(path)?;
    let bytes = read_module(&file)?;
    Ok((file, bytes))
}

/// The bytes of a module; what is far too large to be one is not read whole.
fn read_module(file: &Path) -> Result<Vec<u8>, Problem> {
    read_at_most(file, limits::MODULE_BYTES_OPERATOR as u64 + 1)
}

/// The bytes of a file that somebody named.
///
/// # Errors
/// It cannot be read, or is larger than 4 MiB.
pub fn read(file: &Path) -> Result<Vec<u8>, Problem> {
    let bytes = read_at_most(file, FILE_BYTES + 1)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(Problem::usage(
            format!("{} has more than {FILE_BYTES} bytes", file.display()),
            "give the JSON of one person",
        ));
    }
    Ok(bytes)
}

fn read_at_most(file: &Path, most: u64) -> Result<Vec<u8>, Problem> {
    use std::io::Read as _;
    let cannot = |error: std::io::Error| {
        Problem::usage(format!("{}: {error}", file.display()), "name a file that can be read")
    };
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        std::fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut bytes)).map_err(cannot)?;
    }
    Ok(bytes)
}

/// The parameters in a file, or in an argument that begins with `{`: a JSON object.
///
/// # Errors
/// It cannot be read, or is no object.
pub fn params_of(argument: &str) -> Result<String, Problem> {
    let (place, bytes) = if argument.trim_start().starts_with('{') {
        ("--params".to_owned(), argument.as_bytes().to_vec())
    } else {
        (argument.to_owned(), read(Path::new(argument))?)
    };
    match json::read(&bytes) {
        Ok(value @ Value::Object(_)) => Ok(written(&value)),
        Ok(other) => Err(Problem::usage(
            format!("{place}: the parameters are {}, not an object", other.kind()),
            "write them as {\"name\": value}",
        )),
        Err(error) => Err(not_json(&place, &error.to_string())),
    }
}

/// Something that has to be JSON and is not.
pub(crate) fn not_json(place: &str, error: &str) -> Problem {
    Problem::usage(
        format!("{place}: not JSON: {error}"),
        "write strict JSON: integers only, no member twice, UTF-8",
    )
}

/// A value without blanks.
pub(crate) fn written(value: &Value<'_>) -> String {
    let mut out = Writer::new();
    out.value(value);
    out.into_string()
}

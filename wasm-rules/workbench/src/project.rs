//! A project: what `new` makes, and `build` turns into a module.

use std::path::{Path, PathBuf};

use merge_core::json::{self, Value};

use crate::answer::Problem;

/// What a policy can be written in with the templates; any other language that makes a module does as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust, with the SDK.
    Rust,
    /// AssemblyScript, which looks like TypeScript.
    AssemblyScript,
    /// C, without a library.
    C,
    /// Zig, without a library.
    Zig,
    /// JavaScript: the policy is the script, and nothing is built.
    JavaScript,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rust, Self::AssemblyScript, Self::C, Self::Zig, Self::JavaScript];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::AssemblyScript => "assemblyscript",
            Self::C => "c",
            Self::Zig => "zig",
            Self::JavaScript => "js",
        }
    }

    /// The file that an author changes first. A project that has it is in this language.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::AssemblyScript => "assembly/policy.ts",
            Self::C => "policy.c",
            Self::Zig => "policy.zig",
            Self::JavaScript => "policy.js",
        }
    }
}

/// The manifest of projects whose language cannot lay one into the module itself.
pub(crate) const MANIFEST: &str = "policy.json";

/// A folder with a policy's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Where it is.
    pub folder: PathBuf,
    /// What it is written in.
    pub language: Language,
}

impl Project {
    /// The project in `folder`.
    ///
    /// # Errors
    /// There is none.
    pub fn open(folder: &Path) -> Result<Self, Problem> {
        let language = Language::ALL.into_iter().find(|language| folder.join(language.source()).is_file());
        match language {
            Some(language) => Ok(Self { folder: folder.to_owned(), language }),
            None => Err(Problem::usage(
                format!(
                    "{} is no project: it has none of {}",
                    folder.display(),
                    Language::ALL.map(Language::source).join(", ")
                ),
                "make one with: tributary policy new NAME",
            )),
        }
    }

    /// The manifest that `build` lays into the module, and the name in it. `None` where the source does that.
    pub(crate) fn manifest(&self) -> Result<Option<(Vec<u8>, String)>, Problem> {
        let file = self.folder.join(MANIFEST);
        if !file.is_file() {
            return Ok(None);
        }
        let wrong = |what: String| {
            Problem::usage(format!("{}: {what}", file.display()), "see section 1 of CONTRACT.md")
        };
        let bytes = crate::load::read(&file)?;
        let value = json::read(&bytes).map_err(|error| wrong(format!("not JSON: {error}")))?;
        let name = value.get("name").and_then(Value::as_str).filter(|name| is_name(name));
        let name = name.ok_or_else(|| wrong("`name` is missing or not a name".to_owned()))?;
        Ok(Some((crate::load::written(&value).into_bytes(), name.to_owned())))
    }
}

/// A name that a manifest, a folder and a package of each language can have.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

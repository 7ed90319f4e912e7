//! `tributary policy new`: a project that works as it is.
//!
//! The first policy says the same in each language: who is in a call is on the phone, with a note from the
//! parameters. One set of vectors holds for all of them.

use std::path::{Path, PathBuf};

use merge_core::json::Writer;

use crate::answer::{Answer, Paint, Problem};
use crate::project::{Language, MANIFEST, is_name};

/// A file of a template: where it goes, and what is in it. `NAME` stands for the project's name.
type File = (&'static str, &'static str);

macro_rules! sdk {
    ($($file:literal),*) => { &[$((concat!("sdk/policy-sdk/src/", $file), include_str!(concat!("../../sdk/src/", $file)))),*] };
}
macro_rules! json {
    ($($file:literal),*) => {
        &[$((concat!("sdk/merge-core/src/json/", $file), include_str!(concat!("../../../merge-core/src/json/", $file)))),*]
    };
}

/// The SDK goes along, as this release has it: a project needs no checkout, and builds the same next year.
const SDK: &[File] = sdk![
    "lib.rs",
    "guest.rs",
    "input.rs",
    "input/builtin.rs",
    "input/params.rs",
    "input/publication.rs",
    "input/surroundings.rs",
    "input/view_input.rs",
    "json.rs",
    "output.rs",
    "policy_macro.rs",
    "view.rs"
];
/// Of merge-core the SDK uses the JSON, what activities say, and the words that a policy may use.
const JSON: &[File] = json!["mod.rs", "reader.rs", "value.rs", "writer.rs"];
const RUST: &[File] = &[
    ("Cargo.toml", include_str!("../templates/rust/Cargo.toml.txt")),
    (".cargo/config.toml", include_str!("../templates/rust/config.toml")),
    ("src/lib.rs", include_str!("../templates/rust/lib.rs")),
    ("sdk/policy-sdk/Cargo.toml", include_str!("../templates/rust/sdk.toml")),
    ("sdk/merge-core/Cargo.toml", include_str!("../templates/rust/merge-core.toml")),
    ("sdk/merge-core/src/lib.rs", include_str!("../templates/rust/merge-core.rs")),
    ("sdk/merge-core/src/activity.rs", include_str!("../../../merge-core/src/activity.rs")),
    ("sdk/merge-core/src/order.rs", include_str!("../../../merge-core/src/order.rs")),
    ("sdk/merge-core/src/tokens.rs", include_str!("../../../merge-core/src/tokens.rs")),
];
const ASSEMBLY_SCRIPT: &[File] = &[
    ("package.json", include_str!("../templates/assemblyscript/package.json")),
    ("assembly/policy.ts", include_str!("../templates/assemblyscript/policy.ts")),
    ("assembly/json.ts", include_str!("../../policies/shift-roster/assembly/json.ts")),
    ("assembly/tsconfig.json", include_str!("../../policies/shift-roster/assembly/tsconfig.json")),
];
const C: &[File] = &[
    ("policy.c", include_str!("../templates/c/policy.c")),
    ("presence.h", include_str!("../templates/c/presence.h")),
];
const ZIG: &[File] = &[
    ("policy.zig", include_str!("../templates/zig/policy.zig")),
    ("presence.zig", include_str!("../templates/zig/presence.zig")),
];
const JAVA_SCRIPT: &[File] = &[("policy.js", include_str!("../templates/javascript/policy.js"))];
const VECTORS: &[File] = &[
    ("inputs/in-a-call.json", include_str!("../../policies/inputs/in-a-call.json")),
    ("vectors/call-is-up.json", include_str!("../templates/vectors/call-is-up.json")),
    ("vectors/note-of-the-parameters.json", include_str!("../templates/vectors/note-of-the-parameters.json")),
    ("vectors/nobody-in-a-call.json", include_str!("../templates/vectors/nobody-in-a-call.json")),
];
const README: &str = include_str!("../templates/README.txt");
const IGNORED: &str = "/build\n/target\n/node_modules\n";

impl Language {
    fn files(self) -> Vec<File> {
        match self {
            Self::Rust => [RUST, SDK, JSON].concat(),
            Self::AssemblyScript => ASSEMBLY_SCRIPT.to_vec(),
            Self::C => C.to_vec(),
            Self::Zig => ZIG.to_vec(),
            Self::JavaScript => JAVA_SCRIPT.to_vec(),
        }
    }

    /// How an author begins, as the README says it.
    const fn first_step(self) -> &'static str {
        match self {
            Self::JavaScript => "tributary policy check        # the script is the policy: nothing is built",
            _ => "tributary policy build        # into build/NAME.wasm, checked",
        }
    }

    /// What has to be on the machine.
    const fn needs(self) -> &'static str {
        match self {
            Self::Rust => "Rust, with `rustup target add wasm32-unknown-unknown`",
            Self::AssemblyScript => "Node 20 or later with npm",
            Self::C => "clang with wasm-ld, or Zig (`pip install ziglang`)",
            Self::Zig => "Zig (`pip install ziglang`, or your system's package)",
            Self::JavaScript => "nothing else",
        }
    }
}

/// A project that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where.
    pub folder: PathBuf,
    /// In what.
    pub language: Language,
}

/// Makes the project `name` in `folder`, which must not hold anything yet.
///
/// # Errors
/// The name is none, the folder holds something, or it cannot be written.
pub fn new(folder: &Path, name: &str, language: Language) -> Result<Made, Problem> {
    if !is_name(name) {
        return Err(Problem::usage(
            format!("{name} is not a name"),
            "begin with a lower-case letter; lower-case letters, digits and `-` may follow, at most 64",
        ));
    }
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Problem::usage(
            format!("{} is there already and is not empty", folder.display()),
            "take another name, or another folder with --folder",
        ));
    }
    let readme = README
        .replace("FIRST", language.first_step())
        .replace("SOURCE", language.source())
        .replace("NEEDS", language.needs());
    let manifest = manifest(name);
    let mut files: Vec<(&str, &str)> = [language.files(), VECTORS.to_vec()].concat();
    files.push(("README.md", &readme));
    files.push((".gitignore", IGNORED));
    // The SDK's macro lays the manifest in; a script exports it.
    if !matches!(language, Language::Rust | Language::JavaScript) {
        files.push((MANIFEST, &manifest));
    }
    for (place, text) in files {
        let file = folder.join(place);
        let above = file.parent().unwrap_or(folder);
        std::fs::create_dir_all(above)
            .and_then(|()| std::fs::write(&file, named(place, text, name)))
            .map_err(|error| Problem::usage(format!("{}: {error}", file.display()), "name another folder"))?;
    }
    Ok(Made { folder: folder.to_owned(), language })
}

/// The SDK goes along as it is; the rest is the project's own.
fn named(place: &str, text: &str, name: &str) -> String {
    if place.starts_with("sdk/") { text.to_owned() } else { text.replace("NAME", name) }
}

fn manifest(name: &str) -> String {
    let text = include_str!("../templates/policy.json");
    text.replace("NAME", name)
}

impl Answer for Made {
    fn is_good(&self) -> bool {
        true
    }

    fn text(&self, paint: Paint) -> String {
        let (folder, lang, needs) = (self.folder.display(), self.language.as_str(), self.language.needs());
        let step = if self.language == Language::JavaScript { "check" } else { "build" };
        format!(
            "{folder} is there, in {lang}; it needs {needs}. Next:\n  tributary policy {step} {folder}\n  \
             tributary policy test {folder}\n{}\n",
            paint.dim(&format!("change {folder}/{} and do both again", self.language.source()))
        )
    }

    fn write_json(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(true);
        out.key("folder").string(&self.folder.display().to_string());
        out.key("lang").string(self.language.as_str());
        out.key("source").string(self.language.source());
        out.end_object();
    }
}

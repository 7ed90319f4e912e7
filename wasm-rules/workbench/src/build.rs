//! `tributary policy build`: the language's own compiler, with what the contract asks of it, and the manifest.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use merge_core::json::{self, Value};
use merge_core::policy::limits;
use policy_check::MANIFEST_SECTION;
use policy_sandbox::Owner;

use crate::answer::Problem;
use crate::check::{Checked, check};
use crate::load::Workbench;
use crate::project::{Language, Project};

/// A stack of 32 KiB: the host clears what an instance touched after each call.
const STACK_BYTES: usize = 32 * 1024;
/// The largest memory that the contract allows, which a module has to declare.
const MEMORY_BYTES: usize = limits::MEMORY_PAGES as usize * limits::PAGE_BYTES;
/// The features of the contract, as LLVM names them, and the processor that has no others.
const LLVM_FEATURES: &str = "mvp+mutable_globals+sign_ext+nontrapping_fptoint+multivalue+bulk_memory";
const CLANG_FEATURES: [&str; 5] =
    ["-mmutable-globals", "-msign-ext", "-mnontrapping-fptoint", "-mmultivalue", "-mbulk-memory"];

/// Builds the project in `folder` into `build/NAME.wasm` and checks the module.
///
/// # Errors
/// There is no project, or its compiler is missing or failed; what that said went to standard error.
pub fn build(workbench: &Workbench, folder: &Path) -> Result<Checked, Problem> {
    if folder.is_file() {
        return Err(Problem::usage(
            format!("{} is a file, and a project is built", folder.display()),
            format!(
                "a script and a module are ready as they are: tributary policy check {}",
                folder.display()
            ),
        ));
    }
    let project = Project::open(folder)?;
    if project.language == Language::JavaScript {
        return check(workbench, &folder.join(Language::JavaScript.source()), Owner::Tenant);
    }
    let out = folder.join("build");
    std::fs::create_dir_all(&out)
        .map_err(|error| Problem::usage(format!("{}: {error}", out.display()), "see who may write there"))?;
    // An absolute path, since compilers run inside the folder.
    let out = out
        .canonicalize()
        .map_err(|error| Problem::usage(format!("{}: {error}", out.display()), "see who may read there"))?;
    let manifest = project.manifest()?;
    let (built, name) = match project.language {
        Language::Rust => cargo(&project)?,
        language => {
            let Some((_, name)) = &manifest else {
                return Err(Problem::usage(
                    format!("{} has no policy.json", folder.display()),
                    "write at least {\"name\": \"...\", \"summary\": \"...\"}",
                ));
            };
            let built = out.join(format!("{name}.wasm"));
            match language {
                Language::C => c(&project, &built)?,
                Language::Zig => zig(&project, &built)?,
                Language::AssemblyScript | Language::Rust | Language::JavaScript => {
                    assembly_script(&project, &built)?;
                }
            }
            (built, name.clone())
        }
    };
    let unreadable =
        |error: std::io::Error| Problem::tool(format!("{}: {error}", built.display()), "build again");
    let mut module = std::fs::read(&built).map_err(unreadable)?;
    if let Some((manifest, _)) = &manifest {
        lay_in(&mut module, manifest);
    }
    let file = out.join(format!("{name}.wasm"));
    std::fs::write(&file, &module)
        .map_err(|error| Problem::usage(format!("{}: {error}", file.display()), "see who may write there"))?;
    check(workbench, &folder.join("build").join(format!("{name}.wasm")), Owner::Tenant)
}

/// Cargo says where it put the module.
fn cargo(project: &Project) -> Result<(PathBuf, String), Problem> {
    let mut command = tool("cargo");
    command.args(["build", "--release", "--target", "wasm32-unknown-unknown"]);
    command.arg("--message-format=json-render-diagnostics");
    // The project's own settings, not those of a build that this one may be part of.
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    let fix = "install Rust (https://rustup.rs), and: rustup target add wasm32-unknown-unknown";
    let said = done(command, project, fix)?;
    let built = said.lines().filter_map(artifact).next_back();
    let file =
        built.ok_or_else(|| Problem::tool("cargo built no module", "set crate-type = [\"cdylib\"]"))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
    Ok((file, name))
}

/// The module in one of cargo's messages.
fn artifact(line: &str) -> Option<PathBuf> {
    let value = json::read(line.as_bytes()).ok()?;
    let files = value.get("filenames")?.as_array()?;
    files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

fn assembly_script(project: &Project, out: &Path) -> Result<(), Problem> {
    let fix = "install Node 20 or later with npm (https://nodejs.org)";
    if !project.folder.join("node_modules/assemblyscript").is_dir() {
        let mut command = tool("npm");
        command.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
        done(command, project, fix)?;
    }
    let mut command = tool("node");
    command.args(["node_modules/assemblyscript/bin/asc.js", Language::AssemblyScript.source(), "--outFile"]);
    command.arg(out);
    command.args(["--runtime", "stub", "--optimizeLevel", "2", "--shrinkLevel", "2", "--converge"]);
    command.args(["--maximumMemory", &limits::MEMORY_PAGES.to_string(), "--disable", "bulk-memory"]);
    done(command, project, fix).map(drop)
}

fn c(project: &Project, out: &Path) -> Result<(), Problem> {
    let fix = "install clang and lld, or Zig, which holds a C compiler: pip install ziglang";
    let link = |command: &mut Command| {
        command.args([
            "-Os",
            "-nostdlib",
            "-Wall",
            "-Wno-unused-function",
            "-Wl,--no-entry",
            "-Wl,--strip-all",
        ]);
        command.arg(format!("-Wl,-z,stack-size={STACK_BYTES}"));
        command.arg(format!("-Wl,--max-memory={MEMORY_BYTES}"));
        command.arg("-o").arg(out).arg(Language::C.source());
    };
    if on_path("clang") && on_path("wasm-ld") {
        let mut command = tool("clang");
        command.args(["--target=wasm32", "-mcpu=mvp"]).args(CLANG_FEATURES);
        link(&mut command);
        return done(command, project, fix).map(drop);
    }
    let mut command = zig_command().ok_or_else(|| Problem::tool("there is no C compiler for wasm", fix))?;
    command.args(["cc", "-target", "wasm32-freestanding"]).arg(format!("-mcpu={LLVM_FEATURES}"));
    link(&mut command);
    done(command, project, fix).map(drop)
}

fn zig(project: &Project, out: &Path) -> Result<(), Problem> {
    let fix = "install Zig: pip install ziglang, or your system's package";
    let mut command = zig_command().ok_or_else(|| Problem::tool("there is no Zig", fix))?;
    command.args(["build-exe", Language::Zig.source(), "-target", "wasm32-freestanding"]);
    command.arg(format!("-mcpu={LLVM_FEATURES}"));
    command.args(["-O", "ReleaseSmall", "-fno-entry", "-rdynamic", "-fstrip"]);
    command.args(["--stack", &STACK_BYTES.to_string()]).arg(format!("--max-memory={MEMORY_BYTES}"));
    let mut emit = OsString::from("-femit-bin=");
    emit.push(out);
    command.arg(emit);
    done(command, project, fix).map(drop)
}

/// Zig itself, or the one that Python's package brings.
fn zig_command() -> Option<Command> {
    if on_path("zig") {
        return Some(tool("zig"));
    }
    let mut python = tool("python3");
    let there =
        python.args(["-m", "ziglang", "version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    there.is_ok_and(|status| status.success()).then(|| {
        let mut command = tool("python3");
        command.args(["-m", "ziglang"]);
        command
    })
}

fn tool(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    command
}

fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Runs a tool inside the project to its end; what it says to people goes to standard error. What it wrote
/// to standard output.
fn done(mut command: Command, project: &Project, fix: &str) -> Result<String, Problem> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .current_dir(&project.folder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Problem::tool(format!("{name} does not start: {error}"), fix))?;
    if !output.status.success() {
        return Err(Problem::tool(format!("{name} failed ({})", output.status), "see what it says above"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Adds the manifest to a module, as a custom section at its end.
fn lay_in(module: &mut Vec<u8>, manifest: &[u8]) {
    let name = MANIFEST_SECTION.as_bytes();
    let mut body = Vec::with_capacity(manifest.len() + name.len() + 1);
    leb128(&mut body, name.len());
    body.extend_from_slice(name);
    body.extend_from_slice(manifest);
    module.push(0);
    leb128(module, body.len());
    module.extend_from_slice(&body);
}

/// An unsigned number, seven bits a byte.
fn leb128(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_that_was_laid_in_is_the_one_that_a_check_reads() {
        let manifest = format!(r#"{{"name":"laid-in","summary":"{}"}}"#, "x".repeat(300));
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        lay_in(&mut module, manifest.as_bytes());
        let report = policy_check::check(&module);
        let read = report.manifest.unwrap();
        assert_eq!((read.name.as_str(), read.summary.map(|text| text.len())), ("laid-in", Some(300)));
    }

    #[test]
    fn cargos_message_of_a_module_is_found_among_others() {
        let line =
            r#"{"reason":"compiler-artifact","filenames":["/a/libx.rlib","/a/x_y.wasm"],"fresh":true}"#;
        assert_eq!(artifact(line), Some(PathBuf::from("/a/x_y.wasm")));
        for other in
            [r#"{"reason":"build-finished","success":true}"#, "no json", r#"{"filenames":["/a/x.rlib"]}"#]
        {
            assert_eq!(artifact(other), None);
        }
    }
}

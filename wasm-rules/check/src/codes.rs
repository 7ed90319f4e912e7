//! The error codes of the contract: one table, which `CONTRACT.md` repeats and a test compares.

/// One error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `E101` and so on. A code is never given a second meaning.
    pub code: &'static str,
    /// What went wrong, in a few words.
    pub meaning: &'static str,
    /// When it can be found.
    pub phase: Phase,
}

/// When an error can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// By reading the file, as this crate does.
    Static,
    /// When it is uploaded or assigned: by who brings it, not by what is in it.
    Upload,
    /// By compiling it.
    Compile,
    /// By running it: in the dry run at upload, and in every call after that.
    Run,
}

impl Phase {
    /// The word for it in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "file",
            Self::Upload => "upload",
            Self::Compile => "compile",
            Self::Run => "run",
        }
    }
}

const fn code(code: &'static str, phase: Phase, meaning: &'static str) -> Code {
    Code { code, meaning, phase }
}

/// All codes, in the order of the contract.
pub const CODES: &[Code] = &[
    code("E101", Phase::Static, "not a WebAssembly module, or not a valid one"),
    code("E102", Phase::Static, "a component, not a core module"),
    code("E103", Phase::Static, "the file is too large"),
    code("E110", Phase::Static, "a WebAssembly feature that policies may not use"),
    code("E120", Phase::Static, "an import that is not available"),
    code("E130", Phase::Static, "an export is missing"),
    code("E131", Phase::Static, "an export has the wrong type"),
    code("E132", Phase::Static, "the version marker is missing"),
    code("E133", Phase::Static, "the memory has no maximum"),
    code("E140", Phase::Static, "too many tables, or too many elements"),
    code("E141", Phase::Static, "a function has too many locals"),
    code("E142", Phase::Static, "a function's body is too large"),
    code("E143", Phase::Static, "blocks nested too deep, or a br_table too long"),
    code("E144", Phase::Static, "too many functions"),
    code("E145", Phase::Static, "too many globals"),
    code("E146", Phase::Static, "too many data segments"),
    code("E147", Phase::Static, "too many types"),
    code("E148", Phase::Static, "too many imports or exports"),
    code("E149", Phase::Static, "the memory is larger than allowed, or there is more than one"),
    code("E150", Phase::Compile, "compiling exceeded its limits, or the compiler refused the module"),
    code("E160", Phase::Static, "the manifest cannot be used"),
    code("E170", Phase::Upload, "a signature is asked for, and there is none"),
    code("E171", Phase::Upload, "the signature is not one of this file by a key that is trusted"),
    code("E180", Phase::Compile, "the script cannot be used"),
    code("E190", Phase::Upload, "the tenant keeps as many policies as it may"),
    code("E191", Phase::Upload, "the tenant's policies would have more bytes together than they may"),
    code("E192", Phase::Upload, "the tenant has uploaded as much within an hour as it may"),
    code("E193", Phase::Upload, "the tenant has as many assignments as it may"),
    code("E200", Phase::Run, "the input is larger than a policy is given (not the policy's fault)"),
    code("E201", Phase::Run, "the policy trapped or aborted"),
    code("E202", Phase::Run, "the output is not JSON"),
    code("E203", Phase::Run, "the output names an etag or tuple that is not in the input"),
    code("E204", Phase::Run, "the policy ran out of fuel"),
    code("E205", Phase::Run, "two runs with one input gave different outputs"),
    code("E206", Phase::Run, "an output member that the host does not know"),
    code("E207", Phase::Run, "a value out of its range or grammar"),
    code("E208", Phase::Run, "a pointer or length that lies: refused, outside the memory, or too long"),
    code("E209", Phase::Run, "the policy answered with an error of its own"),
    code("E210", Phase::Upload, "a vector that came with the upload does not hold"),
    code("E211", Phase::Upload, "it fails on an input that was captured in the scope that it is meant for"),
    code("E212", Phase::Static, "the policy needs a newer input than this host writes"),
];

/// The row of a code.
#[must_use]
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|row| row.code == code)
}

//! The modules that the engine for scripts becomes. Sections are written anew, left out or kept as they are; what its
//! functions do is not touched.

use merge_core::policy::limits;
use wasmparser::{Parser, Payload};

use crate::manifest::SECTION;
use crate::report::{Finding, Hooks};

/// Zero bytes between two data segments that make them two: a segment's head takes about ten.
pub(super) const GAP: usize = 32;
/// Sections by number.
const CUSTOM: u8 = 0;
const MEMORY: u8 = 5;
const EXPORT: u8 = 7;
const DATA: u8 = 11;
/// A memory among imports and exports.
const MEMORY_KIND: u8 = 2;
/// What the memory is exported as.
const MEMORY_NAME: &str = "memory";

/// The engine in two modules, its functions and its memory, so that scripts differ in the smaller one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitEngine {
    /// All of the engine but its memory, which it imports as [`MEMORY`](Self::MEMORY).
    pub code: Vec<u8>,
    /// The engine's memory as it begins, exported under the same name.
    pub memory: Vec<u8>,
    most_pages: usize,
}

impl SplitEngine {
    /// The module and the name of what the code imports and the memory exports.
    pub const MEMORY: (&str, &str) = ("engine", MEMORY_NAME);

    /// Divides the engine in this file.
    ///
    /// # Errors
    /// That is no engine (E180).
    pub fn new(engine: &[u8]) -> Result<Self, Finding> {
        Self::divide(engine).ok_or_else(super::damaged)
    }

    fn divide(engine: &[u8]) -> Option<Self> {
        let (mut pages, mut data) = (None, None);
        for payload in Parser::new(0).parse_all(engine) {
            match payload.ok()? {
                Payload::MemorySection(memories) => {
                    let memory = memories.into_iter().next()?.ok()?;
                    pages =
                        Some((usize::try_from(memory.initial).ok()?, usize::try_from(memory.maximum?).ok()?));
                }
                payload @ Payload::DataSection(_) => data = Some(body(engine, &payload)?),
                _ => {}
            }
        }
        let (pages, most_pages) = pages?;
        let code = rewritten(engine, |payload| {
            Some(match payload {
                Payload::ImportSection(imports) => {
                    let (count, rest) = (imports.count(), body(engine, payload)?);
                    // The number before them, seven bits a byte.
                    let digits = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
                    let mut body = Vec::new();
                    leb128(&mut body, usize::try_from(count).ok()? + 1);
                    body.extend_from_slice(rest.get(digits..)?);
                    name(&mut body, Self::MEMORY.0);
                    name(&mut body, Self::MEMORY.1);
                    body.push(MEMORY_KIND);
                    memory_type(&mut body, pages, most_pages);
                    Section::Written(body)
                }
                Payload::MemorySection(_) | Payload::DataSection(_) => Section::LeftOut,
                _ => Section::Kept,
            })
        })?;
        Some(Self { code, memory: alone(pages, most_pages, data?), most_pages })
    }

    /// The module whose memory is this from the start.
    #[must_use]
    pub fn with_memory(&self, memory: &[u8]) -> Vec<u8> {
        alone(memory.len() / limits::PAGE_BYTES, self.most_pages, &segments(memory))
    }
}

/// The engine with this memory, this manifest, and of its exports those that a policy has.
pub(super) fn whole(engine: &[u8], memory: &[u8], hooks: Hooks, manifest: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut out = rewritten(engine, |payload| {
        Some(match payload {
            Payload::MemorySection(memories) => {
                let most_pages = memories.clone().into_iter().next()?.ok()?.maximum?;
                let mut body = vec![1];
                memory_type(&mut body, memory.len() / limits::PAGE_BYTES, usize::try_from(most_pages).ok()?);
                Section::Written(body)
            }
            Payload::ExportSection(exports) => {
                let exports: Vec<_> = exports.clone().into_iter().collect::<Result<_, _>>().ok()?;
                let kept = exports.iter().filter(|export| of_a_policy(export.name, hooks));
                let mut body = Vec::new();
                leb128(&mut body, kept.clone().count());
                for export in kept {
                    name(&mut body, export.name);
                    // A function or the memory.
                    body.push(if export.name == MEMORY_NAME { MEMORY_KIND } else { 0 });
                    leb128(&mut body, usize::try_from(export.index).ok()?);
                }
                Section::Written(body)
            }
            Payload::DataSection(_) => Section::Written(segments(memory)),
            _ => Section::Kept,
        })
    })?;
    if let Some(manifest) = manifest {
        let mut body = Vec::with_capacity(manifest.len() + SECTION.len() + 1);
        name(&mut body, SECTION);
        body.extend_from_slice(manifest);
        section(&mut out, CUSTOM, &body);
    }
    Some(out)
}

/// What initialises the engine, and what reads scripts, has done its work.
fn of_a_policy(export: &str, hooks: Hooks) -> bool {
    matches!(export, MEMORY_NAME | "presence_policy_abi_1" | "pp_alloc") || hooks.names().contains(&export)
}

/// What becomes of a section.
enum Section {
    Kept,
    LeftOut,
    /// With this body.
    Written(Vec<u8>),
}

/// The engine with sections changed. Those that say nothing to who runs it are left out: custom ones, and the number of
/// data segments, which only instructions that it does not have look at.
fn rewritten(engine: &[u8], change: impl Fn(&Payload<'_>) -> Option<Section>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(2 * engine.len());
    out.extend_from_slice(engine.get(..8)?);
    for payload in Parser::new(0).parse_all(engine) {
        let payload = payload.ok()?;
        let Some((id, _)) = payload.as_section() else { continue };
        if matches!(payload, Payload::CustomSection(_) | Payload::DataCountSection { .. }) {
            continue;
        }
        match change(&payload)? {
            Section::Kept => section(&mut out, id, body(engine, &payload)?),
            Section::Written(body) => section(&mut out, id, &body),
            Section::LeftOut => {}
        }
    }
    Some(out)
}

/// A section of the engine as it stands in the file.
fn body<'e>(engine: &'e [u8], payload: &Payload<'_>) -> Option<&'e [u8]> {
    let (_, range) = payload.as_section()?;
    engine.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// A module that is a memory and nothing else.
fn alone(pages: usize, most_pages: usize, data: &[u8]) -> Vec<u8> {
    let mut out = b"\0asm\x01\0\0\0".to_vec();
    let mut memory = vec![1];
    memory_type(&mut memory, pages, most_pages);
    section(&mut out, MEMORY, &memory);
    let mut export = vec![1];
    name(&mut export, MEMORY_NAME);
    export.extend_from_slice(&[MEMORY_KIND, 0]);
    section(&mut out, EXPORT, &export);
    section(&mut out, DATA, data);
    out
}

fn section(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    out.push(id);
    leb128(out, body.len());
    out.extend_from_slice(body);
}

fn name(out: &mut Vec<u8>, name: &str) {
    leb128(out, name.len());
    out.extend_from_slice(name.as_bytes());
}

/// A memory with a first and a last size.
fn memory_type(out: &mut Vec<u8>, pages: usize, most_pages: usize) {
    out.push(1);
    leb128(out, pages);
    leb128(out, most_pages);
}

/// What is not zero in the memory, as the body of a data section.
fn segments(memory: &[u8]) -> Vec<u8> {
    let mut found: Vec<(usize, &[u8])> = Vec::new();
    let mut at = 0;
    while let Some(start) = memory.iter().skip(at).position(|byte| *byte != 0).map(|skipped| at + skipped) {
        let rest = memory.get(start..).unwrap_or_default();
        let end = rest.windows(GAP).position(|gap| gap.iter().all(|byte| *byte == 0));
        let length =
            end.unwrap_or_else(|| rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        found.push((start, rest.get(..length).unwrap_or_default()));
        at = start + length.max(1);
    }
    let mut body = Vec::new();
    leb128(&mut body, found.len());
    for (start, bytes) in found {
        // Active, in memory 0, at a constant.
        body.extend_from_slice(&[0, 0x41]);
        signed_leb128(&mut body, start);
        body.push(0x0b);
        leb128(&mut body, bytes.len());
        body.extend_from_slice(bytes);
    }
    body
}

/// An unsigned number, seven bits a byte.
fn leb128(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The same for a signed place, whose last byte must leave the sign bit clear.
fn signed_leb128(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x3f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

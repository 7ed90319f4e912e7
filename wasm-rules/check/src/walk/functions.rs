//! What single functions hold: size, locals, nesting, jump tables and instructions outside the closed feature set.

use std::collections::BTreeMap;

use merge_core::policy::limits;
use wasmparser::{FunctionBody, KnownCustom, Name, Operator, Parser, Payload};

use super::{FunctionToValidate, Pending, REBUILD, Walk};
use crate::features::{Forbidden, forbidden_operator, missing_feature};
use crate::report::Finding;
use crate::text::short_name;

impl<'a> Walk<'a, '_> {
    /// Looks at the next function.
    pub(super) fn function(&mut self, body: &FunctionBody<'a>, pending: Pending) {
        let index = self.imported_functions + self.bodies;
        self.bodies += 1;
        let start = body.range().start;

        let size = body.as_bytes().len();
        if size > limits::BODY_BYTES {
            self.in_function(index, start, "E142", "body", || {
                (
                    format!("the body has {size} bytes, allowed are {}", limits::BODY_BYTES),
                    "split the function, or build for size (`opt-level = \"s\"`, `-Os`)".into(),
                )
            });
        }

        let parameters = self.facts.function_type(index).map_or(0, |ty| ty.params().len()) as u64;
        let locals = body.get_locals_reader().map_or(0, |reader| {
            reader.into_iter().map_while(Result::ok).map(|(count, _)| u64::from(count)).sum::<u64>()
        }) + parameters;
        if locals > limits::LOCALS {
            self.in_function(index, start, "E141", "locals", || {
                (
                    format!("{locals} locals, allowed are {}", limits::LOCALS),
                    "split the function; large arrays belong in memory".into(),
                )
            });
        }

        let named_feature = self.instructions(index, body);

        let check =
            |function: FunctionToValidate| function.into_validator(Default::default()).validate(body).err();
        let refused = match pending.ours.map(check) {
            Some(None) => return,
            Some(Some(error)) => Some(error),
            None => None,
        };
        if let Some(error) = pending.lax.and_then(check) {
            let message = error.message().to_owned();
            self.in_function(index, error.offset(), "E101", "invalid", || (message, REBUILD.into()));
        } else if let Some(error) = refused
            && !named_feature
        {
            let feature = missing_feature(&error);
            let message = error.message().to_owned();
            self.in_function(index, error.offset(), "E110", feature.name, || {
                (format!("{}: {message}", feature.name), feature.fix.into())
            });
        }
    }

    /// Nesting, jump tables and forbidden instructions. True when a forbidden feature was named.
    fn instructions(&mut self, index: u32, body: &FunctionBody<'a>) -> bool {
        let Ok(reader) = body.get_operators_reader() else { return false };
        let (mut depth, mut deepest) = (0_u64, (0_u64, 0_u64));
        let mut longest = (0_u64, 0_u64);
        let mut features: Vec<(Forbidden, u64)> = Vec::new();
        for (operator, offset) in reader.into_iter_with_offsets().map_while(Result::ok) {
            match &operator {
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::Try { .. }
                | Operator::TryTable { .. } => {
                    depth += 1;
                    if depth > deepest.0 {
                        deepest = (depth, offset);
                    }
                }
                Operator::End => depth = depth.saturating_sub(1),
                Operator::BrTable { targets } => {
                    let length = u64::from(targets.len()) + 1;
                    if length > longest.0 {
                        longest = (length, offset);
                    }
                }
                _ => {}
            }
            if let Some(feature) = forbidden_operator(&operator)
                && features.iter().all(|(known, _)| known.name != feature.name)
            {
                features.push((feature, offset));
            }
        }
        if deepest.0 > limits::NESTING {
            self.in_function(index, deepest.1, "E143", "nesting", || {
                (
                    format!("blocks are nested {} deep, allowed are {}", deepest.0, limits::NESTING),
                    "split the function, or turn nested conditions into early returns".into(),
                )
            });
        }
        if longest.0 > limits::BR_TABLE {
            self.in_function(index, longest.1, "E143", "br_table", || {
                (
                    format!("a br_table with {} targets, allowed are {}", longest.0, limits::BR_TABLE),
                    "split the match, or use a table in memory".into(),
                )
            });
        }
        for (feature, offset) in &features {
            self.in_function(index, *offset, "E110", feature.name, || {
                (format!("{} is not available to policies", feature.name), feature.fix.into())
            });
        }
        !features.is_empty()
    }

    /// Reports a mistake in a function.
    fn in_function(
        &mut self,
        index: u32,
        offset: u64,
        code: &'static str,
        kind: &'static str,
        text: impl FnOnce() -> (String, String),
    ) {
        let names = &self.names;
        self.errors.push_kind(code, kind, || {
            let name = names.get(&index).map_or_else(String::new, |name| format!(" ({})", short_name(name)));
            let (message, fix) = text();
            Finding::new(code, format!("function {index}{name}, offset {offset:#x}"), message, fix)
        });
    }
}

/// Names of functions, for places; a file without them still gets indices.
pub(super) fn function_names(bytes: &[u8]) -> BTreeMap<u32, &str> {
    let mut names = BTreeMap::new();
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        let Payload::CustomSection(custom) = payload else { continue };
        let KnownCustom::Name(sections) = custom.as_known() else { continue };
        for section in sections.map_while(Result::ok) {
            if let Name::Function(map) = section {
                names.extend(map.into_iter().map_while(Result::ok).map(|naming| (naming.index, naming.name)));
            }
        }
    }
    names
}

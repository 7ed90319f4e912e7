//! One walk over a module's sections: what is in it, and everything that is too much.
//!
//! Nothing here compiles. Counts are compared with the limits table, each function is looked at
//! for size, locals, nesting and instructions outside the closed feature set, and the parser's own
//! validator runs beside the walk, twice: with our feature set, and with every feature there is.
//! What only the first refuses is a forbidden feature (E110); what both refuse is broken (E101).

mod functions;

use std::collections::BTreeMap;

use merge_core::policy::limits;
use wasmparser::{
    CompositeInnerType, ElementItems, ExternalKind, FuncType, MemoryType, Parser, Payload, TypeRef,
    ValidPayload, Validator, WasmFeatures,
};

use self::functions::function_names;
use crate::features::{FEATURES, Forbidden, missing_feature};
use crate::report::{Finding, Findings};

/// What the later steps need to know about a module.
#[derive(Default)]
pub(crate) struct Facts<'a> {
    pub(crate) types: Vec<Option<FuncType>>,
    pub(crate) function_types: Vec<u32>,
    pub(crate) imports: Vec<Imported<'a>>,
    pub(crate) exports: Vec<(&'a str, ExternalKind, u32)>,
    /// Memories the module defines, imported ones not counted.
    pub(crate) memories: Vec<MemoryType>,
    /// The manifest's custom sections, with their offsets.
    pub(crate) manifests: Vec<(&'a [u8], u64)>,
}

pub(crate) struct Imported<'a> {
    pub(crate) module: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: TypeRef,
}

impl Facts<'_> {
    /// The type of a function by its index, imported functions first.
    pub(crate) fn function_type(&self, index: u32) -> Option<&FuncType> {
        let type_index = *self.function_types.get(index as usize)?;
        self.types.get(type_index as usize)?.as_ref()
    }
}

/// Walks the module. Everything wrong goes to `errors`; the facts hold what could be read.
pub(crate) fn walk<'a>(bytes: &'a [u8], errors: &mut Findings) -> Facts<'a> {
    let mut walk = Walk {
        facts: Facts::default(),
        errors,
        ours: Some(Validator::new_with_features(FEATURES)),
        lax: Some(Validator::new_with_features(WasmFeatures::all())),
        names: function_names(bytes),
        imported_functions: 0,
        bodies: 0,
        elements: 0,
    };
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(payload) => {
                let function = walk.validate(&payload);
                walk.section(&payload, function);
            }
            Err(error) => {
                walk.broken("file", error.message(), error.offset());
                break;
            }
        }
    }
    walk.facts
}

struct Walk<'a, 'e> {
    facts: Facts<'a>,
    errors: &'e mut Findings,
    /// With our features; gone once a section was refused, since later ones build on it.
    ours: Option<Validator>,
    /// With all features; gone once the file proved to be broken.
    lax: Option<Validator>,
    names: BTreeMap<u32, &'a str>,
    imported_functions: u32,
    bodies: u32,
    elements: u64,
}

type FunctionToValidate = wasmparser::FuncToValidate<wasmparser::ValidatorResources>;

/// The same function as each validator sees it.
#[derive(Default)]
struct Pending {
    ours: Option<FunctionToValidate>,
    lax: Option<FunctionToValidate>,
}

impl<'a> Walk<'a, '_> {
    fn validate(&mut self, payload: &Payload<'a>) -> Pending {
        let mut pending = Pending::default();
        if let Some(validator) = &mut self.lax {
            match validator.payload(payload) {
                Ok(ValidPayload::Func(function, _)) => pending.lax = Some(function),
                Ok(_) => {}
                Err(error) => {
                    self.lax = None;
                    self.ours = None;
                    self.broken(section_name(payload), error.message(), error.offset());
                    return pending;
                }
            }
        }
        if let Some(validator) = &mut self.ours {
            match validator.payload(payload) {
                Ok(ValidPayload::Func(function, _)) => pending.ours = Some(function),
                Ok(_) => {}
                Err(error) => {
                    self.ours = None;
                    let place = format!("{}, offset {:#x}", section_name(payload), error.offset());
                    self.forbidden(place, missing_feature(&error), error.message());
                }
            }
        }
        pending
    }

    fn section(&mut self, payload: &Payload<'a>, function: Pending) {
        match payload {
            Payload::TypeSection(types) => {
                for group in types.clone().into_iter().map_while(Result::ok) {
                    for sub_type in group.types() {
                        self.facts.types.push(match &sub_type.composite_type.inner {
                            CompositeInnerType::Func(function) => Some(function.clone()),
                            _ => None,
                        });
                    }
                }
                self.count("E147", "type section", "types", self.facts.types.len() as u64, limits::TYPES);
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports().map_while(Result::ok) {
                    if let TypeRef::Func(index) | TypeRef::FuncExact(index) = import.ty {
                        self.facts.function_types.push(index);
                        self.imported_functions += 1;
                    }
                    self.facts.imports.push(Imported {
                        module: import.module,
                        name: import.name,
                        kind: import.ty,
                    });
                }
                let count = self.facts.imports.len() as u64;
                self.count("E148", "import section", "imports", count, limits::IMPORTS);
            }
            Payload::FunctionSection(functions) => {
                self.count(
                    "E144",
                    "function section",
                    "functions",
                    u64::from(functions.count()),
                    limits::FUNCTIONS,
                );
                self.facts.function_types.extend(functions.clone().into_iter().map_while(Result::ok));
            }
            Payload::TableSection(tables) => {
                self.count("E140", "table section", "tables", u64::from(tables.count()), limits::TABLES);
                for table in tables.clone().into_iter().map_while(Result::ok) {
                    let largest = table.ty.maximum.unwrap_or(table.ty.initial).max(table.ty.initial);
                    self.count(
                        "E140",
                        "table section",
                        "elements in a table",
                        largest,
                        limits::TABLE_ELEMENTS,
                    );
                }
            }
            Payload::MemorySection(memories) => {
                self.facts.memories.extend(memories.clone().into_iter().map_while(Result::ok));
            }
            Payload::GlobalSection(globals) => {
                self.count("E145", "global section", "globals", u64::from(globals.count()), limits::GLOBALS);
            }
            Payload::ExportSection(exports) => {
                self.count("E148", "export section", "exports", u64::from(exports.count()), limits::EXPORTS);
                for export in exports.clone().into_iter().map_while(Result::ok) {
                    self.facts.exports.push((export.name, export.kind, export.index));
                }
            }
            Payload::ElementSection(elements) => {
                for element in elements.clone().into_iter().map_while(Result::ok) {
                    self.elements += u64::from(match &element.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    });
                }
                let what = "elements in element segments";
                self.count("E140", "element section", what, self.elements, limits::TABLE_ELEMENTS);
            }
            Payload::DataSection(data) => {
                let count = u64::from(data.count());
                self.count("E146", "data section", "data segments", count, limits::DATA_SEGMENTS);
            }
            Payload::CodeSectionEntry(body) => self.function(body, function),
            Payload::CustomSection(custom) if custom.name() == crate::manifest::SECTION => {
                self.facts.manifests.push((custom.data(), custom.data_offset()));
            }
            _ => {}
        }
    }

    fn count(&mut self, code: &'static str, place: &str, what: &str, found: u64, allowed: u64) {
        if found > allowed {
            self.errors.push(Finding::new(
                code,
                place,
                format!("{found} {what}, allowed are {allowed}"),
                "leave out what the policy does not need: link-time optimisation and `wasm-opt -Os` remove a lot",
            ));
        }
    }

    fn forbidden(&mut self, place: String, feature: Forbidden, message: &str) {
        self.errors.push(Finding::new(
            "E110",
            place,
            format!("{} is not available to policies: {message}", feature.name),
            feature.fix,
        ));
    }

    fn broken(&mut self, place: &str, message: &str, offset: u64) {
        self.errors.push(Finding::new(
            "E101",
            format!("{place}, offset {offset:#x}"),
            message.to_owned(),
            REBUILD,
        ));
    }
}

const REBUILD: &str = "the file is damaged, or its compiler is at fault: build it again";

fn section_name(payload: &Payload<'_>) -> &'static str {
    match payload {
        Payload::TypeSection(_) => "type section",
        Payload::ImportSection(_) => "import section",
        Payload::FunctionSection(_) => "function section",
        Payload::TableSection(_) => "table section",
        Payload::MemorySection(_) => "memory section",
        Payload::TagSection(_) => "tag section",
        Payload::GlobalSection(_) => "global section",
        Payload::ExportSection(_) => "export section",
        Payload::StartSection { .. } => "start section",
        Payload::ElementSection(_) => "element section",
        Payload::DataCountSection { .. } | Payload::DataSection(_) => "data section",
        Payload::CodeSectionStart { .. } | Payload::CodeSectionEntry(_) => "code section",
        _ => "file",
    }
}

//! What an operator lets nobody see, whatever a policy decides.
//!
//! A mask is a view that names no document: it is carried out on every document that is merged, before the views of it
//! are made. Those add nothing to what they are made of, so what a mask took away comes back in none.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::apply::Cut;
use super::{Level, NAMED_DROPS, View, ViewDrop};
use crate::json::Writer;
use crate::model::Document;
use crate::policy::faults::{Faults, nearest};
use crate::policy::output::Finding;
use crate::policy::text::safe_text;

/// What is taken out of every document, and how much of it is left. The default takes nothing away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask(View);

impl Mask {
    /// Reads what an operator wrote: what is dropped and how much is left, by the names that `pp_view` has for them.
    ///
    /// # Errors
    /// Each name that is none (E207), with the nearest that is one. Their places are `drop` and `level`.
    pub fn read(drop: &[String], level: &str) -> Result<Mask, Vec<Finding>> {
        let mut faults = Faults::default();
        let mut view = View::default();
        for name in drop {
            match ViewDrop::of(name) {
                Some(known) if view.drop.contains(&known) => {}
                Some(known) => view.drop.push(known),
                None => {
                    let known: Vec<&str> = NAMED_DROPS.iter().map(|(name, _)| *name).collect();
                    let fix = instead(name, &known);
                    faults.fault("drop", &format!("{:?} cannot be taken away", safe_text(name)), &fix);
                }
            }
        }
        match Level::of(level) {
            Some(level) => view.level = level,
            None => {
                let fix = instead(level, &Level::ALL.map(Level::as_str));
                faults.fault("level", &format!("{:?} is no level", safe_text(level)), &fix);
            }
        }
        if faults.findings.is_empty() { Ok(Mask(view)) } else { Err(faults.findings) }
    }

    /// Whether it takes nothing away.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.0.is_full()
    }

    /// What either of two takes away.
    #[must_use]
    pub fn and(&self, other: &Mask) -> Mask {
        let mut both = self.clone();
        let more = other.0.drop.iter().filter(|drop| !self.0.drop.contains(drop));
        both.0.drop.extend(more.cloned());
        both.0.level = self.0.level.max(other.0.level);
        both
    }

    /// What is left of a document.
    #[must_use]
    pub fn apply(&self, document: &Document) -> Vec<u8> {
        self.0.apply(document)
    }

    /// What of it is taken away from this document: of what it drops that which is there, and its level.
    #[must_use]
    pub fn taken(&self, document: &Document) -> Mask {
        let there = |drop: &&ViewDrop| {
            let alone = View { drop: [(*drop).clone()].into(), ..View::default() };
            Cut::new(&alone).touches(document.root())
        };
        let drop = self.0.drop.iter().filter(there).cloned().collect();
        Mask(View { drop, level: self.0.level, ..View::default() })
    }

    /// It as a JSON object, `{"drop":["geo"],"level":"full"}`.
    #[must_use]
    pub fn write_json(&self) -> String {
        let mut out = Writer::new();
        out.begin_object();
        out.key("drop").begin_array();
        let dropped = NAMED_DROPS.iter().filter(|(_, drop)| self.0.drop.contains(drop));
        dropped.for_each(|(name, _)| out.string(name));
        out.end_array();
        out.key("level").string(self.0.level.as_str());
        out.end_object();
        out.into_string()
    }
}

/// What to write in the place of a name that is none.
fn instead(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known are {}", known.join(", ")),
    }
}

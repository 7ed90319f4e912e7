//! Field by field: of several elements with fields of the same names, whose fields stay.

use alloc::vec::Vec;

use crate::xml::{Element, Name};

/// A child of one of several contributors.
struct Field<'a> {
    name: Name<'a>,
    /// Of the local name: its length, first and last byte. Most names differ in it.
    tag: u32,
    /// The contributor, 0 for the one that counts most.
    rank: u32,
    /// The place in the sequence of all.
    place: u32,
    element: Element<'a>,
}

/// Collects the fields of ranked contributors and keeps, of each name, all that the first one has.
#[derive(Default)]
pub(super) struct Fields<'a> {
    found: Vec<Field<'a>>,
    contributors: u32,
}

impl<'a> Fields<'a> {
    /// Begins the next contributor, which counts less than those before.
    pub(super) fn next_contributor(&mut self) {
        self.contributors += 1;
    }

    /// A field of the contributor begun last.
    pub(super) fn push(&mut self, element: Element<'a>) {
        let place = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        let name = element.name();
        let bytes = name.local.as_bytes();
        let byte = |at: Option<&u8>| at.map_or(0, |byte| u32::from(*byte));
        let tag = (bytes.len() as u32) << 16 | byte(bytes.first()) << 8 | byte(bytes.last());
        if self.found.capacity() == 0 {
            self.found.reserve(24);
        }
        self.found.push(Field { name, tag, rank: self.contributors, place, element });
    }

    /// Appends what stays, by contributor and then as written, and forgets everything.
    pub(super) fn drain_into(&mut self, out: &mut Vec<Element<'a>>) {
        if self.contributors > 1 {
            if self.found.len() <= 24 {
                self.keep_first_by_scan();
            } else {
                self.keep_first_by_sort();
            }
        }
        out.extend(self.found.drain(..).map(|field| field.element));
        self.contributors = 0;
    }

    fn keep_first_by_scan(&mut self) {
        let mut kept = 0;
        for at in 0..self.found.len() {
            let field = &self.found[at];
            let beaten = self.found[..kept]
                .iter()
                .any(|first| first.tag == field.tag && first.rank != field.rank && first.name == field.name);
            if !beaten {
                self.found.swap(kept, at);
                kept += 1;
            }
        }
        self.found.truncate(kept);
    }

    /// The same for many fields, without comparing each with each.
    fn keep_first_by_sort(&mut self) {
        crate::order::sort_by(&mut self.found, |a, b| {
            a.name.cmp(&b.name).then(a.rank.cmp(&b.rank)).then(a.place.cmp(&b.place))
        });
        let mut first: Option<(Name<'a>, u32)> = None;
        self.found.retain(|field| match first {
            Some((name, rank)) if name == field.name => rank == field.rank,
            _ => {
                first = Some((field.name, field.rank));
                true
            }
        });
        crate::order::sort_by_key(&mut self.found, |field| field.place);
    }
}

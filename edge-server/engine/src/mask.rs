//! What the operator lets nobody see, and what is sent of a composition.
//!
//! ```text
//!  built-in composition ─► policy, or what stands in for it ─► mask ─► the document ─► views of it
//! ```
//! The mask stands behind all that decides, and before the bytes that everything else is made of: NOTIFYs, views,
//! captures and answers of the API. So what it takes away is in none of them, and it is applied once for each document.

use merge_core::compose::Composed;
use merge_core::model::Document;
use merge_core::policy::Mask;
use merge_core::presence_json;
use std::collections::BTreeMap;

/// The masks of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    /// None where it takes nothing away.
    everywhere: Option<Mask>,
    /// Those of domains, lower case, with what is taken away everywhere.
    domains: BTreeMap<String, Mask>,
}

impl Masks {
    /// One for everybody, and for the users of some domains (lower case) another besides.
    #[must_use]
    pub fn new(everywhere: &Mask, domains: impl IntoIterator<Item = (String, Mask)>) -> Self {
        let mut by_domain: BTreeMap<String, Mask> = BTreeMap::new();
        for (domain, mask) in domains {
            // One that is named twice is masked by both.
            let own = by_domain.entry(domain).or_insert_with(|| everywhere.clone());
            *own = own.and(&mask);
        }
        by_domain.retain(|_, mask| !mask.is_nothing());
        let everywhere = Some(everywhere.clone()).filter(|mask| !mask.is_nothing());
        Self { everywhere, domains: by_domain }
    }

    /// What is taken away of the users of a domain.
    pub(crate) fn of(&self, domain: &str) -> Option<&Mask> {
        self.domains.get(domain).or(self.everywhere.as_ref())
    }
}

/// The document of a composition, without what the mask takes away.
pub(crate) fn write(composed: &Composed<'_>, mask: Option<&Mask>) -> Vec<u8> {
    let whole = composed.write_pidf();
    let Some(mask) = mask else { return whole };
    // What cannot be read cannot be looked through for what is to be taken away.
    Document::read_written(&whole).map_or_else(|_| Vec::new(), |whole| mask.apply(&whole))
}

/// What the mask takes away of it; none where that is nothing.
pub(crate) fn taken(composed: &Composed<'_>, mask: Option<&Mask>) -> Option<Mask> {
    let mask = mask?;
    let whole = Document::read_written(&composed.write_pidf()).ok()?;
    Some(mask.taken(&whole)).filter(|taken| !taken.is_nothing())
}

/// What a document says, in the JSON form of presence; `null` where there is none.
pub(crate) fn json(body: &[u8]) -> String {
    Document::read_written(body)
        .map_or_else(|_| "null".to_owned(), |document| presence_json::write(&document))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_masked_by_all_that_is_said_of_it_and_by_what_is_said_of_everybody() {
        let mask = |drop: &[&str], level: &str| {
            let drop: Vec<String> = drop.iter().map(|name| (*name).to_owned()).collect();
            Mask::read(&drop, level).unwrap()
        };
        let org = || "example.org".to_owned();
        let twice = [(org(), mask(&["note"], "full")), (org(), mask(&["mood"], "basic"))];
        let masks = Masks::new(&mask(&["geo"], "busy_free"), twice);
        assert_eq!(masks.of("example.com"), Some(&mask(&["geo"], "busy_free")));
        assert_eq!(masks.of("example.org"), Some(&mask(&["geo", "note", "mood"], "basic")));
        let nothing = Masks::new(&Mask::default(), [(org(), Mask::default())]);
        assert_eq!(nothing, Masks::default(), "and there is none where it takes nothing away");
    }
}

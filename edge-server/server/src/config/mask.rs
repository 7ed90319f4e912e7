//! What the operator lets nobody see: `policies.mask` and `policies.masks`, read and checked.

use super::Config;
use super::definition::KeyType;
use super::problems::Finder;
use merge_core::policy::{self, Finding};
use std::collections::BTreeMap;
use tributary_engine::Masks;

/// One mask, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mask {
    /// What is taken out.
    pub drop: Vec<String>,
    /// How much of the rest is left.
    pub level: String,
}

impl Default for Mask {
    fn default() -> Self {
        Self { drop: Vec::new(), level: policy::Level::Full.as_str().to_owned() }
    }
}

impl KeyType for Mask {
    const KIND: &'static str = "table of `drop` and `level`";
    fn show(&self) -> String {
        format!("{{ drop = {}, level = {} }}", self.drop.show(), self.level.show())
    }
}

impl KeyType for BTreeMap<String, Mask> {
    const KIND: &'static str = "table of such tables, by domains";
    fn show(&self) -> String {
        let pairs: Vec<String> =
            self.iter().map(|(domain, mask)| format!("{domain:?} = {}", mask.show())).collect();
        format!("{{{}}}", pairs.join(", "))
    }
}

impl Mask {
    fn read(&self) -> Result<policy::Mask, Vec<Finding>> {
        policy::Mask::read(&self.drop, &self.level)
    }

    fn find(&self, key: &str, find: &mut Finder<'_>) {
        for Finding { place, message, fix, .. } in self.read().err().unwrap_or_default() {
            find.add(&format!("{key}.{place}"), message, fix);
        }
    }
}

impl Config {
    /// What the operator takes away, of everybody and of the users of some domains.
    pub(crate) fn masks(&self) -> Masks {
        // The check of the configuration has let nothing else in.
        let read = |mask: &Mask| mask.read().unwrap_or_default();
        let domains = &self.policies.masks;
        let domains = domains.iter().map(|(domain, mask)| (domain.to_ascii_lowercase(), read(mask)));
        Masks::new(&read(&self.policies.mask), domains)
    }

    pub(super) fn find_in_masks(&self, find: &mut Finder<'_>) {
        self.policies.mask.find("policies.mask", find);
        for (domain, mask) in &self.policies.masks {
            let key = format!("policies.masks.{domain}");
            if !self.serves(domain) {
                find.add(
                    &key,
                    format!("{domain} is not one of server.domains"),
                    "add it to server.domains or correct it",
                );
            }
            mask.find(&key, find);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let text = format!("[server]\nopen = true\ndomains = [\"example.com\", \"Example.org\"]\n{text}");
        let problems = Config::read(&text, []).map_or_else(|error| error.problems, |_| Vec::new());
        let told = |p: super::super::Problem| {
            format!("{}: {}: {}; {}", p.line.unwrap_or_default(), p.key, p.message, p.fix)
        };
        problems.into_iter().map(told).collect()
    }

    #[test]
    fn a_mask_of_a_domain_takes_away_what_that_of_the_server_does_and_more() {
        let text = r#"
            [server]
            open = true
            domains = ["example.com", "example.org"]
            [policies.mask]
            drop = ["geo"]
            [policies.masks."Example.org"]
            drop = ["note"]
            level = "busy_free"
        "#;
        let read = |drop: &[&str], level: &str| {
            let drop: Vec<String> = drop.iter().map(|name| (*name).to_owned()).collect();
            policy::Mask::read(&drop, level).unwrap()
        };
        let domains = [("example.org".to_owned(), read(&["note"], "busy_free"))];
        assert_eq!(Config::read(text, []).unwrap().masks(), Masks::new(&read(&["geo"], "full"), domains));
        assert_eq!(Config::default().masks(), Masks::default());
        let environment = [("TRIBUTARY_POLICIES_MASK".to_owned(), "{ drop = [\"geo\"] }".to_owned())];
        let config = Config::read("[server]\nopen = true", environment).unwrap();
        assert_eq!(config.masks(), Masks::new(&read(&["geo"], "full"), []));
    }

    #[test]
    fn the_documentation_names_all_that_a_mask_can_say() {
        let section = super::super::Policies::section();
        let text = &section.keys.iter().find(|key| key.name == "mask").unwrap().text;
        let told = policy::Mask::read(&["nothing like it".to_owned()], "nothing like it").unwrap_err();
        for finding in &told {
            for name in finding.fix.strip_prefix("known are ").unwrap().split(", ") {
                assert!(text.contains(&format!("`{name}`")), "{name} in {text}");
            }
        }
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn what_is_wrong_with_a_mask_is_said_with_its_line_and_the_nearest_name() {
        assert_eq!(
            problems("[policies.mask]\ndrop = [\"geo\", \"nots\"]\nlevel = \"basik\"\n"),
            [
                "5: policies.mask.drop: \"nots\" cannot be taken away; did you mean note?",
                "6: policies.mask.level: \"basik\" is no level; did you mean basic?",
            ]
        );
        assert_eq!(
            problems("[policies.masks.\"example.net\"]\ndrop = [\"moods\"]\n"),
            [
                "4: policies.masks.example.net: example.net is not one of server.domains; add it to server.domains or correct it",
                "5: policies.masks.example.net.drop: \"moods\" cannot be taken away; did you mean mood?",
            ]
        );
        assert_eq!(
            problems("[policies]\nmask = \"geo\"\n"),
            [
                "5: policies.mask: \"geo\" does not fit; wanted: table of `drop` and `level`; write it like { drop = [\"geo\"], level = \"busy_free\" }"
            ]
        );
        let [unknown] = problems("[policies.mask]\ndrops = [\"geo\"]\n").try_into().unwrap();
        assert!(
            unknown.starts_with("5: policies.mask.drops: unknown field `drops`, expected `drop` or `level`")
        );
    }
}

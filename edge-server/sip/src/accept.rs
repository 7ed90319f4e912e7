//! Accept (RFC 3261 20.1): media ranges with q, and the choice among what we can write.

use crate::lex::Lex;
use crate::name_addr;
use crate::values::MediaType;

/// The media ranges that a client takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept<'a> {
    ranges: Vec<MediaType<'a>>,
}

impl<'a> Accept<'a> {
    /// Reads the values of all Accept lines. An empty header means that nothing is accepted.
    pub fn parse(values: impl Iterator<Item = &'a str>) -> Option<Accept<'a>> {
        let mut ranges = Vec::new();
        for value in values {
            let mut lex = Lex::new(value);
            lex.skip_ws();
            if lex.is_empty() {
                continue;
            }
            loop {
                ranges.push(MediaType::lex(&mut lex)?);
                lex.skip_ws();
                if !lex.eat(b',') {
                    break;
                }
            }
            if !lex.is_empty() {
                return None;
            }
        }
        Some(Accept { ranges })
    }

    /// How much this type is wanted, in thousandths: the q of the most specific range that covers
    /// it, 0 when none does. Parameters other than q do not narrow a range: no type we write has any.
    pub fn quality(&self, media: &str) -> u16 {
        let Some((kind, subtype)) = media.split_once('/') else { return 0 };
        let specificity = |range: &MediaType<'_>| match (range.kind, range.subtype) {
            ("*", "*") => Some(0),
            (k, "*") if k.eq_ignore_ascii_case(kind) => Some(1),
            (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        };
        let best = self.ranges.iter().filter_map(|range| Some((specificity(range)?, q(range)))).max();
        best.map_or(0, |(_, q)| q)
    }

    /// The type among `offered` that is wanted most; the first of them on a tie.
    pub fn choose<'t>(&self, offered: &[&'t str]) -> Option<&'t str> {
        let wanted = offered.iter().filter(|media| self.quality(media) > 0);
        wanted.rev().max_by_key(|media| self.quality(media)).copied()
    }

    /// The ranges in their order.
    pub fn ranges(&self) -> &[MediaType<'a>] {
        &self.ranges
    }
}

/// A q that cannot be read counts as 1, as if it were not there.
fn q(range: &MediaType<'_>) -> u16 {
    range.params.get("q").and_then(name_addr::q_milli).unwrap_or(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &[&str], offered: &[&str], expect: Option<&str>) {
        let read = Accept::parse(accept.iter().copied()).unwrap();
        assert_eq!(read.choose(offered), expect, "{accept:?}");
    }

    #[test]
    fn the_most_wanted_type_is_chosen_and_the_most_specific_range_decides() {
        let ours = ["application/pidf+xml", "application/pidf-diff+xml"];
        check(&["application/pidf+xml"], &ours, Some(ours[0]));
        check(&["application/pidf+xml;q=0.3, application/pidf-diff+xml;q=1"], &ours, Some(ours[1]));
        check(&["*/*"], &ours, Some(ours[0]));
        check(&["*/*", "Application/PIDF+xml;q=0"], &ours, Some(ours[1]));
        check(&["application/*;q=0.5, application/pidf-diff+xml;q=0.4"], &ours, Some(ours[0]));
        check(&["text/plain"], &ours, None);
        check(&[""], &ours, None);
    }

    #[test]
    fn malformed_lists_are_refused() {
        for text in ["application", "a/b,,c/d", "a/b;", "a/b c/d"] {
            assert_eq!(Accept::parse([text].into_iter()), None, "{text}");
        }
    }
}

//! Four phones as they are found, in every order, and without each of them.

use merge_core::compose::{Composition, compose};
use merge_core::live::Publication;

use crate::published::{NOW, four_phones, lines, minutes, pidf, set};
use crate::xsd;

fn permutations(items: &[Publication]) -> Vec<Vec<Publication>> {
    if items.len() < 2 {
        return vec![items.to_vec()];
    }
    let mut all = Vec::new();
    for at in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        for mut order in permutations(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

#[test]
fn every_permutation_gives_the_same_bytes_whatever_the_etags() {
    for how in Composition::ALL {
        let expect = pidf(&set(four_phones()), how);
        xsd::check(how.as_str(), &expect);
        for (number, mut order) in permutations(&four_phones()).into_iter().enumerate() {
            for (at, publication) in order.iter_mut().enumerate() {
                publication.etag = format!("{:x}", (number * 31 + at * 17) % 101);
            }
            assert_eq!(pidf(&set(order), how), expect, "{} permutation {number}", how.as_str());
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("phones-{}", how.as_str()), lines(&expect));
        });
    }
}

#[test]
fn a_removal_and_an_expiry_of_each_give_the_same() {
    for at in 0..4 {
        let mut removed = four_phones();
        let gone = removed.remove(at);
        let mut expired = four_phones();
        expired[at].expires = NOW;
        let result = pidf(&set(removed), Composition::Compose);
        assert_eq!(pidf(&set(expired), Composition::Compose), result);
        xsd::check(&gone.etag, &result);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("phones-without-{}", gone.device.key), lines(&result));
        });
    }
}

#[test]
fn a_publication_lives_until_its_expiry_and_not_at_it() {
    let mut phones = four_phones();
    phones.truncate(1);
    phones[0].expires = minutes(5);
    let set = set(phones);
    let live = |at| !compose(&set, at, Composition::Compose).is_empty();
    assert!(live(merge_core::time::Millis(minutes(5).0 - 1)));
    assert!(!live(minutes(5)));
}

#[test]
fn everything_that_the_four_say_is_in_their_union() {
    let union = pidf(&set(four_phones()), Composition::Union);
    for value in [
        "on-the-phone",
        "unknown",
        "away",
        "meeting",
        "contented",
        "geopriv",
        "timed-status",
        "battery",
        "calendar",
    ] {
        assert!(union.contains(value), "{value}");
    }
    assert_eq!(union.matches(":person ").count(), 4);
}

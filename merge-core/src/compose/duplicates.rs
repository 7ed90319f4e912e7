//! The same thing said twice: notes by language and text, elements by what they mean.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::model::Note;
use crate::xml::{AttributeView, Content, Element};

/// Up to how many things are compared each with each.
const FEW: usize = 8;

/// Of the notes from `start` on, keeps the first of each language and text.
pub(super) fn drop_notes(notes: &mut Vec<Element<'_>>, start: usize) {
    if notes.len() - start < 2 {
        return;
    }
    drop_repeated(notes, start, |a, b| {
        let (one, other) = (Note { element: *a }, Note { element: *b });
        // The texts first: finding out a language means looking at everything around.
        one.text().cmp(&other.text()).then_with(|| language(one).cmp(&language(other)))
    });
}

/// Keeps the first of each element that means the same.
pub(super) fn drop_equal(elements: &mut Vec<Element<'_>>) {
    if elements.len() < 2 {
        return;
    }
    drop_repeated(elements, 0, |a, b| compare(*a, *b));
}

/// The language in lower case, since tags are compared without case (RFC 5646 section 2.1.1).
fn language(note: Note<'_>) -> Option<Cow<'_, str>> {
    note.lang().map(|lang| match lang.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(lang.to_ascii_lowercase()),
        false => lang,
    })
}

fn drop_repeated<'a>(
    list: &mut Vec<Element<'a>>,
    start: usize,
    compare: impl Fn(&Element<'a>, &Element<'a>) -> Ordering,
) {
    if list.len() - start <= FEW {
        let mut kept = start;
        for at in start..list.len() {
            if list[start..kept].iter().all(|first| compare(first, &list[at]) != Ordering::Equal) {
                list.swap(kept, at);
                kept += 1;
            }
        }
        list.truncate(kept);
        return;
    }
    let mut order: Vec<usize> = (start..list.len()).collect();
    crate::order::sort_by(&mut order, |a, b| compare(&list[*a], &list[*b]).then(a.cmp(b)));
    let mut stays: Vec<usize> = order
        .chunk_by(|a, b| compare(&list[*a], &list[*b]) == Ordering::Equal)
        .filter_map(|same| same.first().copied())
        .collect();
    crate::order::sort_by(&mut stays, Ord::cmp);
    for (to, from) in stays.iter().enumerate() {
        list.swap(start + to, *from);
    }
    list.truncate(start + stays.len());
}

/// Compares two elements by what they mean: names by namespace, attributes in any order, text with
/// references and CDATA resolved. Comments, prefixes and declarations do not count, white space between
/// elements does not either. Not recursive.
pub(super) fn compare(a: Element<'_>, b: Element<'_>) -> Ordering {
    let mut left = a.subtree();
    let mut right = b.subtree();
    loop {
        let (x, y) = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => (x, y),
        };
        let order = x
            .name()
            .cmp(&y.name())
            .then_with(|| inside(x).cmp(inside(y)))
            .then_with(|| attributes(x).cmp(&attributes(y)));
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// What is directly inside an element: text, and where its children stand in it (`None`). White space between
/// elements does not count, nor around the text of an element without any.
fn inside(element: Element<'_>) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    let leaf = element.children().next().is_none();
    element.content().filter_map(move |content| match content {
        Content::Element(_) => Some(None),
        Content::Text(text) if text.trim_ascii().is_empty() => None,
        Content::Text(_) if leaf => Some(Some(element.value())),
        Content::Text(text) => Some(Some(text)),
    })
}

fn attributes(element: Element<'_>) -> Vec<(crate::xml::Name<'_>, Cow<'_, str>)> {
    let mut list: Vec<_> =
        element.attributes().map(|AttributeView { name, value, .. }| (name, value)).collect();
    crate::order::sort_by(&mut list, Ord::cmp);
    list
}

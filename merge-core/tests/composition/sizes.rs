//! How large a result becomes: what documents bind around their parts is not written again with each of them.

use merge_core::compose::Composition;
use merge_core::model::{Basic, Document};
use merge_core::xml::{Limits, REPEATED_MAX};

use crate::published::{minutes, pidf, publication, set};

/// What a device says that binds many long prefixes around many small extensions, in a status and in a person.
fn many_bindings(uri: &str, outside: bool) -> String {
    let bindings: String =
        (0..50).map(|n| format!(" xmlns:p{n}='urn:{uri}:{n}:{}'", "x".repeat(400))).collect();
    let (outer, inner) = if outside { (bindings.as_str(), "") } else { ("", bindings.as_str()) };
    let children: String = (0..300).map(|n| format!("<p{}:e{uri}{n}/>", n % 50)).collect();
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model'{outer}>\
         <tuple id='t'><status{inner}><basic>open</basic>{children}</status><contact>sip:a@b</contact></tuple>\
         <dm:person id='p'{inner}>{children}</dm:person></presence>"
    )
}

#[test]
fn bindings_around_many_children_are_declared_once() {
    for outside in [false, true] {
        let text = many_bindings("a", outside);
        let result = pidf(&set(vec![publication("desk", minutes(0), &text)]), Composition::Compose);
        assert!(result.len() < 2 * text.len(), "{} bytes of {}", result.len(), text.len());
        let document = Document::read(result.as_bytes()).unwrap();
        assert_eq!(document.persons().next().map(|person| person.fields().count()), Some(300));
        assert_eq!(document.tuples().next().map(|tuple| tuple.status_fields().count()), Some(300));
    }
}

#[test]
fn what_would_repeat_too_much_is_left_out_of_its_own_document_only() {
    let devices = ["desk", "mobile"];
    let texts = devices.map(|device| many_bindings(device, true));
    let list = devices
        .iter()
        .zip(&texts)
        .zip(0..)
        .map(|((device, text), at)| publication(device, minutes(-at), text));
    let result = pidf(&set(list.collect()), Composition::Compose);
    let most: usize = texts.iter().map(|text| 4 * text.len() + REPEATED_MAX).sum();
    assert!(result.len() < most, "{} bytes, {most} at most", result.len());
    let limits = Limits { bytes: 1 << 20, namespaces: 200, ..Limits::DEFAULT };
    let document = Document::read_with(result.as_bytes(), &limits).unwrap();
    let of = |device: &str| {
        let begin = format!("e{device}");
        document.root().subtree().filter(|element| element.local().starts_with(&begin)).count()
    };
    assert_eq!(of("desk"), 600, "the newest says its prefixes on the root");
    assert!((1..600).contains(&of("mobile")), "{} of the other's fields fit", of("mobile"));
    assert_eq!(document.tuples().next().and_then(|tuple| tuple.basic()), Some(Basic::Open));
}

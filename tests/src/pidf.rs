//! A second reading of a NOTIFY's body, by quick-xml and not by the reader that the server uses: what
//! the server writes must be well-formed XML to others too, with each thing in its namespace.

use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

const PIDF: &str = "urn:ietf:params:xml:ns:pidf";

/// What a watcher is told, in the words of RFC 3863.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The `entity` of the root.
    pub entity: String,
    /// `id` and basic status of each tuple, in document order.
    pub tuples: Vec<(String, String)>,
    /// The text of each PIDF note, of the presentity or of a tuple, in document order.
    pub notes: Vec<String>,
}

/// Reads a PIDF document.
///
/// # Errors
/// What is ill-formed, unbound, or not a PIDF document, in a sentence.
pub fn read(body: &str) -> Result<Told, String> {
    let mut reader = NsReader::from_str(body);
    let mut told = Told::default();
    // The local names of the open PIDF elements; an element of another namespace stands as "".
    let mut open: Vec<String> = Vec::new();
    let mut text = String::new();
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|e| e.to_string())?;
        let ours = match namespace {
            ResolveResult::Bound(Namespace(uri)) => uri == PIDF,
            ResolveResult::Unbound => false,
            ResolveResult::Unknown(prefix) => {
                return Err(format!("the prefix {prefix} is not bound"));
            }
        };
        match event {
            Event::Start(ref element) | Event::Empty(ref element) => {
                let local = element.local_name().as_ref().to_owned();
                let name = if ours { local } else { String::new() };
                if open.is_empty() && name != "presence" {
                    return Err("the root is not {urn:ietf:params:xml:ns:pidf}presence".to_owned());
                }
                let attribute = |wanted: &str| -> Result<String, String> {
                    let found = element.try_get_attribute(wanted).map_err(|e| e.to_string())?;
                    let Some(found) = found else { return Ok(String::new()) };
                    Ok(found.value.into_owned())
                };
                match name.as_str() {
                    "presence" => told.entity = attribute("entity")?,
                    "tuple" => told.tuples.push((attribute("id")?, String::new())),
                    _ => {}
                }
                if matches!(event, Event::Start(_)) {
                    open.push(name);
                    text.clear();
                }
            }
            Event::End(_) => {
                match (open.pop().as_deref(), told.tuples.last_mut()) {
                    (Some("basic"), Some((_, basic))) => basic.clone_from(&text),
                    (Some("note"), _) => told.notes.push(text.clone()),
                    _ => {}
                }
                text.clear();
            }
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(name) => match &*name.xml10_content() {
                "amp" => text.push('&'),
                "lt" => text.push('<'),
                "gt" => text.push('>'),
                "quot" => text.push('"'),
                "apos" => text.push('\''),
                _ => match name.resolve_char_ref() {
                    Ok(Some(c)) => text.push(c),
                    _ => return Err("an entity that XML does not define".to_owned()),
                },
            },
            Event::DocType(_) => return Err("a document type declaration".to_owned()),
            Event::Eof if open.is_empty() => return Ok(told),
            Event::Eof => return Err(format!("it ends inside <{}>", open.join("/"))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_tells_is_read_by_namespace_and_not_by_prefix() {
        let told = read(
            r#"<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" entity="sip:a@example.com">
               <p:tuple id="t1"><p:status><p:basic>open</p:basic><basic>closed</basic></p:status>
               <p:note>5 &lt; 6 &#x41;</p:note></p:tuple></p:presence>"#,
        );
        let told = told.unwrap();
        assert_eq!(told.entity, "sip:a@example.com");
        assert_eq!(told.tuples, [("t1".to_owned(), "open".to_owned())]);
        assert_eq!(told.notes, ["5 < 6 A"]);
    }

    #[test]
    fn what_is_no_pidf_document_is_refused() {
        for (what, body) in [
            ("an unbound prefix", r#"<p:presence entity="sip:a@example.com"/>"#),
            ("another root", r#"<presence entity="sip:a@example.com"/>"#),
            ("a document that ends early", r#"<presence xmlns="urn:ietf:params:xml:ns:pidf"><tuple id="t">"#),
            ("a crossed end tag", r#"<presence xmlns="urn:ietf:params:xml:ns:pidf"><a></b></presence>"#),
            ("a document type", r#"<!DOCTYPE p><presence xmlns="urn:ietf:params:xml:ns:pidf"/>"#),
        ] {
            assert!(read(body).is_err(), "{what} was taken");
        }
    }
}

//! Whether a well-formed document is a presence document.

use alloc::format;

use super::fields::Basic;
use super::read_error::{ReadError, ReadErrorKind};
use crate::uri::{Entity, EntityError};
use crate::xml::{Element, Namespace};

/// Checks the shape and returns the presentity, if one is named.
pub(super) fn check(root: Element<'_>) -> Result<Option<Entity>, ReadError> {
    if !root.is(Namespace::Pidf, "presence") {
        let message = match (root.local(), root.namespace()) {
            ("presence", Namespace::None) => {
                "the root has no namespace; write <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" ...>".into()
            }
            (local, namespace) => format!(
                "the root is {local} of namespace \"{}\"; a PIDF document has presence of \"{}\"",
                namespace.uri(),
                Namespace::Pidf.uri()
            ),
        };
        return Err(ReadError::at(ReadErrorKind::WrongRoot, root, &message));
    }
    let entity = entity(root)?;
    for child in root.children() {
        match (child.namespace(), child.local()) {
            (Namespace::Pidf, "tuple") => tuple(child)?,
            (Namespace::Pidf, "note") => text_only(child)?,
            (Namespace::Pidf, _) => return Err(misplaced(child, "presence")),
            (Namespace::DataModel, "person") => person_or_device(child, &["note", "timestamp"])?,
            (Namespace::DataModel, "device") => person_or_device(child, &["deviceID", "note", "timestamp"])?,
            _ => {}
        }
    }
    Ok(entity)
}

fn entity(root: Element<'_>) -> Result<Option<Entity>, ReadError> {
    let Some(text) = root.attribute("entity") else {
        return Ok(None);
    };
    Entity::parse(text.trim()).map(Some).map_err(|error: EntityError| {
        ReadError::at(ReadErrorKind::Entity, root, &format!("the entity \"{text}\" is no URI: {error}"))
    })
}

fn tuple(tuple: Element<'_>) -> Result<(), ReadError> {
    let mut singles = Singles::default();
    for child in tuple.children().filter(|child| child.namespace() == Namespace::Pidf) {
        match child.local() {
            "status" => {
                singles.once(child, 1)?;
                status(child)?;
            }
            "contact" => {
                singles.once(child, 2)?;
                text_only(child)?;
            }
            "timestamp" => {
                singles.once(child, 4)?;
                text_only(child)?;
            }
            "note" => text_only(child)?,
            _ => return Err(misplaced(child, "tuple")),
        }
    }
    Ok(())
}

fn status(status: Element<'_>) -> Result<(), ReadError> {
    let mut singles = Singles::default();
    for child in status.children().filter(|child| child.namespace() == Namespace::Pidf) {
        if child.local() != "basic" {
            return Err(misplaced(child, "status"));
        }
        singles.once(child, 1)?;
        text_only(child)?;
        let value = child.value();
        if Basic::of(&value).is_none() {
            let message = format!("basic is \"{value}\"; it must be open or closed");
            return Err(ReadError::at(ReadErrorKind::Shape, child, &message));
        }
    }
    Ok(())
}

/// Elements of the data model's own namespace are as RFC 4479 has them; all others are extensions.
fn person_or_device(element: Element<'_>, allowed: &[&str]) -> Result<(), ReadError> {
    let mut singles = Singles::default();
    for child in element.children().filter(|child| child.namespace() == Namespace::DataModel) {
        match child.local() {
            local if !allowed.contains(&local) => return Err(misplaced(child, element.local())),
            "deviceID" => singles.once(child, 1)?,
            "timestamp" => singles.once(child, 2)?,
            _ => {}
        }
        text_only(child)?;
    }
    Ok(())
}

/// Elements that may be given once.
#[derive(Default)]
struct Singles(u8);

impl Singles {
    fn once(&mut self, element: Element<'_>, bit: u8) -> Result<(), ReadError> {
        if self.0 & bit != 0 {
            let message = format!("{} is given twice", element.local());
            return Err(ReadError::at(ReadErrorKind::Shape, element, &message));
        }
        self.0 |= bit;
        Ok(())
    }
}

fn text_only(element: Element<'_>) -> Result<(), ReadError> {
    match element.children().next() {
        Some(child) => {
            let message = format!("{} holds text, not elements such as {}", element.local(), child.local());
            Err(ReadError::at(ReadErrorKind::Shape, child, &message))
        }
        None => Ok(()),
    }
}

fn misplaced(element: Element<'_>, parent: &str) -> ReadError {
    let message = format!(
        "{parent} has no element {} of namespace \"{}\"; an extension needs a namespace of its own",
        element.local(),
        element.namespace().uri()
    );
    ReadError::at(ReadErrorKind::Shape, element, &message)
}

//! Whether a well-formed document is a presence document: its root, and what must not be where, or not twice. What its
//! parts may hold is checked as they are looked through, in `parts`.

use alloc::format;

use super::read_error::{ReadError, ReadErrorKind};
use crate::uri::{Entity, EntityError};
use crate::xml::{Element, Namespace};

/// Checks the root and returns the presentity, if one is named.
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
    entity(root)
}

fn entity(root: Element<'_>) -> Result<Option<Entity>, ReadError> {
    let Some(text) = root.attribute("entity") else {
        return Ok(None);
    };
    Entity::parse(text.trim()).map(Some).map_err(|error: EntityError| {
        ReadError::at(ReadErrorKind::Entity, root, &format!("the entity \"{text}\" is no URI: {error}"))
    })
}

/// Elements that may be given once.
#[derive(Default)]
pub(super) struct Singles(u8);

impl Singles {
    pub(super) fn once(&mut self, element: Element<'_>, bit: u8) -> Result<(), ReadError> {
        if self.0 & bit != 0 {
            let message = format!("{} is given twice", element.local());
            return Err(ReadError::at(ReadErrorKind::Shape, element, &message));
        }
        self.0 |= bit;
        Ok(())
    }
}

pub(super) fn text_only(element: Element<'_>) -> Result<(), ReadError> {
    match element.children().next() {
        Some(child) => {
            let message = format!("{} holds text, not elements such as {}", element.local(), child.local());
            Err(ReadError::at(ReadErrorKind::Shape, child, &message))
        }
        None => Ok(()),
    }
}

pub(super) fn misplaced(element: Element<'_>, parent: &str) -> ReadError {
    let message = format!(
        "{parent} has no element {} of namespace \"{}\"; an extension needs a namespace of its own",
        element.local(),
        element.namespace().uri()
    );
    ReadError::at(ReadErrorKind::Shape, element, &message)
}

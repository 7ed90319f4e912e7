//! How a contact looks in the store; the key beside it says whose, and whom it names.

use super::{CLASSES, Known};
use bytes::Bytes;
use merge_core::policy::WatcherClass;
use serde::{Deserialize, Serialize};

/// The version of a stored contact.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredContact {
    version: u8,
    class: String,
    groups: Vec<String>,
}

impl StoredContact {
    pub(super) fn encode(known: &Known) -> Bytes {
        let stored =
            Self { version: VERSION, class: known.class.as_str().to_owned(), groups: known.groups.clone() };
        // Strings and numbers only: this cannot fail.
        serde_json::to_vec(&stored).unwrap_or_default().into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Known> {
        let stored = serde_json::from_slice::<Self>(bytes).ok().filter(|stored| stored.version == VERSION)?;
        let class = WatcherClass::of(&stored.class).filter(|class| CLASSES.contains(class))?;
        Some(Known { class, groups: stored.groups })
    }
}

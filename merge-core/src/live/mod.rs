//! What is merged: everything that is known about one presentity at one moment.
//!
//! A [`LiveSet`] is plain data. Whoever keeps it (the engine, the page, a test) decides what is in
//! it; a merge reads it and a clock value and nothing else.

mod device;
pub(crate) mod snapshot;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::model::Document;
use crate::time::Millis;
use crate::uri::public_gruu;

pub use device::{DeviceIdentity, DeviceKind};
pub use snapshot::{Snapshot, SnapshotError};

/// The user whose presence this is, as far as a policy may know him.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presentity {
    /// The canonical URI, `sip:alice@example.com`: the entity of every result.
    pub aor: String,
    /// The domain, `example.com`.
    pub domain: String,
    /// The tenant that the domain belongs to; empty for none.
    pub tenant: String,
    /// Groups of the directory.
    pub groups: Vec<String>,
    /// The language of texts made for this user, a BCP 47 tag.
    pub locale: Option<String>,
}

/// How a publication came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A PUBLISH (RFC 3903).
    #[default]
    Publish,
    /// Made from a registration.
    Register,
    /// Made from a dialog state (RFC 4235).
    Dialog,
    /// Kept in a file for when no device speaks (RFC 4827).
    HardState,
    /// From another presence system.
    Gateway,
}

impl SourceKind {
    const ALL: [SourceKind; 5] = [
        SourceKind::Publish,
        SourceKind::Register,
        SourceKind::Dialog,
        SourceKind::HardState,
        SourceKind::Gateway,
    ];

    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Publish => "publish",
            SourceKind::Register => "register",
            SourceKind::Dialog => "dialog",
            SourceKind::HardState => "hard-state",
            SourceKind::Gateway => "gateway",
        }
    }

    /// From its name in JSON.
    #[must_use]
    pub fn of(name: &str) -> Option<SourceKind> {
        SourceKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One live publication of one device.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The entity-tag that the server gave it. It names the publication and decides nothing.
    pub etag: String,
    /// How it came to be.
    pub source: SourceKind,
    /// Which device it is from. Of two live publications of one device the newer supersedes the older.
    pub device: DeviceIdentity,
    /// The User-Agent header of the PUBLISH.
    pub user_agent: Option<String>,
    /// When this document was received. A refresh without a body does not change it: a merge would
    /// otherwise take the repeated word for a new one.
    pub received: Millis,
    /// When the device first published in this chain of refreshes and modifications.
    pub first: Millis,
    /// When it ends; at this instant it is over. `Millis(i64::MAX)` for never.
    pub expires: Millis,
    /// What was published.
    pub document: Arc<Document>,
}

/// One registered contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// The contact URI.
    pub contact: String,
    /// `+sip.instance`, without the angle brackets.
    pub instance: Option<String>,
    /// The q value in thousandths, 0 to 1000; 1000 where the client gave none.
    pub q_milli: u16,
    /// When the binding ends.
    pub expires: Millis,
    /// The User-Agent header of the REGISTER.
    pub user_agent: Option<String>,
    /// `ws`, `wss`, `tcp`, `udp` or `tls`.
    pub transport: String,
}

/// One call of the presentity (RFC 4235), as a policy sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialog {
    /// Names the dialog.
    pub id: String,
    /// `trying`, `proceeding`, `early`, `confirmed` or `terminated`.
    pub state: String,
    /// `initiator` or `recipient`.
    pub direction: String,
    /// When it came into this state.
    pub since: Millis,
    /// The key of the device that has it.
    pub device: Option<String>,
}

impl Dialog {
    /// Whether the user is talking.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.state == "confirmed"
    }
}

impl Registration {
    /// What tells its device from the user's others, and stays when its address changes.
    #[must_use]
    pub fn key(&self) -> &str {
        self.instance.as_deref().unwrap_or(&self.contact)
    }

    /// Where watchers reach its device: at its public GRUU (RFC 5627), if it has an instance.
    pub(crate) fn shown_contact<'r>(&'r self, aor: &str) -> Cow<'r, str> {
        match &self.instance {
            Some(instance) => Cow::Owned(public_gruu(aor, instance)),
            None => Cow::Borrowed(&self.contact),
        }
    }
}

/// What watchers see where nothing is published. Both are off by default: then there is nothing to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// A registered user without a publication is open at the registered contacts, each device with an instance
    /// at its GRUU.
    pub presence_uses_registration_state: bool,
    /// A user without a publication (and, with the other switch, without a registration) is closed.
    pub notify_closed_state_for_non_published_users: bool,
}

/// Everything that a merge reads.
#[derive(Clone, Debug, Default)]
pub struct LiveSet {
    /// Whose presence it is.
    pub presentity: Presentity,
    /// What is published, in any order. What has expired may still be in it.
    pub publications: Vec<Publication>,
    /// What is registered, in any order.
    pub registrations: Vec<Registration>,
    /// The calls, in any order.
    pub dialogs: Vec<Dialog>,
    /// What an absence of publications means.
    pub switches: Switches,
}

//! What becomes of the merged document for one class of watchers: less of it, or coarser, and never more.
//!
//! ```text
//!  merged document ─ write_view_input ─► JSON ─► pp_view ─► JSON ─ read_view ─► View
//!        └──────────────────────────── View::apply ◄──────────────────────────────┘
//! ```
//! A view is made of the document that is sent, and of nothing else: neither the devices' own publications nor what
//! another class sees. So what a policy took out when it merged cannot come back here, whatever it answers.

mod apply;
mod input;
mod mask;
mod reading;

pub use input::{ViewCall, write_view_input};
pub use mask::Mask;
pub use reading::{Seen, check_view, read_view};

use alloc::string::String;
use alloc::vec::Vec;

use super::output::Finding;

/// What a watcher is to a presentity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatcherClass {
    /// In the presentity's contacts as family.
    Family,
    /// In the presentity's contacts as a colleague, or a user of the same tenant with a group in common.
    Colleague,
    /// In the presentity's contacts as nothing in particular.
    Contact,
    /// A user of the same domain.
    SameDomain,
    /// A program of the operator's: a switchboard, a display in the hall.
    Service,
    /// Somebody else.
    Stranger,
    /// Somebody who does not say who.
    Anonymous,
}

impl WatcherClass {
    /// All of them.
    pub const ALL: [WatcherClass; 7] = [
        WatcherClass::Family,
        WatcherClass::Colleague,
        WatcherClass::Contact,
        WatcherClass::SameDomain,
        WatcherClass::Service,
        WatcherClass::Stranger,
        WatcherClass::Anonymous,
    ];

    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WatcherClass::Family => "family",
            WatcherClass::Colleague => "colleague",
            WatcherClass::Contact => "contact",
            WatcherClass::SameDomain => "same-domain",
            WatcherClass::Service => "service",
            WatcherClass::Stranger => "stranger",
            WatcherClass::Anonymous => "anonymous",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<WatcherClass> {
        WatcherClass::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// What `pp_view` is told of who watches. Watchers of whom it is told the same see the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Watcher {
    /// What they are to the presentity.
    pub class: WatcherClass,
    /// Groups, sorted, each once.
    pub groups: Vec<String>,
    /// Who: only with [`ViewKey::Identity`].
    pub aor: Option<String>,
}

/// Whom `pp_view` tells apart, as its manifest's `view_key` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViewKey {
    /// Classes and groups: one call for all who share them.
    #[default]
    Class,
    /// Each watcher.
    Identity,
}

/// How much of the document is left; a greater one leaves less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All that is not dropped.
    #[default]
    Full,
    /// Whether the user is there, and whether they are busy or away.
    BusyFree,
    /// Whether the user is there.
    Basic,
}

impl Level {
    /// All of them, from the one that shows most.
    pub const ALL: [Level; 3] = [Level::Full, Level::BusyFree, Level::Basic];

    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Full => "full",
            Level::BusyFree => "busy_free",
            Level::Basic => "basic",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

/// An activity that says less than others, and may stand in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coarse {
    /// The token.
    pub token: &'static str,
    /// Whether the others have to say that the user cannot well answer; if not, any will do.
    pub hinders: bool,
}

/// The activities that a view may put in the place of others.
pub const COARSE: [Coarse; 3] = [
    Coarse { token: "busy", hinders: true },
    Coarse { token: "away", hinders: true },
    Coarse { token: "unknown", hinders: false },
];

/// What `pp_view` decided for some watchers. The default hides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// How much is left, after all else was carried out.
    pub level: Level,
    /// What is taken out.
    pub drop: Vec<ViewDrop>,
    /// Whether every service is said to be closed.
    pub closed: bool,
    /// What stands in the place of all activities.
    pub activities: Option<Vec<String>>,
    /// Its reasons, cleaned to be shown.
    pub explain: Vec<String>,
    /// Members that the contract does not know (E206): passed over when a policy runs, shown when it is checked.
    pub unknown: Vec<Finding>,
}

impl View {
    /// Open or closed, and nothing else: what stands in for a view that must hide something and could not be made.
    #[must_use]
    pub fn minimal() -> View {
        View { level: Level::Basic, ..View::default() }
    }

    /// Whether the document stays as it is.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.level == Level::Full && self.drop.is_empty() && !self.closed && self.activities.is_none()
    }
}

/// Something that a view takes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewDrop {
    /// `geo`: every location (RFC 4119).
    Geo,
    /// `note`: every note.
    Notes,
    /// `devices`: every device, and which one a service runs on.
    Devices,
    /// `person`: the person.
    Person,
    /// `contact`: where the services are reached.
    Contacts,
    /// `activities`, `mood`, `place`, `sphere` or `user_input`, wherever they stand: the name in RPID.
    Field(&'static str),
    /// `tuple:ID`: one service.
    Tuple(String),
}

/// What can be named without a document, by the names in JSON.
static NAMED_DROPS: [(&str, ViewDrop); 10] = [
    ("geo", ViewDrop::Geo),
    ("note", ViewDrop::Notes),
    ("devices", ViewDrop::Devices),
    ("person", ViewDrop::Person),
    ("contact", ViewDrop::Contacts),
    ("activities", ViewDrop::Field("activities")),
    ("mood", ViewDrop::Field("mood")),
    ("place", ViewDrop::Field("place-type")),
    ("sphere", ViewDrop::Field("sphere")),
    ("user_input", ViewDrop::Field("user-input")),
];

impl ViewDrop {
    /// What has that name in every document.
    fn of(name: &str) -> Option<ViewDrop> {
        NAMED_DROPS.iter().find(|(known, _)| *known == name).map(|(_, drop)| drop.clone())
    }
}

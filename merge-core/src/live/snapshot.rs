//! The JSON form of a live set at one moment: what the API hands out, the page merges, a capture holds
//! and `tributary merge` reads.
//!
//! ```json
//! {"aor":"sip:alice@example.com","domain":"example.com","tenant":"","groups":[],"locale":null,"now_ms":0,
//!  "composition":"compose",
//!  "switches":{"presence_uses_registration_state":true,"notify_closed_state_for_non_published_users":false},
//!  "publications":[{"etag":"e-1","source":"publish","device":"desk","device_kind":"desk","label":"Desk phone",
//!    "instance":null,"gruu":null,"user_agent":null,"received_ms":0,"first_ms":0,"expires_ms":0,"pidf":"<presence ..>"}],
//!  "registrations":[{"contact":"sip:..","instance":null,"q_milli":800,"expires_ms":0,"user_agent":null,"transport":"ws"}],
//!  "dialogs":[{"id":"d-1","state":"confirmed","direction":"recipient","since_ms":0,"device":"desk"}]}
//! ```
//! Read, only `aor` and each publication's `pidf` must be there, and unknown members are passed over.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::Switches;
use super::{DeviceIdentity, DeviceKind, Dialog, LiveSet, Presentity, Publication, Registration, SourceKind};
use crate::compose::Composition;
use crate::json::{self, Value, Writer};
use crate::model::Document;
use crate::time::Millis;

/// A live set, the moment it is looked at and how it is to be composed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What is live.
    pub set: LiveSet,
    /// The moment.
    pub now: Millis,
    /// The composition that the presentity's domain or user has chosen.
    pub composition: Composition,
}

/// Why a snapshot cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError {
    /// The member at fault, `publications[1].pidf`; empty for the whole text.
    pub place: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.place, self.message)
        }
    }
}

impl core::error::Error for SnapshotError {}

impl Snapshot {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// The first member that is missing, of the wrong kind, or a document that cannot be read.
    pub fn read_json(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
        let root = json::read(bytes)
            .map_err(|error| SnapshotError { place: String::new(), message: format!("{error}") })?;
        let root = Node { value: &root, place: String::new() };
        let aor = root.text("aor")?.ok_or_else(|| root.fault("aor", "is missing"))?;
        let domain = match root.text("domain")? {
            Some(domain) => domain,
            None => aor.rsplit('@').next().unwrap_or_default().to_owned(),
        };
        let mut set = LiveSet {
            presentity: Presentity {
                aor,
                domain,
                tenant: root.text("tenant")?.unwrap_or_default(),
                groups: Vec::new(),
                locale: root.text("locale")?,
            },
            ..LiveSet::default()
        };
        for group in root.items("groups")? {
            let name = group.value.as_str().ok_or_else(|| group.fault("", "is not a string"))?;
            set.presentity.groups.push(name.to_owned());
        }
        if let Some(switches) = root.object("switches")? {
            set.switches = Switches {
                presence_uses_registration_state: switches
                    .flag("presence_uses_registration_state")?
                    .unwrap_or_default(),
                notify_closed_state_for_non_published_users: switches
                    .flag("notify_closed_state_for_non_published_users")?
                    .unwrap_or_default(),
            };
        }
        for item in root.items("publications")? {
            set.publications.push(publication(&item)?);
        }
        for item in root.items("registrations")? {
            set.registrations.push(registration(&item)?);
        }
        for item in root.items("dialogs")? {
            set.dialogs.push(dialog(&item)?);
        }
        let composition = match root.text("composition")? {
            None => Composition::default(),
            Some(name) => name.parse().map_err(|_| {
                root.fault("composition", "is not one of compose, union, newest, most-available")
            })?,
        };
        Ok(Snapshot { set, now: Millis(root.int("now_ms")?.unwrap_or_default()), composition })
    }

    /// Writes the JSON form, members in one order, publications as they stand in the set.
    #[must_use]
    pub fn write_json(&self) -> String {
        let bodies: usize = self.set.publications.iter().map(|p| p.document.source().len() + 320).sum();
        let mut out = Writer::with_capacity(bodies + 512);
        out.begin_object();
        self.write_members(&mut out);
        out.end_object();
        out.into_string()
    }

    /// Writes the members of the JSON form into an object that the caller has begun, so that more can follow.
    pub fn write_members(&self, out: &mut Writer) {
        let presentity = &self.set.presentity;
        out.key("aor").string(&presentity.aor);
        out.key("domain").string(&presentity.domain);
        out.key("tenant").string(&presentity.tenant);
        out.key("groups").begin_array();
        presentity.groups.iter().for_each(|group| out.string(group));
        out.end_array();
        nullable(out, "locale", presentity.locale.as_deref());
        out.key("now_ms").int(self.now.0);
        out.key("composition").string(self.composition.as_str());
        out.key("switches").begin_object();
        let switches = self.set.switches;
        out.key("presence_uses_registration_state").bool(switches.presence_uses_registration_state);
        out.key("notify_closed_state_for_non_published_users")
            .bool(switches.notify_closed_state_for_non_published_users);
        out.end_object();
        out.key("publications").begin_array();
        for publication in &self.set.publications {
            out.begin_object();
            out.key("etag").string(&publication.etag);
            out.key("source").string(publication.source.as_str());
            out.key("device").string(&publication.device.key);
            out.key("device_kind").string(publication.device.kind.as_str());
            nullable(out, "label", publication.device.label.as_deref());
            nullable(out, "instance", publication.device.instance.as_deref());
            nullable(out, "gruu", publication.device.gruu.as_deref());
            nullable(out, "user_agent", publication.user_agent.as_deref());
            out.key("received_ms").int(publication.received.0);
            out.key("first_ms").int(publication.first.0);
            // An expiry that never comes is left out: it does not fit the 53 bits of an integer.
            let ends = publication.expires.0;
            out.int_member("expires_ms", (ends <= json::MAX_INTEGER).then_some(ends));
            out.key("pidf").string(publication.document.source());
            out.end_object();
        }
        out.end_array();
        out.key("registrations").begin_array();
        self.set.registrations.iter().for_each(|registration| write_registration(out, registration));
        out.end_array();
        out.key("dialogs").begin_array();
        self.set.dialogs.iter().for_each(|dialog| write_dialog(out, dialog));
        out.end_array();
    }
}

/// The JSON object of one registration, the same in a snapshot and in a policy's input.
pub(crate) fn write_registration(out: &mut Writer, registration: &Registration) {
    out.begin_object();
    out.key("contact").string(&registration.contact);
    out.string_member("instance", registration.instance.as_deref());
    out.key("q_milli").int(i64::from(registration.q_milli));
    let ends = registration.expires.0;
    out.int_member("expires_ms", (ends <= json::MAX_INTEGER).then_some(ends));
    out.string_member("user_agent", registration.user_agent.as_deref());
    out.key("transport").string(&registration.transport);
    out.end_object();
}

/// The JSON object of one dialog, the same in a snapshot and in a policy's input.
pub(crate) fn write_dialog(out: &mut Writer, dialog: &Dialog) {
    out.begin_object();
    out.key("id").string(&dialog.id);
    out.key("state").string(&dialog.state);
    out.key("direction").string(&dialog.direction);
    out.key("since_ms").int(dialog.since.0);
    out.string_member("device", dialog.device.as_deref());
    out.end_object();
}

fn nullable(out: &mut Writer, name: &str, text: Option<&str>) {
    out.key(name);
    match text {
        Some(text) => out.string(text),
        None => out.null(),
    }
}

fn publication(node: &Node<'_>) -> Result<Publication, SnapshotError> {
    let pidf = node.text("pidf")?.ok_or_else(|| node.fault("pidf", "is missing"))?;
    let document = Document::read(pidf.as_bytes()).map_err(|error| node.fault("pidf", &error.message))?;
    let user_agent = node.text("user_agent")?;
    let instance = node.text("instance")?;
    let mut device =
        DeviceIdentity::identify(instance.as_deref(), None, &document, None, user_agent.as_deref());
    if let Some(key) = node.text("device")? {
        device.key = key;
    }
    if let Some(kind) = node.text("device_kind")? {
        device.kind = DeviceKind::of(&kind).ok_or_else(|| {
            node.fault("device_kind", "is not one of desk, mobile, soft, web, room, service")
        })?;
    }
    device.gruu = node.text("gruu")?;
    device.label = node.text("label")?;
    let source = match node.text("source")? {
        None => SourceKind::Publish,
        Some(name) => SourceKind::of(&name).ok_or_else(|| {
            node.fault("source", "is not one of publish, register, dialog, hard-state, gateway")
        })?,
    };
    let received = Millis(node.int("received_ms")?.unwrap_or_default());
    Ok(Publication {
        etag: node.text("etag")?.unwrap_or_default(),
        source,
        device,
        user_agent,
        received,
        first: node.int("first_ms")?.map_or(received, Millis),
        expires: Millis(node.int("expires_ms")?.unwrap_or(i64::MAX)),
        document: Arc::new(document),
    })
}

fn registration(node: &Node<'_>) -> Result<Registration, SnapshotError> {
    let q_milli = u16::try_from(node.int("q_milli")?.unwrap_or(1000))
        .ok()
        .filter(|q| *q <= 1000)
        .ok_or_else(|| node.fault("q_milli", "is not between 0 and 1000"))?;
    Ok(Registration {
        contact: node.text("contact")?.ok_or_else(|| node.fault("contact", "is missing"))?,
        instance: node.text("instance")?,
        q_milli,
        expires: Millis(node.int("expires_ms")?.unwrap_or(i64::MAX)),
        user_agent: node.text("user_agent")?,
        transport: node.text("transport")?.unwrap_or_default(),
    })
}

fn dialog(node: &Node<'_>) -> Result<Dialog, SnapshotError> {
    Ok(Dialog {
        id: node.text("id")?.unwrap_or_default(),
        state: node.text("state")?.unwrap_or_default(),
        direction: node.text("direction")?.unwrap_or_default(),
        since: Millis(node.int("since_ms")?.unwrap_or_default()),
        device: node.text("device")?,
    })
}

/// A JSON value that knows where it stands, for the sake of messages.
struct Node<'a> {
    value: &'a Value<'a>,
    place: String,
}

impl<'a> Node<'a> {
    fn path(&self, member: &str) -> String {
        match (self.place.is_empty(), member.is_empty()) {
            (true, _) => member.to_owned(),
            (false, true) => self.place.clone(),
            (false, false) => format!("{}.{member}", self.place),
        }
    }

    fn fault(&self, member: &str, message: &str) -> SnapshotError {
        SnapshotError { place: self.path(member), message: message.to_owned() }
    }

    /// The member, where it is there and not null.
    fn member(&self, name: &str) -> Option<&'a Value<'a>> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<String>, SnapshotError> {
        self.member(name)
            .map(|value| {
                value.as_str().map(ToOwned::to_owned).ok_or_else(|| self.fault(name, "is not a string"))
            })
            .transpose()
    }

    fn int(&self, name: &str) -> Result<Option<i64>, SnapshotError> {
        self.member(name)
            .map(|value| value.as_int().ok_or_else(|| self.fault(name, "is not an integer")))
            .transpose()
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, SnapshotError> {
        self.member(name)
            .map(|value| value.as_bool().ok_or_else(|| self.fault(name, "is not true or false")))
            .transpose()
    }

    fn object(&self, name: &str) -> Result<Option<Node<'a>>, SnapshotError> {
        match self.member(name) {
            None => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Some(Node { value, place: self.path(name) })),
            Some(_) => Err(self.fault(name, "is not an object")),
        }
    }

    fn items(&self, name: &str) -> Result<Vec<Node<'a>>, SnapshotError> {
        let Some(value) = self.member(name) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| self.fault(name, "is not an array"))?;
        let place = self.path(name);
        Ok(items
            .iter()
            .enumerate()
            .map(|(at, value)| Node { value, place: format!("{place}[{at}]") })
            .collect())
    }
}

//! What is stored, and how its bytes look.
//!
//! ```text
//!   version (1 byte) | fields in the order of the struct | check sum (4 bytes)
//! ```
//! Numbers are LEB128, strings are length and bytes, options are a 0 or a 1 and the value. A record
//! that is cut, altered or of an unknown version is an error with a place, never a panic and never
//! another record.

mod code;

pub use code::{Last, RecordError};

use crate::presentity::NOBODY;
use bytes::Bytes;
use code::{Field, Reader, Writer};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use tributary_sip::transaction::{FlowId, Hop, Transport};

/// The tables of the store that the engine writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Bindings, under the address of record and the key of the device.
    Registrations,
    /// Publications, under a number of their own that outlives their entity-tags.
    Publications,
    /// Subscriptions, under our tag of their dialog.
    Subscriptions,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 3] = [Self::Registrations, Self::Publications, Self::Subscriptions];

    /// The table's name in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registrations => "registrations",
            Self::Publications => "publications",
            Self::Subscriptions => "subscriptions",
        }
    }
}

/// One stored thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A binding.
    Registration(RegistrationRecord),
    /// A publication.
    Publication(PublicationRecord),
    /// A subscription.
    Subscription(SubscriptionRecord),
}

impl Record {
    /// Reads a record back.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are not what [`encode`](Self::encode) wrote.
    pub fn decode(table: Table, bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes)?;
        let record = match table {
            Table::Registrations => Self::Registration(RegistrationRecord::read(&mut reader)?),
            Table::Publications => Self::Publication(PublicationRecord::read(&mut reader)?),
            Table::Subscriptions => Self::Subscription(SubscriptionRecord::read(&mut reader)?),
        };
        reader.end()?;
        Ok(record)
    }

    /// The bytes to store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Registration(record) => record.write(&mut writer),
            Self::Publication(record) => record.write(&mut writer),
            Self::Subscription(record) => record.write(&mut writer),
        }
        writer.finish()
    }

    /// Where it is stored.
    #[must_use]
    pub fn table(&self) -> Table {
        match self {
            Self::Registration(_) => Table::Registrations,
            Self::Publication(_) => Table::Publications,
            Self::Subscription(_) => Table::Subscriptions,
        }
    }

    /// Under which key it is stored.
    #[must_use]
    pub fn key(&self) -> Bytes {
        match self {
            Self::Registration(record) => registration_key(&record.aor, &record.id),
            Self::Publication(record) => publication_key(record.id),
            Self::Subscription(record) => subscription_key(&record.local_tag),
        }
    }

    /// The presentity whose shard the record belongs to.
    #[must_use]
    pub fn aor(&self) -> &str {
        match self {
            Self::Registration(record) => &record.aor,
            Self::Publication(record) => &record.aor,
            Self::Subscription(record) => &record.presentity,
        }
    }
}

/// The way of datagrams, which is there after a restart as it was before. [`FlowId::of_datagrams`] must
/// be given the same secret again for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagrams {
    /// What stands for the connection.
    pub flow: FlowId,
    /// The other end.
    pub peer: SocketAddr,
}

impl Datagrams {
    /// What is to be stored of a way.
    pub(crate) fn of(hop: Option<Hop>) -> Last<Self> {
        let datagrams = hop.filter(|hop| hop.flow.socket().is_some());
        Last(datagrams.map(|Hop { flow, peer, .. }| Self { flow, peer }))
    }
}

impl Field for Datagrams {
    fn write(&self, writer: &mut Writer) {
        self.flow.write(writer);
        self.peer.write(writer);
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        Ok(Self { flow: FlowId::read(reader, field)?, peer: SocketAddr::read(reader, field)? })
    }
}

/// What was added to the record of a binding since its first form. An older record ends before it, or
/// within; so does one that needs none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Where it came from, if not over a connection.
    pub datagrams: Option<Datagrams>,
    /// What its instance's temporary GRUUs name.
    pub generation: Option<NonZeroU64>,
    /// The hops between us and the client, top first.
    pub path: Vec<String>,
    /// Name and value of each header that was kept.
    pub headers: Vec<(String, String)>,
    /// What clients of Microsoft's servers call the device.
    pub epid: Option<String>,
}

impl Field for Added {
    fn write(&self, writer: &mut Writer) {
        let there = [
            self.datagrams.is_some(),
            self.generation.is_some(),
            !self.path.is_empty(),
            !self.headers.is_empty(),
            self.epid.is_some(),
        ];
        let count = there.iter().rposition(|there| *there).map_or(0, |last| last + 1);
        if count > 0 {
            // Nobody's address keeps the place of one.
            self.datagrams.unwrap_or(Datagrams { flow: FlowId(0), peer: NOBODY }).write(writer);
        }
        if count > 1 {
            self.generation.map_or(0, NonZeroU64::get).write(writer);
        }
        if count > 2 {
            self.path.write(writer);
        }
        if count > 3 {
            self.headers.write(writer);
        }
        Last(self.epid.clone()).write(writer);
    }

    fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, RecordError> {
        let Last(datagrams) = Last::<Datagrams>::read(reader, field)?;
        let Last(generation) = Last::<u64>::read(reader, field)?;
        let Last(path) = Last::read(reader, field)?;
        let Last(headers) = Last::read(reader, field)?;
        let Last(epid) = Last::read(reader, field)?;
        Ok(Self {
            datagrams: datagrams.filter(|datagrams| datagrams.peer != NOBODY),
            generation: generation.and_then(NonZeroU64::new),
            path: path.unwrap_or_default(),
            headers: headers.unwrap_or_default(),
            epid,
        })
    }
}

/// How a transport is stored.
pub(crate) const fn transport_index(transport: Transport) -> u8 {
    match transport {
        Transport::Ws => 0,
        Transport::Wss => 1,
        Transport::Tcp => 2,
        Transport::Tls => 3,
        Transport::Udp => 4,
    }
}

/// The transport that was stored. A number from a later version of this program reads as WebSocket:
/// the flow is gone anyway.
pub(crate) const fn transport(index: u8) -> Transport {
    match index {
        1 => Transport::Wss,
        2 => Transport::Tcp,
        3 => Transport::Tls,
        4 => Transport::Udp,
        _ => Transport::Ws,
    }
}

pub(crate) fn registration_key(aor: &str, id: &str) -> Bytes {
    [aor.as_bytes(), id.as_bytes()].join(&0).into()
}

pub(crate) fn publication_key(id: u64) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

pub(crate) fn subscription_key(local_tag: &str) -> Bytes {
    Bytes::copy_from_slice(local_tag.as_bytes())
}

macro_rules! record {
    ($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $kind:ty,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_about])* pub $field: $kind,)+
        }

        impl $name {
            fn write(&self, writer: &mut Writer) {
                $(code::Field::write(&self.$field, writer);)+
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
                Ok(Self { $($field: code::Field::read(reader, stringify!($field))?,)+ })
            }
        }
    };
}

record! {
    /// A binding (RFC 3261 10).
    RegistrationRecord {
        /// The address of record.
        aor: String,
        /// What makes the binding one: instance and reg-id, or the epid, or the Contact URI.
        id: String,
        /// The Contact URI as given.
        contact: String,
        /// The Contact's parameters as given, but for `expires`, each with its semicolon.
        params: String,
        /// `+sip.instance` without quotes and brackets.
        instance: Option<String>,
        /// `q` in thousandths.
        q_milli: u16,
        /// When it ends at the latest, ms since the epoch: once more the time that was granted after what the
        /// client was told. A refresh before that is not stored: after a crash a binding may live so much
        /// longer, and is never lost.
        expires_ms: i64,
        /// Call-ID of the last REGISTER.
        call_id: String,
        /// CSeq of the last REGISTER that was stored.
        cseq: u32,
        /// The client's User-Agent.
        user_agent: Option<String>,
        /// The transport's index.
        transport: u8,
        /// What records of it did not have at first.
        added: Added,
    }
}

record! {
    /// A publication (RFC 3903).
    PublicationRecord {
        /// Names the publication over all its entity-tags.
        id: u64,
        /// The presentity.
        aor: String,
        /// The entity-tag in force.
        etag: String,
        /// The device's key.
        device: String,
        /// The device's kind, by its name.
        device_kind: String,
        /// The device's label.
        label: Option<String>,
        /// `+sip.instance`, if known.
        instance: Option<String>,
        /// What a REGISTER must show to bring the publication back: instance, or Contact URI.
        returns_as: Option<String>,
        /// The publisher's User-Agent.
        user_agent: Option<String>,
        /// When this version came.
        received_ms: i64,
        /// When the first version came.
        first_ms: i64,
        /// When it ends.
        expires_ms: i64,
        /// The document.
        document: Bytes,
        /// Where it came from, if not over a connection.
        datagrams: Last<FlowId>,
    }
}

record! {
    /// A subscription (RFC 6665).
    SubscriptionRecord {
        /// Our tag.
        local_tag: String,
        /// The presentity.
        presentity: String,
        /// The watcher's address of record.
        watcher: String,
        /// The key of the watcher's device, if known.
        device: Option<String>,
        /// Where NOTIFY goes: the watcher's Contact URI.
        target: String,
        /// The headers of every NOTIFY of the dialog.
        headers: String,
        /// Call-ID.
        call_id: String,
        /// The watcher's tag.
        remote_tag: String,
        /// CSeq numbers of NOTIFY up to this one may have been used.
        cseq_reserved: u32,
        /// CSeq of the last SUBSCRIBE.
        remote_cseq: u32,
        /// When it ends.
        expires_ms: i64,
        /// The transport's index.
        transport: u8,
        /// Where NOTIFY goes, if not over a connection.
        datagrams: Last<Datagrams>,
    }
}

#[cfg(test)]
mod tests;

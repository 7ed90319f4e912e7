//! GRUUs: URIs that lead to one device of a user (RFC 5627).
//!
//! ```text
//!   public     sip:alice@example.com;gr=urn:uuid:f81d4fae-...     AOR and instance, plain to see
//!   temporary  sip:tgruu.Zk3v...@example.com;gr                   sealed: holder, generation
//!
//!   Request-URI --Gruu::of--> Public     --+--> what the registrar knows --> Standing
//!                             Temporary  --+      Present: to that device, and to no other
//!                             (no gr: the AOR)    Absent: 480      Invalid: 404
//! ```
//! * A **public** GRUU is a function of AOR and instance: the same at every registration, valid for
//!   as long as the AOR is, and nothing has to be stored for it (appendix A.1).
//! * A **temporary** one says nothing to anybody without the [keys](SealingKeys), not even whether
//!   two are of one user: it is of one length, and holds eight random octets. Inside is what the
//!   registrar needs to find the device: its number for the AOR, and the generation of the
//!   instance's registration, a number that is new whenever the Call-ID changes or an instance
//!   comes back after it had gone. All GRUUs of the current generation are valid, however many
//!   there are; all others are not (5.1, 5.3). So one number is kept for each registered instance.
//! * What a client says in `pub-gruu` and `temp-gruu` is never looked at (R13).

use std::borrow::Cow;

use crate::aor::Aor;
use crate::lex;
use crate::name_addr::InstanceId;
use crate::seal::{Purpose, SealingKeys};
use crate::status::Status;
use crate::uri::{Uri, decode};

/// Begins the user part of a temporary GRUU.
const TEMPORARY: &str = "tgruu.";

/// A URI with a `gr` parameter in one of our domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gruu<'a> {
    /// An AOR and the URN of an instance.
    Public {
        /// Whose device.
        aor: Aor,
        /// The URN, without angle brackets.
        instance: Cow<'a, str>,
    },
    /// A user part for [`Temporary::open`].
    Temporary(&'a str),
    /// None that we make: 404.
    Unknown,
}

impl<'a> Gruu<'a> {
    /// Reads a URI; `None` when it has no `gr`. Whether the domain is one of ours is not looked at.
    pub fn of(uri: &Uri<'a>) -> Option<Gruu<'a>> {
        let gr = uri.params.get("gr").filter(|_| uri.is_sip())?;
        let sealed = uri.user.and_then(|user| user.strip_prefix(TEMPORARY));
        Some(match (gr, sealed, Aor::from_uri(uri)) {
            ("", Some(sealed), _) => Gruu::Temporary(sealed),
            ("", None, _) | (_, _, Err(_)) => Gruu::Unknown,
            (gr, _, Ok(aor)) => match String::from_utf8(decode(gr)) {
                Ok(instance) => {
                    Gruu::Public { aor, instance: if gr == instance { gr.into() } else { instance.into() } }
                }
                Err(_) => Gruu::Unknown,
            },
        })
    }

    /// The public GRUU of an instance: the value of `pub-gruu`.
    pub fn public(aor: &Aor, instance: InstanceId<'_>) -> String {
        let mut text = format!("{aor};gr=");
        for byte in instance.urn().bytes() {
            if lex::is_uri_param(byte) {
                text.push(char::from(byte));
            } else {
                crate::aor::push_escape(&mut text, byte);
            }
        }
        text
    }

    /// Whether a public GRUU is that of an instance. URNs of UUIDs are the same in any case (RFC
    /// 4122 3), and no two devices differ in case alone.
    pub fn is_of(&self, instance: InstanceId<'_>) -> bool {
        matches!(self, Gruu::Public { instance: named, .. } if named.eq_ignore_ascii_case(instance.urn()))
    }
}

/// What a temporary GRUU holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Temporary {
    /// The registrar's number for the AOR.
    pub holder: u64,
    /// The generation of the instance's registration; no two instances share one.
    pub generation: u64,
}

impl Temporary {
    /// A temporary GRUU, for the value of `temp-gruu`. `entropy` is new each time.
    pub fn seal(&self, keys: &SealingKeys, entropy: [u8; 8], domain: &str) -> String {
        let plain = [entropy, self.holder.to_be_bytes(), self.generation.to_be_bytes()].concat();
        format!("sip:{TEMPORARY}{}@{domain};gr", keys.seal(Purpose::TemporaryGruu, &plain))
    }

    /// Opens what [`Gruu::Temporary`] holds; `None`: 404.
    pub fn open(keys: &SealingKeys, sealed: &str) -> Option<Temporary> {
        let plain = keys.open(Purpose::TemporaryGruu, sealed)?;
        let (numbers, []) = plain.as_chunks::<8>() else { return None };
        let [_, holder, generation] = numbers else { return None };
        let (holder, generation) = (u64::from_be_bytes(*holder), u64::from_be_bytes(*generation));
        Some(Temporary { holder, generation })
    }
}

/// What becomes of a request to a GRUU (6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none such, or no longer.
    Invalid,
    /// The device is not registered now.
    Absent,
    /// The request goes to this device, and never elsewhere.
    Present,
}

impl Standing {
    /// Of a public GRUU: whether the domain knows its AOR, and whether the instance is registered.
    pub fn of_public(instance: &str, aor_is_known: bool, registered: bool) -> Standing {
        // Instances are URNs (RFC 5626 4.1); what is none was never handed out, unless somebody
        // registers with it.
        let urn = instance.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"));
        match (aor_is_known, registered) {
            (true, true) => Standing::Present,
            (true, false) if urn => Standing::Absent,
            _ => Standing::Invalid,
        }
    }

    /// Of a temporary GRUU: what it holds, and whether some registered instance of that holder is
    /// in that generation.
    pub fn of_temporary(held: Option<Temporary>, is_current: impl FnOnce(Temporary) -> bool) -> Standing {
        match held {
            Some(held) if is_current(held) => Standing::Present,
            _ => Standing::Invalid,
        }
    }

    /// The answer, if the request goes nowhere (R6).
    pub fn refusal(self) -> Option<Status> {
        match self {
            Standing::Present => None,
            Standing::Absent => Some(Status::TEMPORARILY_UNAVAILABLE),
            Standing::Invalid => Some(Status::NOT_FOUND),
        }
    }
}

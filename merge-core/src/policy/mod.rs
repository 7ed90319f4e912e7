//! What the host and a policy say to each other: the limits, the input, the output, and what becomes of it.
//!
//! ```text
//!  LiveSet ─ compose ─► builtin ─ write_input ─► JSON ─► the policy ─► JSON ─ read_output ─► Output
//!                          └──────────────────────── apply ◄──────────────────────────────────┘
//! ```
//! The policy chooses, orders and names; the host checks each word of it and writes the document. What comes of
//! that may be shown to some watchers with less in it: see [`View`].

mod apply;
mod faults;
mod input;
pub mod limits;
mod output;
mod reading;
mod text;
mod view;

pub use apply::{apply, minimal};
pub use input::{INPUT_MEMBERS, INPUT_MINOR, Needs, write_input, write_needed};
pub use output::{Base, Drop, Finding, NoteText, Output, OutputError, Select, Set};
pub use reading::{Known, check_output, check_output_for, read_output, read_output_for};
pub use text::safe_text;
pub use view::{
    COARSE, Coarse, Level, Mask, Seen, View, ViewCall, ViewDrop, ViewKey, Watcher, WatcherClass, check_view,
    read_view, write_view_input,
};

use crate::live::LiveSet;
use crate::time::Millis;

/// Why a policy is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /// A device published something new.
    #[default]
    Publish,
    /// A publication was refreshed.
    Refresh,
    /// A publication was removed.
    Remove,
    /// A publication expired.
    Expire,
    /// A registration changed.
    Register,
    /// A call changed.
    Dialog,
    /// The time that the policy asked for has come.
    Timer,
    /// The policy or its parameters changed.
    Policy,
}

impl Reason {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Publish => "publish",
            Reason::Refresh => "refresh",
            Reason::Remove => "remove",
            Reason::Expire => "expire",
            Reason::Register => "register",
            Reason::Dialog => "dialog",
            Reason::Timer => "timer",
            Reason::Policy => "policy",
        }
    }
}

/// The wall clock where the user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The time zone, `Europe/Amsterdam`.
    pub tz: alloc::string::String,
    /// Minutes since midnight.
    pub minutes: u16,
    /// 1 for Monday to 7 for Sunday (ISO 8601).
    pub weekday: u8,
    /// The date, `2026-11-21`.
    pub date: alloc::string::String,
}

/// One call of a policy.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// What is live.
    pub set: &'a LiveSet,
    /// The moment.
    pub now: Millis,
    /// Why it is asked.
    pub reason: Reason,
    /// The publication that changed. A policy is told of it if it is shown it: not if it is over or superseded.
    pub changed_etag: Option<&'a str>,
    /// The operator's parameters: a JSON object. What is no JSON object counts as `{}`.
    pub params: &'a str,
    /// The wall clock where the user is, if it is known.
    pub local_time: Option<LocalTime>,
}

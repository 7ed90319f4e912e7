//! What was asked of policies about chosen presentities and what they answered, for a while: an administrator reads
//! it, and other policies are run on it.
//!
//! ```text
//!   switched on, until then ──▶ a merge that somebody watches: is anybody captured? (one atomic load)
//!                                 ──▶ is it this one? ──▶ redacted ──▶ kept: so many, so long
//! ```
//! It holds personal data: nobody is captured unless the configuration allows it and somebody has asked for this
//! one, whose name stands in the audit log; texts and positions are taken out before anything is kept
//! ([`merge_core::redact`]); what is kept is in memory alone, and gone after a day, or at once when the capture is ended
//! by hand.

mod entry;

use self::entry::Device;
pub(super) use self::entry::{Decision, Made, MadeView};
use crate::clock::Clock;
use crate::metrics::Metrics;
use merge_core::policy::{Watcher, limits};
use merge_core::time::Millis;
use policy_sandbox::Hook;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How often what is too old is looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// Who is captured, and what is kept of them.
#[derive(Debug)]
pub struct Captures {
    allowed: bool,
    /// Whether anybody is captured: all that is looked at for each merge otherwise.
    on: AtomicBool,
    users: Mutex<BTreeMap<Box<str>, Record>>,
    clock: Clock,
    metrics: Metrics,
}

/// One presentity that is captured, or was within the last day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Whose merges.
    pub aor: String,
    /// Who has asked for it last.
    pub by: String,
    /// Since when.
    pub since: Millis,
    /// Until when; what was kept is there a day longer at most.
    pub until: Millis,
    /// Merges that are kept.
    pub entries: usize,
    /// What they take.
    pub bytes: usize,
    /// Those that went to make room, or found none.
    pub lost: u64,
}

/// Which entries of a history are wanted, and what of them.
#[derive(Clone, Debug, Default)]
pub struct Wished {
    /// Those behind the one of this number.
    pub after: u64,
    /// Those since then.
    pub since: Option<Millis>,
    /// So many.
    pub most: usize,
    /// With what was asked of the policy, to be asked again.
    pub inputs: bool,
    /// With the views of this watcher alone; of all watchers where there is none.
    pub seen_by: Option<Eyes>,
}

/// A watcher whose views are wanted.
#[derive(Clone, Debug)]
pub struct Eyes {
    /// Who.
    pub watcher: String,
    /// What the watcher is to the presentity; nothing for users who watch themselves.
    pub class: Option<&'static str>,
    /// The groups that policies are told.
    pub groups: Vec<String>,
}

impl Eyes {
    fn are(&self, watcher: &Watcher) -> bool {
        match &watcher.aor {
            Some(aor) => *aor == self.watcher,
            None => Some(watcher.class.as_str()) == self.class && watcher.groups == self.groups,
        }
    }
}

/// An input that was captured.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) aor: Arc<str>,
    pub(super) at: Millis,
    pub(super) hook: Hook,
    pub(super) input: Arc<str>,
}

/// Why a capture cannot begin or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The configuration does not allow it.
    #[error("this server captures nobody")]
    NotAllowed,
    /// It would last too long, or no time: seconds.
    #[error("a capture lasts from 1 to {0} seconds")]
    Lasts(u32),
    /// As many presentities are captured, or were within the last day, as may be.
    #[error("of {0} presentities something is kept, which is as many as may be")]
    Full(usize),
    /// Nothing is kept of this presentity.
    #[error("this presentity is not captured")]
    Unknown,
    /// The audit log could not be written.
    #[error("the change could not be stored")]
    Store,
}

impl CaptureError {
    /// The code of the API's answer, which it is counted under as well.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "capture_not_allowed",
            Self::Lasts(_) => "bad_time",
            Self::Full(_) => "full",
            Self::Unknown => "unknown_capture",
            Self::Store => "store",
        }
    }
}

#[derive(Debug)]
struct Record {
    by: String,
    since: Millis,
    until: Millis,
    entries: VecDeque<Entry>,
    bytes: usize,
    lost: u64,
    last: u64,
    /// The devices of the newest entry by their entity-tags: the next may be about one that is over.
    devices: BTreeMap<String, Device>,
}

#[derive(Debug)]
struct Entry {
    seq: u64,
    made: Made,
    device: Option<Device>,
    views: Vec<MadeView>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.made.bytes() + self.views.iter().map(MadeView::bytes).sum::<usize>()
    }

    /// As one JSON object.
    fn write(&self, wished: &Wished) -> String {
        let device = self.device.as_ref().map_or("null".to_owned(), Device::write);
        let seen = |view: &&MadeView| wished.seen_by.as_ref().is_none_or(|eyes| eyes.are(&view.watcher));
        let views: Vec<String> =
            self.views.iter().filter(seen).map(|view| view.write(wished.inputs)).collect();
        let input = match (wished.inputs, &self.made.input) {
            (false, _) => String::new(),
            (true, Some(input)) => format!(",\"input\":{input}"),
            (true, None) => ",\"input\":null".to_owned(),
        };
        let (seq, head, views) = (self.seq, &self.made.head, views.join(","));
        format!("{{\"seq\":{seq},\"device\":{device},{head},\"views\":[{views}]{input}}}")
    }
}

impl Record {
    fn make_room(&mut self, bytes: usize, entries: usize) -> u64 {
        let mut gone = 0;
        while self.bytes + bytes > limits::CAPTURE_BYTES
            || self.entries.len() + entries > limits::CAPTURE_ENTRIES
        {
            // A view belongs to the newest entry, which stays.
            if self.entries.len() + entries <= 1 {
                break;
            }
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes();
            gone += 1;
        }
        self.lost += gone;
        gone
    }

    fn told(&self, aor: &str) -> Capture {
        let Self { by, since, until, entries, bytes, lost, .. } = self;
        let (aor, by) = (aor.to_owned(), by.clone());
        Capture { aor, by, since: *since, until: *until, entries: entries.len(), bytes: *bytes, lost: *lost }
    }
}

impl Captures {
    pub(super) fn new(allowed: bool, clock: Clock, metrics: Metrics) -> Self {
        Self { allowed, on: AtomicBool::new(false), users: Mutex::default(), clock, metrics }
    }

    /// Whether the configuration allows it.
    pub fn are_allowed(&self) -> bool {
        self.allowed
    }

    /// Whether the merges of this presentity are captured now.
    pub(super) fn is_on(&self, aor: &str) -> bool {
        self.on.load(Ordering::Relaxed)
            && self.users().get(aor).is_some_and(|record| self.clock.now() < record.until)
    }

    /// Whether a capture of so many seconds could begin now.
    pub(super) fn admit(&self, aor: &str, seconds: u32) -> Result<(), CaptureError> {
        if !self.allowed {
            return Err(CaptureError::NotAllowed);
        }
        if !(1..=limits::CAPTURE_SECONDS).contains(&seconds) {
            return Err(CaptureError::Lasts(limits::CAPTURE_SECONDS));
        }
        let users = self.swept();
        if !users.contains_key(aor) && users.len() >= limits::CAPTURES {
            return Err(CaptureError::Full(limits::CAPTURES));
        }
        Ok(())
    }

    /// Captures a presentity until then. Says whether it was not captured before.
    pub(super) fn begin(&self, who: &str, aor: &str, until: Millis) -> (Capture, bool) {
        let now = self.clock.now();
        let mut users = self.users();
        let is_new = users.get(aor).is_none_or(|record| record.until <= now);
        let record = users.entry(aor.into()).or_insert_with(|| Record {
            by: String::new(),
            since: now,
            until,
            entries: VecDeque::new(),
            bytes: 0,
            lost: 0,
            last: 0,
            devices: BTreeMap::new(),
        });
        if is_new {
            record.since = now;
        }
        record.by = who.to_owned();
        record.until = until;
        let told = record.told(aor);
        self.changed(&users, now);
        (told, is_new)
    }

    /// Whether anything is kept of a presentity, or will be.
    pub(super) fn has(&self, aor: &str) -> bool {
        self.swept().contains_key(aor)
    }

    /// Captures a presentity no more, and forgets what was kept of it.
    pub(super) fn end(&self, aor: &str) {
        let mut users = self.users();
        if let Some(record) = users.remove(aor) {
            self.gone(record.entries.len() as u64, "forgotten");
        }
        self.changed(&users, self.clock.now());
    }

    /// Those that are captured, or of which something is kept, in order.
    pub fn list(&self) -> Vec<Capture> {
        self.swept().iter().map(|(aor, record)| record.told(aor)).collect()
    }

    /// What is kept of a presentity: a JSON array of entries, the oldest first; and behind which entry there are
    /// more. Nothing where it is not captured.
    pub fn history(&self, aor: &str, wished: &Wished) -> Option<(Capture, String, Option<u64>)> {
        let users = self.swept();
        let record = users.get(aor)?;
        let mut wanted = record.entries.iter().filter(|entry| {
            entry.seq > wished.after && wished.since.is_none_or(|since| entry.made.at >= since)
        });
        let (mut entries, mut last) = (Vec::new(), None);
        for entry in wanted.by_ref().take(wished.most) {
            entries.push(entry.write(wished));
            last = Some(entry.seq);
        }
        let next = last.filter(|_| wanted.next().is_some());
        Some((record.told(aor), format!("[{}]", entries.join(",")), next))
    }

    /// The newest inputs of those presentities, at most so many, the newest first.
    pub(super) fn inputs(&self, of: impl Fn(&str) -> bool, most: usize) -> Vec<Recorded> {
        let users = self.swept();
        let mut all = Vec::new();
        for (aor, record) in users.iter().filter(|(aor, _)| of(aor)) {
            let aor: Arc<str> = (&**aor).into();
            for entry in &record.entries {
                let merge = entry.made.input.iter().map(|input| (Hook::Merge, input));
                let views = entry.views.iter().map(|view| (Hook::View, &view.input));
                let at = entry.made.at;
                all.extend(merge.chain(views).map(|(hook, input)| Recorded {
                    aor: Arc::clone(&aor),
                    at,
                    hook,
                    input: Arc::clone(input),
                }));
            }
        }
        all.sort_by_key(|recorded| std::cmp::Reverse(recorded.at));
        all.truncate(most);
        all
    }

    /// Keeps a merge. The oldest go where there is no room.
    pub(super) fn keep(&self, aor: &str, made: Made) {
        let mut users = self.users();
        let Some(record) = users.get_mut(aor) else { return };
        let bytes = made.bytes();
        if bytes > limits::CAPTURE_BYTES {
            record.lost += 1;
            return self.gone(1, "too_large");
        }
        let pushed_out = record.make_room(bytes, 1);
        record.last += 1;
        record.bytes += bytes;
        let device = made.device(&record.devices);
        record.devices.clone_from(&made.devices);
        let entry = Entry { seq: record.last, made, device, views: Vec::new() };
        record.entries.push_back(entry);
        self.gone(1, "kept");
        self.gone(pushed_out, "pushed_out");
        self.changed(&users, self.clock.now());
    }

    /// Keeps a view of what was merged last.
    pub(super) fn keep_view(&self, aor: &str, view: MadeView) {
        let mut users = self.users();
        let Some(record) = users.get_mut(aor) else { return };
        let bytes = view.bytes();
        let pushed_out = record.make_room(bytes, 0);
        let room = record.bytes + bytes <= limits::CAPTURE_BYTES;
        match record.entries.back_mut().filter(|_| room) {
            Some(newest) => {
                newest.views.push(view);
                record.bytes += bytes;
            }
            // Also where the capture began after what was merged last.
            None => self.gone(1, "view_left_out"),
        }
        self.gone(pushed_out, "pushed_out");
        self.changed(&users, self.clock.now());
    }

    /// Forgets what is too old, until the server stops.
    pub(crate) async fn forget_in_time(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                _ = ticks.tick() => drop(self.swept()),
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    fn users(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Record>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All, without what is too old.
    fn swept(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Record>> {
        let now = self.clock.now();
        let oldest = Millis(now.0 - i64::from(limits::CAPTURE_SECONDS) * 1_000);
        let mut users = self.users();
        let mut aged = 0;
        users.retain(|_, record| {
            while record.entries.front().is_some_and(|entry| entry.made.at <= oldest) {
                let gone = record.entries.pop_front();
                record.bytes -= gone.map_or(0, |entry| entry.bytes());
                aged += 1;
            }
            now < record.until || !record.entries.is_empty()
        });
        self.gone(aged, "aged");
        self.changed(&users, now);
        users
    }

    fn gone(&self, entries: u64, result: &str) {
        if entries > 0 {
            let counted = [("result", result.to_owned())];
            self.metrics.policy_captured.get_or_create(&counted).inc_by(entries);
        }
    }

    fn changed(&self, users: &BTreeMap<Box<str>, Record>, now: Millis) {
        let on = users.values().filter(|record| now < record.until).count();
        self.on.store(on > 0, Ordering::Relaxed);
        self.metrics.policy_captures.set(on as i64);
        let bytes: usize = users.values().map(|record| record.bytes).sum();
        self.metrics.policy_capture_bytes.set(bytes as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "sip:alice@example.com";
    const DAY: i64 = limits::CAPTURE_SECONDS as i64 * 1_000;

    fn captures() -> Captures {
        Captures::new(true, Clock::default(), crate::metrics::Exposition::default().metrics)
    }

    fn result(captures: &Captures, result: &str) -> u64 {
        captures.metrics.policy_captured.get_or_create(&[("result", result.to_owned())]).get()
    }

    #[test]
    fn the_oldest_go_where_there_is_no_room_for_all_and_what_went_is_counted() {
        let captures = captures();
        let now = captures.clock.now();
        captures.begin("ann", ALICE, Millis(now.0 + DAY));
        for _ in 0..limits::CAPTURE_ENTRIES + 10 {
            captures.keep(ALICE, Made::of_bytes(now, 10));
        }
        let told = captures.list().remove(0);
        assert_eq!(
            (told.entries, told.lost, told.bytes),
            (limits::CAPTURE_ENTRIES, 10, limits::CAPTURE_ENTRIES * 10)
        );
        captures.keep(ALICE, Made::of_bytes(now, limits::CAPTURE_BYTES - 25));
        let told = captures.list().remove(0);
        assert_eq!((told.entries, told.bytes), (3, limits::CAPTURE_BYTES - 5));
        captures.keep(ALICE, Made::of_bytes(now, limits::CAPTURE_BYTES + 1));
        assert_eq!((captures.list().remove(0).entries, result(&captures, "too_large")), (3, 1));
        assert_eq!(result(&captures, "pushed_out"), limits::CAPTURE_ENTRIES as u64 + 8);
        assert_eq!(captures.metrics.policy_capture_bytes.get(), limits::CAPTURE_BYTES as i64 - 5);
        captures.keep("sip:bob@example.com", Made::of_bytes(now, 10));
        assert_eq!(captures.list().len(), 1, "who is not captured is not kept");
    }

    #[test]
    fn what_is_a_day_old_is_gone_and_a_capture_whose_time_is_over_lasts_as_long_as_what_it_kept() {
        let captures = captures();
        let now = captures.clock.now();
        assert!(!captures.is_on(ALICE));
        captures.begin("ann", ALICE, Millis(now.0 + DAY));
        assert!(captures.is_on(ALICE) && !captures.is_on("sip:bob@example.com"));
        captures.keep(ALICE, Made::of_bytes(Millis(now.0 - DAY), 10));
        captures.keep(ALICE, Made::of_bytes(Millis(now.0 - DAY / 2), 10));
        assert_eq!((captures.list().remove(0).entries, result(&captures, "aged")), (1, 1));
        assert!(!captures.begin("bob", ALICE, Millis(now.0 - 1)).1);
        assert!(!captures.is_on(ALICE) && captures.has(ALICE), "it is over, and something is kept");
        assert_eq!(captures.metrics.policy_captures.get(), 0);
        captures.begin("ann", "sip:bob@example.com", Millis(now.0 - 1));
        assert_eq!(captures.list().len(), 1, "nothing was kept of bob");
        captures.end(ALICE);
        assert_eq!((captures.list().len(), captures.metrics.policy_capture_bytes.get()), (0, 0));
    }
}

//! What classes of watchers see of a presentity, where its policy tells them apart (`pp_view`).
//!
//! A view is made of the merged document when that, the policy or its parameters have changed, for each class that
//! somebody watches in, and for a class that somebody begins to watch in; all who share it share its bytes. Views
//! with equal bytes have one number, so whoever moves from one to the other is not told the same again.

use crate::effect::{Effects, Event};
use crate::limits::Limits;
use crate::policy::{Assignment, Hook, OnFailure, Opinion, PolicyFailure, PolicyHost, Ran};
use crate::presentity::{PresentityId, View, empty_set};
use crate::question::{Ask, MadeBy, NoAnswer, Waiting};
use crate::shard::{Shard, Timer};
use crate::subscription::{Package, SubscriptionId};
use crate::watcher::classify;
use crate::wheel::TimerId;
use bytes::Bytes;
use merge_core::live::Presentity as Identity;
use merge_core::model::Document;
use merge_core::policy::{
    Reason, Seen, View as Cut, ViewCall, ViewKey, Watcher, read_view, write_view_input,
};
use merge_core::time::Millis;

/// What of a presentity's state a subscription is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sees(u16);

impl Sees {
    /// The state as it was merged.
    pub(crate) const ALL: Self = Self(u16::MAX);
    /// The view of those for whom there was no room.
    const REST: usize = 0;
}

/// The views of one presentity.
pub(crate) struct Views {
    key: ViewKey,
    /// The policy and the parameters that they were made by.
    made_by: MadeBy,
    /// The number of the document that they were made of.
    made_of: u32,
    /// [`Sees::REST`] first. A place that nobody watches in is free.
    list: Vec<Seat>,
    /// When those that the policy failed to make are to be tried again.
    retry: TimerId,
}

/// One view.
#[derive(Default)]
struct Seat {
    /// Whose; of [`Sees::REST`] and a free place nobody's.
    watcher: Option<Watcher>,
    /// How many subscriptions are shown it.
    shown_to: u32,
    /// Whether it is what the policy makes of the document.
    made: bool,
    /// The policy was asked, and has not answered yet.
    waits: Option<Waiting>,
    body: Bytes,
    version: u32,
    /// What the policy answered last that could be used, for the time of a failure.
    last_good: Option<Box<Cut>>,
}

impl View {
    /// The number and the bytes of what is seen there; 0 and nothing for what was not made yet.
    pub(crate) fn seen(&self, sees: Sees) -> (u32, &Bytes) {
        static NOTHING: Bytes = Bytes::new();
        if sees == Sees::ALL {
            return (self.version, &self.body);
        }
        let seat = self.views.as_ref().and_then(|views| views.list.get(usize::from(sees.0)));
        seat.map_or((0, &NOTHING), |seat| (seat.version, &seat.body))
    }
}

impl Views {
    fn new(key: ViewKey) -> Self {
        let list = vec![Seat::default()];
        Self { key, made_by: ([0; 32], "".into()), made_of: 0, list, retry: TimerId::NONE }
    }

    /// The place of a watcher, and whether there was room for a view of it.
    fn enter(&mut self, watcher: Option<Watcher>, limits: &Limits) -> (Sees, bool) {
        let Some(watcher) = watcher else { return (Sees::ALL, true) };
        let own = self.list.iter().position(|seat| seat.watcher.as_ref() == Some(&watcher));
        let most = (limits.views_per_presentity as usize).min(usize::from(u16::MAX) - 1);
        let at = own.or_else(|| {
            let free = self.list.iter().skip(1).position(|seat| seat.watcher.is_none()).map(|at| at + 1);
            let at = free.unwrap_or(self.list.len());
            (at <= most).then(|| {
                let seat = Seat { watcher: Some(watcher), ..Seat::default() };
                match self.list.get_mut(at) {
                    Some(free) => *free = seat,
                    None => self.list.push(seat),
                }
                at
            })
        });
        let place = at.unwrap_or(Sees::REST);
        if let Some(seat) = self.list.get_mut(place) {
            seat.shown_to += 1;
        }
        // No place is beyond `most`, which fits.
        (Sees(place as u16), at.is_some())
    }

    /// A subscription is shown this no more.
    pub(crate) fn leave(&mut self, sees: Sees) {
        if let Some(seat) = self.list.get_mut(usize::from(sees.0)) {
            seat.shown_to = seat.shown_to.saturating_sub(1);
            if seat.shown_to == 0 {
                *seat = Seat::default();
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.list.iter().all(|seat| seat.made || seat.shown_to == 0)
    }

    /// The timer that goes with it.
    pub(crate) const fn timer(&self) -> TimerId {
        self.retry
    }
}

impl Shard {
    /// Finds what a subscription is shown, where watchers are told apart.
    pub(crate) fn classify(&mut self, id: SubscriptionId, fx: &mut Effects) {
        let config = &self.config;
        let Some(subscription) = self.subscriptions.get_mut(id) else { return };
        let Some(presentity) = self.presentities.get_mut(subscription.presentity) else { return };
        let Some(views) = presentity.view.as_mut().and_then(|view| view.views.as_mut()) else { return };
        let found = classify(config, &presentity.aor, &subscription.watcher, views.key);
        let watcher = found.map(|found| found.watcher);
        // Entering before leaving, so that a view that both are does not go.
        let (sees, room) = views.enter(watcher, &config.limits);
        let before = std::mem::replace(&mut subscription.sees, sees);
        views.leave(before);
        if !room {
            fx.event(Event::LimitReached { limit: "views_per_presentity" });
        }
        if !views.is_whole() && !self.unseen.contains(&subscription.presentity) {
            self.unseen.push(subscription.presentity);
        }
        if before != sees {
            self.due.push(id);
        }
    }

    /// A user knows others than before.
    pub(crate) fn contacts_changed(&mut self, aor: &str, fx: &mut Effects) {
        let presentity = self.presentities.find(aor).and_then(|id| self.presentities.get(id));
        let watchers = presentity.map(|presentity| presentity.subscriptions.clone()).unwrap_or_default();
        for id in watchers {
            if self.subscriptions.is_to(id, Package::Presence) {
                self.classify(id, fx);
            }
        }
    }

    /// Watchers are told apart no more. Whether that is another state for any.
    pub(crate) fn show_all(&mut self, id: PresentityId) -> bool {
        let Some(presentity) = self.presentities.get_mut(id) else { return false };
        let Some(views) = presentity.view.as_mut().and_then(|view| view.views.take()) else { return false };
        self.wheel.cancel(views.timer());
        for subscription in &presentity.subscriptions {
            if let Some(subscription) = self.subscriptions.get_mut(*subscription) {
                subscription.sees = Sees::ALL;
            }
        }
        true
    }

    /// The state was merged: makes the views of it that are not made yet. Whether any is another one than before.
    pub(crate) fn look_anew(
        &mut self,
        id: PresentityId,
        (assignment, key): (&Assignment, ViewKey),
        ask_again: bool,
        host: &mut dyn PolicyHost,
        fx: &mut Effects,
    ) -> bool {
        let Some(presentity) = self.presentities.get_mut(id) else { return false };
        let Some(view) = presentity.view.as_mut() else { return false };
        let version = view.version;
        let new = view.views.as_ref().is_none_or(|views| views.key != key);
        if new {
            if let Some(old) = view.views.replace(Box::new(Views::new(key))) {
                self.wheel.cancel(old.timer());
            }
            for id in presentity.subscriptions.clone() {
                if let Some(subscription) = self.subscriptions.get_mut(id)
                    && subscription.package == Package::Presence
                {
                    subscription.sees = Sees::ALL;
                    self.classify(id, fx);
                }
            }
        }
        let Some(views) = self.views(id) else { return false };
        let made_by = assignment.made_by();
        if ask_again || views.made_of != version || views.made_by != made_by {
            views.list.iter_mut().for_each(|seat| (seat.made, seat.waits) = (false, None));
        }
        (views.made_of, views.made_by) = (version, made_by);
        // Those who were told apart just now are seen to here.
        self.unseen.retain(|other| *other != id);
        self.make_views(id, assignment, None, host, fx) || new
    }

    /// Makes the views of those who began to watch, or became something else, since the state was merged, and
    /// the one that waits for `answer`.
    pub(crate) fn show_unseen(
        &mut self,
        id: PresentityId,
        answer: Option<(u64, Ran)>,
        host: &mut dyn PolicyHost,
        fx: &mut Effects,
    ) {
        let Some(presentity) = self.presentities.get(id) else { return };
        let identity = empty_set(&presentity.aor, &self.config).presentity;
        let assignment = host.assignment(&identity);
        let Some(views) = self.views(id) else { return };
        match assignment {
            Some(now) if now.view == Some(views.key) && views.made_by == now.made_by() => {
                if self.make_views(id, &now, answer, host, fx) {
                    self.fan_out(id, Package::Presence, fx);
                }
            }
            _ => {
                // Another policy is in force by now: a view by that one of what this one has merged would be neither's.
                self.mark(id, Reason::Policy, None, false);
                self.evaluate(id, None, host, fx);
            }
        }
    }

    fn views(&mut self, id: PresentityId) -> Option<&mut Views> {
        self.presentities.get_mut(id)?.view.as_mut()?.views.as_deref_mut()
    }

    /// Makes the views that are not made, with the policy that [`PolicyHost::assignment`] named last; of those that
    /// wait for the policy, the one that `answer` is for.
    fn make_views(
        &mut self,
        id: PresentityId,
        assignment: &Assignment,
        mut answer: Option<(u64, Ran)>,
        host: &mut dyn PolicyHost,
        fx: &mut Effects,
    ) -> bool {
        let (now, config) = (self.now, &*self.config);
        let Some(presentity) = self.presentities.get_mut(id) else { return false };
        let Some(view) = presentity.view.as_mut() else { return false };
        let Some(mut list) = view.views.as_mut().map(|views| std::mem::take(&mut views.list)) else {
            return false;
        };
        let unmade = |seat: &Seat| !seat.made && seat.shown_to > 0;
        // An answer is for the one view that waits for it; that others have failed is not asked about anew for it.
        let question = answer.as_ref().map(|(question, _)| *question);
        let mut changed = false;
        if list.iter().any(unmade) {
            let body = view.body.clone();
            // None where there is nothing to show, and so nothing to hide.
            let merged = Document::read_written(&body).ok();
            let identity = empty_set(&presentity.aor, config).presentity;
            let (mut told, mut retry_at): (_, Option<Millis>) = (false, None);
            let captured = host.captures(&presentity.aor);
            for at in 0..list.len() {
                let meant = |seat: &Seat| seat.waits.as_ref().map(|waiting| waiting.question) == question;
                let seat = list.get_mut(at).filter(|seat| unmade(seat) && meant(seat));
                let Some(seat) = seat else { continue };
                let (now, ask) = match (&seat.waits, answer.take()) {
                    (Some(waiting), Some((_, ran))) => (waiting.since, Some(Ask::Answered(ran))),
                    _ => (now, None),
                };
                let mut written = None;
                seat.made = true;
                if let Some(merged) = &merged {
                    let look = Look { identity: &identity, assignment, merged, now };
                    self.questions += 1;
                    let ask = ask.unwrap_or(Ask::Under(self.questions));
                    let Some((cut, answer)) = look.cut(seat, ask, host) else {
                        let waiting = Waiting { question: self.questions, since: now };
                        (seat.made, seat.waits) = (false, Some(waiting));
                        continue;
                    };
                    seat.waits = None;
                    written = (!cut.is_full()).then(|| Bytes::from(cut.apply(merged)));
                    if let Some(watcher) = seat.watcher.as_ref().filter(|_| captured) {
                        let after = written.as_ref().unwrap_or(&body);
                        crate::capture::view(&look, watcher, &answer, (&seat.body, after), host);
                    }
                    if let Err(failure) = answer {
                        seat.made = false;
                        retry_at = retry_at.into_iter().chain(failure.retry_at).min();
                        if !std::mem::replace(&mut told, true) {
                            let (aor, policy) = (presentity.aor.clone(), assignment.name.clone());
                            let PolicyFailure { code, message, .. } = failure;
                            fx.event(Event::PolicyFailed { aor, policy, code, message });
                        }
                    }
                }
                let before = seat.version;
                let written = match (&merged, written) {
                    (Some(_), None) => body.clone(),
                    // What cannot be read cannot be looked through for what is to be hidden.
                    (_, written) => written.unwrap_or_default(),
                };
                if before == 0 || seat.body != written {
                    let (version, same) = numbered(view, &list, &written);
                    if let Some(seat) = list.get_mut(at) {
                        (seat.version, seat.body) = (version, same.unwrap_or(written));
                    }
                    changed = true;
                }
            }
            if let Some(views) = view.views.as_mut().filter(|_| question.is_none() || retry_at.is_some()) {
                self.wheel.cancel(std::mem::replace(&mut views.retry, TimerId::NONE));
                if let Some(at) = retry_at {
                    views.retry = self.wheel.set(at, Timer::Reevaluate(id));
                }
            }
        }
        if let Some(views) = view.views.as_mut() {
            views.list = list;
        }
        changed
    }
}

/// The number of these bytes: that of a body of the presentity that is the same, with that body, or a new one.
fn numbered(view: &mut View, list: &[Seat], body: &[u8]) -> (u32, Option<Bytes>) {
    let seats = list.iter().map(|seat| (seat.version, &seat.body));
    let all = seats.chain([(view.version, &view.body)]);
    let same = all.into_iter().find(|(version, known)| *version != 0 && ***known == *body);
    match same.map(|(version, known)| (version, known.clone())) {
        Some((version, known)) => (version, Some(known)),
        None => (view.next_version(), None),
    }
}

/// One look at a document for some watchers.
pub(crate) struct Look<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) assignment: &'a Assignment,
    pub(crate) merged: &'a Document,
    pub(crate) now: Millis,
}

impl Look<'_> {
    /// What is cut out for a seat, and what the policy wrote, or why that is not what it says; none while it is to
    /// answer later.
    fn cut(&self, seat: &mut Seat, ask: Ask, host: &mut dyn PolicyHost) -> Option<(Cut, Opinion)> {
        let Some(watcher) = &seat.watcher else { return Some((Cut::minimal(), Ok(None))) };
        match self.ask(watcher, ask, host) {
            Ok((cut, output)) => {
                let kept = self.assignment.on_failure == OnFailure::LastGood;
                seat.last_good = kept.then(|| Box::new(cut.clone()));
                Some((cut, Ok(output)))
            }
            Err(NoAnswer::Later) => None,
            Err(NoAnswer::Failed(failure)) => {
                Some((self.in_its_place(seat.last_good.as_deref()), Err(failure)))
            }
        }
    }

    /// What the policy says, and the bytes in which it said so; none for "no opinion".
    pub(crate) fn ask(
        &self,
        watcher: &Watcher,
        ask: Ask,
        host: &mut dyn PolicyHost,
    ) -> Result<(Cut, Option<Vec<u8>>), NoAnswer> {
        let Self { identity, assignment, merged, now } = *self;
        let input = write_view_input(&ViewCall { merged, watcher, now, params: &assignment.params });
        let Some(output) = ask.put(host, (identity, assignment), Hook::View, &input)? else {
            host.accepted(identity, assignment, Hook::View, None);
            return Ok((Cut::default(), None));
        };
        match read_view(&output, &Seen::in_document(merged)) {
            Ok(cut) => {
                host.accepted(identity, assignment, Hook::View, Some(&output));
                Ok((cut, Some(output)))
            }
            Err(error) => {
                let message = error.told();
                let failure = PolicyFailure { code: error.code.to_owned(), message, retry_at: None };
                host.refused(identity, assignment, &input, &failure);
                Err(NoAnswer::Failed(failure))
            }
        }
    }

    /// What stands in for a view that the policy did not make.
    pub(crate) fn in_its_place(&self, last_good: Option<&Cut>) -> Cut {
        let last_good = last_good.filter(|cut| cut.fits(&Seen::in_document(self.merged)));
        match (self.assignment.on_failure, last_good) {
            (OnFailure::Builtin, _) => Cut::default(),
            (OnFailure::LastGood, Some(cut)) => cut.clone(),
            (OnFailure::LastGood, None) if !self.assignment.privacy => Cut::default(),
            (OnFailure::LastGood | OnFailure::Minimal, _) => Cut::minimal(),
        }
    }
}

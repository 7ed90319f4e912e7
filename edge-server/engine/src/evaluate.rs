//! From the live set to the document that is sent.

use crate::config::Config;
use crate::effect::{Effects, Event};
use crate::mask;
use crate::policy::{Assignment, GoodAnswer, Hook, OnFailure, PolicyFailure, PolicyHost, Ran};
use crate::presentity::{Change, PresentityId, View, empty_set};
use crate::question::{Ask, NoAnswer, Waiting};
use crate::shard::{Shard, Timer};
use crate::subscription::Package;
use crate::wheel::TimerId;
use bytes::Bytes;
use merge_core::compose::{Composed, Composition, compose};
use merge_core::live::LiveSet;
use merge_core::policy::{Call, Mask, Output, Reason, apply, minimal, read_output, write_needed};
use merge_core::time::Millis;

/// A merge, and which policy had its say.
pub(crate) struct Merged<'a> {
    pub(crate) builtin: Composed<'a>,
    /// What stands in the place of the built-in composition.
    decided: Option<Composed<'a>>,
    pub(crate) assignment: Option<Assignment>,
    /// What the policy wrote; none for "no opinion", and where it failed.
    pub(crate) output: Option<Vec<u8>>,
    pub(crate) failure: Option<PolicyFailure>,
    /// What the operator takes away of it all.
    pub(crate) mask: Option<&'a Mask>,
    /// The policy is to answer later: until then there is nothing to show of this.
    pub(crate) later: bool,
}

impl<'a> Merged<'a> {
    /// What was decided.
    pub(crate) fn shown(&self) -> &Composed<'a> {
        self.decided.as_ref().unwrap_or(&self.builtin)
    }

    /// What watchers get, before any views of it; empty where there is nothing to show.
    pub(crate) fn body(&self) -> Vec<u8> {
        let shown = self.shown();
        if shown.is_empty() { Vec::new() } else { mask::write(shown, self.mask) }
    }

    /// What the mask took away; none where that is nothing.
    pub(crate) fn masked(&self) -> Option<Mask> {
        let shown = self.shown();
        if shown.is_empty() { None } else { mask::taken(shown, self.mask) }
    }
}

/// The built-in composition in force for a presentity.
pub(crate) fn composition(set: &LiveSet, config: &Config, host: &dyn PolicyHost) -> Composition {
    host.composition(&set.presentity).unwrap_or(config.composition)
}

/// What a policy is called with.
pub(crate) fn call<'a>(
    set: &'a LiveSet,
    now: Millis,
    change: &'a Change,
    params: &'a str,
    host: &dyn PolicyHost,
) -> Call<'a> {
    let (reason, changed_etag) = (change.reason, change.etag.as_deref());
    Call { set, now, reason, changed_etag, params, local_time: host.local_time(&set.presentity, now) }
}

/// Merges: the built-in composition, and what the policy in force makes of it. Whatever a policy
/// does, there is a result.
///
/// Where the policy could not be asked or gave no usable answer, that is what the assignment says. What a
/// policy hides is not shown because it failed, unless the assignment asks for that in so many words.
pub(crate) fn merge<'a>(
    set: &'a LiveSet,
    now: Millis,
    config: &'a Config,
    change: &Change,
    ask: Ask,
    host: &mut dyn PolicyHost,
) -> Merged<'a> {
    let builtin = compose(set, now, composition(set, config, host));
    let (assignment, mask) = (host.assignment(&set.presentity), config.masks.of(&set.presentity.domain));
    let (decided, output, failure, later) = (None, None, None, false);
    let mut merged = Merged { builtin, decided, assignment, output, failure, mask, later };
    let Some(assignment) = &merged.assignment else { return merged };
    let call = call(set, now, change, &assignment.params, host);
    match opinion(&call, ask, host, assignment, &merged.builtin) {
        Ok(None) => {}
        Ok(Some((decided, output))) => {
            (merged.decided, merged.output) = (Some(decided), Some(output));
        }
        Err(NoAnswer::Later) => merged.later = true,
        Err(NoAnswer::Failed(failure)) => {
            merged.decided = in_its_place(&call, host, assignment, &merged.builtin);
            merged.failure = Some(failure);
        }
    }
    merged
}

/// What the policy makes of the built-in composition, and the bytes in which it said so; `None` for "no opinion".
pub(crate) fn opinion<'a>(
    call: &Call<'_>,
    ask: Ask,
    host: &mut dyn PolicyHost,
    assignment: &Assignment,
    builtin: &Composed<'a>,
) -> Result<Option<(Composed<'a>, Vec<u8>)>, NoAnswer> {
    let presentity = &call.set.presentity;
    let input = write_needed(call, builtin, assignment.needs);
    let Some(output) = ask.put(host, (presentity, assignment), Hook::Merge, &input)? else {
        host.accepted(presentity, assignment, Hook::Merge, None);
        return Ok(None);
    };
    match read_output(&output, call) {
        Ok(read) => {
            host.accepted(presentity, assignment, Hook::Merge, Some(&output));
            Ok(Some((apply(call, builtin, &read), output)))
        }
        Err(error) => {
            let message = error.told();
            let failure = PolicyFailure { code: error.code.to_owned(), message, retry_at: None };
            host.refused(presentity, assignment, &input, &failure);
            Err(NoAnswer::Failed(failure))
        }
    }
}

/// What stands in for a policy that gave no usable answer; `None` for the built-in composition.
fn in_its_place<'a>(
    call: &Call<'_>,
    host: &mut dyn PolicyHost,
    assignment: &Assignment,
    builtin: &Composed<'a>,
) -> Option<Composed<'a>> {
    let last_good = match assignment.on_failure {
        OnFailure::Builtin => return None,
        OnFailure::Minimal => None,
        OnFailure::LastGood => host.last_good(&call.set.presentity, assignment),
    };
    match last_good {
        Some(GoodAnswer { output: None, .. }) => None,
        Some(GoodAnswer { output: Some(output), at }) => {
            // It is read as of then, or the moment at which it wanted to be asked again would be past.
            match read_output(&output, &Call { now: at, ..call.clone() }) {
                Ok(read) => Some(apply(call, builtin, &Output { reevaluate_at: None, ..read })),
                Err(_) => without_last_good(call, assignment, builtin),
            }
        }
        None => without_last_good(call, assignment, builtin),
    }
}

fn without_last_good<'a>(
    call: &Call<'_>,
    assignment: &Assignment,
    builtin: &Composed<'a>,
) -> Option<Composed<'a>> {
    match assignment.on_failure {
        OnFailure::LastGood if !assignment.privacy => None,
        _ => Some(minimal(call, builtin)),
    }
}

impl Shard {
    /// Merges a presentity that changed, and sends the result to its watchers if it is another one. `answer` is what
    /// the policy has said that it waits for, if it has.
    pub(crate) fn evaluate(
        &mut self,
        id: PresentityId,
        answer: Option<Ran>,
        host: &mut dyn PolicyHost,
        fx: &mut Effects,
    ) {
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let waits = |change: &Change| change.waits.is_some() && answer.is_none();
        let Some(mut change) = presentity.change.take_if(|change| !waits(change)) else {
            return;
        };
        let subscriptions = &self.subscriptions;
        if !presentity.subscriptions.iter().any(|id| subscriptions.is_to(*id, Package::Presence)) {
            // Nobody looks: the state is merged when somebody does.
            self.presentities.drop_if_idle(id);
            return;
        }
        if change.only_for_policy
            && presentity.view.is_some()
            && host.assignment(&empty_set(&presentity.aor, &self.config).presentity).is_none()
        {
            return;
        }
        let config = &*self.config;
        self.questions += 1;
        let (mut now, mut ask) = (self.now, Ask::Under(self.questions));
        if let (Some((waiting, by)), Some(ran)) = (change.waits.take(), answer)
            // By another policy than is in force by now it would be neither's.
            && host.assignment(&empty_set(&presentity.aor, config).presentity).map(|one| one.made_by()) == Some(by)
        {
            (now, ask) = (waiting.since, Ask::Answered(ran));
        }
        // What they saw until now, where that is captured: mostly nobody is.
        let before = host
            .captures(&presentity.aor)
            .then(|| presentity.view.as_ref().map_or_else(Bytes::new, |view| view.body.clone()));
        let merged = presentity.with_set(config, |set| {
            let merged = merge(set, now, config, &change, ask, host);
            if merged.later {
                return Err(merged.assignment);
            }
            crate::shadow::run(set, now, &change, &merged, host);
            let body = merged.body();
            if let Some(before) = before {
                crate::capture::merge(set, now, &change, &merged, (&before, &body), host);
            }
            let retry_at = merged.failure.as_ref().and_then(|failure| failure.retry_at);
            let reevaluate_at = merged.shown().reevaluate_at().or(retry_at);
            Ok((body, reevaluate_at, merged.assignment, merged.failure))
        });
        let (body, reevaluate_at, assignment, failure) = match merged {
            Ok(merged) => merged,
            Err(asked) => {
                let waiting = Waiting { question: self.questions, since: now };
                change.waits = asked.map(|assignment| (waiting, assignment.made_by()));
                presentity.change = Some(change);
                return;
            }
        };
        let view = presentity.view.get_or_insert_with(|| Box::new(View::unwritten()));
        let changed = view.version == 0 || *view.body != *body;
        if changed {
            view.version = view.next_version();
            view.body = Bytes::from(body);
        }
        self.wheel.cancel(std::mem::replace(&mut view.reevaluate, TimerId::NONE));
        if let Some(at) = reevaluate_at {
            view.reevaluate = self.wheel.set(at, Timer::Reevaluate(id));
        }
        let (told_apart, had_views) =
            (assignment.as_ref().and_then(|assignment| assignment.view), view.views.is_some());
        let aor = presentity.aor.clone();
        let publications = presentity.publications.len() as u32;
        let policy = assignment.is_some() && failure.is_none();
        if let (Some(assignment), Some(PolicyFailure { code, message, .. })) = (&assignment, failure) {
            let policy = assignment.name.clone();
            fx.event(Event::PolicyFailed { aor: aor.clone(), policy, code, message });
        }
        fx.event(Event::Merged { aor, publications, changed, policy });
        let viewed = match (told_apart, assignment) {
            (Some(key), Some(assignment)) => {
                self.look_anew(id, (&assignment, key), change.reason == Reason::Timer, host, fx)
            }
            _ if had_views => self.show_all(id),
            _ => false,
        };
        if changed || viewed {
            self.fan_out(id, Package::Presence, fx);
        }
    }
}

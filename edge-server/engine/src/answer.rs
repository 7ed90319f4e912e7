//! Answers to the HTTP API.

use crate::evaluate::{composition, merge};
use crate::mask;
use crate::policy::{Assignment, PolicyFailure, PolicyHost};
use crate::presentity::{Change, Presentity, PresentityId, empty_set};
use crate::query::{
    Answer, BindingSummary, Counts, DeviceSummary, LiveAnswer, PresentityAnswer, PresentitySummary, Query,
    SeenAnswer, SubscriptionSummary,
};
use crate::question::{Ask, NoAnswer};
use crate::shard::{Shard, Tally};
use crate::view::Look;
use crate::watcher::classify;
use merge_core::live::{LiveSet, Presentity as Identity, Snapshot};
use merge_core::model::Document;
use merge_core::policy::{Reason, View};
use tributary_sip::Aor;

impl Shard {
    pub(crate) fn query(&mut self, query: Query, host: &mut dyn PolicyHost) -> Answer {
        match query {
            Query::Presentities { limit, after } => {
                Answer::Presentities(self.presentity_summaries(limit, after.as_deref()))
            }
            Query::Presentity { aor, watcher } => {
                Answer::Presentity(self.presentity_answer(&aor, watcher.as_deref(), host))
            }
            Query::Live { aor } => Answer::Live(self.live_answer(&aor, host)),
            Query::Subscriptions { limit } => Answer::Subscriptions(self.subscription_summaries(limit)),
            Query::Counts => Answer::Counts(self.counts()),
        }
    }

    fn presentity_summaries(&self, limit: usize, after: Option<&str>) -> Vec<PresentitySummary> {
        let all = self.presentities.iter().map(|(_, presentity)| presentity);
        let mut list: Vec<&Presentity> =
            all.filter(|presentity| after.is_none_or(|after| *presentity.aor > *after)).collect();
        list.sort_unstable_by(|a, b| a.aor.cmp(&b.aor));
        let summary = |presentity: &&Presentity| PresentitySummary {
            aor: presentity.aor.clone(),
            devices: presentity.publications.len(),
            registrations: presentity.bindings.len(),
            watchers: presentity.subscriptions.len(),
        };
        list.iter().take(limit).map(summary).collect()
    }

    /// The presentity if there is state of it, and the live set in any case if there is such a user.
    fn look_up(&self, aor: &str) -> Option<(Aor, Option<PresentityId>)> {
        let aor = Aor::parse(aor).ok()?;
        let id = self.presentities.find(aor.as_str());
        let known = || self.config.serves(aor.host()) && self.config.users.exists(aor.as_str());
        (id.is_some() || known()).then_some((aor, id))
    }

    fn live_set(&self, aor: &Aor, id: Option<PresentityId>) -> LiveSet {
        let presentity = id.and_then(|id| self.presentities.get(id));
        let mut set = empty_set(aor.as_str(), &self.config);
        if let Some(presentity) = presentity {
            set.publications.clone_from(&presentity.live.publications);
            set.registrations.clone_from(&presentity.live.registrations);
        }
        set
    }

    fn presentity_answer(
        &self,
        aor: &str,
        watcher: Option<&str>,
        host: &mut dyn PolicyHost,
    ) -> Option<PresentityAnswer> {
        let (aor, id) = self.look_up(aor)?;
        let set = self.live_set(&aor, id);
        let merged = merge(&set, self.now, &self.config, &look(), Ask::AtOnce, host);
        let pidf = merged.body();
        let assignment = merged.assignment.as_ref();
        let seen = watcher
            .map(|watcher| Box::new(self.seen_answer(&set.presentity, watcher, (assignment, &pidf), host)));
        let presentity = id.and_then(|id| self.presentities.get(id));
        let states = presentity.map(|presentity| presentity.publications.as_slice()).unwrap_or_default();
        let devices = set.publications.iter().zip(states).map(|(live, state)| DeviceSummary {
            etag: live.etag.clone(),
            device: live.device.key.clone(),
            instance: live.device.instance.clone(),
            user_agent: live.user_agent.clone(),
            received_ms: live.received.0,
            first_ms: live.first.0,
            expires_ms: live.expires.0,
            waiting: state.flow.is_none(),
        });
        let bindings = presentity.map(|presentity| presentity.bindings.as_slice()).unwrap_or_default();
        let registrations = set.registrations.iter().zip(bindings).map(|(live, binding)| BindingSummary {
            contact: live.contact.clone(),
            instance: live.instance.clone(),
            expires_ms: live.expires.0,
            transport: binding.transport.uri(),
            path: binding.path.iter().map(|hop| hop.to_string()).collect(),
            headers: binding
                .headers
                .iter()
                .map(|kept| (kept.name.to_string(), kept.value.to_string()))
                .collect(),
        });
        Some(PresentityAnswer {
            aor: aor.as_str().into(),
            devices: devices.collect(),
            registrations: registrations.collect(),
            watchers: presentity.map_or(0, |presentity| presentity.subscriptions.len()),
            merged_json: mask::json(&pidf),
            merged_pidf: text(pidf),
            explanation_json: merged.shown().explain().write_json(),
            masked: merged.masked(),
            policy: merged.assignment.map(|assignment| (assignment.name, assignment.id)),
            failure: merged.failure.map(told),
            seen,
        })
    }

    /// What a watcher sees of what was merged just now, asking the policy whatever is kept of its views.
    fn seen_answer(
        &self,
        identity: &Identity,
        watcher: &str,
        (assignment, merged): (Option<&Assignment>, &[u8]),
        host: &mut dyn PolicyHost,
    ) -> SeenAnswer {
        let key = assignment.and_then(|assignment| assignment.view);
        let found = classify(&self.config, &identity.aor, watcher, key.unwrap_or_default());
        let mut seen = SeenAnswer {
            watcher: watcher.to_owned(),
            class: found.as_ref().map(|found| found.watcher.class.as_str()),
            groups: found.as_ref().map(|found| found.watcher.groups.clone()).unwrap_or_default(),
            why: found.as_ref().map_or("is the user, who sees all", |found| found.why),
            asked: false,
            output: None,
            failure: None,
            json: "null".to_owned(),
            pidf: String::new(),
        };
        let Ok(document) = Document::read_written(merged) else { return seen };
        let cut = match (key, assignment, found) {
            (Some(_), Some(assignment), Some(found)) => {
                seen.asked = true;
                let look = Look { identity, assignment, merged: &document, now: self.now };
                match look.ask(&found.watcher, Ask::AtOnce, host) {
                    Ok((cut, output)) => {
                        seen.output = output.map(text);
                        cut
                    }
                    // Who wants the answer at once is not told to wait.
                    Err(NoAnswer::Later) => View::minimal(),
                    Err(NoAnswer::Failed(failure)) => {
                        seen.failure = Some(told(failure));
                        look.in_its_place(None)
                    }
                }
            }
            _ => View::default(),
        };
        let pidf = cut.apply(&document);
        seen.json = mask::json(&pidf);
        seen.pidf = text(pidf);
        seen
    }

    fn live_answer(&self, aor: &str, host: &mut dyn PolicyHost) -> Option<LiveAnswer> {
        let (aor, id) = self.look_up(aor)?;
        let set = self.live_set(&aor, id);
        let merged = merge(&set, self.now, &self.config, &look(), Ask::AtOnce, host);
        let (server_pidf, mask) = (text(merged.body()), merged.mask.cloned());
        let (policy, params) = match merged.assignment {
            Some(assignment) => (Some((assignment.name, assignment.id)), Some(assignment.params)),
            None => (None, None),
        };
        let composition = composition(&set, &self.config, host);
        let time_zone = host.local_time(&set.presentity, self.now).map(|there| there.tz);
        let live_json = Snapshot { set, now: self.now, composition }.write_json();
        Some(LiveAnswer { live_json, server_pidf, policy, params, mask, time_zone })
    }

    fn subscription_summaries(&self, limit: usize) -> Vec<SubscriptionSummary> {
        let summary = |subscription: &crate::subscription::Subscription| {
            Some(SubscriptionSummary {
                presentity: self.presentities.get(subscription.presentity)?.aor.clone(),
                watcher: subscription.watcher.clone(),
                event: subscription.package.name(),
                expires_ms: subscription.expires.0,
                waiting: subscription.flow.is_none(),
                in_flight: subscription.in_flight.is_some(),
                cseq: subscription.cseq,
            })
        };
        let mut list: Vec<_> = self.subscriptions.iter().filter_map(|(_, s)| summary(s)).collect();
        list.sort_unstable_by(|a, b| {
            (&a.presentity, &a.watcher, a.cseq).cmp(&(&b.presentity, &b.watcher, b.cseq))
        });
        list.truncate(limit);
        list
    }

    /// How much of everything there is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        debug_assert_eq!(self.tally, self.recount());
        Counts {
            presentities: self.presentities.len(),
            publications: self.tally.publications,
            bindings: self.tally.bindings,
            subscriptions: self.subscriptions.len(),
            waiting_subscriptions: self.tally.waiting,
            flows: self.flows.len(),
            transactions: self.transactions.len(),
            transaction_bytes: self.transactions.held_bytes(),
            proxied: self.proxy.len(),
            devices: self.flows.devices(),
            reevaluations: self.sweep.len(),
            timers: self.wheel.len(),
            fired: self.fired.with(self.transactions.fired()),
        }
    }

    /// The tally from what is there: tests compare it at each look.
    fn recount(&self) -> Tally {
        let presentities = || self.presentities.iter().map(|(_, presentity)| presentity);
        Tally {
            publications: presentities().map(|presentity| presentity.publications.len()).sum(),
            bindings: presentities().map(|presentity| presentity.bindings.len()).sum(),
            waiting: self
                .subscriptions
                .iter()
                .filter(|(_, subscription)| subscription.flow.is_none())
                .count(),
        }
    }
}

/// A failure in one line.
fn told(failure: PolicyFailure) -> String {
    let code = if failure.code == PolicyFailure::HELD { "not asked:" } else { &failure.code };
    format!("{code} {}", failure.message)
}

/// The reason of a merge that only somebody's looking asks for.
fn look() -> Change {
    Change { reason: Reason::Publish, etag: None, only_for_policy: false, waits: None }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

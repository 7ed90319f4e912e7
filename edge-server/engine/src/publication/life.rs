//! What becomes of a publication besides being published: its connection dies, its device comes back,
//! its time is over.

use super::stored;
use crate::effect::{Effects, Event, PublicationEnd};
use crate::presentity::PresentityId;
use crate::shard::{Shard, Timer};
use crate::wheel::TimerId;
use merge_core::policy::Reason;
use merge_core::time::Millis;
use std::sync::Arc;
use tributary_sip::transaction::FlowId;

impl Shard {
    /// The connection died: the publications that came by it wait for their devices.
    pub(crate) fn publications_cut_off(&mut self, id: PresentityId, flow: FlowId) {
        let until = Millis(self.now.0 + i64::from(self.config.timing.publication_grace_ms));
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let all = presentity.publications.iter_mut().zip(&presentity.live.publications);
        for (state, live) in all.filter(|(state, _)| state.flow == Some(flow)) {
            state.flow = None;
            self.wheel.cancel(state.timer);
            let timer = Timer::Publication { presentity: id, mark: state.mark() };
            state.timer = self.wheel.set(live.expires.min(until), timer);
        }
    }

    /// A device registered over `flow`: what it published belongs to this connection now, if it
    /// waited, or if the registration moved here from the connection that it came by.
    pub(crate) fn publications_back(
        &mut self,
        id: PresentityId,
        flow: FlowId,
        device: &Arc<str>,
        replaces: Option<FlowId>,
        fx: &mut Effects,
    ) {
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let (mut moved, mut learnt) = (Vec::new(), Vec::new());
        let all = presentity.publications.iter_mut().zip(&presentity.live.publications);
        for (at, (state, live)) in all.enumerate() {
            if state.flow == Some(flow) {
                // Published before it registered.
                if state.returns_as.is_none() {
                    state.returns_as = Some(device.clone());
                    learnt.push(at);
                }
                continue;
            }
            let here =
                state.returns_as.as_ref() == Some(device) && (state.flow.is_none() || state.flow == replaces);
            if !here {
                continue;
            }
            let old = state.flow.replace(flow);
            moved.push(old);
            if old.is_none() {
                self.wheel.cancel(state.timer);
                let timer = Timer::Publication { presentity: id, mark: state.mark() };
                state.timer = self.wheel.set(live.expires, timer);
            }
        }
        fx.extend(learnt.into_iter().filter_map(|at| stored(presentity, at)));
        for old in moved {
            self.flows.tie_owner(flow, id);
            if let Some(old) = old {
                self.flows.untie_owner(old, id);
            }
        }
    }

    /// A device publishes anew over `flow`: what it had published over other connections is a ghost of
    /// the time before, and would come to light again when the new publication ends.
    pub(super) fn end_superseded(
        &mut self,
        id: PresentityId,
        flow: FlowId,
        device: Option<&str>,
        fx: &mut Effects,
    ) {
        let Some(device) = device else {
            return;
        };
        while let Some(presentity) = self.presentities.get(id)
            && let Some(at) = presentity
                .publications
                .iter()
                .position(|state| state.returns_as.as_deref() == Some(device) && state.published_on != flow)
        {
            self.drop_publication(id, at, fx);
        }
    }

    /// The timer of a publication fired.
    pub(crate) fn publication_due(&mut self, id: PresentityId, mark: u32, fx: &mut Effects) {
        let Some(presentity) = self.presentities.get_mut(id) else {
            return;
        };
        let Some(at) = presentity.publications.iter().position(|state| state.mark() == mark) else {
            return;
        };
        let state = &mut presentity.publications[at];
        state.timer = TimerId::NONE;
        let expired = presentity.live.publications[at].expires <= self.now;
        let why = if expired { PublicationEnd::Expired } else { PublicationEnd::NotBack };
        fx.event(Event::PublicationEnded { aor: presentity.aor.clone(), why });
        self.drop_publication(id, at, fx);
        self.mark(id, Reason::Expire, None, false);
    }
}

//! NOTIFY: one in flight a dialog, and the newest state after it. A slow watcher gets the newest, not
//! a queue.

use crate::effect::{Effects, Event, Packet, SubscriptionEnd};
use crate::input::{Flow, Transport};
use crate::presentity::{PresentityId, domain_of};
use crate::respond::PIDF;
use crate::route;
use crate::shard::Shard;
use crate::subscription::{InFlight, Subscription, SubscriptionId};
use bytes::Bytes;
use merge_core::time::Millis;
use tributary_sip::{Message, Method};

/// What became of an attempt to notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// A NOTIFY went out.
    Now,
    /// It will, when an earlier one is answered or the watcher is back.
    Later,
    /// There is nothing new to say.
    Nothing,
}

impl Shard {
    /// Sends what a subscription is owed, if it can be sent now.
    pub(crate) fn notify(&mut self, id: SubscriptionId, fx: &mut Effects) -> Sent {
        let Some(subscription) = self.subscriptions.get(id) else {
            return Sent::Nothing;
        };
        let Some(presentity) = self.presentities.get(subscription.presentity) else {
            return Sent::Nothing;
        };
        if subscription.ending.is_none() && subscription.sent == presentity.version() {
            return Sent::Nothing;
        }
        let Some(flow) = subscription.flow else {
            if let Some(why) = subscription.ending {
                self.end(id, why, fx);
                return Sent::Nothing;
            }
            return Sent::Later;
        };
        if subscription.in_flight.is_some() {
            return Sent::Later;
        }
        let (version, ending) = (presentity.version(), subscription.ending);
        let body = match &presentity.view {
            // Who is no user any more has nothing to see.
            Some(view) if ending != Some(SubscriptionEnd::Rejected) => view.body.clone(),
            _ => Bytes::new(),
        };
        let cseq = self.next_cseq(id, fx);
        let nonce = self.random.u32();
        let until = Millis(self.now.0 + i64::from(self.config.timing.notify_timeout_ms));
        let (Some(subscription), now) = (self.subscriptions.get_mut(id), self.now) else {
            return Sent::Nothing;
        };
        subscription.sent = version;
        subscription.in_flight = Some(InFlight { nonce, until });
        let presentity = self.presentities.get(subscription.presentity);
        let host = presentity.map_or("invalid", |presentity| domain_of(&presentity.aor));
        let branch = (self.index, id.0, nonce);
        let head = head(subscription, host, branch, cseq, now, body.len());
        fx.send(flow, Packet { head, body });
        match ending {
            // The last word: an answer to it changes nothing.
            Some(why) => self.end(id, why, fx),
            None => self.arm(id),
        }
        Sent::Now
    }

    /// Sends the new state of a presentity to all its watchers.
    pub(crate) fn fan_out(&mut self, presentity: PresentityId, fx: &mut Effects) {
        let Some(state) = self.presentities.get_mut(presentity) else {
            return;
        };
        let aor = state.aor.clone();
        let watchers = std::mem::take(&mut state.subscriptions);
        let (mut sent, mut held) = (0, 0);
        for &id in &watchers {
            // One that is over has its own place in the queue, and ends there: that would change the
            // list that is walked here.
            if self.subscriptions.get(id).is_none_or(|subscription| subscription.ending.is_some()) {
                continue;
            }
            match self.notify(id, fx) {
                Sent::Now => sent += 1,
                Sent::Later => held += 1,
                Sent::Nothing => {}
            }
        }
        if let Some(state) = self.presentities.get_mut(presentity) {
            state.subscriptions = watchers;
        }
        if sent + held > 0 {
            fx.event(Event::Notified { aor, sent, held });
        }
    }

    /// The answer to a NOTIFY. Only its own connection can give it, and to the last NOTIFY alone.
    pub(crate) fn response(&mut self, flow: &Flow, response: &Message, fx: &mut Effects) {
        let Some(status) = response.status().map(|status| status.code()).filter(|&code| code >= 200) else {
            return;
        };
        let branch = response.via().ok().and_then(|via| via.branch()).and_then(route::read_branch);
        let Some((_, index, nonce)) = branch.filter(|&(shard, _, _)| shard == self.index) else {
            fx.event(Event::Dropped { why: "answer to nothing" });
            return;
        };
        let id = SubscriptionId(index);
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return;
        };
        let its_own = response
            .cseq()
            .is_ok_and(|cseq| cseq.method == Method::Notify && cseq.number == subscription.cseq);
        if !its_own
            || subscription.flow != Some(flow.id)
            || subscription.in_flight.is_none_or(|in_flight| in_flight.nonce != nonce)
        {
            fx.event(Event::Dropped { why: "answer to nothing" });
            return;
        }
        subscription.in_flight = None;
        fx.event(Event::NotifyAnswered { status });
        if ends_subscription(status) {
            let why = subscription.ending.unwrap_or(SubscriptionEnd::Refused);
            self.end(id, why, fx);
        } else {
            self.due.push(id);
        }
    }
}

/// Whether this answer to a NOTIFY means that the watcher does not know of the subscription, or never
/// will understand (RFC 6665 4.2.2, RFC 5057 5.1). Anything else is taken as received: the next
/// change brings the next try.
fn ends_subscription(status: u16) -> bool {
    matches!(status, 404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}

fn head(
    subscription: &Subscription,
    host: &str,
    (shard, index, nonce): (u16, u32, u32),
    cseq: u32,
    now: Millis,
    body: usize,
) -> Bytes {
    let dialog = &subscription.dialog;
    let mut out = Vec::with_capacity(dialog.target().len() + dialog.headers().len() + host.len() + 256);
    let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
    put("NOTIFY ");
    put(dialog.target());
    put(" SIP/2.0\r\nVia: SIP/2.0/");
    put(Transport::via(subscription.transport));
    put(" ");
    put(host);
    put(";branch=");
    route::push_branch(&mut out, shard, index, nonce);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(dialog.headers().as_bytes());
    out.extend_from_slice(b"CSeq: ");
    push_decimal(&mut out, u64::from(cseq));
    out.extend_from_slice(b" NOTIFY\r\nSubscription-State: ");
    match subscription.ending {
        None => {
            let left = (subscription.expires.0 - now.0).max(0) as u64 / 1000;
            out.extend_from_slice(b"active;expires=");
            push_decimal(&mut out, left);
        }
        Some(why) => {
            out.extend_from_slice(b"terminated");
            out.extend_from_slice(reason(why).as_bytes());
        }
    }
    if body > 0 {
        out.extend_from_slice(b"\r\nContent-Type: ");
        out.extend_from_slice(PIDF.as_bytes());
    }
    out.extend_from_slice(b"\r\nContent-Length: ");
    push_decimal(&mut out, body as u64);
    out.extend_from_slice(b"\r\n\r\n");
    out.into()
}

/// The reason of the last NOTIFY. `timeout` lets SIP.js subscribe again at once, which is what one
/// that failed to refresh should do, and `probation` and `giveup` make stampedes of it.
fn reason(why: SubscriptionEnd) -> &'static str {
    match why {
        SubscriptionEnd::NoResource => ";reason=noresource",
        SubscriptionEnd::Rejected => ";reason=rejected",
        _ => ";reason=timeout",
    }
}

fn push_decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

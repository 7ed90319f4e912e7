//! NOTIFY: one in flight a dialog, and the newest state after it. A slow watcher gets the newest, not
//! a queue.

use crate::effect::{Effects, Event, SubscriptionEnd};
use crate::input::Flow;
use crate::presentity::PresentityId;
use crate::registrar::RegDocument;
use crate::route::{Mark, Of};
use crate::shard::Shard;
use crate::subscription::{InFlight, Package, Subscription, SubscriptionId};
use bytes::Bytes;
use merge_core::time::Millis;
use tributary_sip::transaction::{Hop, Input, Packet, Transport};
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
        let version = presentity.version(subscription);
        if subscription.ending.is_none() && (subscription.sent == version || version == 0) {
            return Sent::Nothing;
        }
        let Some(hop) = subscription.hop() else {
            if let Some(why) = subscription.ending {
                self.end(id, why, fx);
                return Sent::Nothing;
            }
            return Sent::Later;
        };
        if subscription.in_flight.is_some() {
            return Sent::Later;
        }
        let (package, ending) = (subscription.package, subscription.ending);
        let (before, body) = match (package, &presentity.view, &presentity.reg_view) {
            // Who is no user any more has nothing to see.
            _ if ending == Some(SubscriptionEnd::Rejected) => Default::default(),
            (Package::Presence, Some(view), _) => (Bytes::new(), view.seen(subscription.sees).1.clone()),
            (Package::Reg, _, Some(view)) => {
                let sent = if ending.is_some() { 0 } else { subscription.sent };
                let RegDocument { before, after } = view.since(sent);
                (before, after)
            }
            _ => Default::default(),
        };
        let cseq = self.next_cseq(id, fx);
        let nonce = self.random.u32();
        let lean = hop.transport.is_reliable();
        let until = match lean {
            true => Millis(self.now.0 + i64::from(self.config.timing.notify_timeout_ms)),
            false => InFlight::BY_TRANSACTION,
        };
        let (Some(subscription), now) = (self.subscriptions.get_mut(id), self.now) else {
            return Sent::Nothing;
        };
        subscription.sent = version;
        subscription.in_flight = Some(InFlight { nonce, until });
        let host = self.config.sent_by(&hop);
        let of = if lean { Of::Subscription } else { Of::Transaction };
        let branch = Branch { mark: &self.mark, of, subscription: id, nonce };
        let head = head(subscription, host, branch, cseq, now, (&before, body.len()));
        let packet = Packet { head, body };
        if lean {
            fx.send(hop, packet, None);
        } else if !self.notify_by_transaction(id, nonce, hop, packet, fx) {
            return Sent::Later;
        }
        match ending {
            // The last word: an answer to it changes nothing.
            Some(why) => self.end(id, why, fx),
            None => self.arm(id),
        }
        Sent::Now
    }

    /// Sends the new state of a presentity to all its watchers.
    pub(crate) fn fan_out(&mut self, presentity: PresentityId, package: Package, fx: &mut Effects) {
        let Some(state) = self.presentities.get_mut(presentity) else {
            return;
        };
        let aor = state.aor.clone();
        let watchers = std::mem::take(&mut state.subscriptions);
        let (mut sent, mut held) = (0, 0);
        for &id in &watchers {
            // One that is over has its own place in the queue, and ends there: that would change the
            // list that is walked here.
            let goes_on = |s: &Subscription| s.package == package && s.ending.is_none();
            if !self.subscriptions.get(id).is_some_and(goes_on) {
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

    /// Hands a NOTIFY to the table, which sends it until it is answered; `false` if that is full.
    fn notify_by_transaction(
        &mut self,
        id: SubscriptionId,
        nonce: u32,
        hop: Hop,
        request: Packet,
        fx: &mut Effects,
    ) -> bool {
        let user = u64::from(id.0) << 32 | u64::from(nonce);
        self.transact(Input::Request { user, hop, request }, fx);
        self.subscriptions.get(id).is_some_and(|subscription| subscription.in_flight.is_some())
    }

    /// Whether a response is to a NOTIFY that went past the table; then it has been seen to. Only its
    /// own connection can give the answer, and to the last NOTIFY alone.
    ///
    /// What the table would add over a connection is nothing but its price, for the connection repeats
    /// what is lost and says when it ends, and the subscription has a timer already: in instructions,
    /// 10,200 for writing a NOTIFY instead of 3,470, and 5,500 more for its answer.
    pub(crate) fn answers_notify(&mut self, flow: &Flow, response: &Message, fx: &mut Effects) -> bool {
        let branch = response.via().ok().and_then(|via| via.branch());
        let Some((index, nonce)) = branch.and_then(|branch| self.mark.read(Of::Subscription, branch)) else {
            return false;
        };
        let Some(status) = response.status().map(|status| status.code()).filter(|&code| code >= 200) else {
            return true;
        };
        let id = SubscriptionId(index);
        let Some(subscription) = self.subscriptions.get(id) else {
            return true;
        };
        let its_own = response
            .cseq()
            .is_ok_and(|cseq| cseq.method == Method::Notify && cseq.number == subscription.cseq);
        if its_own && subscription.flow == Some(flow.id()) {
            self.notify_done(id, nonce, Outcome::Status(status), fx);
        } else {
            fx.event(Event::Dropped { why: "answer to nothing" });
        }
        true
    }

    /// What became of a NOTIFY that the table sent.
    pub(crate) fn notify_answered(&mut self, user: u64, outcome: Outcome, fx: &mut Effects) {
        let (id, nonce) = user_of(user);
        self.notify_done(id, nonce, outcome, fx);
    }

    fn notify_done(&mut self, id: SubscriptionId, nonce: u32, outcome: Outcome, fx: &mut Effects) {
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return;
        };
        if subscription.in_flight.is_none_or(|in_flight| in_flight.nonce != nonce) {
            fx.event(Event::Dropped { why: "answer to nothing" });
            return;
        }
        subscription.in_flight = None;
        let (status, end) = match outcome {
            Outcome::Status(status) => {
                (status, ends_subscription(status).then_some(SubscriptionEnd::Refused))
            }
            Outcome::Silence => (408, Some(SubscriptionEnd::Unanswered)),
        };
        fx.event(Event::NotifyAnswered { status });
        match end {
            Some(why) => {
                let why = subscription.ending.unwrap_or(why);
                self.end(id, why, fx);
            }
            None => self.due.push(id),
        }
    }
}

/// How a NOTIFY ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this answer.
    Status(u16),
    /// With none in its time.
    Silence,
}

/// Subscription and nonce of a NOTIFY that the table sends.
pub(crate) const fn user_of(user: u64) -> (SubscriptionId, u32) {
    (SubscriptionId((user >> 32) as u32), user as u32)
}

/// Whether this answer to a NOTIFY means that the watcher does not know of the subscription, or never
/// will understand (RFC 6665 4.2.2, RFC 5057 5.1). Anything else is taken as received: the next
/// change brings the next try.
fn ends_subscription(status: u16) -> bool {
    matches!(status, 404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}

/// What a NOTIFY's branch is made of.
struct Branch<'a> {
    mark: &'a Mark,
    of: Of,
    subscription: SubscriptionId,
    nonce: u32,
}

fn head(
    subscription: &Subscription,
    host: &str,
    branch: Branch<'_>,
    cseq: u32,
    now: Millis,
    (before, after): (&[u8], usize),
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
    branch.mark.push_branch(&mut out, branch.of, branch.subscription.0, branch.nonce);
    let rport: &[u8] = if subscription.transport.is_reliable() { b"\r\n" } else { b";rport\r\n" };
    out.extend_from_slice(rport);
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
    if after > 0 {
        out.extend_from_slice(b"\r\nContent-Type: ");
        out.extend_from_slice(subscription.package.content_type().as_bytes());
    }
    out.extend_from_slice(b"\r\nContent-Length: ");
    if before.is_empty() {
        push_decimal(&mut out, after as u64);
        out.extend_from_slice(b"\r\n\r\n");
        return out.into();
    }
    // What of the document is this watcher's own stands here, before what all share.
    let version = format!(" version=\"{}\"", cseq.saturating_sub(1));
    push_decimal(&mut out, (before.len() + version.len() + after) as u64);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(before);
    out.extend_from_slice(version.as_bytes());
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

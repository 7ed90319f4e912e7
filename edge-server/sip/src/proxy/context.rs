//! The response context (RFC 3261 16.7): which branches a request has, which of their answers go
//! back, and what ends the others. One small machine for each forwarded request; it knows no
//! messages, addresses or times.
//!
//! ```text
//!                        server transaction of the caller
//!         CANCEL |        ^ Relay (1xx, 2xx)   ^ Answer, Refuse (once)
//!                v        |                    |
//!   +------------------------------------------------------------+
//!   | Context   groups to try: [a b] then [c] then [d e f] ...   |
//!   |           each branch:   Open -> Stopping -> Ended         |
//!   |           best so far, challenges of 401 and 407           |
//!   +------------------------------------------------------------+
//!      | Start, Cancel                     ^ Response, Failed
//!      v                                   |
//!     branch 0     branch 1     branch 2        client transactions
//! ```
//! * **Groups** are tried one after the other, the devices of a group at the same time. A device may
//!   have several contacts, its flows: the next is tried when one fails with 408 or 430 before
//!   anything rang (RFC 5626 7, RFC 5627 6.1), and never two at once.
//! * **INVITE**: every 2xx goes back at once, and the first cancels what still rings (R2, R3). A 6xx
//!   cancels as well, starts nothing new, and goes back when all branches have ended: a 2xx in
//!   between wins (R4). So the caller gets either exactly one refusal, or one or more 2xx.
//! * **Other requests** get the first 2xx, or else the best refusal: exactly one final answer (R12).
//!   There is no CANCEL for them, and provisional answers do not go back (RFC 4320).
//! * **The best** of the refusals: 6xx, then the lowest class; in 4xx what tells the caller to try
//!   again with something added. A lone 503 goes back as 500.
//! * A CANCEL waits in the [client transaction](crate::transaction) for a provisional answer, and
//!   timer C runs there. Here [`Input::Enough`] is the patience of the proxy with one group.
//!
//! The owner keeps a context until its client transactions are [terminated]: a 2xx may come again,
//! and goes back again (RFC 6026 7).
//!
//! [terminated]: crate::transaction::Effect::Terminated

use std::collections::VecDeque;

use crate::status::Status;
use crate::transaction::Failure;
use crate::values::Reason;

use super::loops::breadth_shares;

/// What a context must know of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the request is an INVITE.
    pub invite: bool,
    /// `Request-Disposition: no-cancel`: a 2xx leaves the other branches ringing (RFC 3841 9.1).
    pub no_cancel: bool,
    /// Whether the targets come from our own registrations. Then 430 has come to its end here and
    /// the caller gets 480; else an authoritative proxy before us waits for it (RFC 5626 11.5).
    pub authoritative: bool,
    /// From [`max_breadth`](super::max_breadth).
    pub breadth: u32,
}

/// Somebody to be reached, by one contact at a time: the owner's numbers for them, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// At least one.
    pub contacts: Vec<usize>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<R> {
    /// An answer came on a branch.
    Response {
        /// Which.
        branch: u32,
        /// Its status.
        status: Status,
        /// The answer.
        response: R,
    },
    /// No answer will come on a branch: a [`Failure`] as its status, 430 when its flow was gone
    /// before, 503 for a [`Refusal`](crate::transaction::Refusal), or what the owner would answer.
    Failed {
        /// Which.
        branch: u32,
        /// What it counts as.
        status: Status,
    },
    /// The caller has sent CANCEL; the owner has answered that with 200 (16.10).
    Cancel {
        /// Its Reason, which is passed on (RFC 3326 2).
        reason: Option<Box<str>>,
    },
    /// The device of this branch has left (R23).
    Withdrawn {
        /// Which.
        branch: u32,
    },
    /// The branches that are open have had the time that a group is given.
    Enough,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<R> {
    /// Forward the request. Where that turns out to be impossible, [`Input::Failed`].
    Start {
        /// Our name for it: numbers from 0 without a gap.
        branch: u32,
        /// To whom, of [`Device::contacts`].
        contact: usize,
        /// Its Max-Breadth.
        breadth: u32,
    },
    /// Send this back now: a provisional answer, or a 2xx.
    Relay(R),
    /// Send this back: the final answer. Challenges of the others go with it (16.7 item 7).
    Answer {
        /// The best.
        best: R,
        /// Other 401 and 407 answers, where the best is one.
        challenges: Vec<R>,
    },
    /// Answer with this status: the final answer.
    Refuse(Status),
    /// Cancel a branch.
    Cancel {
        /// Which.
        branch: u32,
        /// The value of Reason.
        reason: Option<Box<str>>,
    },
}

impl From<Failure> for Status {
    /// What it counts as (8.1.3.1, 16.9).
    fn from(why: Failure) -> Status {
        match why {
            Failure::Timeout => Status::REQUEST_TIMEOUT,
            Failure::Unreachable => Status::SERVICE_UNAVAILABLE,
        }
    }
}

/// The response context of one request. See the [module](self).
#[derive(Clone, Debug)]
pub struct Context<R> {
    rules: Rules,
    waiting: VecDeque<Vec<Device>>,
    branches: Vec<Branch>,
    /// Nothing new is started: a 2xx, a 6xx or the caller's CANCEL has come.
    closed: bool,
    /// The caller has given up.
    cancelled: bool,
    answered: Answered,
    best: Option<Final<R>>,
    challenges: Vec<R>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    Not,
    Refused,
    Accepted,
}

#[derive(Clone, Debug)]
struct Branch {
    stage: Stage,
    /// Something rang: the device has the request, and is not tried by another flow.
    reached: bool,
    breadth: u32,
    /// Other contacts of the device.
    others: VecDeque<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Told to stop, and still waited for. Its 487 tells the caller this.
    Stopping(Status),
    /// Not waited for, though no final answer came: a request that cannot be cancelled.
    Abandoned,
    Ended,
}

#[derive(Clone, Debug)]
struct Final<R> {
    status: Status,
    /// `None` for what we would say ourselves.
    response: Option<R>,
}

impl<R> Context<R> {
    /// Begins with the groups in their order; [`Disposition::groups`](super::Disposition::groups)
    /// makes them. The registrar bounds how many contacts there are.
    pub fn begin(rules: Rules, groups: Vec<Vec<Device>>, actions: &mut Vec<Action<R>>) -> Context<R> {
        let mut context = Context {
            rules,
            waiting: groups.into(),
            branches: Vec::new(),
            closed: false,
            cancelled: false,
            answered: Answered::Not,
            best: None,
            challenges: Vec::new(),
        };
        if context.waiting.iter().all(Vec::is_empty) {
            context.take(Status::TEMPORARILY_UNAVAILABLE, None);
        }
        context.go_on(actions);
        context
    }

    /// Whether the caller has its final answer.
    pub fn is_answered(&self) -> bool {
        self.answered != Answered::Not
    }

    /// Whether all branches have ended as well: nothing new will come, at most a 2xx again.
    pub fn is_over(&self) -> bool {
        self.is_answered() && self.branches.iter().all(|branch| branch.stage == Stage::Ended)
    }

    /// Whether another group follows: until then the open one has its time ([`Input::Enough`]).
    pub fn has_more(&self) -> bool {
        !self.closed && !self.waiting.is_empty()
    }

    /// Branches begun so far.
    pub fn branches(&self) -> usize {
        self.branches.len()
    }

    /// Takes one input, and appends what is to be done, in order.
    pub fn handle(&mut self, input: Input<R>, actions: &mut Vec<Action<R>>) {
        match input {
            Input::Response { branch, status, response } if status.is_provisional() => {
                self.provisional(branch, status, response, actions);
            }
            Input::Response { branch, status, response } if status.is_success() => {
                self.success(branch, response, actions);
            }
            Input::Response { branch, status, response } => {
                self.refusal(branch, status, Some(response), actions);
            }
            Input::Failed { branch, status } => self.refusal(branch, status, None, actions),
            Input::Cancel { reason } => {
                self.closed = true;
                self.cancelled = true;
                self.cancel_open(Status::REQUEST_TERMINATED, reason.as_deref(), actions);
            }
            Input::Withdrawn { branch } => {
                if let Some(tenant) = self.branches.get_mut(branch as usize) {
                    tenant.others.clear();
                    let gone = Status::TEMPORARILY_UNAVAILABLE;
                    self.cancel(branch, gone, Some(&said(gone)), actions);
                }
            }
            Input::Enough => {
                let late = Status::REQUEST_TIMEOUT;
                self.cancel_open(late, Some(&said(late)), actions);
            }
        }
        self.go_on(actions);
    }

    fn provisional(&mut self, branch: u32, status: Status, response: R, actions: &mut Vec<Action<R>>) {
        let Some(branch) = self.branches.get_mut(branch as usize) else { return };
        if status.code() == 100 || branch.stage == Stage::Ended {
            return;
        }
        branch.reached = true;
        if self.rules.invite && !self.is_answered() {
            actions.push(Action::Relay(response));
        }
    }

    fn success(&mut self, branch: u32, response: R, actions: &mut Vec<Action<R>>) {
        let Some(tenant) = self.branches.get_mut(branch as usize) else { return };
        tenant.stage = Stage::Ended;
        let goes_back = match self.answered {
            Answered::Not => true,
            Answered::Accepted => self.rules.invite,
            // Of a branch that was given up; a caller who has a refusal must not get a 2xx.
            Answered::Refused => false,
        };
        if !goes_back {
            return;
        }
        actions.push(Action::Relay(response));
        self.closed = true;
        self.answered = Answered::Accepted;
        self.best = None;
        self.challenges = Vec::new();
        if !self.rules.no_cancel {
            let elsewhere = Reason::sip(Status::OK, "Call completed elsewhere");
            self.cancel_open(Status::REQUEST_TERMINATED, Some(&elsewhere), actions);
        }
    }

    fn refusal(&mut self, branch: u32, status: Status, response: Option<R>, actions: &mut Vec<Action<R>>) {
        let Some(tenant) = self.branches.get_mut(branch as usize) else { return };
        let stage = std::mem::replace(&mut tenant.stage, Stage::Ended);
        let breadth = tenant.breadth;
        match stage {
            Stage::Ended | Stage::Abandoned => return,
            Stage::Open
                if !self.closed && !tenant.reached && may_try_another_flow(status, response.is_some()) =>
            {
                if let Some(contact) = tenant.others.pop_front() {
                    let others = std::mem::take(&mut tenant.others);
                    self.start(contact, others, breadth, actions);
                    return;
                }
            }
            _ => {}
        }
        if self.is_answered() {
            return;
        }
        match (stage, status.code()) {
            (Stage::Stopping(why), 487) if why != status => self.take(why, None),
            // A CANCEL that nobody heard counts as heard (9.1).
            (Stage::Stopping(why), 408) if response.is_none() => self.take(why, None),
            (_, 600..) => {
                self.take(status, response);
                self.closed = true;
                self.cancel_open(Status::REQUEST_TERMINATED, Some(&said(status)), actions);
            }
            _ => self.take(status, response),
        }
    }

    /// Starts the next group, or answers, when no branch is waited for.
    fn go_on(&mut self, actions: &mut Vec<Action<R>>) {
        if self.closed {
            self.waiting.clear();
        }
        let waited_for = |branch: &Branch| !matches!(branch.stage, Stage::Ended | Stage::Abandoned);
        while !self.branches.iter().any(waited_for) {
            let Some(group) = self.waiting.pop_front() else {
                if !self.is_answered() {
                    self.answer(actions);
                }
                return;
            };
            self.start_group(group, actions);
        }
    }

    fn start_group(&mut self, group: Vec<Device>, actions: &mut Vec<Action<R>>) {
        let unended = self.branches.iter().filter(|branch| branch.stage != Stage::Ended);
        let taken: u32 = unended.map(|branch| branch.breadth).sum();
        let devices = group.into_iter().map(|device| VecDeque::from(device.contacts));
        let devices: Vec<_> = devices.filter(|contacts| !contacts.is_empty()).collect();
        if devices.is_empty() {
            return;
        }
        let wanted = u32::try_from(devices.len()).unwrap_or(u32::MAX);
        let left = self.rules.breadth.saturating_sub(taken);
        // What cannot be cancelled keeps its share when its time is up; later groups need theirs.
        let later: usize = self.waiting.iter().map(Vec::len).sum();
        let kept = if self.rules.invite { 0 } else { u32::try_from(later).unwrap_or(u32::MAX) };
        let all = wanted.saturating_add(kept);
        match breadth_shares(left, if all <= left { all } else { wanted }) {
            Ok(shares) => {
                for (mut contacts, breadth) in devices.into_iter().zip(shares) {
                    if let Some(contact) = contacts.pop_front() {
                        self.start(contact, contacts, breadth, actions);
                    }
                }
            }
            Err(status) => self.take(status, None),
        }
    }

    fn start(&mut self, contact: usize, others: VecDeque<usize>, breadth: u32, actions: &mut Vec<Action<R>>) {
        let branch = u32::try_from(self.branches.len()).unwrap_or(u32::MAX);
        self.branches.push(Branch { stage: Stage::Open, reached: false, breadth, others });
        actions.push(Action::Start { branch, contact, breadth });
    }

    fn cancel_open(&mut self, why: Status, reason: Option<&str>, actions: &mut Vec<Action<R>>) {
        for branch in 0..self.branches.len() {
            self.cancel(branch as u32, why, reason, actions);
        }
    }

    /// Tells an open branch to stop; one that was told already knows a new reason at most.
    fn cancel(&mut self, branch: u32, why: Status, reason: Option<&str>, actions: &mut Vec<Action<R>>) {
        let Some(tenant) = self.branches.get_mut(branch as usize) else { return };
        match tenant.stage {
            Stage::Open if self.rules.invite => {
                tenant.stage = Stage::Stopping(why);
                actions.push(Action::Cancel { branch, reason: reason.map(Box::from) });
            }
            // 9.1: there is no CANCEL for it. Who waits for the best of all does so still.
            Stage::Open if why != Status::REQUEST_TERMINATED => {
                tenant.stage = Stage::Abandoned;
                self.take(why, None);
            }
            Stage::Stopping(_) => tenant.stage = Stage::Stopping(why),
            _ => {}
        }
    }

    /// Keeps a refusal if it is the best so far, or holds a challenge.
    fn take(&mut self, status: Status, response: Option<R>) {
        let mut worse = Final { status, response };
        match &mut self.best {
            None => {
                self.best = Some(worse);
                return;
            }
            Some(best) => {
                if rank(worse.status, self.cancelled) < rank(best.status, self.cancelled) {
                    std::mem::swap(best, &mut worse);
                }
            }
        }
        if is_challenge(worse.status) {
            self.challenges.extend(worse.response);
        }
    }

    fn answer(&mut self, actions: &mut Vec<Action<R>>) {
        self.answered = Answered::Refused;
        let best = self.best.take();
        let challenges = std::mem::take(&mut self.challenges);
        // Without any, 408 (16.7 item 6); but each branch leaves one.
        let status = best.as_ref().map_or(Status::REQUEST_TIMEOUT, |best| best.status);
        actions.push(match (status.code(), best.and_then(|best| best.response)) {
            (503, _) => Action::Refuse(Status::SERVER_INTERNAL_ERROR),
            (430, _) if self.rules.authoritative => Action::Refuse(Status::TEMPORARILY_UNAVAILABLE),
            (_, None) => Action::Refuse(status),
            (401 | 407, Some(best)) => Action::Answer { best, challenges },
            (_, Some(best)) => Action::Answer { best, challenges: Vec::new() },
        });
    }
}

/// Whether another flow of the same device may be tried: what came says so, or it was not sent.
fn may_try_another_flow(status: Status, came: bool) -> bool {
    matches!(status.code(), 408 | 430) || (status.code() == 503 && !came)
}

fn is_challenge(status: Status) -> bool {
    matches!(status.code(), 401 | 407)
}

/// The smaller, the better (16.7 item 6). Among equals the first that came is kept.
fn rank(status: Status, cancelled: bool) -> (u16, u8) {
    let code = status.code();
    let class = match code / 100 {
        6 => 0,
        // A caller who gave up is told so.
        4 if code == 487 && cancelled => 1,
        class => class,
    };
    let within = match code {
        // What can be sent again with something added.
        401 | 407 => 0,
        415 | 420 | 484 => 1,
        // What says nothing of the callee: nobody answered, it was the caller's own device, we could
        // not get there.
        408 | 430 | 480 | 482 | 487 => 3,
        503 => 3,
        _ => 2,
    };
    (class, within)
}

/// A Reason that says a status and its phrase.
fn said(status: Status) -> String {
    Reason::sip(status, status.reason())
}

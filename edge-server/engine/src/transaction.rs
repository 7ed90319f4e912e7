//! Server transactions, as far as reliable transports need them: a request that comes twice under
//! one key gets the same answer twice and is acted on once.
//!
//! The key is connection, branch, sent-by and method (a browser library's branches have less than 24
//! bits, and all its agents in one page share one sent-by). The machines of RFC 3261 17 with their
//! retransmissions for UDP take this place when datagrams come.

use crate::effect::Packet;
use crate::hashing::{Keyed, Table};
use crate::input::FlowId;
use merge_core::time::Millis;
use std::collections::VecDeque;
use tributary_sip::Message;

type Key = (FlowId, u64);

/// The answers given lately.
pub(crate) struct Transactions {
    answers: Table<Key, Packet>,
    order: VecDeque<(Millis, Key)>,
    keyed: Keyed,
    most: usize,
}

impl Transactions {
    pub(crate) fn new(keyed: Keyed, most: u32) -> Self {
        Self { answers: Table::with_hasher(keyed), order: VecDeque::new(), keyed, most: most as usize }
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// The key of a request; `None` if its Via cannot be read.
    pub(crate) fn key(&self, flow: FlowId, request: &Message) -> Option<Key> {
        let via = request.via().ok()?;
        let port = via.port.unwrap_or_default().to_be_bytes();
        let parts = [
            via.branch().unwrap_or_default().as_bytes(),
            via.host.as_bytes(),
            port.as_slice(),
            request.method().as_str().as_bytes(),
            // A branch without the magic cookie says nothing alone (RFC 3261 17.2.3).
            request.call_id().as_bytes(),
            request.header(tributary_sip::Name::CSeq).unwrap_or_default().as_bytes(),
        ];
        Some((flow, self.keyed.of(&parts)))
    }

    pub(crate) fn answer(&self, key: &Key) -> Option<&Packet> {
        self.answers.get(key)
    }

    /// Keeps an answer until `until`; `true` if an older one had to go early for it.
    pub(crate) fn keep(&mut self, key: Key, answer: Packet, until: Millis) -> bool {
        if self.answers.insert(key, answer).is_none() {
            self.order.push_back((until, key));
        }
        let full = self.order.len() > self.most;
        if full && let Some((_, oldest)) = self.order.pop_front() {
            self.answers.remove(&oldest);
        }
        full
    }

    /// Forgets what has had its time. All times are equal spans, so the oldest is always in front.
    pub(crate) fn forget(&mut self, now: Millis) {
        while let Some(&(until, key)) = self.order.front() {
            if until > now {
                break;
            }
            self.order.pop_front();
            self.answers.remove(&key);
        }
        if self.order.is_empty() && self.order.capacity() > 1024 {
            self.order.shrink_to_fit();
            self.answers.shrink_to_fit();
        }
    }

    /// When the oldest answer may be forgotten.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.order.front().map(|&(until, _)| until)
    }
}

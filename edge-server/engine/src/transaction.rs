//! Server transactions: a request that comes twice under one key gets the same answer twice and is
//! acted on once.
//!
//! The key is connection, branch, sent-by and method (a browser library's branches have less than 24
//! bits, and all its agents in one page share one sent-by). Over a reliable transport nobody repeats
//! a request that arrived, and an answer is kept only against the libraries that do it all the same:
//! it goes with its connection. A datagram may be repeated for 64*T1 (RFC 3261 17.2.2), which is the
//! time that answers are kept. Refusals that the request alone decides are not kept at all: whoever
//! cannot show a password takes no room here. Their tag comes from the key, so that a repetition is
//! still answered alike (RFC 3261 8.2.7).

use crate::effect::Packet;
use crate::hashing::Keyed;
use crate::input::FlowId;
use crate::limits::Limits;
use merge_core::time::Millis;
use std::collections::BTreeMap;
use tributary_sip::Message;

/// Connection, and a hash of what else names the transaction.
type Key = (FlowId, u64);

/// The answers given lately.
pub(crate) struct Transactions {
    /// In order of their connection, so that all of one can be found.
    answers: BTreeMap<Key, Kept>,
    /// The same in order of their age.
    order: BTreeMap<u64, (Millis, Key)>,
    serial: u64,
    bytes: usize,
    keyed: Keyed,
    tags: Keyed,
    most: usize,
    most_bytes: usize,
}

/// An answer, and its place in the order.
struct Kept {
    answer: Packet,
    serial: u64,
}

impl Transactions {
    /// `tags` must be keyed apart from `keyed`: what comes of it is sent.
    pub(crate) fn new(keyed: Keyed, tags: Keyed, limits: &Limits) -> Self {
        Self {
            answers: BTreeMap::new(),
            order: BTreeMap::new(),
            serial: 0,
            bytes: 0,
            keyed,
            tags,
            most: limits.transactions_per_shard as usize,
            most_bytes: limits.transaction_bytes_per_shard as usize,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
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

    /// The tag of an answer that is not kept: the same for each repetition.
    pub(crate) fn tag(&self, (flow, hash): Key) -> String {
        format!("{:016x}", self.tags.of(&[&flow.0.to_be_bytes(), &hash.to_be_bytes()]))
    }

    pub(crate) fn answer(&self, key: &Key) -> Option<&Packet> {
        self.answers.get(key).map(|kept| &kept.answer)
    }

    /// Keeps an answer until `until`; names the limit if older ones had to go early for it.
    pub(crate) fn keep(&mut self, key: Key, answer: Packet, until: Millis) -> Option<&'static str> {
        self.remove(key);
        self.serial += 1;
        self.bytes += answer.len();
        self.answers.insert(key, Kept { answer, serial: self.serial });
        self.order.insert(self.serial, (until, key));
        let mut reached = None;
        loop {
            let limit = if self.answers.len() > self.most {
                "transactions_per_shard"
            } else if self.bytes > self.most_bytes {
                "transaction_bytes_per_shard"
            } else {
                return reached;
            };
            reached = Some(limit);
            let Some((_, &(_, oldest))) = self.order.first_key_value() else {
                return reached;
            };
            self.remove(oldest);
        }
    }

    /// Forgets what has had its time. All times are equal spans, so the oldest is always in front.
    pub(crate) fn forget(&mut self, now: Millis) {
        while let Some((_, &(until, key))) = self.order.first_key_value()
            && until <= now
        {
            self.remove(key);
        }
    }

    /// Forgets what a connection was answered: nobody can repeat a request over it any more.
    pub(crate) fn close(&mut self, flow: FlowId) {
        let its: Vec<Key> =
            self.answers.range((flow, u64::MIN)..=(flow, u64::MAX)).map(|(&key, _)| key).collect();
        for key in its {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(gone) = self.answers.remove(&key) {
            self.bytes -= gone.answer.len();
            self.order.remove(&gone.serial);
        }
    }

    /// When the oldest answer may be forgotten.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.order.first_key_value().map(|(_, &(until, _))| until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn what_leaves_early_leaves_no_trace_whichever_way_it_goes() {
        let keyed = Keyed::new(1, 2);
        let limits =
            Limits { transactions_per_shard: 3, transaction_bytes_per_shard: 25, ..Limits::default() };
        let mut kept = Transactions::new(keyed, keyed, &limits);
        let packet = |bytes| Packet { head: Bytes::from(vec![b'x'; bytes]), body: Bytes::new() };
        let mut check = |flow, hash, bytes, reached, counts| {
            assert_eq!(kept.keep((FlowId(flow), hash), packet(bytes), Millis(1000)), reached);
            assert_eq!((kept.len(), kept.bytes()), counts);
            assert_eq!(kept.order.len(), kept.len());
        };
        check(1, 1, 10, None, (1, 10));
        check(1, 1, 8, None, (1, 8));
        check(2, 1, 8, None, (2, 16));
        check(1, 2, 8, None, (3, 24));
        check(1, 3, 1, Some("transactions_per_shard"), (3, 17));
        check(3, 1, 24, Some("transaction_bytes_per_shard"), (2, 25));
        check(4, 1, 26, Some("transaction_bytes_per_shard"), (0, 0));
        check(1, 1, 5, None, (1, 5));
        check(1, 2, 5, None, (2, 10));
        check(2, 1, 5, None, (3, 15));
        kept.close(FlowId(1));
        assert_eq!((kept.len(), kept.bytes(), kept.order.len()), (1, 5, 1));
        kept.forget(Millis(1000));
        assert_eq!((kept.len(), kept.bytes(), kept.next()), (0, 0, None));
    }
}

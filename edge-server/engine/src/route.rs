//! Which shard a message belongs to. Pure: no state is looked at, so any task of the server can ask.

use tributary_sip::{Aor, Message, Method};

/// What decides where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKey {
    /// The hash of an address of record.
    Aor(u64),
    /// A mark that a shard put into its Contact or branch.
    Mark {
        /// The shard.
        index: u16,
    },
    /// Any shard will do: the answer does not depend on state.
    Any,
}

impl RouteKey {
    /// The shard among `count` of them.
    #[must_use]
    pub fn shard(self, count: u16) -> u16 {
        let count = count.max(1);
        match self {
            Self::Aor(hash) => (hash % u64::from(count)) as u16,
            Self::Mark { index } if index < count => index,
            Self::Mark { .. } | Self::Any => 0,
        }
    }
}

/// Which shard a message belongs to: REGISTER by To, PUBLISH and a first SUBSCRIBE by the address of
/// record of the Request-URI, what follows in a dialog by To, which names the presentity (a mark in
/// the Request-URI, our Contact, stands in where To does not), responses by the mark in their branch.
/// Each goes by what its handling goes by; a first SUBSCRIBE that names two users is refused.
#[must_use]
pub fn route(message: &Message) -> RouteKey {
    if !message.is_request() {
        let branch = message.via().ok().and_then(|via| via.branch());
        return branch.and_then(branch_shard).map_or(RouteKey::Any, |index| RouteKey::Mark { index });
    }
    let to = message.to().ok();
    let to_key = to.as_ref().and_then(|to| key(to.uri));
    match message.method() {
        Method::Register => to_key,
        // It is in no dialog, whatever tag its To has.
        Method::Publish => key(message.uri()),
        _ if to.as_ref().is_some_and(|to| to.tag().is_some()) => to_key.or_else(|| {
            let user = message.request_uri().ok()?.user?;
            contact_shard(user).map(|index| RouteKey::Mark { index })
        }),
        _ => key(message.uri()),
    }
    .unwrap_or(RouteKey::Any)
}

/// The hash that places an address of record (`sip:alice@example.com`, canonical). Fixed for ever:
/// it is not keyed, because every node of a cluster must come to the same place.
#[must_use]
pub fn aor_hash(aor: &str) -> u64 {
    // FNV-1a, then a finish that spreads its low entropy at the top over all bits.
    let hash = aor.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 29
}

/// The address of record that a URI names here, where SIP's own port says no more than none does.
pub(crate) fn named(uri: &str) -> Option<Aor> {
    let aor = Aor::parse(uri).ok()?;
    match aor.as_str().strip_suffix(":5060") {
        Some(without) => Aor::parse(without).ok(),
        None => Some(aor),
    }
}

fn key(uri: &str) -> Option<RouteKey> {
    named(uri).map(|aor| RouteKey::Aor(aor_hash(aor.as_str())))
}

/// The user part of our Contact.
pub(crate) fn contact_user(shard: u16) -> String {
    format!("ps-{shard}")
}

fn contact_shard(user: &str) -> Option<u16> {
    user.strip_prefix("ps-")?.parse().ok()
}

/// The branch of a NOTIFY: shard, place of the subscription, and a number that is drawn anew each time.
pub(crate) fn push_branch(out: &mut Vec<u8>, shard: u16, subscription: u32, nonce: u32) {
    out.extend_from_slice(b"z9hG4bKs");
    push_hex(out, u32::from(shard));
    out.push(b'.');
    push_hex(out, subscription);
    out.push(b'.');
    push_hex(out, nonce);
}

fn push_hex(out: &mut Vec<u8>, value: u32) {
    let digits = (32 - value.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (digit * 4) & 15) as usize]);
    }
}

/// What [`push_branch`] wrote: shard, subscription, number.
pub(crate) fn read_branch(branch: &str) -> Option<(u16, u32, u32)> {
    let mut parts = branch.strip_prefix("z9hG4bKs")?.split('.');
    let mut hex = || u32::from_str_radix(parts.next()?, 16).ok();
    Some((u16::try_from(hex()?).ok()?, hex()?, hex()?))
}

fn branch_shard(branch: &str) -> Option<u16> {
    read_branch(branch).map(|(shard, _, _)| shard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_branch_is_read_back_as_it_was_written() {
        for parts in [(0, 0, 0), (3, 15, 16), (65535, u32::MAX, 0xdead_beef)] {
            let mut out = Vec::new();
            push_branch(&mut out, parts.0, parts.1, parts.2);
            assert_eq!(read_branch(std::str::from_utf8(&out).unwrap()), Some(parts));
        }
        assert_eq!(read_branch("z9hG4bK776asdhds"), None);
        assert_eq!(read_branch("z9hG4bKs1.2"), None);
    }

    fn request(method: &str, uri: &str, to: &str) -> Message {
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\nFrom: <sip:bob@b.org>;tag=1\r\n\
             To: {to}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    #[test]
    fn everything_about_one_presentity_goes_to_one_shard() {
        let register = route(&request("REGISTER", "sip:example.com", "<sip:al%69ce@EXAMPLE.com>"));
        let publish = route(&request("PUBLISH", "sip:alice@example.com", "<sip:alice@example.com>"));
        let subscribe = route(&request("SUBSCRIBE", "sip:alice@Example.com;transport=ws", "<sip:x@y>"));
        let refresh = route(&request("SUBSCRIBE", "sip:ps-3@example.com", "<sip:alice@example.com>;tag=9"));
        assert_eq!(register, RouteKey::Aor(aor_hash("sip:alice@example.com")));
        assert_eq!((publish, subscribe, refresh), (register, register, register));
        let tagged = route(&request("PUBLISH", "sip:alice@example.com", "<sip:bob@example.com>;tag=9"));
        let port = route(&request("SUBSCRIBE", "sip:ps-3@example.com", "<sip:alice@example.com:5060>;tag=9"));
        assert_eq!((tagged, port), (register, register));
    }

    #[test]
    fn a_mark_stands_in_where_to_names_nobody() {
        let key = route(&request("SUBSCRIBE", "sip:ps-3@example.com", "<tel:123>;tag=9"));
        assert_eq!(key, RouteKey::Mark { index: 3 });
        assert_eq!((key.shard(8), key.shard(2)), (3, 0));
    }

    #[test]
    fn a_response_goes_to_the_shard_that_its_branch_names() {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/WS example.com;branch=z9hG4bKs5.1f.abc\r\n\
                    From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n\r\n";
        let message = Message::parse(Bytes::from(text)).unwrap();
        assert_eq!(route(&message), RouteKey::Mark { index: 5 });
    }
}

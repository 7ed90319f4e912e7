//! Which shard a message belongs to.
//!
//! Requests: by what they ask about. REGISTER goes by To, and so does a SUBSCRIBE in its dialog, for To
//! names the presentity (a mark in the Request-URI, our Contact, stands in where To does not). Anything
//! else goes by the Request-URI: of an INVITE, its CANCEL and its ACK it is the same, and of all that
//! follows in a call as well, so that no BYE overtakes the ACK before it. What names nobody goes by its
//! Call-ID, and a temporary GRUU by the number of its user that is sealed in it. So a repetition always
//! meets its transaction.
//!
//! Responses: by the mark in the branch, which we made. Nobody outside can make one.

use crate::random::Random;
use tributary_sip::gruu::{Gruu, Temporary};
use tributary_sip::{Aor, MAGIC_COOKIE, Message, Method, SealingKeys, Uri};

/// Finds the shard of a message. Looks at no state: any task of the server can ask.
#[derive(Clone, Debug)]
pub struct Router {
    marks: Vec<Mark>,
    keys: Option<SealingKeys>,
}

impl Router {
    /// For `shards` shards that were made with the same seed.
    #[must_use]
    pub fn new(seed: [u8; 32], shards: u16) -> Self {
        let marks = (0..shards.max(1)).map(|index| Mark::new(seed, index)).collect();
        Self { marks, keys: None }
    }

    /// With the keys that the shards were given, so that temporary GRUUs can be read.
    #[must_use]
    pub fn sealing(mut self, keys: SealingKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// How many shards there are; at least one.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.marks.len() as u16
    }

    /// The shard of a message.
    #[must_use]
    pub fn shard(&self, message: &Message) -> u16 {
        if !message.is_request() {
            return self.marked(message).unwrap_or_else(|| self.among(hash_of(message.call_id())));
        }
        match self.place(message) {
            Place::Hash(hash) => self.among(hash),
            Place::Shard(index) => index % self.shards(),
        }
    }

    /// The shard that keeps an address of record (`sip:alice@example.com`, canonical).
    #[must_use]
    pub fn shard_of(&self, aor: &str) -> u16 {
        self.among(hash_of(aor))
    }

    fn place(&self, request: &Message) -> Place {
        let to = request.to().ok();
        let to_key = to.as_ref().and_then(|to| self.key(to.uri));
        let in_dialog = to.as_ref().is_some_and(|to| to.tag().is_some());
        match request.method() {
            Method::Register => to_key,
            // A subscription that goes on: our Contact, which its Request-URI is, names nobody.
            Method::Subscribe if in_dialog => to_key.or_else(|| {
                let user = request.request_uri().ok()?.user?;
                contact_shard(user).map(Place::Shard)
            }),
            _ => self.key(request.uri()),
        }
        .unwrap_or_else(|| Place::Hash(hash_of(request.call_id())))
    }

    /// Where the user is whom a URI names.
    fn key(&self, uri: &str) -> Option<Place> {
        self.place_of_gruu(uri).or_else(|| Some(Place::Hash(hash_of(named(uri)?.as_str()))))
    }

    fn place_of_gruu(&self, uri: &str) -> Option<Place> {
        let (keys, uri) = (self.keys.as_ref()?, Uri::parse(uri).ok()?);
        let Some(Gruu::Temporary(sealed)) = Gruu::of(&uri) else { return None };
        Some(Place::Hash(Temporary::open(keys, sealed)?.holder))
    }

    fn among(&self, hash: u64) -> u16 {
        (hash % u64::from(self.shards())) as u16
    }

    /// The shard whose mark is in the branch of a response.
    fn marked(&self, response: &Message) -> Option<u16> {
        let branch = response.via().ok()?.branch()?;
        let (index, _) = branch.strip_prefix(MAGIC_COOKIE)?.split_once('.')?;
        let index = u16::from_str_radix(index, 16).ok()?;
        self.marks.get(usize::from(index))?.rest(branch).map(|_| index)
    }
}

/// Where a request belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// By this hash.
    Hash(u64),
    /// To this shard.
    Shard(u16),
}

/// The hash that places an address of record or a Call-ID. Fixed for ever: it is not keyed, because
/// every node of a cluster must come to the same place.
pub(crate) fn hash_of(name: &str) -> u64 {
    // FNV-1a, then a finish that spreads its low entropy at the top over all bits.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
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

/// The user part of our Contact.
pub(crate) fn contact_user(shard: u16) -> String {
    format!("ps-{shard}")
}

pub(crate) fn contact_shard(user: &str) -> Option<u16> {
    user.strip_prefix("ps-")?.parse().ok()
}

/// What the branches of one shard's requests begin with: the magic cookie, the shard, and a word that
/// only this process knows. Who was sent a request can repeat its branch, and nobody can make another.
#[derive(Clone, Debug)]
pub(crate) struct Mark(Box<str>);

/// Who is to see the response to a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The subscription whose NOTIFY it is.
    Subscription,
    /// The table of transactions.
    Transaction,
    /// The table of transactions, and then the request that was forwarded.
    Proxy,
}

impl Of {
    const fn letter(self) -> u8 {
        match self {
            Self::Subscription => b's',
            Self::Transaction => b't',
            Self::Proxy => b'p',
        }
    }
}

impl Mark {
    /// The mark of the shard `index` of the process that was given `seed`.
    pub(crate) fn new(seed: [u8; 32], index: u16) -> Self {
        // A stream that no shard draws from: theirs have the numbers from 0.
        let word = Random::new(seed, u32::MAX - u32::from(index)).token(13);
        Self(format!("{MAGIC_COOKIE}{index:x}.{word}.").into())
    }

    /// Writes a branch. The two numbers together must be new each time, and `nonce` unforeseeable.
    pub(crate) fn push_branch(&self, out: &mut Vec<u8>, of: Of, place: u32, nonce: u32) {
        out.extend_from_slice(self.0.as_bytes());
        out.push(of.letter());
        push_hex(out, place);
        out.push(b'.');
        push_hex(out, nonce);
    }

    /// The two numbers of a branch that this shard wrote.
    pub(crate) fn read(&self, of: Of, branch: &str) -> Option<(u32, u32)> {
        let rest = self.rest(branch)?;
        let (place, nonce) = rest.strip_prefix(char::from(of.letter()))?.split_once('.')?;
        Some((u32::from_str_radix(place, 16).ok()?, u32::from_str_radix(nonce, 16).ok()?))
    }

    /// Whether this shard wrote a branch.
    pub(crate) fn wrote(&self, branch: &str) -> bool {
        self.rest(branch).is_some()
    }

    /// What follows the mark.
    fn rest<'a>(&self, branch: &'a str) -> Option<&'a str> {
        branch.strip_prefix(&*self.0)
    }
}

fn push_hex(out: &mut Vec<u8>, value: u32) {
    let mut digits = [0; 8];
    for (at, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(value >> (at * 4) & 15) as usize];
    }
    let leading = value.leading_zeros() as usize / 4;
    out.extend_from_slice(&digits[leading.min(7)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router {
        Router::new([0; 32], 1)
    }
    use bytes::Bytes;

    const SEED: [u8; 32] = [7; 32];

    #[test]
    fn a_branch_is_read_back_as_it_was_written_by_its_shard_and_for_its_purpose() {
        for (index, place, nonce) in [(0, 0, 0), (3, 15, 16), (65535, u32::MAX, 0xdead_beef)] {
            let mark = Mark::new(SEED, index);
            let mut out = Vec::new();
            mark.push_branch(&mut out, Of::Subscription, place, nonce);
            let branch = std::str::from_utf8(&out).unwrap();
            assert_eq!(mark.read(Of::Subscription, branch), Some((place, nonce)));
            assert_eq!(mark.read(Of::Transaction, branch), None);
            assert_eq!(Mark::new(SEED, index ^ 1).read(Of::Subscription, branch), None);
            assert_eq!(Mark::new([8; 32], index).read(Of::Subscription, branch), None);
            assert!(branch.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'));
        }
        for alien in ["z9hG4bK776asdhds", "z9hG4bK1.2", "z9hG4bK", "", "z9hG4bK0..s1.1"] {
            assert_eq!(Mark::new(SEED, 0).read(Of::Subscription, alien), None);
        }
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
        let alice = Place::Hash(hash_of("sip:alice@example.com"));
        for (method, uri, to) in [
            ("REGISTER", "sip:example.com", "<sip:al%69ce@EXAMPLE.com>"),
            ("PUBLISH", "sip:alice@example.com", "<sip:alice@example.com>"),
            ("PUBLISH", "sip:alice@example.com", "<sip:bob@example.com>;tag=9"),
            ("SUBSCRIBE", "sip:alice@Example.com;transport=ws", "<sip:x@y>"),
            ("SUBSCRIBE", "sip:ps-3@example.com", "<sip:alice@example.com>;tag=9"),
            ("SUBSCRIBE", "sip:ps-3@example.com", "<sip:alice@example.com:5060>;tag=9"),
        ] {
            assert_eq!(router().place(&request(method, uri, to)), alice, "{method} {uri} {to}");
        }
        let router = Router::new(SEED, 8);
        let register = request("REGISTER", "sip:example.com", "<sip:alice@example.com>");
        assert_eq!(router.shard(&register), router.shard_of("sip:alice@example.com"));
    }

    #[test]
    fn a_mark_stands_in_where_to_names_nobody() {
        let refresh = request("SUBSCRIBE", "sip:ps-3@example.com", "<tel:123>;tag=9");
        assert_eq!(router().place(&refresh), Place::Shard(3));
        assert_eq!(Router::new(SEED, 8).shard(&refresh), 3);
        assert_eq!(Router::new(SEED, 2).shard(&refresh), 1);
    }

    #[test]
    fn an_ack_and_a_cancel_meet_their_invite_whomever_to_names_and_whether_it_has_a_tag() {
        for uri in ["sip:alice@example.com", "tel:123", "sip:example.com"] {
            let invite = router().place(&request("INVITE", uri, "<sip:bob@example.com>"));
            assert_eq!(router().place(&request("ACK", uri, "<sip:bob@example.com>;tag=9")), invite);
            assert_eq!(router().place(&request("CANCEL", uri, "<sip:bob@example.com>")), invite);
        }
    }

    #[test]
    fn what_follows_in_a_call_goes_the_way_of_its_ack() {
        for uri in ["sip:alice-0x1@192.0.2.7:5060", "sip:192.0.2.7", "sip:alice@example.com;gr=1"] {
            let router = Router::new(SEED, 64);
            let place = |method| router.shard(&request(method, uri, "<sip:alice@example.com>;tag=9"));
            for method in ["BYE", "INFO", "UPDATE", "PRACK", "REFER", "NOTIFY", "MESSAGE", "INVITE"] {
                assert_eq!(place(method), place("ACK"), "{method} {uri}");
            }
        }
    }

    fn response(branch: &str) -> Message {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/WS example.com;branch={branch}\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: c\r\nCSeq: 1 NOTIFY\r\n\r\n"
        );
        Message::parse(Bytes::from(text)).unwrap()
    }

    #[test]
    fn a_response_goes_to_the_shard_that_its_branch_names_and_a_forged_one_where_its_call_id_puts_it() {
        let router = Router::new(SEED, 8);
        let stray = router.shard(&response("z9hG4bK776asdhds"));
        for index in 0..8 {
            let mut branch = Vec::new();
            Mark::new(SEED, index).push_branch(&mut branch, Of::Transaction, 1, 2);
            let branch = String::from_utf8(branch).unwrap();
            assert_eq!(router.shard(&response(&branch)), index);
            // Another process's, one that is guessed, one of a shard that there is not.
            assert_eq!(Router::new([8; 32], 8).shard(&response(&branch)), stray);
            assert_eq!(router.shard(&response(&format!("z9hG4bK{index:x}.0000000000000.t1.2"))), stray);
            assert!(Router::new(SEED, 1).shard(&response(&branch)) == 0);
        }
    }
}

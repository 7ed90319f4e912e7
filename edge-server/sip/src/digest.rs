//! Digest authentication (RFC 7616, RFC 8760, RFC 3261 22), both ends. Sans-IO: the time, the
//! server's key and the client's nonce are arguments.
//!
//! What browser libraries taught: they know MD5 only and look at the last challenge only, so
//! SHA-256 comes first and MD5 last, one header line each; `qop` is quoted, `algorithm` is not;
//! they count `nc=00000001` for ever, so who counts the uses of a nonce must answer a second one with
//! another nonce and `stale=true`, and never with a refusal.

use core::fmt;
use std::borrow::Cow;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use subtle::ConstantTimeEq;

use crate::auth::{DigestChallenge, DigestCredentials};
use crate::hash::{Hex, HmacSha256};
use crate::params;
use crate::uri::Uri;

/// A hash that we speak. The stronger is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `MD5`: all that browsers' libraries know.
    Md5,
    /// `SHA-256` (RFC 8760).
    Sha256,
    /// `SHA-512-256` (RFC 8760): SHA-512 with its own beginning, cut to 256 bits (FIPS 180-4 5.3.6.2).
    Sha512,
}

impl Algorithm {
    /// Reads an `algorithm` parameter; absent means MD5. `-sess` forms and others: `None`.
    pub fn parse(name: Option<&str>) -> Option<Algorithm> {
        match name {
            None => Some(Algorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(Algorithm::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(Algorithm::Sha256),
            Some(name) if name.eq_ignore_ascii_case("SHA-512-256") => Some(Algorithm::Sha512),
            Some(_) => None,
        }
    }

    /// As it is written, unquoted.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512-256",
        }
    }

    /// The hash of the parts joined by colons, in lower-case hex.
    fn hash(self, parts: &[&str]) -> Hex {
        fn run<D: Digest>(parts: &[&str]) -> Hex {
            let mut digest = D::new();
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    digest.update(b":");
                }
                digest.update(part.as_bytes());
            }
            Hex::new(&digest.finalize())
        }
        match self {
            Algorithm::Md5 => run::<Md5>(parts),
            Algorithm::Sha256 => run::<Sha256>(parts),
            Algorithm::Sha512 => run::<Sha512_256>(parts),
        }
    }

    fn hash_body(self, body: &[u8]) -> Hex {
        match self {
            Algorithm::Md5 => Hex::new(&Md5::digest(body)),
            Algorithm::Sha256 => Hex::new(&Sha256::digest(body)),
            Algorithm::Sha512 => Hex::new(&Sha512_256::digest(body)),
        }
    }
}

/// The part of a request that an answer to a challenge is about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The Request-URI; for a client, as it shall stand in `uri`.
    pub uri: &'a str,
    /// The body, which `qop=auth-int` covers.
    pub body: &'a [u8],
}

impl<'a> Asked<'a> {
    /// A request without a body.
    pub fn new(method: &'a str, uri: &'a str) -> Asked<'a> {
        Asked { method, uri, body: &[] }
    }
}

/// What is stored of a user's password: H(user:realm:password) for each algorithm.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    md5: Hex,
    sha256: Hex,
    /// Missing where hashes were given and not the password.
    sha512: Option<Hex>,
}

impl Ha1 {
    /// From a password.
    pub fn new(username: &str, realm: &str, password: &str) -> Ha1 {
        let hash = |algorithm: Algorithm| algorithm.hash(&[username, realm, password]);
        Ha1 {
            md5: hash(Algorithm::Md5),
            sha256: hash(Algorithm::Sha256),
            sha512: Some(hash(Algorithm::Sha512)),
        }
    }

    /// From the hex strings as stored; `None` unless they are 32, 64 and 64 hex digits. The last may be
    /// missing: the user then cannot log in by that algorithm.
    pub fn from_hex(md5: &str, sha256: &str, sha512: Option<&str>) -> Option<Ha1> {
        let read = |text: &str, len| (text.len() == len).then(|| Hex::read(text)).flatten();
        let sha512 = match sha512 {
            Some(text) => Some(read(text, 64)?),
            None => None,
        };
        Some(Ha1 { md5: read(md5, 32)?, sha256: read(sha256, 64)?, sha512 })
    }

    /// The hash for one algorithm, in lower-case hex, where it is known.
    pub fn hex(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Md5 => Some(self.md5.as_str()),
            Algorithm::Sha256 => Some(self.sha256.as_str()),
            Algorithm::Sha512 => self.sha512.as_ref().map(Hex::as_str),
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(..)")
    }
}

/// The server's side: makes challenges and judges answers. Keeps nothing about nonces: they
/// carry their time and are signed.
#[derive(Clone)]
pub struct DigestServer {
    realm: String,
    key: HmacSha256,
    /// In ms.
    lifetime: i64,
    offered: Vec<Algorithm>,
    /// Whether `auth-int` is offered beside `auth`.
    integrity: bool,
    /// Stands in for an unknown user, who so costs the same hashes as a known one.
    nobody: Ha1,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user is who it says.
    Accepted {
        /// The algorithm that was used.
        algorithm: Algorithm,
    },
    /// The password is right, the nonce too old or not ours any more: challenge with `stale=true`.
    Stale,
    /// Challenge again, or refuse.
    Refused(Refusal),
}

/// Why an answer was refused. For the log; the client is told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Another realm than ours: old credentials, perhaps.
    Realm,
    /// An algorithm or qop that we did not offer, or userhash.
    NotOffered,
    /// cnonce or nc missing or malformed.
    Malformed,
    /// `uri` names another resource than the request.
    Uri,
    /// No such user, or a wrong password; the two take the same time.
    Password,
}

impl DigestServer {
    /// `key` must be secret and random, and outlive restarts if nonces shall. `lifetime` of a
    /// nonce in seconds. Of all nodes that share the key each can check the nonces of the others.
    pub fn new(realm: impl Into<String>, key: [u8; 32], lifetime: u32) -> DigestServer {
        let nobody = Ha1::new("", "", "");
        let offered = vec![Algorithm::Sha256, Algorithm::Md5];
        let lifetime = i64::from(lifetime) * 1000;
        let key = HmacSha256::new(&key);
        DigestServer { realm: realm.into(), key, lifetime, offered, integrity: false, nobody }
    }

    /// Offers these algorithms, in this order, and takes no other. Without this, SHA-256 and then
    /// MD5, as RFC 8760 2.4 wants the stronger first; phones that look at the first challenge alone
    /// need MD5 there.
    #[must_use]
    pub fn offering(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> DigestServer {
        self.offered = algorithms.into_iter().collect();
        self
    }

    /// Offers `auth-int`, which covers bodies, beside `auth`. JsSIP then uses it, and SIP.js does not; no
    /// proxy that changes a body may stand in between (RFC 3261 22.4).
    #[must_use]
    pub fn with_integrity(mut self, integrity: bool) -> DigestServer {
        self.integrity = integrity;
        self
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// How long a nonce is good, in ms.
    pub fn lifetime(&self) -> i64 {
        self.lifetime
    }

    /// The challenges for a 401 or 407, one header line each. `now` in ms since the epoch. `salt` makes
    /// the nonce another one than any before it, so that its uses can be counted.
    pub fn challenges(&self, now: i64, salt: u64, stale: bool) -> Vec<String> {
        let nonce = self.nonce(now, salt);
        let qop = if self.integrity { ", qop=\"auth,auth-int\"" } else { ", qop=\"auth\"" };
        let realm = params::quote(&self.realm);
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |algorithm: &Algorithm| {
            let algorithm = algorithm.as_str();
            ["Digest realm=", &realm, ", nonce=\"", &nonce, "\", algorithm=", algorithm, qop, stale].concat()
        };
        self.offered.iter().map(challenge).collect()
    }

    /// Judges an answer to a challenge; `now` in ms since the epoch. `find` gives what is stored of the
    /// user (its name with escapes resolved).
    pub fn verify(
        &self,
        answer: &DigestCredentials<'_>,
        request: Asked<'_>,
        now: i64,
        find: impl FnOnce(&str) -> Option<Ha1>,
    ) -> Verdict {
        let algorithm = Algorithm::parse(answer.algorithm).filter(|read| self.offered.contains(read));
        let Some(algorithm) = algorithm else {
            return Verdict::Refused(Refusal::NotOffered);
        };
        if unescaped(answer.realm) != self.realm {
            return Verdict::Refused(Refusal::Realm);
        }
        let offered = |qop: &str| qop.eq_ignore_ascii_case("auth") || (self.integrity && covers_body(qop));
        if answer.userhash || answer.qop.is_some_and(|qop| !offered(qop)) {
            return Verdict::Refused(Refusal::NotOffered);
        }
        let nc_is_hex = |nc: &str| nc.len() == 8 && nc.bytes().all(|b| b.is_ascii_hexdigit());
        if answer.qop.is_some() && !(answer.cnonce.is_some() && answer.nc.is_some_and(nc_is_hex)) {
            return Verdict::Refused(Refusal::Malformed);
        }
        if !same_resource(answer.uri, request.uri) {
            return Verdict::Refused(Refusal::Uri);
        }
        let known = find(&unescaped(answer.username));
        let ha1 = known.as_ref().and_then(|known| known.hex(algorithm));
        let nobody = self.nobody.hex(algorithm).unwrap_or_default();
        let expected = proof(algorithm, ha1.unwrap_or(nobody), request.method, request.body, answer);
        let given = answer.response.to_ascii_lowercase();
        let right = bool::from(expected.as_str().as_bytes().ct_eq(given.as_bytes()));
        if !(right && ha1.is_some()) {
            return Verdict::Refused(Refusal::Password);
        }
        if self.nonce_is_live(answer.nonce, now) { Verdict::Accepted { algorithm } } else { Verdict::Stale }
    }

    /// Authentication-Info for the 200 (RFC 7616 3.5): proves to the client that we know the
    /// password too. `None` for an answer without qop.
    pub fn authentication_info(
        &self,
        answer: &DigestCredentials<'_>,
        ha1: &Ha1,
        body: &[u8],
    ) -> Option<String> {
        let algorithm = Algorithm::parse(answer.algorithm)?;
        let (cnonce, nc, qop) = (answer.cnonce?, answer.nc?, answer.qop?);
        let proof = proof(algorithm, ha1.hex(algorithm)?, "", body, answer);
        Some(format!("qop={qop}, rspauth=\"{}\", cnonce=\"{cnonce}\", nc={nc}", proof.as_str()))
    }

    /// When a nonce was issued that [`verify`](Self::verify) has accepted, in ms since the epoch.
    pub fn issued(nonce: &str) -> Option<i64> {
        i64::from_str_radix(nonce.get(..16)?, 16).ok()
    }

    /// Time and salt in 16 hex digits each, then the first half of their signature in 32.
    fn nonce(&self, now: i64, salt: u64) -> String {
        let (time, salt) = (Hex::new(&now.to_be_bytes()), Hex::new(&salt.to_be_bytes()));
        let said = [time.as_str(), salt.as_str()].concat();
        let signature = self.sign(&said);
        said + signature.as_str().get(..32).unwrap_or("")
    }

    fn nonce_is_live(&self, nonce: &str, now: i64) -> bool {
        let Some((said, signature)) = nonce.split_at_checked(32) else { return false };
        let expected = self.sign(said);
        let expected = expected.as_str().get(..32).unwrap_or("");
        let ours = bool::from(expected.as_bytes().ct_eq(signature.as_bytes()));
        let Some(issued) = DigestServer::issued(nonce) else { return false };
        let age = now.saturating_sub(issued);
        // A clock that was set back must not make nonces immortal.
        ours && age <= self.lifetime && age >= -self.lifetime
    }

    fn sign(&self, said: &str) -> Hex {
        Hex::new(&self.key.sign(&[said.as_bytes(), b":", self.realm.as_bytes()]))
    }
}

impl fmt::Debug for DigestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestServer").field("realm", &self.realm).field("lifetime", &self.lifetime).finish()
    }
}

/// The client's side: the value of Authorization or Proxy-Authorization for a challenge.
/// `None` when the challenge offers no algorithm or qop that we speak.
pub fn answer(
    challenge: &DigestChallenge<'_>,
    username: &str,
    password: &str,
    request: Asked<'_>,
    cnonce: &str,
    nc: u32,
) -> Option<String> {
    let algorithm = Algorithm::parse(challenge.algorithm)?;
    let qop = match challenge.qop {
        None => None,
        // What is understood best goes first.
        Some(list) => {
            let speaks = |name: &&str| list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case(name));
            Some(["auth", "auth-int"].into_iter().find(speaks)?)
        }
    };
    let uri = request.uri;
    let nc = format!("{nc:08x}");
    let username_quoted = params::quote(username);
    let said = DigestCredentials {
        realm: challenge.realm,
        nonce: challenge.nonce,
        uri,
        cnonce: qop.map(|_| cnonce),
        qop,
        nc: qop.map(|_| nc.as_str()),
        ..DigestCredentials::default()
    };
    let ha1 = algorithm.hash(&[username, &unescaped(challenge.realm), password]);
    let proof = proof(algorithm, ha1.as_str(), request.method, request.body, &said);
    let (realm, nonce, algorithm) = (challenge.realm, challenge.nonce, algorithm.as_str());
    let mut text = format!(
        "Digest username={username_quoted}, realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{}\", algorithm={algorithm}",
        proof.as_str()
    );
    if let Some(qop) = qop {
        text.push_str(&format!(", cnonce=\"{cnonce}\", qop={qop}, nc={nc}"));
    }
    if let Some(opaque) = challenge.opaque {
        text.push_str(&format!(", opaque=\"{opaque}\""));
    }
    Some(text)
}

/// The strongest digest challenge that [`answer`] can answer.
pub fn strongest<'a, 'c>(
    challenges: impl IntoIterator<Item = &'c DigestChallenge<'a>>,
) -> Option<&'c DigestChallenge<'a>>
where
    'a: 'c,
{
    let speaks = |qop: Option<&str>| {
        let known = |qop: &str| qop.eq_ignore_ascii_case("auth") || covers_body(qop);
        qop.is_none_or(|list| list.split(',').any(|qop| known(qop.trim())))
    };
    let known = challenges.into_iter().filter(|c| Algorithm::parse(c.algorithm).is_some() && speaks(c.qop));
    known.max_by_key(|challenge| Algorithm::parse(challenge.algorithm))
}

/// H(HA1:nonce:nc:cnonce:qop:HA2), or H(HA1:nonce:HA2) without qop (RFC 7616 3.4.1).
fn proof(algorithm: Algorithm, ha1: &str, method: &str, body: &[u8], said: &DigestCredentials<'_>) -> Hex {
    let ha2 = if said.qop.is_some_and(covers_body) {
        algorithm.hash(&[method, said.uri, algorithm.hash_body(body).as_str()])
    } else {
        algorithm.hash(&[method, said.uri])
    };
    match said.qop {
        None => algorithm.hash(&[ha1, said.nonce, ha2.as_str()]),
        Some(qop) => {
            let (nc, cnonce) = (said.nc.unwrap_or(""), said.cnonce.unwrap_or(""));
            algorithm.hash(&[ha1, said.nonce, nc, cnonce, qop, ha2.as_str()])
        }
    }
}

fn covers_body(qop: &str) -> bool {
    qop.eq_ignore_ascii_case("auth-int")
}

/// Whether two spellings of a Request-URI name the same resource: clients' libraries rewrite
/// case, ports and parameters in `uri=`, never user or host.
fn same_resource(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (Uri::parse(a), Uri::parse(b)) {
        (Ok(a), Ok(b)) if a.is_sip() && b.is_sip() => {
            a.user_decoded() == b.user_decoded() && a.host.eq_ignore_ascii_case(b.host)
        }
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// Resolves the escapes in a string that stood in quotes.
fn unescaped(inner: &str) -> Cow<'_, str> {
    if inner.contains('\\') {
        Cow::Owned(params::unquote(&format!("\"{inner}\"")).into_owned())
    } else {
        Cow::Borrowed(inner)
    }
}

//! What may be shown of a message: all but what proves who somebody is.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::auth::{Credentials, DigestCredentials};
use crate::message::Message;
use crate::name::Name;

/// What stands in place of a proof.
const REDACTED: &str = "redacted";

/// Schemes that are left to be read. Of anything else the first word may be the secret itself.
const SCHEMES: [&str; 3] = ["Digest", "Bearer", "Basic"];

impl Message {
    /// The octets, but of Authorization, Proxy-Authorization and the server's own proof (RFC 7615) only what
    /// proves nothing: tokens are passwords, and a digest lets whoever reads it try passwords at home.
    pub fn redacted(&self) -> Bytes {
        let mut out: Option<Vec<u8>> = None;
        let mut copied = 0;
        for line in &self.lines {
            if !is_proof(line.name, self.text(line.spelt())) {
                continue;
            }
            let value = line.value.range();
            let out = out.get_or_insert_with(|| Vec::with_capacity(self.raw.len()));
            out.extend_from_slice(self.raw.get(copied..value.start).unwrap_or_default());
            out.extend_from_slice(shown(line.name, self.text(line.value)).as_bytes());
            copied = value.end;
        }
        match out {
            None => self.raw.clone(),
            Some(mut out) => {
                out.extend_from_slice(self.raw.get(copied..).unwrap_or_default());
                out.into()
            }
        }
    }
}

/// What is shown of a value.
fn shown(name: Name, value: &str) -> String {
    // The server's own proof has no scheme before it.
    if name != Name::AuthenticationInfo
        && let Some(Credentials::Digest(digest)) = Credentials::parse(value)
    {
        return without_proof(&digest);
    }
    let scheme = value.split([' ', '\t']).next().unwrap_or_default();
    match SCHEMES.iter().find(|known| known.eq_ignore_ascii_case(scheme)) {
        Some(known) => format!("{known} {REDACTED}"),
        None => REDACTED.to_owned(),
    }
}

/// Who says so, of which realm and resource, by which algorithm and nonce: what tells why a digest was refused.
/// Without the response nobody can try a password on it; what the client made up for it goes, too.
fn without_proof(digest: &DigestCredentials<'_>) -> String {
    let DigestCredentials { username, realm, nonce, uri, algorithm, cnonce, qop, nc, .. } = digest;
    let mut out = format!(
        "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response={REDACTED}"
    );
    let cnonce = &cnonce.map(|_| REDACTED);
    for (name, value) in [("algorithm", algorithm), ("cnonce", cnonce), ("qop", qop), ("nc", nc)] {
        if let Some(value) = value {
            // Writing to a String does not fail.
            let _ = write!(out, ", {name}={value}");
        }
    }
    out
}

fn is_proof(name: Name, spelt: &str) -> bool {
    match name {
        Name::Authorization | Name::ProxyAuthorization | Name::AuthenticationInfo => true,
        Name::Extension => spelt.eq_ignore_ascii_case("Proxy-Authentication-Info"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str, expect: &str) {
        let message = |lines: &str| {
            format!(
                "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP a.example;branch=z9hG4bK1\r\n{lines}\
                 From: <sip:a@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
                 Content-Length: 4\r\n\r\nbody"
            )
        };
        let read = Message::parse(message(lines).into()).unwrap();
        assert_eq!(String::from_utf8_lossy(&read.redacted()), message(expect));
    }

    #[test]
    fn credentials_are_taken_out_however_they_are_written_and_nothing_else_is() {
        check("Subject: Digest x\r\n", "Subject: Digest x\r\n");
        check(
            "Authorization: Digest username=\"a\", response=\"0123\"\r\nX-Other: 1\r\n",
            "Authorization: Digest redacted\r\nX-Other: 1\r\n",
        );
        check("proxy-authorization :  bearer secret.token\r\n", "proxy-authorization :  Bearer redacted\r\n");
        check("Authorization: secret\r\n", "Authorization: redacted\r\n");
        check("Authorization: Own secret\r\n", "Authorization: redacted\r\n");
        check("Authorization:\r\n", "Authorization:redacted\r\n");
        check(
            "Authorization: Digest a=1\r\nAuthorization: Digest b=2\r\n",
            "Authorization: Digest redacted\r\nAuthorization: Digest redacted\r\n",
        );
        // A digest that is none is not shown at all.
        check("Authorization: Digest username=\"a\", nonce=\"1\"\r\n", "Authorization: Digest redacted\r\n");
        check("Authentication-Info: rspauth=\"0123\"\r\n", "Authentication-Info: redacted\r\n");
        check("Proxy-Authentication-Info: rspauth=\"0123\"\r\n", "Proxy-Authentication-Info: redacted\r\n");
    }

    #[test]
    fn of_a_digest_is_shown_what_cannot_be_used_to_try_passwords() {
        check(
            "Proxy-Authorization: Digest username=\"a\\\"b\", realm=\"r\", nonce=\"n0\", uri=\"sip:x\", \
             response=\"0123\", algorithm=MD5, cnonce=\"c0\", qop=auth, nc=00000001, opaque=\"o\", other=\"s\"\r\n",
            "Proxy-Authorization: Digest username=\"a\\\"b\", realm=\"r\", nonce=\"n0\", uri=\"sip:x\", \
             response=redacted, algorithm=MD5, cnonce=redacted, qop=auth, nc=00000001\r\n",
        );
        check(
            "Authorization: digest response=\"0123\",uri=\"sip:x\",nonce=\"n0\",realm=\"r\",username=\"a\"\r\n",
            "Authorization: Digest username=\"a\", realm=\"r\", nonce=\"n0\", uri=\"sip:x\", response=redacted\r\n",
        );
    }

    #[test]
    fn a_value_that_goes_on_in_the_next_line_is_taken_out_as_a_whole() {
        let text = "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP a.example;branch=z9hG4bK1\r\n\
                    Authorization: Digest\r\n response=\"0123\"\r\nFrom: <sip:a@example.com>;tag=1\r\n\
                    To: <sip:a@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let redacted = Message::parse(text.into()).unwrap().redacted();
        let redacted = String::from_utf8_lossy(&redacted);
        assert!(!redacted.contains("0123") && redacted.contains("Digest redacted\r\nFrom:"), "{redacted}");
    }
}

//! What may be shown of a message: all but what proves who somebody is.

use bytes::Bytes;

use crate::message::Message;
use crate::name::Name;

/// What stands in place of a proof.
const REDACTED: &str = "redacted";

/// Schemes that are left to be read. Of anything else the first word may be the secret itself.
const SCHEMES: [&str; 3] = ["Digest", "Bearer", "Basic"];

impl Message {
    /// The octets, but of Authorization, Proxy-Authorization and the server's own proof (RFC 7615) only the
    /// scheme: tokens are passwords, and a digest lets whoever reads it try passwords at home.
    pub fn redacted(&self) -> Bytes {
        let mut out: Option<Vec<u8>> = None;
        let mut copied = 0;
        for line in &self.lines {
            if !is_proof(line.name, self.text(line.spelt())) {
                continue;
            }
            let value = line.value.range();
            let scheme = self.text(line.value).split([' ', '\t']).next().unwrap_or_default();
            let known = SCHEMES.iter().find(|known| known.eq_ignore_ascii_case(scheme));
            let out = out.get_or_insert_with(|| Vec::with_capacity(self.raw.len()));
            out.extend_from_slice(self.raw.get(copied..value.start).unwrap_or_default());
            if let Some(known) = known {
                out.extend_from_slice(known.as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(REDACTED.as_bytes());
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
        check("Authentication-Info: rspauth=\"0123\"\r\n", "Authentication-Info: redacted\r\n");
        check("Proxy-Authentication-Info: rspauth=\"0123\"\r\n", "Proxy-Authentication-Info: redacted\r\n");
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

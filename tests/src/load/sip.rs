//! The few messages of the generator, written and read by scanning: it must cost less than a server.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// Stands before the number that a NOTIFY's body carries back.
const MARK: &[u8] = b"@@";

/// The answer's status code, or None for a request.
pub(crate) fn status(message: &[u8]) -> Option<u16> {
    let digits = message.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The value of the first header called `name` (in lower case), if it is there.
pub(crate) fn header<'a>(message: &'a [u8], name: &str) -> Option<&'a [u8]> {
    lines(message).find_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let this = line[..colon].trim_ascii();
        this.eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
    })
}

fn lines(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let end = memchr::memmem::find(rest, b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        (!line.is_empty()).then_some(line)
    })
}

/// Queues the 200 to a NOTIFY: the headers it must repeat, and nothing else.
pub(crate) fn answer_200(request: &[u8], reply: &mut Vec<u8>) {
    reply.clear();
    reply.extend_from_slice(b"SIP/2.0 200 OK\r\n");
    for line in lines(request).skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let name = line[..colon].trim_ascii();
        let copied = match name.len() {
            1 => matches!(name[0] | 0x20, b'v' | b'f' | b't' | b'i'),
            2 => name.eq_ignore_ascii_case(b"to"),
            3 => name.eq_ignore_ascii_case(b"via"),
            4 => name.eq_ignore_ascii_case(b"from") || name.eq_ignore_ascii_case(b"cseq"),
            7 => name.eq_ignore_ascii_case(b"call-id"),
            _ => false,
        };
        if copied {
            reply.extend_from_slice(line);
            reply.extend_from_slice(b"\r\n");
        }
    }
    reply.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}

/// The number after the mark in a body: which change it shows.
pub(crate) fn mark(message: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(message, MARK)? + MARK.len();
    let digits = message.get(at..at + 12)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A SUBSCRIBE to `sip:p{presentity}@DOMAIN` by watcher `id`.
pub(crate) fn subscribe(id: usize, presentity: &str, local: SocketAddr) -> String {
    format!(
        "SUBSCRIBE {presentity} SIP/2.0\r\n\
         Via: SIP/2.0/WS w{id}.invalid;branch=z9hG4bKw{id}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:w{id}@example.com>;tag=w{id}\r\n\
         To: <{presentity}>\r\n\
         Call-ID: watcher-{id}@w{id}.invalid\r\n\
         CSeq: 1 SUBSCRIBE\r\n\
         Contact: <sip:w{id}@{local};transport=ws>\r\n\
         Event: presence\r\n\
         Accept: application/pidf+xml\r\n\
         Expires: 3600\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A PUBLISH of a document of about 1.4 KB that carries `mark`; with `etag` it replaces the former one.
pub(crate) fn publish(entity: &str, user: usize, serial: u64, etag: Option<&str>, mark: u64) -> String {
    let body = document(entity, mark);
    let mut out = head(entity, user, serial, etag, 3600);
    let _ = write!(out, "Content-Type: application/pidf+xml\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    out
}

/// The PUBLISH that removes what `etag` names.
pub(crate) fn remove(entity: &str, user: usize, serial: u64, etag: &str) -> String {
    head(entity, user, serial, Some(etag), 0) + "Content-Length: 0\r\n\r\n"
}

fn head(entity: &str, user: usize, serial: u64, etag: Option<&str>, expires: u32) -> String {
    let mut out = String::with_capacity(2000);
    let _ = write!(
        out,
        "PUBLISH {entity} SIP/2.0\r\n\
         Via: SIP/2.0/WS p{user}.invalid;branch=z9hG4bKp{user}-{serial}\r\n\
         Max-Forwards: 70\r\n\
         From: <{entity}>;tag=p{user}\r\n\
         To: <{entity}>\r\n\
         Call-ID: publisher-{user}-{serial}@p{user}.invalid\r\n\
         CSeq: 1 PUBLISH\r\n\
         Event: presence\r\n\
         Expires: {expires}\r\n"
    );
    if let Some(etag) = etag {
        let _ = write!(out, "SIP-If-Match: {etag}\r\n");
    }
    out
}

/// Tuple, person and device, as a desk phone of today sends them.
fn document(entity: &str, mark: u64) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:caps="urn:ietf:params:xml:ns:pidf:caps" entity="{entity}">
  <tuple id="desk-7f3a">
    <status><basic>open</basic></status>
    <caps:servcaps>
      <caps:audio>true</caps:audio>
      <caps:video>false</caps:video>
      <caps:message>true</caps:message>
      <caps:methods><caps:supported><caps:INVITE/><caps:MESSAGE/><caps:SUBSCRIBE/></caps:supported></caps:methods>
    </caps:servcaps>
    <rpid:user-input idle-threshold="600">active</rpid:user-input>
    <dm:deviceID>urn:uuid:48662e19-5fbf-43fc-a2fd-d23002787599</dm:deviceID>
    <contact priority="0.8">{entity}</contact>
    <note xml:lang="en">On the third floor until five, then by phone</note>
    <timestamp>2026-11-21T08:30:00Z</timestamp>
  </tuple>
  <dm:person id="p1">
    <rpid:activities><rpid:on-the-phone/></rpid:activities>
    <rpid:mood><rpid:happy/></rpid:mood>
    <rpid:place-type><rpid:other>office</rpid:other></rpid:place-type>
    <rpid:sphere>work</rpid:sphere>
    <dm:note xml:lang="en">@@{mark:012}</dm:note>
    <dm:timestamp>2026-11-21T08:30:00Z</dm:timestamp>
  </dm:person>
  <dm:device id="d1">
    <dm:deviceID>urn:uuid:48662e19-5fbf-43fc-a2fd-d23002787599</dm:deviceID>
    <dm:note xml:lang="en">Desk phone, room 3.14</dm:note>
  </dm:device>
</presence>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_document_is_read_back() {
        let message = publish("sip:p1@example.com", 1, 1, None, 42);
        assert_eq!(mark(message.as_bytes()), Some(42));
        assert!((1300..1600).contains(&document("sip:p1@example.com", 1).len()));
    }

    #[test]
    fn an_answer_repeats_what_it_must() {
        let request =
            b"NOTIFY sip:x SIP/2.0\r\nVia: one\r\nv: two\r\nTo: <b>;tag=1\r\nEvent: presence\r\nf: <a>\r\n\
                        Call-ID: c\r\nCSeq: 7 NOTIFY\r\nContent-Length: 3\r\n\r\nTo:";
        let mut reply = Vec::new();
        answer_200(request, &mut reply);
        let expect = "SIP/2.0 200 OK\r\nVia: one\r\nv: two\r\nTo: <b>;tag=1\r\nf: <a>\r\nCall-ID: c\r\n\
                      CSeq: 7 NOTIFY\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8(reply).unwrap(), expect);
    }

    #[test]
    fn a_header_is_found_whatever_its_case() {
        let message = b"SIP/2.0 200 OK\r\nsip-etag : e-1\r\n\r\nSIP-ETag: e-2\r\n";
        assert_eq!(header(message, "sip-etag"), Some(&b"e-1"[..]));
        assert_eq!(header(message, "event"), None);
        assert_eq!(status(message), Some(200));
    }
}

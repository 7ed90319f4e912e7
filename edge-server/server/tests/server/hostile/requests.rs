//! Good requests, and what rows make of them.

use super::Over;
use std::path::Path;
use tributary_sip::{Message, Name};

/// Who sends, from where, and how many have sent before.
pub(super) struct Sender {
    pub(super) user: &'static str,
    pub(super) over: Over,
    pub(super) here: String,
    pub(super) number: u32,
}

const PUBLISHED: &str = r#"<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:mallory@example.com"><tuple id="t1"><status><basic>open</basic></status></tuple></presence>"#;

impl Sender {
    /// The branch of the question that follows what a row sends.
    pub(super) fn mark(&self) -> String {
        format!("z9hG4bKquestion{}", self.number)
    }

    /// A question that is answered 200 in any case.
    pub(super) fn question(&self) -> Vec<u8> {
        let text = self.text("OPTIONS").replace("z9hG4bK{n}", "z9hG4bKquestion{n}").replace("c{n}@", "q{n}@");
        self.finished(&text)
    }

    pub(super) fn request(&self, method: &str) -> Vec<u8> {
        self.finished(&self.text(method))
    }

    /// The same request once more, with a header line that was missing.
    pub(super) fn again(&self, method: &str, line: &str) -> Vec<u8> {
        let text = self.text(method).replace("CSeq: 7 ", &format!("{line}CSeq: 8 "));
        self.finished(&text.replace("z9hG4bK{n}", "z9hG4bKagain{n}"))
    }

    /// A request of which `from` is replaced. The length of what is its body then is told, unless that is
    /// what was replaced.
    pub(super) fn edited(&self, method: &str, from: &str, to: &str) -> Vec<u8> {
        let text = self.text(method);
        assert!(text.contains(from), "{from:?} is not in {text}");
        self.finished(&text.replacen(from, to, 1))
    }

    /// A message of the torture tests. It comes through a proxy: so an answer finds the way, which does not
    /// lead to where its own Via says, and it is another request each time.
    pub(super) fn torture(&self, name: &str) -> Vec<u8> {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../sip/tests/torture"));
        let octets = std::fs::read(folder.join(format!("{name}.dat"))).unwrap();
        let Ok(message) = Message::parse(octets.clone().into()) else {
            return octets;
        };
        let call_id = message.header(Name::CallId).unwrap();
        // Where folds are resolved nothing moves.
        let end = call_id.as_ptr() as usize - message.raw().as_ptr() as usize + call_id.len();
        let (head, rest) = octets.split_at(end);
        let first_line = head.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
        let (first_line, head) = head.split_at(first_line);
        let via = match message.is_request() {
            true => {
                format!("Via: SIP/2.0/{} {};branch=z9hG4bK{};rport\r\n", self.via(), self.here, self.number)
            }
            false => String::new(),
        };
        let mark = format!("x{}", self.number);
        [first_line, via.as_bytes(), head, mark.as_bytes(), rest].concat()
    }

    fn finished(&self, text: &str) -> Vec<u8> {
        let text = text.replace("{n}", &self.number.to_string());
        let length = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
        text.replace("{length}", &length.to_string()).into_bytes()
    }

    fn via(&self) -> &'static str {
        match self.over {
            Over::Udp => "UDP",
            Over::Tls | Over::NoTls => "TLS",
            Over::Ws => "WS",
            Over::Tcp | Over::NoWs => "TCP",
        }
    }

    fn text(&self, method: &str) -> String {
        let user = self.user;
        let (uri, to, more, body) = match method {
            "REGISTER" => ("sip:example.com", user, "Expires: 0\r\n", ""),
            "OPTIONS" => ("sip:example.com", user, "", ""),
            "PUBLISH" => {
                let more = "Event: presence\r\nExpires: 0\r\nContent-Type: application/pidf+xml\r\n";
                ("sip:mallory@example.com", user, more, PUBLISHED)
            }
            "SUBSCRIBE" => ("sip:mallory@example.com", user, "Event: presence\r\nExpires: 0\r\n", ""),
            "MESSAGE" => ("sip:bob@example.com", "bob", "Content-Type: text/plain\r\n", "hello"),
            _ => ("sip:bob@example.com", "bob", "", ""),
        };
        let via = self.via();
        let (here, transport) = (&self.here, via.to_lowercase());
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{via} {here};branch=z9hG4bK{{n}};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@example.com>;tag=f{{n}}\r\nTo: <sip:{to}@example.com>\r\nCall-ID: c{{n}}@hostile.invalid\r\n\
             CSeq: 7 {method}\r\nContact: <sip:{user}@{here};transport={transport}>\r\n{more}Content-Length: {{length}}\r\n\r\n{body}"
        )
    }
}

//! Any octets: nothing panics, what was read is stable and can be answered, and what was refused
//! is answered with one well-formed message or not at all. What was read can be forwarded.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tributary_sip::transaction::FlowId;
use tributary_sip::{Keys, Limits, Message, Name, ResponseBuilder, Status};

#[path = "../../tests/exhaust/mod.rs"]
mod exhaust;

fuzz_target!(|raw: &[u8]| {
    match Message::parse(Bytes::copy_from_slice(raw)) {
        Ok(m) => {
            exhaust::exhaust(&m);
            exhaust::forward(&m);
            let again = Message::parse(m.raw().clone()).expect("what was read is read again");
            assert!(again.lines().eq(m.lines()));
            assert_eq!(again.body(), m.body());
            if m.is_request() {
                assert!(Keys::new([1, 2]).of_request(Some(FlowId(1)), &m).is_some());
            }
            if m.is_request() && !raw.contains(&0) {
                let answer = ResponseBuilder::new(&m, Status::OK).to_tag("t").build().expect("an answer");
                let answer = Message::parse(answer).expect("a readable answer");
                assert!(answer.headers(Name::Via).eq(m.headers(Name::Via)));
                assert_eq!(answer.cseq(), m.cseq());
                assert!(answer.to().is_ok_and(|to| to.tag().is_some()));
            }
        }
        Err(error) => {
            if let Some(partial) = error.partial() {
                exhaust::exhaust(partial);
            }
            if let Some(response) = error.response("t") {
                let text = std::str::from_utf8(&response).expect("an answer in UTF-8");
                assert_eq!(text.matches("\r\n\r\n").count(), 1);
                assert!(text.split("\r\n").all(|line| !line.contains(['\r', '\n'])));
            }
        }
    }
    let tiny = Limits { head: 400, body: 30, headers: 8, line: 90, vias: 2 };
    if let Ok(m) = Message::parse_with(Bytes::copy_from_slice(raw), &tiny) {
        assert!(m.body().len() <= 30 && m.lines().count() <= 8 && m.vias().count() <= 2);
    }
});

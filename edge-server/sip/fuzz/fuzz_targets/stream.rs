//! Octets of a stream: wherever the reads cut them, the same messages and keep-alives come out, the same
//! refusal ends them, and no more is held than one message may measure.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tributary_sip::stream::{Stream, Unit};
use tributary_sip::{Limits, Message};

const LIMITS: Limits = Limits { head: 2_000, body: 500, ..Limits::DEFAULT };

/// What comes out, and whether a refusal ended it.
fn units(octets: &[u8], cut: usize) -> (Vec<Unit>, bool) {
    let (mut stream, mut units) = (Stream::new(LIMITS), Vec::new());
    for piece in octets.chunks(cut) {
        stream.buffer().extend_from_slice(piece);
        loop {
            match stream.take() {
                Ok(Some(unit)) => units.push(unit),
                Ok(None) => break,
                Err(error) => {
                    if let Some(answer) = error.response("t") {
                        assert!(answer.starts_with(b"SIP/2.0 "));
                    }
                    return (units, true);
                }
            }
        }
        assert!(stream.buffer().len() <= LIMITS.head + LIMITS.body + cut);
    }
    (units, false)
}

fuzz_target!(|octets: &[u8]| {
    let [cut, octets @ ..] = octets else { return };
    let whole = units(octets, octets.len().max(1));
    let pieces = units(octets, usize::from(*cut).max(1));
    assert_eq!(whole.1, pieces.1, "refused or not");
    // A lone line end is told from half a ping by what follows, so keep-alives may differ; messages may not.
    let messages = |units: &[Unit]| -> Vec<bytes::Bytes> {
        let of = |unit: &Unit| if let Unit::Message(octets) = unit { Some(octets.clone()) } else { None };
        units.iter().filter_map(of).collect()
    };
    let found = messages(&whole.0);
    assert_eq!(found, messages(&pieces.0));
    for message in found {
        assert!(message.len() <= LIMITS.head + LIMITS.body);
        if let Ok(read) = Message::parse_with(message.clone(), &LIMITS) {
            assert!(message.ends_with(read.body()), "both find the same end");
        }
    }
});

//! Octets of a WebSocket, through the same reader with the same settings as the server's, up to SIP messages:
//! nothing panics, no message is longer than allowed, and wherever the reads cut them the same come out.
#![no_main]

use std::io::{self, Read, Write};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tributary_sip::{KeepAlive, Message};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

const MOST: usize = 4_096;

/// Gives what is there, at most `cut` octets at a time; takes everything.
struct Wire<'o> {
    octets: &'o [u8],
    cut: usize,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.cut.min(buffer.len()).min(self.octets.len());
        let (now, later) = self.octets.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.octets = later;
        Ok(length)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The payloads that the server would look at.
fn payloads(octets: &[u8], cut: usize) -> Vec<Bytes> {
    let config = WebSocketConfig::default()
        .read_buffer_size(2_048)
        .write_buffer_size(0)
        .max_write_buffer_size(MOST)
        .max_message_size(Some(MOST))
        .max_frame_size(Some(MOST));
    let mut socket = WebSocket::from_raw_socket(Wire { octets, cut }, Role::Server, Some(config));
    let mut payloads = Vec::new();
    loop {
        match socket.read() {
            Ok(tungstenite::Message::Text(text)) => payloads.push(Bytes::from(text)),
            Ok(tungstenite::Message::Binary(octets)) => payloads.push(octets),
            Ok(_) => {}
            Err(_) => return payloads,
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    let [cut, octets @ ..] = octets else { return };
    let whole = payloads(octets, octets.len().max(1));
    assert_eq!(whole, payloads(octets, usize::from(*cut).max(1)));
    for payload in whole {
        assert!(payload.len() <= MOST);
        if KeepAlive::recognise(&payload).is_none()
            && let Err(error) = Message::parse(payload)
            && let Some(answer) = error.response("t")
        {
            assert!(answer.starts_with(b"SIP/2.0 "));
        }
    }
});

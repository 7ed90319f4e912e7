//! HEP3, the Homer encapsulation protocol, version 3: one datagram for each message that was captured.
//!
//! ```text
//!   "HEP3"  length of all (16 bits)  then chunks:
//!   vendor (16 bits, 0 is the protocol's own)  type (16 bits)  length of the chunk, these 6 octets included  value
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest datagram that IPv4 carries.
const DATAGRAM: usize = 65_507;

/// Octets of a correlation id that are kept, and that the key may have.
pub(super) const TEXT: usize = 255;

/// Types of chunks.
mod chunk {
    pub(super) const FAMILY: u16 = 0x01;
    pub(super) const PROTOCOL: u16 = 0x02;
    pub(super) const SOURCE_V4: u16 = 0x03;
    pub(super) const DESTINATION_V4: u16 = 0x04;
    pub(super) const SOURCE_V6: u16 = 0x05;
    pub(super) const DESTINATION_V6: u16 = 0x06;
    pub(super) const SOURCE_PORT: u16 = 0x07;
    pub(super) const DESTINATION_PORT: u16 = 0x08;
    pub(super) const SECONDS: u16 = 0x09;
    pub(super) const MICROSECONDS: u16 = 0x0a;
    pub(super) const PAYLOAD_TYPE: u16 = 0x0b;
    pub(super) const CAPTURE_ID: u16 = 0x0c;
    pub(super) const KEY: u16 = 0x0e;
    pub(super) const PAYLOAD: u16 = 0x0f;
    pub(super) const CORRELATION: u16 = 0x11;
}

/// AF_INET and AF_INET6, as the protocol has them on every system.
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;

/// Of the payload types: SIP.
const SIP: u8 = 1;

/// A message on its way, as it is told to Homer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capture<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    /// Of IP: 17 for UDP, 6 for all that goes over TCP.
    pub(super) protocol: u8,
    /// Since 1970.
    pub(super) micros: u64,
    /// By which this server is known to Homer.
    pub(super) capture_id: u32,
    /// Which Homer may want to see.
    pub(super) key: Option<&'a str>,
    /// What belongs together: the Call-ID.
    pub(super) correlation: &'a str,
    pub(super) payload: &'a [u8],
}

impl Capture<'_> {
    /// The datagram. A payload that does not fit into one loses its end.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.payload.len() + 512);
        out.extend_from_slice(b"HEP3\0\0");
        let addresses = (self.source.ip().to_canonical(), self.destination.ip().to_canonical());
        match addresses {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                put(&mut out, chunk::FAMILY, &[FAMILY_V4]);
                put(&mut out, chunk::SOURCE_V4, &source.octets());
                put(&mut out, chunk::DESTINATION_V4, &destination.octets());
            }
            (source, destination) => {
                put(&mut out, chunk::FAMILY, &[FAMILY_V6]);
                put(&mut out, chunk::SOURCE_V6, &v6(source).octets());
                put(&mut out, chunk::DESTINATION_V6, &v6(destination).octets());
            }
        }
        put(&mut out, chunk::PROTOCOL, &[self.protocol]);
        put(&mut out, chunk::SOURCE_PORT, &self.source.port().to_be_bytes());
        put(&mut out, chunk::DESTINATION_PORT, &self.destination.port().to_be_bytes());
        // 32 bits last until 2106.
        put(&mut out, chunk::SECONDS, &((self.micros / 1_000_000) as u32).to_be_bytes());
        put(&mut out, chunk::MICROSECONDS, &((self.micros % 1_000_000) as u32).to_be_bytes());
        put(&mut out, chunk::PAYLOAD_TYPE, &[SIP]);
        put(&mut out, chunk::CAPTURE_ID, &self.capture_id.to_be_bytes());
        if let Some(key) = self.key {
            put(&mut out, chunk::KEY, first(key.as_bytes(), TEXT));
        }
        put(&mut out, chunk::CORRELATION, first(self.correlation.as_bytes(), TEXT));
        let room = DATAGRAM - out.len() - HEADER;
        put(&mut out, chunk::PAYLOAD, first(self.payload, room));
        // What is put there is bounded by DATAGRAM.
        let length = (out.len() as u16).to_be_bytes();
        for (place, octet) in out.iter_mut().skip(4).zip(length) {
            *place = octet;
        }
        out
    }
}

/// Octets before the value of a chunk.
const HEADER: usize = 6;

fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&kind.to_be_bytes());
    // No value is longer than a datagram.
    out.extend_from_slice(&((HEADER + value.len()) as u16).to_be_bytes());
    out.extend_from_slice(value);
}

fn first(octets: &[u8], most: usize) -> &[u8] {
    octets.get(..most).unwrap_or(octets)
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv6Addr::UNSPECIFIED,
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The chunks of a datagram by their types, each once.
    fn chunks(datagram: &[u8]) -> BTreeMap<u16, Vec<u8>> {
        assert_eq!(&datagram[..4], b"HEP3");
        assert_eq!(usize::from(u16::from_be_bytes([datagram[4], datagram[5]])), datagram.len());
        let mut chunks = BTreeMap::new();
        let mut rest = &datagram[6..];
        while !rest.is_empty() {
            let number = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
            assert_eq!(number(0), 0, "the protocol's own chunks");
            let length = usize::from(number(4));
            assert!(chunks.insert(number(2), rest[6..length].to_vec()).is_none());
            rest = &rest[length..];
        }
        chunks
    }

    fn capture<'a>(source: &str, destination: &str, payload: &'a [u8]) -> Capture<'a> {
        Capture {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: 17,
            micros: 1_700_000_000_000_321,
            capture_id: 0x0102_0304,
            key: None,
            correlation: "a84b4c76e66710",
            payload,
        }
    }

    #[test]
    fn a_capture_is_written_octet_by_octet_as_the_protocol_has_it() {
        let datagram =
            Capture { key: Some("k"), ..capture("192.0.2.1:5060", "198.51.100.2:5070", b"SIP") }.encode();
        let expect = concat!(
            "48455033 0081",
            "0000 0001 0007 02",
            "0000 0003 000a c0000201",
            "0000 0004 000a c6336402",
            "0000 0002 0007 11",
            "0000 0007 0008 13c4",
            "0000 0008 0008 13ce",
            "0000 0009 000a 6553f100",
            "0000 000a 000a 00000141",
            "0000 000b 0007 01",
            "0000 000c 000a 01020304",
            "0000 000e 0007 6b",
            "0000 0011 0014 61383462346337366536363731 30",
            "0000 000f 0009 534950",
        );
        assert_eq!(crate::policies::hex(&datagram), expect.replace(' ', ""));
    }

    #[test]
    fn addresses_of_ipv6_have_chunks_of_their_own_and_mapped_ones_are_of_ipv4() {
        let of_v6 = chunks(&capture("[2001:db8::1]:5060", "[2001:db8::2]:5060", b"").encode());
        assert_eq!(of_v6[&0x01], [10]);
        assert_eq!(of_v6[&0x05][..4], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(of_v6[&0x06].len(), 16);
        assert!(!of_v6.contains_key(&0x03));
        let mapped = chunks(&capture("[::ffff:192.0.2.1]:5060", "192.0.2.2:5060", b"").encode());
        assert_eq!((&mapped[&0x01], &mapped[&0x03]), (&vec![2], &vec![192, 0, 2, 1]));
        // Nobody knows the one end.
        let unknown = chunks(&capture("0.0.0.0:0", "[2001:db8::2]:5060", b"").encode());
        assert_eq!(unknown[&0x05], [0; 16]);
    }

    #[test]
    fn what_does_not_fit_into_a_datagram_loses_its_end() {
        let long = vec![b'x'; 100_000];
        let datagram =
            Capture { key: Some(&"k".repeat(300)), ..capture("127.0.0.1:1", "127.0.0.1:2", &long) }.encode();
        assert_eq!(datagram.len(), DATAGRAM);
        let chunks = chunks(&datagram);
        assert_eq!(chunks[&0x0e].len(), TEXT);
        assert!(chunks[&0x0f].len() > 64_000);
    }
}

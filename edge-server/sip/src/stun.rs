//! STUN on a port for SIP: the keep-alive of datagrams (RFC 5626 3.5.2), which also tells a client
//! how its address looks from here.
//!
//! ```text
//!    0                   1                   2                   3
//!    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!   |0 0|     0x0001 asks, 0x0101 answers |      octets behind here   |
//!   |                   magic cookie 0x2112A442                       |
//!   |                   transaction id, 96 bits                       |
//! ```
//! Only what RFC 5389 7.3.1 needs for a Binding request without authentication is here. A request
//! with an attribute that must be understood and is not is answered 420, as 7.3.1 says.

use core::net::{IpAddr, SocketAddr};

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const BINDING: [u8; 2] = [0x00, 0x01];
const SUCCESS: [u8; 2] = [0x01, 0x01];
const FAILURE: [u8; 2] = [0x01, 0x11];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];
const ERROR_CODE: [u8; 2] = [0x00, 0x09];
const UNKNOWN_ATTRIBUTES: [u8; 2] = [0x00, 0x0A];

/// Attributes below this must be understood (RFC 5389 15).
const OPTIONAL: u16 = 0x8000;

/// Attributes of a request that need no understanding to answer it: USERNAME, MESSAGE-INTEGRITY
/// (RFC 5389 10.1.2: an agent without credentials ignores them), and PRIORITY and USE-CANDIDATE of ICE.
const HARMLESS: [u16; 4] = [0x0006, 0x0008, 0x0024, 0x0025];

/// The most unknown attributes that an answer names.
const NAMED: usize = 8;

/// Whether a datagram is STUN and not SIP: no SIP message begins with such an octet.
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 0x40 && datagram[4..8] == COOKIE
}

/// The answer to a Binding request that came from `peer`; nothing for what is no such request.
pub fn answer(datagram: &[u8], peer: SocketAddr) -> Option<Vec<u8>> {
    if !is_stun(datagram) || datagram[..2] != BINDING {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    if datagram.len() != HEADER + length || length % 4 != 0 {
        return None;
    }
    let transaction: [u8; 12] = datagram.get(8..HEADER)?.try_into().ok()?;
    let unknown = unknown_attributes(datagram.get(HEADER..)?)?;
    let (kind, attributes) = if unknown.is_empty() {
        (SUCCESS, attribute(XOR_MAPPED_ADDRESS, &mapped(peer, transaction)))
    } else {
        let mut attributes = attribute(ERROR_CODE, b"\0\0\x04\x14Unknown Attribute");
        let list: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        attributes.extend(attribute(UNKNOWN_ATTRIBUTES, &list));
        (FAILURE, attributes)
    };
    let mut out = Vec::with_capacity(HEADER + attributes.len());
    out.extend(kind);
    // A few dozen octets.
    out.extend((attributes.len() as u16).to_be_bytes());
    out.extend(COOKIE);
    out.extend(transaction);
    out.extend(attributes);
    Some(out)
}

/// What must be understood and is not; `None` if the attributes do not fit into one another.
fn unknown_attributes(mut rest: &[u8]) -> Option<Vec<u16>> {
    let mut unknown = Vec::new();
    while !rest.is_empty() {
        let (header, behind) = rest.split_at_checked(4)?;
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        rest = behind.get(length.next_multiple_of(4)..)?;
        if kind < OPTIONAL && !HARMLESS.contains(&kind) && unknown.len() < NAMED {
            unknown.push(kind);
        }
    }
    Some(unknown)
}

fn attribute(kind: [u8; 2], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + value.len().next_multiple_of(4));
    out.extend(kind);
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// RFC 5389 15.2: the address, disguised from middleboxes that would translate it.
fn mapped(peer: SocketAddr, transaction: [u8; 12]) -> Vec<u8> {
    let mut mask = COOKIE.to_vec();
    mask.extend(transaction);
    let ip = match peer.ip().to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let family = if ip.len() == 4 { 1 } else { 2 };
    let mut out = vec![0, family];
    out.extend(peer.port().to_be_bytes().iter().zip(&mask).map(|(octet, mask)| octet ^ mask));
    out.extend(ip.iter().zip(&mask).map(|(octet, mask)| octet ^ mask));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(kind: [u8; 2], attributes: &[u8]) -> Vec<u8> {
        let length = (attributes.len() as u16).to_be_bytes();
        [&kind[..], &length, &COOKIE, &TRANSACTION, attributes].concat()
    }

    #[test]
    fn the_mapped_addresses_are_those_of_the_test_vectors_of_rfc_5769() {
        for (peer, value) in [
            ("192.0.2.1:32853", "0001a147e112a643"),
            ("[2001:db8:1234:5678:11:2233:4455:6677]:32853", "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),
        ] {
            let answer = answer(&request(BINDING, b""), peer.parse().unwrap()).unwrap();
            assert_eq!(answer[..2], SUCCESS);
            assert_eq!(answer[4..HEADER], [&COOKIE[..], &TRANSACTION].concat());
            let hex: String = answer[HEADER + 4..].iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(hex, value, "{peer}");
            assert_eq!(usize::from(u16::from_be_bytes([answer[2], answer[3]])), answer.len() - HEADER);
        }
    }

    #[test]
    fn software_and_fingerprint_are_passed_over_and_what_must_be_understood_is_named() {
        let peer = "192.0.2.1:1".parse().unwrap();
        let software = attribute([0x80, 0x22], b"phone");
        let username = attribute([0x00, 0x06], b"evtj:h6vY");
        let known = request(BINDING, &[software.clone(), username].concat());
        assert_eq!(answer(&known, peer).unwrap()[..2], SUCCESS);
        let unknown = request(BINDING, &[software, attribute([0x00, 0x77], b"")].concat());
        let refused = answer(&unknown, peer).unwrap();
        assert_eq!(refused[..2], FAILURE);
        assert!(refused.windows(2).any(|two| two == [0x00, 0x77]));
    }

    #[test]
    fn what_is_no_binding_request_gets_nothing() {
        let peer = "192.0.2.1:1".parse().unwrap();
        let good = request(BINDING, b"");
        for octets in [
            &b""[..],
            b"REGISTER sip:example.com SIP/2.0\r\n\r\n",
            &good[..19],
            &[&good[..], b"more"].concat(),
            &request(SUCCESS, b""),
            &request([0x00, 0x11], b""),
            &request(BINDING, &[0x80, 0x22, 0x00, 0x09, 1, 2, 3, 4]),
            &request(BINDING, b"abc"),
        ] {
            assert_eq!(answer(octets, peer), None, "{octets:?}");
        }
    }
}

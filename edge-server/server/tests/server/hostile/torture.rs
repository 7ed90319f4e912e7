//! The messages of RFC 4475 and RFC 5118, to a server that is responsible for example.com.

use super::Gets::{Answer, Last, Nothing};
use super::Sends::Torture;
use super::{ALL, PACKETS, Row, STREAMS};

const UNREADABLE: &str = "messages_malformed_total";
const DROPPED: &str = "engine_events_total{event=\"dropped\"}";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // RFC 4475 3.1.1: valid, however odd.
    ("wsinv: folds and blanks wherever they are allowed", ALL, Torture("wsinv"), Answer(403)),
    ("intmeth: any character that is allowed", ALL, Torture("intmeth"), Answer(480)),
    ("esc01: escapes in URIs", ALL, Torture("esc01"), Answer(403)),
    ("escnull: escaped NULs", ALL, Torture("escnull"), Answer(200)),
    ("esc02: what looks like escapes and is none", ALL, Torture("esc02"), Answer(403)),
    ("lwsdisp: no blank before the bracket", ALL, Torture("lwsdisp"), Answer(480)),
    ("longreq: long values", ALL, Torture("longreq"), Answer(480)),
    ("dblreq: octets behind the end", PACKETS, Torture("dblreq"), Answer(200)),
    ("semiuri: a semicolon in the user part", ALL, Torture("semiuri"), Answer(480)),
    ("transports: transports nobody knows", ALL, Torture("transports"), Answer(480)),
    ("mpart01: parts with NULs", ALL, Torture("mpart01"), Answer(403)),
    ("unreason: a reason in another script", ALL, Torture("unreason"), Nothing(DROPPED)),
    ("noreason: no reason", ALL, Torture("noreason"), Nothing(DROPPED)),
    // 3.1.2: invalid.
    ("badinv01: stray separators", ALL, Torture("badinv01"), Answer(400)),
    ("clerr: a Content-Length beyond the datagram", PACKETS, Torture("clerr"), Answer(400)),
    ("ncl: a negative Content-Length", PACKETS, Torture("ncl"), Answer(400)),
    ("ncl: a negative Content-Length on a stream", STREAMS, Torture("ncl"), Last(400)),
    ("scalar02: numbers too large", ALL, Torture("scalar02"), Answer(400)),
    ("scalarlg: numbers too large in an answer", ALL, Torture("scalarlg"), Nothing(UNREADABLE)),
    ("quotbal: a quote that is not closed", ALL, Torture("quotbal"), Answer(400)),
    ("ltgtruri: brackets around the Request-URI", ALL, Torture("ltgtruri"), Answer(400)),
    ("lwsruri: a blank in the Request-URI", ALL, Torture("lwsruri"), Answer(400)),
    ("lwsstart: several blanks in the first line", ALL, Torture("lwsstart"), Answer(400)),
    ("trws: blanks behind the first line", ALL, Torture("trws"), Answer(400)),
    ("escruri: headers in the Request-URI", ALL, Torture("escruri"), Answer(400)),
    ("baddate: a Date in another zone", ALL, Torture("baddate"), Answer(480)),
    ("regbadct: a Contact with headers and no brackets", ALL, Torture("regbadct"), Answer(400)),
    ("badaspec: blanks in an address", ALL, Torture("badaspec"), Answer(400)),
    ("baddn: no end of the head", PACKETS, Torture("baddn"), Answer(400)),
    ("badvers: SIP/7.0", ALL, Torture("badvers"), Answer(505)),
    ("mismatch01: CSeq names another method", ALL, Torture("mismatch01"), Answer(400)),
    ("mismatch02: and one that nobody knows", ALL, Torture("mismatch02"), Answer(400)),
    ("bigcode: a status beyond 32 bits", ALL, Torture("bigcode"), Nothing(UNREADABLE)),
    // 3.2 to 3.4.
    ("badbranch: a branch that is the cookie alone", ALL, Torture("badbranch"), Answer(480)),
    ("insuf: no Call-ID, From and To", ALL, Torture("insuf"), Answer(400)),
    ("unkscm: a scheme nobody knows", ALL, Torture("unkscm"), Answer(416)),
    ("novelsc: a scheme of something else", ALL, Torture("novelsc"), Answer(416)),
    ("unksm2: schemes nobody knows in headers", ALL, Torture("unksm2"), Answer(400)),
    ("bext01: extensions nobody knows", ALL, Torture("bext01"), Answer(420)),
    ("invut: a Content-Type nobody knows", ALL, Torture("invut"), Answer(480)),
    ("regaut01: an Authorization nobody knows", ALL, Torture("regaut01"), Answer(200)),
    ("multi01: single headers twice", ALL, Torture("multi01"), Answer(400)),
    ("mcl01: two Content-Lengths", PACKETS, Torture("mcl01"), Answer(400)),
    ("mcl01: two Content-Lengths on a stream", STREAMS, Torture("mcl01"), Last(400)),
    ("bcast: an answer for everybody", ALL, Torture("bcast"), Nothing(DROPPED)),
    ("zeromf: Max-Forwards is 0", ALL, Torture("zeromf"), Answer(483)),
    ("cparam01: a parameter of Contact", ALL, Torture("cparam01"), Answer(200)),
    ("cparam02: a parameter of its URI", ALL, Torture("cparam02"), Answer(200)),
    ("regescrt: an escaped Route in Contact", ALL, Torture("regescrt"), Answer(200)),
    ("sdp01: an Accept that nobody can serve", ALL, Torture("sdp01"), Answer(480)),
    ("inv2543: an INVITE as of RFC 2543", PACKETS, Torture("inv2543"), Answer(480)),
    ("inv2543: without Content-Length on a stream", STREAMS, Torture("inv2543"), Last(400)),
    // RFC 5118.
    ("ipv6-good", ALL, Torture("ipv6-good"), Answer(200)),
    ("ipv6-bad: an address without brackets", ALL, Torture("ipv6-bad"), Answer(400)),
    ("port-ambiguous", ALL, Torture("port-ambiguous"), Answer(200)),
    ("port-unambiguous", ALL, Torture("port-unambiguous"), Answer(200)),
    ("received in brackets", ALL, Torture("via-received-param-with-delim"), Answer(403)),
    ("received without brackets", ALL, Torture("via-received-param-no-delim"), Answer(403)),
    ("ipv6-in-sdp", ALL, Torture("ipv6-in-sdp"), Answer(403)),
    ("mult-ip-in-header", ALL, Torture("mult-ip-in-header"), Answer(403)),
    ("mult-ip-in-sdp", ALL, Torture("mult-ip-in-sdp"), Answer(403)),
    ("ipv4-mapped-ipv6", ALL, Torture("ipv4-mapped-ipv6"), Answer(480)),
    ("three colons, as the old grammar has it", ALL, Torture("ipv6-bug-abnf-3-colons"), Answer(403)),
    ("two colons, as it was meant", ALL, Torture("ipv6-correct-abnf-2-colons"), Answer(403)),
];

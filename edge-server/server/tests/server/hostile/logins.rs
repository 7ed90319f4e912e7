//! Credentials that are not what they should be. None of them is let in, and none is told why.

use super::Gets::Answer;
use super::Over;
use super::Sends::Login;
use super::{Row, Tcp, Udp, Ws};

const WAYS: &[Over] = &[Udp, Tcp, Ws];

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("the password as it is", WAYS, Login("Digest", "Digest"), Answer(200)),
    ("the scheme in other letters", WAYS, Login("Digest", "dIGEST"), Answer(200)),
    ("a wrong proof", WAYS, Login("response=\"", "response=\"0"), Answer(401)),
    ("an empty proof", WAYS, Login("response=\"", "response=\"\", x=\""), Answer(401)),
    ("no proof", WAYS, Login("response=", "x-response="), Answer(401)),
    ("two proofs", WAYS, Login("response=", "response=\"00\", response="), Answer(401)),
    ("another user", WAYS, Login("\"alice\"", "\"bob\""), Answer(401)),
    ("a user that there cannot be", WAYS, Login("\"alice\"", "\"\\\"; DROP TABLE users; --\""), Answer(401)),
    ("no user", WAYS, Login("username=\"alice\", ", ""), Answer(401)),
    ("an empty user", WAYS, Login("\"alice\"", "\"\""), Answer(401)),
    ("a user and a NUL", WAYS, Login("\"alice\"", "\"alice\0\""), Answer(401)),
    ("another realm", WAYS, Login("realm=\"example.com\"", "realm=\"evil.example\""), Answer(401)),
    ("no realm", WAYS, Login("realm=\"example.com\", ", ""), Answer(401)),
    ("another nonce", WAYS, Login("nonce=\"", "nonce=\"0"), Answer(401)),
    ("an empty nonce", WAYS, Login("nonce=\"", "nonce=\"\", x=\""), Answer(401)),
    ("no nonce", WAYS, Login(" nonce=", " x-nonce="), Answer(401)),
    ("another Request-URI", WAYS, Login("uri=\"sip:example.com\"", "uri=\"sip:evil.example\""), Answer(401)),
    ("credentials for no Request-URI", WAYS, Login("uri=\"sip:example.com\", ", ""), Answer(401)),
    ("an algorithm that there is not", WAYS, Login("algorithm=SHA-256", "algorithm=ROT13"), Answer(401)),
    ("another algorithm than was asked for", WAYS, Login("algorithm=SHA-256", "algorithm=MD5"), Answer(401)),
    ("no algorithm, which is MD5", WAYS, Login("algorithm=SHA-256, ", ""), Answer(401)),
    ("MD5-sess", WAYS, Login("algorithm=SHA-256", "algorithm=MD5-sess"), Answer(401)),
    ("auth-int, which is not offered", WAYS, Login("qop=auth", "qop=auth-int"), Answer(401)),
    ("a qop that there is not", WAYS, Login("qop=auth", "qop=none"), Answer(401)),
    ("the proof of today with the form of RFC 2069", WAYS, Login(", qop=auth, nc=00000001", ""), Answer(401)),
    ("no nonce-count", WAYS, Login(", nc=00000001", ""), Answer(401)),
    ("a nonce-count that is no number", WAYS, Login("nc=00000001", "nc=0000000g"), Answer(401)),
    ("a nonce-count of nine digits", WAYS, Login("nc=00000001", "nc=000000001"), Answer(401)),
    ("no nonce of the client", WAYS, Login("cnonce=\"0a4f113b\", ", ""), Answer(401)),
    ("another nonce of the client", WAYS, Login("cnonce=\"", "cnonce=\"1"), Answer(401)),
    ("a user as a hash", WAYS, Login("algorithm=", "userhash=true, algorithm="), Answer(401)),
    ("commas and nothing between", WAYS, Login("Digest ", "Digest ,,,,"), Answer(401)),
    ("a quote that is not closed", WAYS, Login("realm=\"example.com\"", "realm=\"example.com"), Answer(401)),
    ("40 parameters", WAYS, Login("Digest ", MANY), Answer(401)),
    ("Basic", WAYS, Login("Digest ", "Basic YWxpY2U6c2VjcmV0\r\nX: "), Answer(401)),
    ("Bearer", WAYS, Login("Digest ", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.\r\nX: "), Answer(401)),
    ("nothing behind the name of the scheme", WAYS, Login("Digest ", "Digest\r\nX: "), Answer(401)),
    ("nothing at all", WAYS, Login("Digest ", "\r\nX: "), Answer(401)),
    ("credentials for a proxy", WAYS, Login("Authorization", "Proxy-Authorization"), Answer(401)),
    ("wrong ones before the right ones", WAYS, Login("Authorization: ", "Authorization: Basic eDp5\r\nAuthorization: "), Answer(200)),
    ("a Contact behind a line end that is none", WAYS, Login("Digest ", "Digest \rContact: <sip:evil@example.com>\r"), Answer(400)),
];

const MANY: &str = "Digest a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, \
                    a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, a=1, ";

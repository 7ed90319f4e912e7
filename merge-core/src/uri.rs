//! Presentities' names and contacts.
//!
//! ```text
//! sip : alice : secret @ example.com : 5060 ; transport=tcp ? subject=x
//!  |      user  password   host        port   parameters      headers
//! scheme
//! ```
//! Texts are compared in place; only [`Entity::parse`] makes a new one.

use alloc::string::String;
use core::fmt;

/// A presentity's URI in canonical form, for comparing: `sip:user@host`.
///
/// `sip`, `sips` and `pres` are one (RFC 3859 section 2: `pres:` names the presentity, whatever protocol serves it);
/// the host is in lower case; escapes are undone where RFC 3261 calls them equivalent; password, parameters,
/// headers and the default port, which do not name a presentity, are left out. URIs of other schemes keep all but
/// the scheme's case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity(String);

/// Why a text is not the URI of a presentity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntityError {
    /// Nothing is there.
    Empty,
    /// There is no scheme, such as `sip:`.
    NoScheme,
    /// A space or control character, quote or bracket, which no URI may have.
    BadCharacter,
    /// A SIP URI without a host, or with one that is none.
    BadHost,
    /// A SIP URI with an `@` but no user before it.
    NoUser,
}

impl fmt::Display for EntityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EntityError::Empty => "it is empty",
            EntityError::NoScheme => "it has no scheme; write it as sip:user@host",
            EntityError::BadCharacter => "it has a character that no URI may have",
            EntityError::BadHost => "it has no valid host; write it as sip:user@host",
            EntityError::NoUser => "it has no user before the @",
        })
    }
}

impl core::error::Error for EntityError {}

impl Entity {
    /// Reads and canonicalises.
    ///
    /// ```
    /// # use merge_core::uri::Entity;
    /// # fn main() -> Result<(), merge_core::uri::EntityError> {
    /// assert_eq!(Entity::parse("pres:%61lice@EXAMPLE.com")?, Entity::parse("sip:alice@example.com:5060")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When it is no URI.
    pub fn parse(text: &str) -> Result<Entity, EntityError> {
        if text.is_empty() {
            return Err(EntityError::Empty);
        }
        let (scheme, rest) = split_scheme(text).ok_or(EntityError::NoScheme)?;
        if !rest.chars().all(is_uri_character) {
            return Err(EntityError::BadCharacter);
        }
        let mut canonical = String::with_capacity(text.len());
        if !["sip", "sips", "pres"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            if rest.is_empty() {
                return Err(EntityError::NoScheme);
            }
            canonical.push_str(scheme);
            canonical.make_ascii_lowercase();
            canonical.push(':');
            canonical.push_str(rest);
            return Ok(Entity(canonical));
        }
        let uri = SipUri::split(rest);
        if !is_host(uri.host) || !uri.port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EntityError::BadHost);
        }
        canonical.push_str("sip:");
        if let Some(user) = uri.user {
            if user.is_empty() {
                return Err(EntityError::NoUser);
            }
            push_canonical(user, &mut canonical);
            canonical.push('@');
        }
        let host = canonical.len();
        canonical.push_str(uri.host);
        if let Some(host) = canonical.get_mut(host..) {
            host.make_ascii_lowercase();
        }
        if !uri.port.is_empty() && !matches!(uri.port, "5060" | "5061") {
            canonical.push(':');
            canonical.push_str(uri.port);
        }
        Ok(Entity(canonical))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes of a contact's URI. A longer one equals only the very same text.
const CONTACT_BYTES: usize = 512;
/// Parameters and headers of a contact's URI, which are compared each with each. A URI with more equals only the
/// very same text.
const CONTACT_PARAMETERS: usize = 16;

/// Whether two contact URIs are one under RFC 3261 section 19.1.4. URIs of other schemes are one when they are the
/// same text, the scheme's case excepted; so are SIP URIs of more than 512 bytes or 16 parameters and headers.
///
/// Mind that this relation is not transitive: a parameter that only one URI has is ignored, so that the public
/// GRUUs of two devices (`;gr=...`) differ, and each equals the plain address of record (RFC 5627 section 3.1.1).
///
/// ```
/// # use merge_core::uri::same_contact;
/// assert!(same_contact("sip:carol@chicago.com", "sip:carol@Chicago.COM;newparam=5"));
/// assert!(!same_contact("sip:carol@chicago.com", "sip:Carol@chicago.com"));
/// ```
#[must_use]
pub fn same_contact(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (Some((scheme_a, a)), Some((scheme_b, b))) = (split_scheme(a), split_scheme(b)) else {
        return false;
    };
    if !scheme_a.eq_ignore_ascii_case(scheme_b) {
        return false;
    }
    if !scheme_a.eq_ignore_ascii_case("sip") && !scheme_a.eq_ignore_ascii_case("sips") {
        return a == b;
    }
    // Most pairs differ in the host, which shows before anything is taken apart.
    if !host_and_port(a).eq_ignore_ascii_case(host_and_port(b)) || is_long(a) || is_long(b) {
        return false;
    }
    let (a, b) = (SipUri::split(a), SipUri::split(b));
    let same_user = match (a.user, b.user) {
        (None, None) => true,
        (Some(a), Some(b)) => same_text(a, b, false),
        _ => false,
    };
    let same_password = match (a.password, b.password) {
        (None, None) => true,
        (Some(a), Some(b)) => same_text(a, b, false),
        _ => false,
    };
    same_user
        && same_password
        && a.host.eq_ignore_ascii_case(b.host)
        && a.port == b.port
        && same_parameters(a.parameters, b.parameters)
        && same_headers(a.headers, b.headers)
}

/// The parts of a SIP URI after its scheme, unchecked.
struct SipUri<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: &'a str,
    port: &'a str,
    parameters: &'a str,
    headers: &'a str,
}

impl<'a> SipUri<'a> {
    fn split(rest: &'a str) -> SipUri<'a> {
        let (userinfo, rest) = match cut(rest, b'@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|userinfo| cut(userinfo, b':')) {
            Some(Some((user, password))) => (Some(user), Some(password)),
            _ => (userinfo, None),
        };
        let (rest, headers) = cut(rest, b'?').unwrap_or((rest, ""));
        let (hostport, parameters) = cut(rest, b';').unwrap_or((rest, ""));
        // The colons of an IPv6 address stand in brackets.
        let bracket = hostport.bytes().position(|byte| byte == b']').map_or(0, |at| at + 1);
        let colon = hostport.bytes().skip(bracket).position(|byte| byte == b':').map(|at| bracket + at);
        let (host, port) = colon.map_or((hostport, ""), |at| (&hostport[..at], &hostport[at + 1..]));
        SipUri { user, password, host, port, parameters, headers }
    }
}

/// The public GRUU of an instance (RFC 5627 appendix A.1): the address with the instance as `gr`.
#[must_use]
pub fn public_gruu(aor: &str, instance: &str) -> String {
    let mut gruu = String::with_capacity(aor.len() + instance.len() + 4);
    gruu.push_str(aor);
    gruu.push_str(";gr=");
    for byte in instance.bytes() {
        // `paramchar` of RFC 3261 25.1.
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:&+$".contains(&byte) {
            gruu.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = fmt::Write::write_fmt(&mut gruu, format_args!("%{byte:02X}"));
        }
    }
    gruu
}

/// Whether a contact is a GRUU (RFC 5627): it has the parameter `gr` and leads to one device.
pub(crate) fn is_gruu(contact: &str) -> bool {
    sip(contact).is_some_and(|uri| uri.parameters.split(';').any(|parameter| named(parameter, "gr")))
}

/// Whether nobody could be reached at a contact: its host is of the domain `invalid` (RFC 2606), which clients on
/// WebSockets write that have no address (RFC 7118 section 5).
pub(crate) fn leads_nowhere(contact: &str) -> bool {
    sip(contact).is_some_and(|uri| {
        let top = uri.host.rsplit('.').next().unwrap_or_default();
        top.eq_ignore_ascii_case("invalid")
    })
}

fn sip(contact: &str) -> Option<SipUri<'_>> {
    let (scheme, rest) = split_scheme(contact)?;
    let known = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
    known.then(|| SipUri::split(rest))
}

fn named(parameter: &str, name: &str) -> bool {
    parameter.split('=').next().is_some_and(|given| given.eq_ignore_ascii_case(name))
}

/// Whether comparing it part by part could take long.
fn is_long(rest: &str) -> bool {
    let separators = rest.bytes().filter(|byte| matches!(byte, b';' | b'?' | b'&'));
    rest.len() > CONTACT_BYTES || separators.count() > CONTACT_PARAMETERS
}

/// `host [":" port]` of what stands after the scheme: the same in all contacts that could be equal, but for case.
pub(crate) fn host_and_port(rest: &str) -> &str {
    // A user part may hold ; and ?, so the @ is looked for first.
    let (_, rest) = cut(rest, b'@').unwrap_or(("", rest));
    let end = rest.bytes().position(|byte| matches!(byte, b';' | b'?')).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// What stands before and after the first of an ASCII character. For texts as short as these, faster than
/// `split_once`.
fn cut(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == mark)?;
    Some((&text[..at], &text[at + 1..]))
}

/// `scheme ":"` of RFC 3986 section 3.1.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = cut(text, b':')?;
    let first = scheme.bytes().next()?.is_ascii_alphabetic();
    let others = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    (first && others).then_some((scheme, rest))
}

fn is_uri_character(c: char) -> bool {
    c.is_alphanumeric() || !c.is_ascii() && !c.is_whitespace() && !c.is_control() || {
        c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
    }
}

/// A name, an IPv4 address or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| {
            address.len() >= 2 && address.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
        }),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_') || b >= 0x80)
        }
    }
}

/// A byte of a URI's part, and whether it came escaped though that makes a difference.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Unit {
    byte: u8,
    escaped: bool,
}

/// The bytes of a part with `%HH` undone. An escaped reserved character is not the character itself.
fn units(text: &str) -> impl Iterator<Item = Unit> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    core::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let escape = match (byte, bytes.get(at + 1).copied(), bytes.get(at + 2).copied()) {
            (b'%', Some(high), Some(low)) => hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        let unit = match escape {
            Some(byte) => {
                at += 3;
                Unit { byte, escaped: is_reserved(byte) }
            }
            None => {
                at += 1;
                Unit { byte, escaped: false }
            }
        };
        Some(unit)
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// `reserved` of RFC 3261 section 25.1, and the percent sign.
fn is_reserved(byte: u8) -> bool {
    matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',' | b'%')
}

fn same_text(a: &str, b: &str, fold_case: bool) -> bool {
    let fold =
        |unit: Unit| if fold_case { Unit { byte: unit.byte.to_ascii_lowercase(), ..unit } } else { unit };
    units(a).map(fold).eq(units(b).map(fold))
}

/// A user part in one spelling: reserved characters as they came, letters, digits and marks plain, the rest escaped.
fn push_canonical(user: &str, out: &mut String) {
    if user.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return out.push_str(user);
    }
    for Unit { byte, escaped } in units(user) {
        let mark = matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')');
        if !escaped && (byte.is_ascii_alphanumeric() || mark || is_reserved(byte)) {
            out.push(char::from(byte));
        } else {
            const HEX: [char; 16] =
                ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
            out.push('%');
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
    }
}

fn pairs(text: &str, separator: char) -> impl Iterator<Item = (&str, &str)> + '_ {
    text.split(separator)
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn value_of<'a>(text: &'a str, separator: char, name: &str) -> Option<&'a str> {
    pairs(text, separator).find(|(each, _)| same_text(each, name, true)).map(|(_, value)| value)
}

/// Parameters that both have must match; these must not be missing from one alone.
const NEVER_IGNORED: [&str; 4] = ["user", "ttl", "method", "maddr"];

fn same_parameters(a: &str, b: &str) -> bool {
    let agrees = |one: &str, other: &str| {
        pairs(one, ';').all(|(name, value)| match value_of(other, ';', name) {
            Some(same) => same_text(value, same, true),
            None => !NEVER_IGNORED.iter().any(|known| name.eq_ignore_ascii_case(known)),
        })
    };
    agrees(a, b) && agrees(b, a)
}

/// Headers are never ignored; their order does not matter.
fn same_headers(a: &str, b: &str) -> bool {
    let agrees = |one: &str, other: &str| {
        pairs(one, '&')
            .all(|(name, value)| value_of(other, '&', name).is_some_and(|same| same_text(value, same, false)))
    };
    agrees(a, b) && agrees(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    #[track_caller]
    fn check_entity(text: &str, expect: Result<&str, EntityError>) {
        assert_eq!(Entity::parse(text).as_ref().map(Entity::as_str).map_err(|e| *e), expect, "{text}");
    }

    #[test]
    fn a_presentity_is_one_whatever_scheme_host_case_and_escapes_it_was_written_with() {
        check_entity("sip:alice@example.com", Ok("sip:alice@example.com"));
        check_entity("SIPS:alice@EXAMPLE.com", Ok("sip:alice@example.com"));
        check_entity("pres:alice@example.com", Ok("sip:alice@example.com"));
        check_entity("sip:%61lice@example.com", Ok("sip:alice@example.com"));
        check_entity("sip:alice:secret@example.com;transport=tcp?x=y", Ok("sip:alice@example.com"));
        check_entity("sip:alice@example.com:5060", Ok("sip:alice@example.com"));
        check_entity("sip:alice@example.com:5080", Ok("sip:alice@example.com:5080"));
        check_entity("sip:a;b?c/d@example.com", Ok("sip:a;b?c/d@example.com"));
        check_entity("sip:a%40b@example.com", Ok("sip:a%40b@example.com"));
        check_entity("sip:%7Bx%7d@example.com", Ok("sip:%7Bx%7D@example.com"));
        check_entity("sip:\u{e9}@example.com", Ok("sip:%C3%A9@example.com"));
        check_entity("sip:+49-30@example.com;user=phone", Ok("sip:+49-30@example.com"));
        check_entity("sip:example.com", Ok("sip:example.com"));
        check_entity("sip:alice@[2001:DB8::1]:5070", Ok("sip:alice@[2001:db8::1]:5070"));
        check_entity("TEL:+49-30-1234", Ok("tel:+49-30-1234"));
        check_entity("xmpp:Romeo@montague.lit", Ok("xmpp:Romeo@montague.lit"));
    }

    #[test]
    fn users_differ_in_case() {
        assert_ne!(Entity::parse("sip:Alice@example.com"), Entity::parse("sip:alice@example.com"));
    }

    #[test]
    fn what_is_no_uri_of_a_presentity_is_refused_with_the_reason() {
        check_entity("", Err(EntityError::Empty));
        check_entity("alice", Err(EntityError::NoScheme));
        check_entity("alice@example.com", Err(EntityError::NoScheme));
        check_entity("alice@example.com:5060", Err(EntityError::NoScheme));
        check_entity("1sip:alice@example.com", Err(EntityError::NoScheme));
        check_entity("tel:", Err(EntityError::NoScheme));
        check_entity("sip:al ice@example.com", Err(EntityError::BadCharacter));
        check_entity("<sip:alice@example.com>", Err(EntityError::NoScheme));
        check_entity("sip:alice@example.com>", Err(EntityError::BadCharacter));
        check_entity("sip:", Err(EntityError::BadHost));
        check_entity("sip:alice@", Err(EntityError::BadHost));
        check_entity("sip:alice@exa$mple.com", Err(EntityError::BadHost));
        check_entity("sip:alice@example.com:x", Err(EntityError::BadHost));
        check_entity("sip:alice@[::1", Err(EntityError::BadHost));
        check_entity("sip:@example.com", Err(EntityError::NoUser));
    }

    #[track_caller]
    fn check_same(a: &str, b: &str, expect: bool) {
        assert_eq!(same_contact(a, b), expect, "{a} and {b}");
        assert_eq!(same_contact(b, a), expect, "{b} and {a}");
    }

    #[test]
    fn contacts_that_rfc_3261_calls_equal_are_one() {
        check_same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp", true);
        check_same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true);
        check_same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true);
        check_same(
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            true,
        );
        check_same(
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            true,
        );
        check_same("sip:a%3Bb@x", "sip:a%3bb@x", true);
        check_same("sip:bob@x;gr=urn:uuid:1", "sip:bob@x", true);
        check_same("TEL:+1", "tel:+1", true);
    }

    #[test]
    fn contacts_that_rfc_3261_calls_different_are_two() {
        check_same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false);
        check_same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false);
        check_same("sip:bob@biloxi.com:5060", "sip:bob@biloxi.com:6000", false);
        check_same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp;method=x", false);
        check_same("sip:bob@biloxi.com;transport=udp", "sip:bob@biloxi.com;transport=tcp", false);
        check_same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false);
        check_same("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false);
        check_same("sip:bob@x", "sips:bob@x", false);
        check_same("sip:bob@x", "sip:bob:secret@x", false);
        check_same("sip:bob@x", "sip:x", false);
        check_same("sip:bob@x;user=phone", "sip:bob@x", false);
        check_same("sip:bob@x;maddr=1.2.3.4", "sip:bob@x", false);
        check_same("sip:bob@x;gr=urn:uuid:1", "sip:bob@x;gr=urn:uuid:2", false);
        check_same("sip:a%3Bb@x", "sip:a;b@x", false);
        check_same("tel:+1", "tel:+2", false);
        check_same("bob", "alice", false);
    }

    #[test]
    fn contacts_too_long_to_be_taken_apart_are_equal_only_as_text() {
        let many = |count: usize, tail: &str| format!("sip:a@h{}{tail}", ";p=1".repeat(count));
        check_same(&many(16, ""), "sip:a@h;p=1", true);
        check_same(&many(17, ""), "sip:a@h;p=1", false);
        check_same(&many(17, ""), &many(17, ""), true);
        check_same(&many(15, "?s=1"), "sip:a@h?s=1", true);
        check_same(&many(15, "?s=1&s=1"), "sip:a@h?s=1", false);
        let long = |bytes: usize| format!("sip:a@h;x={}", "y".repeat(bytes - 6));
        check_same(&long(512), "sip:a@h", true);
        check_same(&long(513), "sip:a@h", false);
        check_same(&long(513), &long(513), true);
    }

    #[test]
    fn a_host_is_found_after_the_user_and_before_parameters_and_headers() {
        let check = |rest, expect| assert_eq!(host_and_port(rest), expect, "{rest}");
        check("alice@example.com:5060;transport=tcp?x=y", "example.com:5060");
        check("a;b?c@example.com", "example.com");
        check("[::1]:5060;x", "[::1]:5060");
        check("+4930;ext=1", "+4930");
        check("", "");
    }

    fn uri() -> impl Strategy<Value = String> {
        (
            prop::sample::select(&["sip", "sips", "SIP", "tel"][..]),
            prop::option::of("[a-zA-Z%61;?]{1,4}"),
            prop::sample::select(&["x", "X.com", "[::1]"][..]),
            prop::sample::select(&["", ":5060", ":6"][..]),
            prop::collection::vec(
                prop::sample::select(&["user=phone", "lr", "a=B", "a=b", "gr=1"][..]),
                0..3,
            ),
            prop::sample::select(&["", "?s=1", "?s=1&t=2", "?t=2&s=1"][..]),
        )
            .prop_map(|(scheme, user, host, port, parameters, headers)| {
                let user = user.map(|user| format!("{user}@")).unwrap_or_default();
                let parameters: String = parameters.iter().map(|each| format!(";{each}")).collect();
                format!("{scheme}:{user}{host}{port}{parameters}{headers}")
            })
    }

    proptest! {
        #[test]
        fn a_contact_is_the_same_as_itself_and_the_relation_goes_both_ways(a in uri(), b in uri()) {
            prop_assert!(same_contact(&a, &a));
            prop_assert_eq!(same_contact(&a, &b), same_contact(&b, &a));
        }

        #[test]
        fn a_canonical_entity_is_canonical_already(text in "(sip|pres|SIPS|im):([a-zA-Z%61@;:é]{1,6})") {
            if let Ok(entity) = Entity::parse(&text) {
                prop_assert_eq!(Entity::parse(entity.as_str()), Ok(entity.clone()));
            }
        }

        #[test]
        fn no_text_makes_them_panic(a in "\\PC{0,20}", b in "sip:\\PC{0,20}") {
            let _ = Entity::parse(&a);
            let _ = Entity::parse(&b);
            let _ = same_contact(&a, &b);
            let _ = same_contact(&b, "sip:x@y;a=b?c");
        }
    }
}

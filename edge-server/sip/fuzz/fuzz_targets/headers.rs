//! One header value, read as every type there is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tributary_sip::{
    Accept, AuthenticationInfo, Challenge, Credentials, Event, InstanceId, MediaType, NameAddr, Params,
    SipDate, SubscriptionState, Via, digest, params,
};

fuzz_target!(|text: &str| {
    if let Some(addr) = NameAddr::parse(text) {
        let display = addr.display.map_or(String::new(), |display| format!("{display} "));
        let again = format!("{display}<{}>{}", addr.uri, addr.params.as_str());
        let again = NameAddr::parse(&again).expect("what was read is read again");
        assert_eq!((again.uri, again.params, again.display), (addr.uri, addr.params, addr.display));
        let _ =
            (addr.tag(), addr.expires(), addr.q_milli(), addr.reg_id(), addr.instance(), addr.parse_uri());
    }
    if let Some(via) = Via::parse(text) {
        let _ = (via.received(), via.rport(), via.unique_branch());
    }
    if let Some(list) = Params::parse(text) {
        list.iter().for_each(|param| assert!(list.has(param.name)));
    }
    if let Some(date) = SipDate::parse(text) {
        assert_eq!(SipDate::parse(&date.to_string()), Some(date));
    }
    if let Some(Challenge::Digest(challenge)) = Challenge::parse(text) {
        if let Some(answer) = digest::answer(&challenge, "a", "b", digest::Asked::new("REGISTER", "sip:x"), "c", 1) {
            assert!(Credentials::parse(&answer).is_some_and(|read| read.digest().is_some()));
        }
    }
    let _ =
        (Event::parse(text), SubscriptionState::parse(text), MediaType::parse(text), InstanceId::new(text));
    let _ = (Credentials::parse(text), AuthenticationInfo::parse(text), Accept::parse([text].into_iter()));
    assert_eq!(params::unquote(&params::quote(text)), text);
});

//! Asks a message for everything it could say, and forwards it. Shared by the property tests and the
//! fuzz targets.

use tributary_sip::gruu::Gruu;
use tributary_sip::preferences::{Candidate, Features, Preferences};
use tributary_sip::proxy::{Backward, Disposition, Forward, ForwardError, Path, max_breadth, max_forwards};
use tributary_sip::transaction::{ClientVia, Transport};
use tributary_sip::{Aor, Message, Name};

pub(crate) fn exhaust(m: &Message) {
    let _ = (m.method(), m.request_uri().map(|uri| Aor::from_uri(&uri)), m.status(), m.reason());
    for via in m.vias().flatten() {
        let _ = (via.received(), via.rport(), via.unique_branch());
    }
    for name in Name::ALL {
        m.tokens(*name).for_each(drop);
        for addr in m.addrs(*name).flatten() {
            let _ = (addr.display_name(), addr.parse_uri(), addr.expires(), addr.q_milli(), addr.instance());
            addr.params.iter().for_each(drop);
        }
    }
    let _ = (m.from(), m.to(), m.cseq(), m.max_forwards(), m.contacts(), m.event(), m.subscription_state());
    let _ = (m.expires(), m.min_expires(), m.sip_etag(), m.sip_if_match(), m.suppress_if_match(), m.date());
    let _ =
        (m.accept().map(|a| a.map(|a| a.quality("a/b"))), m.content_type(), m.retry_after(), m.user_agent());
    m.authorization().for_each(drop);
    m.proxy_authorization().for_each(drop);
    m.www_authenticate().for_each(drop);
    m.proxy_authenticate().for_each(drop);
    m.warnings().for_each(drop);
    m.reasons().for_each(drop);
    m.options_beyond(Name::Require, &["path"]).for_each(drop);
    let _ = (m.flow_timer(), m.from().map(|from| from.epid().map(str::len)));
    let _ = (format!("{m:?}"), m.body_bytes(), m.lines().count());
    let _ = (Disposition::of(m), max_breadth(m), max_forwards(m), m.request_uri().map(|uri| Gruu::of(&uri)));
    let candidate = |params| Candidate { q: 500, features: Features::of(params) };
    let candidates: Vec<_> =
        m.addrs(Name::Contact).flatten().map(|contact| candidate(contact.params)).collect();
    let _ = Preferences::of(m).map(|preferences| preferences.order(&candidates));
}

/// What was read and goes on can be read by the next hop, and its answer goes back as it came.
pub(crate) fn forward(m: &Message) {
    let Ok(path) = Path::received(m, |uri| uri.host.len() % 2 == 0) else { return };
    let path = path.towards(None);
    let via = ClientVia { transport: Transport::Tcp, sent_by: "p.example", branch: "z9hG4bKp", alias: false };
    let forward = Forward {
        path: &path,
        via,
        max_forwards: 69,
        max_breadth: 60,
        record_routes: &["sip:p.example;lr"],
        without: &[Name::PAssertedIdentity],
        with: &[("X-Forked", "2")],
    };
    match forward.request(m) {
        Ok(packet) => {
            let sent = Message::parse(packet.to_bytes()).expect("what goes on can be read");
            assert_eq!(sent.body(), m.body());
            assert!(sent.headers(Name::Via).skip(1).eq(m.headers(Name::Via)));
        }
        Err(error) => assert!(!m.is_request() || error != ForwardError::NotOurs),
    }
    if let Ok(packet) = Backward::default().response(m, |_| true) {
        let sent = Message::parse(packet.to_bytes());
        // The next Via is read when it is the top one; who sent it gets what it wrote.
        assert!(sent.is_ok() || m.vias().nth(1).is_some_and(|via| via.is_err()));
    }
}

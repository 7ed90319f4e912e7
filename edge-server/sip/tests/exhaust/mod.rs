//! Asks a message for everything it could say. Shared by the property tests and the fuzz targets.

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
    let _ = (format!("{m:?}"), m.body_bytes(), m.lines().count());
}

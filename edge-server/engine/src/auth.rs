//! Who sends this request.

use crate::config::Auth;
use crate::effect::{Effect, Effects, Event};
use crate::input::Flow;
use crate::respond::Reply;
use crate::shard::Shard;
use std::sync::Arc;
use tributary_sip::digest::Refusal;
use tributary_sip::error::HeaderError;
use tributary_sip::{Aor, Credentials, Message, Name, Status, Verdict};

/// How somebody is asked for a password who asks us for something, and who asks us to forward it.
const UA: (Status, Name) = (Status::UNAUTHORIZED, Name::WwwAuthenticate);
const PROXY: (Status, Name) = (Status::PROXY_AUTHENTICATION_REQUIRED, Name::ProxyAuthenticate);

impl Shard {
    /// The address of record that a request outside of a dialog is from: whose password it shows, or
    /// in open mode whom its From names.
    pub(crate) fn authenticate(
        &mut self,
        flow: &Flow,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<Arc<str>, Reply> {
        self.proven(flow, request, request.authorization(), UA, fx)
    }

    /// The same of a request that is to be forwarded (RFC 3261 22.3).
    pub(crate) fn authenticate_caller(
        &mut self,
        flow: &Flow,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<Arc<str>, Reply> {
        self.proven(flow, request, request.proxy_authorization(), PROXY, fx)
    }

    fn proven<'m>(
        &mut self,
        flow: &Flow,
        request: &'m Message,
        credentials: impl Iterator<Item = Result<Credentials<'m>, HeaderError>>,
        (status, challenges): (Status, Name),
        fx: &mut Effects,
    ) -> Result<Arc<str>, Reply> {
        let Auth::Digest(server) = &self.config.auth else {
            return claimed(request);
        };
        let now = self.now.0.div_euclid(1000);
        let (mut stale, mut why) = (false, "missing");
        for credentials in credentials {
            let Ok(Credentials::Digest(answer)) = credentials else {
                why = "malformed";
                continue;
            };
            let mut account = None;
            let verdict = server.verify(&answer, request.method().as_str(), request.uri(), now, |username| {
                account = self.config.users.account(username);
                account.as_ref().map(|account| account.ha1.clone())
            });
            match (verdict, account) {
                (Verdict::Accepted { .. }, Some(account)) => {
                    // Whoever writes a datagram chooses its sender's address.
                    let lasts = flow.hop.transport.is_reliable();
                    if lasts && flow.authenticated.as_ref() != Some(&account.aor) {
                        fx.push(Effect::FlowAuthenticated { flow: flow.id(), aor: account.aor.clone() });
                    }
                    return Ok(account.aor);
                }
                (Verdict::Stale, _) => (stale, why) = (true, "stale"),
                (Verdict::Refused(Refusal::Realm), _) => why = "realm",
                (Verdict::Refused(Refusal::Malformed | Refusal::NotOffered | Refusal::Uri), _) => {
                    why = "malformed";
                }
                (Verdict::Refused(_) | Verdict::Accepted { .. }, _) => why = "password",
            }
        }
        fx.event(Event::AuthenticationFailed { why });
        let mut reply = Reply::refuse(status, why);
        for challenge in server.challenges(now, stale) {
            reply = reply.with(challenges, challenge);
        }
        Err(reply)
    }
}

fn claimed(request: &Message) -> Result<Arc<str>, Reply> {
    let from = request.from().ok().and_then(|from| Aor::parse(from.uri).ok());
    from.map(|aor| aor.as_str().into()).ok_or_else(|| Reply::refuse(Status::BAD_REQUEST, "From"))
}

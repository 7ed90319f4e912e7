//! Who sends this request.
//!
//! A connection that has shown a password is not asked for it again until `auth_lifetime` is over (R20):
//! browsers' libraries never send credentials before they are asked. Credentials are looked at where that
//! does not help: of datagrams, of what came through another proxy, and of another user's requests.

mod nonces;
mod token;

use crate::config::{Account, Auth, Config};
use crate::effect::{AuthFailure, Effect, Effects, Event};
use crate::input::{Flow, Standing};
use crate::lockout::Noted;
use crate::respond::Reply;
use crate::route;
use crate::shard::Shard;
use crate::tokens::TokenFault;
use merge_core::time::Millis;
use nonces::Use;
use std::sync::Arc;
use tributary_sip::auth::DigestCredentials;
use tributary_sip::digest::{Asked, Refusal};
use tributary_sip::error::HeaderError;
use tributary_sip::{Aor, Credentials, DigestServer, Ha1, Message, Name, Status, Verdict};

pub(crate) use nonces::NonceUses;

/// Characters of a name that somebody made up that tell it from others, and that the log has.
const SHOWN: usize = 100;

/// Why who is not registered may not publish or subscribe, where that is required (R22).
pub(crate) const NOT_REGISTERED: &str = "not registered";

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
        let user = self.proven(flow, request, request.authorization(), UA, fx)?;
        self.spend(flow, user, fx)
    }

    /// The same of a request that is to be forwarded (RFC 3261 22.3).
    pub(crate) fn authenticate_caller(
        &mut self,
        flow: &Flow,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<Arc<str>, Reply> {
        let user = self.proven(flow, request, request.proxy_authorization(), PROXY, fx)?;
        self.spend(flow, user, fx)
    }

    /// Lets a user's request pass, unless there were too many of them lately.
    fn spend(&mut self, flow: &Flow, user: Arc<str>, fx: &mut Effects) -> Result<Arc<str>, Reply> {
        let key = self.keyed.of(&[user.as_bytes()]);
        let taken = self.spent.take(key, self.config.user_rate, self.now);
        if self.spent.shares(&key) {
            fx.event(Event::LimitReached { limit: "busy_users_per_shard" });
        }
        match taken {
            Ok(()) => Ok(user),
            Err(wait) => {
                fx.event(Event::TurnedAway { why: "user_rate" });
                Err(Reply::later(flow.hop.transport, seconds(wait)))
            }
        }
    }

    fn proven<'m>(
        &mut self,
        flow: &Flow,
        request: &'m Message,
        credentials: impl Iterator<Item = Result<Credentials<'m>, HeaderError>>,
        (status, challenges): (Status, Name),
        fx: &mut Effects,
    ) -> Result<Arc<str>, Reply> {
        let config = Arc::clone(&self.config);
        let Auth::Digest(server) = &config.auth else {
            return claimed(request);
        };
        if let Some(aor) = self.standing(flow, request) {
            return Ok(aor);
        }
        let (mut stale, mut fault, mut why) = (false, None, AuthFailure::Missing);
        for credentials in credentials {
            let shown = match credentials {
                Ok(Credentials::Digest(answer)) => self.shows_password(server, &answer, flow, request, fx)?,
                Ok(Credentials::Other { scheme, rest }) if scheme.eq_ignore_ascii_case(token::BEARER) => {
                    self.shows_token(rest, flow, request, fx)
                }
                _ => Shown::Wrong(AuthFailure::Malformed),
            };
            match shown {
                Shown::User(aor) => return Ok(aor),
                Shown::Stale(because) => (stale, why) = (true, because),
                Shown::Token(because) => (fault, why) = (Some(because), because.failure()),
                Shown::Wrong(because) => why = because,
            }
        }
        fx.event(Event::AuthenticationFailed { why });
        let mut reply = Reply::refuse(status, why.name());
        let bearer = self.token_challenge(flow, fault);
        for challenge in bearer.into_iter().chain(server.challenges(self.now.0, self.random.u64(), stale)) {
            reply = reply.with(challenges, challenge);
        }
        Err(reply)
    }

    fn shows_password(
        &mut self,
        server: &DigestServer,
        answer: &DigestCredentials<'_>,
        flow: &Flow,
        request: &Message,
        fx: &mut Effects,
    ) -> Result<Shown, Reply> {
        let mut attempt = None;
        let asked = Asked { method: request.method().as_str(), uri: request.uri(), body: request.body() };
        let verdict = server.verify(answer, asked, self.now.0, |username| {
            let made = Attempt::new(&self.config, username, flow, self.now);
            let ha1 = made.ha1();
            attempt = Some(made);
            ha1
        });
        Ok(match (verdict, attempt) {
            (Verdict::Accepted { .. }, Some(Attempt { account: Some(account), .. })) => {
                if !self.is_first_use(answer, server.lifetime(), fx) {
                    return Ok(Shown::Stale(AuthFailure::Repeated));
                }
                self.stands(flow, request, &account.aor, Millis(i64::MAX), fx);
                Shown::User(account.aor)
            }
            (Verdict::Stale, _) => Shown::Stale(AuthFailure::Stale),
            (Verdict::Refused(Refusal::Password), Some(attempt)) => {
                let why = self.mistaken(&attempt, answer, request);
                self.guessed(attempt, flow, fx)?;
                Shown::Wrong(why)
            }
            (Verdict::Refused(Refusal::Realm), _) => Shown::Wrong(AuthFailure::Realm),
            (Verdict::Refused(_) | Verdict::Accepted { .. }, _) => Shown::Wrong(AuthFailure::Malformed),
        })
    }

    /// Whom a flow has shown the password of, if that is whom the request is from, was not too long ago, and
    /// is a user still (R20).
    fn standing(&self, flow: &Flow, request: &Message) -> Option<Arc<str>> {
        let Standing { aor, until } = flow.authenticated.as_ref()?;
        let from = request.from().ok().and_then(|from| route::named(from.uri))?;
        let stands = *from.as_str() == **aor
            && self.now < *until
            && is_direct(request)
            && self.config.users.exists(aor);
        stands.then(|| aor.clone())
    }

    /// What an operator is told of a wrong password; the client learns no more than that it is wrong.
    fn mistaken(&self, attempt: &Attempt, answer: &DigestCredentials<'_>, request: &Message) -> AuthFailure {
        let named = answer.username.rsplit_once('@').map(|(_, domain)| domain.to_owned());
        let from = || request.from().ok().and_then(|from| route::named(from.uri));
        let domain = named.or_else(|| from().map(|from| from.host().to_owned()));
        match &attempt.account {
            Some(_) => AuthFailure::Password,
            None if domain.is_some_and(|domain| !self.config.serves(&domain)) => AuthFailure::Domain,
            None => AuthFailure::NoSuchUser,
        }
    }

    /// A password was wrong. Says no more than that, unless there were too many of them.
    fn guessed(&self, attempt: Attempt, flow: &Flow, fx: &mut Effects) -> Result<(), Reply> {
        let Attempt { name, wait, .. } = attempt;
        if let Some(wait) = wait {
            fx.event(Event::AuthenticationFailed { why: AuthFailure::LockedOut });
            let reply = Reply::refuse(Status::FORBIDDEN, "locked out").unkept();
            return Err(reply.with(Name::RetryAfter, seconds(wait).to_string()));
        }
        let address = flow.hop.peer.ip();
        let Some(lockout) = &self.config.lockout else {
            return Ok(());
        };
        let noted = lockout.failed(&name, address, self.now);
        if let Some(what) = noted.locked {
            fx.event(Event::LockedOut { account: name, address, what });
        }
        tell_forgotten(noted, fx);
        Ok(())
    }

    /// From here on the flow need not show this again for a while, at most until `end`.
    fn stands(&self, flow: &Flow, request: &Message, aor: &Arc<str>, end: Millis, fx: &mut Effects) {
        if let Some(lockout) = &self.config.lockout {
            tell_forgotten(lockout.succeeded(aor, flow.hop.peer.ip(), self.now), fx);
        }
        // Whoever writes a datagram chooses its sender's address.
        if flow.hop.transport.is_reliable() && is_direct(request) {
            let until = Millis(self.now.0.saturating_add(self.config.timing.auth_lifetime_ms.into()));
            let standing = Standing { aor: aor.clone(), until: until.min(end) };
            fx.push(Effect::FlowAuthenticated { flow: flow.id(), standing });
        }
    }

    /// Whether a user is registered: as far as this shard knows, and where that is another's user, over
    /// this flow (R22).
    pub(crate) fn is_registered(&self, aor: &Arc<str>, flow: &Flow) -> bool {
        if route::hash_of(aor) % u64::from(self.config.shards.max(1)) == u64::from(self.index) {
            let state = self.presentities.find(aor).and_then(|id| self.presentities.get(id));
            return state.is_some_and(|presentity| !presentity.bindings.is_empty());
        }
        flow.device.as_ref().is_some_and(|device| device.aor == *aor)
            || self.flows.get(flow.id()).is_some_and(|ties| ties.devices().any(|device| device.aor == *aor))
    }

    fn is_first_use(&mut self, answer: &DigestCredentials<'_>, lifetime: i64, fx: &mut Effects) -> bool {
        if self.nonces.is_full() {
            fx.event(Event::LimitReached { limit: "nonce_uses_per_shard" });
        }
        let issued = Millis(DigestServer::issued(answer.nonce).unwrap_or(i64::MIN));
        let nc = answer.nc.unwrap_or_default();
        self.nonces.put_down(answer.nonce, nc, issued, lifetime, self.now) == Use::First
    }
}

/// Counts it when there was no room for all who guessed.
fn tell_forgotten(noted: Noted, fx: &mut Effects) {
    if noted.forgot {
        fx.event(Event::LimitReached { limit: "lockout.entries" });
    }
}

/// What credentials have shown.
enum Shown {
    /// Who it is.
    User(Arc<str>),
    /// The password is right, and the nonce is not good any more.
    Stale(AuthFailure),
    Token(TokenFault),
    Wrong(AuthFailure),
}

/// Somebody who tries to be somebody.
struct Attempt {
    /// The address of record, or what nobody is called.
    name: Box<str>,
    account: Option<Account>,
    /// For how many more ms nobody may try from there.
    wait: Option<i64>,
}

impl Attempt {
    fn new(config: &Config, username: &str, flow: &Flow, now: Millis) -> Self {
        let account = config.users.account(username);
        let name: Box<str> = match &account {
            Some(account) => (*account.aor).into(),
            None => username.chars().take(SHOWN).collect::<String>().into(),
        };
        let lockout = config.lockout.as_ref();
        let wait = lockout.and_then(|lockout| lockout.locked(&name, flow.hop.peer.ip(), now));
        Self { name, account, wait }
    }

    /// What is to be shown to know. A locked account is judged like one that nobody has, and takes as long.
    fn ha1(&self) -> Option<Ha1> {
        self.account.as_ref().filter(|_| self.wait.is_none()).map(|account| account.ha1.clone())
    }
}

/// What a client has to wait, for Retry-After.
fn seconds(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or_default().div_ceil(1_000).max(1)
}

/// Whether a request comes from the endpoint itself. Over a connection of another proxy come many
/// users, and what one of them has shown says nothing of the next.
fn is_direct(request: &Message) -> bool {
    request.vias().count() == 1
}

fn claimed(request: &Message) -> Result<Arc<str>, Reply> {
    let from = request.from().ok().and_then(|from| Aor::parse(from.uri).ok());
    from.map(|aor| aor.as_str().into()).ok_or_else(|| Reply::refuse(Status::BAD_REQUEST, "From"))
}

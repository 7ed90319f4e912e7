//! Bearer tokens (RFC 8898): a client shows what an authorization server has signed.

use super::Shown;
use crate::effect::{AuthFailure, Effects};
use crate::input::Flow;
use crate::shard::Shard;
use crate::tokens::{TokenFault, Tokens};
use std::sync::Arc;
use tributary_sip::Message;
use tributary_sip::transaction::Transport;

/// The scheme, as it is compared.
pub(super) const BEARER: &str = "Bearer";

impl Shard {
    /// Who the token of a request says that it is. What comes of it ends when the token does.
    pub(super) fn shows_token(&self, token: &str, flow: &Flow, request: &Message, fx: &mut Effects) -> Shown {
        let Some(tokens) = self.tokens_over(flow) else {
            return Shown::Wrong(AuthFailure::Malformed);
        };
        match tokens.read(token.trim(), self.now) {
            Ok(bearer) if self.config.users.exists(&bearer.aor) => {
                self.stands(flow, request, &bearer.aor, bearer.expires, fx);
                Shown::User(bearer.aor)
            }
            Ok(_) => Shown::Token(TokenFault::Invalid),
            Err(fault) => Shown::Token(fault),
        }
    }

    /// The challenge for one, where tokens are taken. It stands before those of digest: browsers'
    /// libraries know but the last.
    pub(super) fn token_challenge(&self, flow: &Flow, fault: Option<TokenFault>) -> Option<String> {
        let mut challenge = self.tokens_over(flow)?.challenge().to_owned();
        if let Some(fault) = fault {
            challenge.push_str(&format!(", error=\"{}\"", fault.error()));
        }
        Some(challenge)
    }

    /// Whoever reads a token on the way can use it (RFC 8898 5): none is asked for where that is possible.
    /// On this machine another may do the encryption.
    fn tokens_over(&self, flow: &Flow) -> Option<&Arc<dyn Tokens>> {
        let encrypted = matches!(flow.hop.transport, Transport::Tls | Transport::Wss);
        self.config.tokens.as_ref().filter(|_| encrypted || flow.hop.peer.ip().to_canonical().is_loopback())
    }
}

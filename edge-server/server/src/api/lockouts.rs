//! Accounts that are locked because somebody guessed passwords: shown, and unlocked.

use super::error::ApiError;
use super::presentities::read;
use super::{Answered, Api};
use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::IntoResponse as _;
use http::StatusCode;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tributary_engine::lockout::Lock;

pub(super) async fn list(State(api): State<Arc<Api>>) -> Answered {
    let locks: Vec<Value> = api.lockout.locks(api.clock.now()).iter().map(lock).collect();
    Ok(Json(json!({ "lockouts": locks })).into_response())
}

pub(super) async fn lift(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(account): Path<String>,
) -> Answered {
    // As it is listed: who is no user may be called anything.
    let now = api.clock.now();
    let mut lifted = api.lockout.lift(&account, now);
    if lifted == 0
        && let Ok(aor) = read(&account)
    {
        lifted = api.lockout.lift(&aor, now);
    }
    let account = account.escape_debug();
    if lifted == 0 {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "not_locked",
            format!("{account} is not locked"),
            "GET /api/v1/lockouts lists what is",
        ));
    }
    tracing::info!(%account, %peer, lifted, "an account was unlocked");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn lock(Lock { account, address, until }: &Lock) -> Value {
    json!({ "account": account, "address": address, "until_ms": until.0 })
}

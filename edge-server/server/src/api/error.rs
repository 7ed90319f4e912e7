//! Errors of the HTTP API: `{"error":{"code","message","fix"}}` with a status that fits.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// An error on its way to a client.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    fix: String,
    report: Option<Value>,
}

impl ApiError {
    /// An error with a status, a stable code, what happened, and what to do.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status, code, message: message.into(), fix: fix.into(), report: None }
    }

    /// The same with a policy's report beside it.
    pub fn with_report(mut self, report: Value) -> Self {
        self.report = Some(report);
        self
    }

    /// The store refused a commit; the server is about to stop.
    pub fn store() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "store",
            "the change could not be stored",
            "see the server's log; the disk may be full",
        )
    }

    /// The shard that knows did not answer.
    pub fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server stops", "try again in a moment")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({"error": {"code": self.code, "message": self.message, "fix": self.fix}});
        if let (Some(report), Some(object)) = (self.report, body.as_object_mut()) {
            object.insert("report".to_owned(), report);
        }
        (self.status, Json(body)).into_response()
    }
}

/// The text of an error's body.
pub(crate) fn text(code: &str, message: &str, fix: &str) -> String {
    json!({"error": {"code": code, "message": message, "fix": fix}}).to_string()
}

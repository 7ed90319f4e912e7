//! Logging: one subscriber for the process, as text or JSON, to standard error.
//!
//! What must never be logged: Authorization, passwords, tokens, message bodies. Spans carry the
//! method, who asks of whom (as addresses of record), the Call-ID, the flow with its peer and transport, and
//! the status; nothing else of a message.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Reads a filter such as `info` or `info,tributary=debug`.
///
/// # Errors
/// Text that is no filter.
pub fn filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    // A word that is no level would be read as a target's name and silence everything.
    let words = ["off", "error", "warn", "info", "debug", "trace"];
    let filter = EnvFilter::try_new(level)?;
    if level.contains(['=', ',']) || words.iter().any(|word| word.eq_ignore_ascii_case(level)) {
        return Ok(filter);
    }
    EnvFilter::try_new(format!("={level}"))
}

/// Installs the subscriber. A second call in one process changes nothing.
pub fn start(log: &Log) {
    let filter = filter(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = if json {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        builder.with_ansi(terminal).with_target(false).try_init()
    };
    if installed.is_err() {
        tracing::debug!("a log subscriber was installed already");
    }
}

//! How much a tenant may keep, upload and assign. The operator is bounded by `policies.max_files` alone.

use super::snapshot::{Snapshot, Source};
use merge_core::policy::limits::{
    TENANT_ASSIGNMENTS, TENANT_POLICIES, TENANT_POLICY_BYTES, TENANT_UPLOADS_PER_HOUR,
};
use merge_core::time::Millis;
use policy_sandbox::Finding;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// For how long an upload counts, in milliseconds.
const HOUR_MS: i64 = 3_600_000;

/// When each tenant has uploaded lately: as many times as it may, of as many tenants as the configuration names.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<String, VecDeque<Millis>>>);

impl Uploads {
    /// Counts an upload, before it costs anything.
    pub(super) fn admit(&self, tenant: &str, now: Millis) -> Result<(), Box<Finding>> {
        if tenant.is_empty() {
            return Ok(());
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = all.entry(tenant.to_owned()).or_default();
        while times.front().is_some_and(|at| at.0 + HOUR_MS <= now.0) {
            times.pop_front();
        }
        if let Some(first) = times.front().filter(|_| times.len() >= TENANT_UPLOADS_PER_HOUR) {
            let minutes = (first.0 + HOUR_MS - now.0 + 59_999).max(60_000) / 60_000;
            return Err(refused(
                "E192",
                format!("{tenant} has uploaded {TENANT_UPLOADS_PER_HOUR} times within an hour"),
                format!(
                    "try again in {minutes} minutes; `tributary policy check` finds the same without an upload"
                ),
            ));
        }
        times.push_back(now);
        Ok(())
    }
}

/// Whether a tenant may keep one more file of so many bytes.
pub(super) fn keep(snapshot: &Snapshot, tenant: &str, bytes: usize) -> Result<(), Box<Finding>> {
    if tenant.is_empty() {
        return Ok(());
    }
    let is_its = |source: Source, of: &str| source == Source::Uploaded && of == tenant;
    let its = || snapshot.policies().filter(|entry| is_its(entry.source, &entry.tenant));
    let (files, kept): (usize, usize) = (its().count(), its().map(|entry| entry.file.len()).sum());
    if files >= TENANT_POLICIES {
        return Err(refused(
            "E190",
            format!("{tenant} keeps {files} policies, of {TENANT_POLICIES} that it may"),
            "remove one that is not in force".to_owned(),
        ));
    }
    if kept + bytes > TENANT_POLICY_BYTES {
        return Err(refused(
            "E191",
            format!(
                "{tenant} keeps {kept} bytes of policies; with these {bytes} it is more than {TENANT_POLICY_BYTES}"
            ),
            "remove one that is not in force".to_owned(),
        ));
    }
    Ok(())
}

/// Whether a tenant that has so many assignments may have one more.
pub(super) fn assign(tenant: &str, assignments: usize) -> Result<(), Box<Finding>> {
    if tenant.is_empty() || assignments < TENANT_ASSIGNMENTS {
        return Ok(());
    }
    Err(refused(
        "E193",
        format!("{tenant} has {assignments} assignments, of {TENANT_ASSIGNMENTS} that it may"),
        "take one back, or assign to a domain in place of its users".to_owned(),
    ))
}

fn refused(code: &'static str, message: String, fix: String) -> Box<Finding> {
    Box::new(Finding::new(code, "quota", message, fix))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_uploads_so_often_an_hour_and_neither_another_nor_the_operator_waits_for_it() {
        let uploads = Uploads::default();
        for number in 0..TENANT_UPLOADS_PER_HOUR {
            uploads.admit("acme", Millis(number as i64 * 1_000)).unwrap();
        }
        let refused = uploads.admit("acme", Millis(60_000)).unwrap_err();
        assert_eq!((refused.code, refused.fix.contains("59 minutes")), ("E192", true), "{}", refused.fix);
        assert!(uploads.admit("globex", Millis(60_000)).is_ok() && uploads.admit("", Millis(60_000)).is_ok());
        assert!(uploads.admit("acme", Millis(HOUR_MS)).is_ok(), "the first has left the hour");
        assert!(uploads.admit("acme", Millis(HOUR_MS)).is_err(), "the second has not");
    }

    #[test]
    fn assignments_are_counted_of_tenants_alone() {
        assert!(assign("acme", TENANT_ASSIGNMENTS - 1).is_ok() && assign("", usize::MAX).is_ok());
        assert_eq!(assign("acme", TENANT_ASSIGNMENTS).unwrap_err().code, "E193");
    }
}

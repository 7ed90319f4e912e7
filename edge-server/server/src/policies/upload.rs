//! Files that are brought, examined, kept and forgotten.

use super::audit::{Action, Step};
use super::capture::Recorded;
use super::library::Library;
use super::load::made;
use super::refusal::{RemoveError, UploadError};
use super::signatures::{Judged, canonical};
use super::snapshot::{Entry, Source, hex, lies_in};
use super::stored::{PolicyHead, StoredPolicy};
use super::vectors::{self, Tried};
use super::{quota, write_scope};
use crate::metrics::count;
use crate::store::{Op, Table};
use bytes::Bytes;
use merge_core::policy::limits;
use policy_sandbox::{Hook, Owner, Policy, Report, Vector, builtin_samples};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tributary_engine::Scope;

/// A file that somebody brings.
#[derive(Clone, Debug)]
pub struct Brought {
    /// The file.
    pub file: Bytes,
    /// The tenant whose it is to be; empty for the operator.
    pub tenant: String,
    /// The detached signature that came with it, base64.
    pub signature: Option<String>,
    /// The author's vectors, which have to hold.
    pub vectors: Vec<Vector>,
    /// The scope whose policy in force the answers are held against, and whose captured inputs have to be answered.
    pub against: Option<Scope>,
}

impl Brought {
    /// A file of the operator's that nobody has signed.
    pub fn by_operator(file: Bytes) -> Self {
        Self { file, tenant: String::new(), signature: None, vectors: Vec::new(), against: None }
    }

    fn owner(&self) -> Owner {
        if self.tenant.is_empty() { Owner::Operator } else { Owner::Tenant }
    }
}

/// A file that may be kept.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Compiled.
    pub policy: Policy,
    /// All that was found: nothing but warnings.
    pub report: Report,
    /// The name of the key that has signed it.
    pub signed_by: Option<String>,
    /// What the vectors and what was captured came to, where that was asked for.
    pub tried: Option<Tried>,
}

/// A file that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The policy.
    pub entry: Arc<Entry>,
    /// All that was found: nothing but warnings.
    pub report: Report,
    /// What the vectors and what was captured came to, where that was asked for.
    pub tried: Option<Tried>,
}

impl Library {
    /// Verifies the signature of a file, checks, compiles and tries it out; it is not kept.
    ///
    /// # Errors
    /// The report, with everything that was found.
    pub async fn examine(&self, brought: &Brought) -> Result<Examined, Box<Report>> {
        let (sandbox, owner) = (Arc::clone(&self.sandbox), brought.owner());
        let Judged { by: signed_by, finding, refused } =
            self.signatures.judge(&brought.tenant, &brought.file, brought.signature.as_deref());
        let (file, vectors) = (brought.file.clone(), brought.vectors.clone());
        let in_force = brought
            .against
            .as_ref()
            .and_then(|scope| self.snapshot().deciding(scope, &self.tenants).cloned());
        let captured = brought.against.as_ref().map(|scope| self.captured_in(scope)).unwrap_or_default();
        let wanted = !vectors.is_empty() || brought.against.is_some();
        let examined = tokio::task::spawn_blocking(move || {
            let policy = sandbox.examine(&file, owner, &builtin_samples())?;
            let mut captured = captured;
            captured.retain(|recorded| recorded.hook == Hook::Merge || policy.view_key().is_some());
            let as_vectors = vectors::of_captured(&policy, in_force.as_ref(), &captured);
            let mut errors = vectors::failing(&policy, &vectors);
            errors.extend(vectors::failing_captured(&policy, &as_vectors));
            if !errors.is_empty() {
                return Err(Box::new(Report { errors, ..policy.report().clone() }));
            }
            let tried = wanted
                .then(|| vectors::compared(&policy, in_force.as_ref(), &vectors, (&captured, &as_vectors)));
            Ok((policy, tried))
        });
        // A panic in the compiler: nothing is kept.
        let examined = examined.await.unwrap_or_else(|_| Err(Box::default()));
        let (policy, mut report) = match examined {
            Ok((policy, tried)) => {
                made(&self.metrics, &policy);
                let report = policy.report().clone();
                (Some((policy, tried)), report)
            }
            Err(report) => (None, *report),
        };
        if refused {
            report.errors.extend(finding);
        } else {
            report.warnings.extend(finding);
        }
        match policy {
            Some((policy, tried)) if report.is_ok() => Ok(Examined { policy, report, signed_by, tried }),
            _ => Err(Box::new(report)),
        }
    }

    /// The newest of what was captured within a scope.
    fn captured_in(&self, scope: &Scope) -> Vec<Recorded> {
        self.captures().inputs(|aor| lies_in(aor, scope, &self.tenants), limits::DRY_RUN_CAPTURED)
    }

    /// Examines a file and keeps it. The same file again changes nothing, but that it may now be signed.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn upload(&self, who: &str, name: Option<&str>, brought: Brought) -> Result<Kept, UploadError> {
        let file: [u8; 32] = Sha256::digest(&brought.file).into();
        let tenant = brought.tenant.clone();
        let uploaded = self.upload_counted(who, name, brought).await;
        if let Err(error) = &uploaded {
            let codes = error.codes();
            for code in &codes {
                count(&self.metrics.policy_uploads_refused, "code", *code);
            }
            let refused = Step {
                policy: Some(hex(&file)),
                name: name.map(policy_sandbox::plain_text),
                tenant: (!tenant.is_empty()).then_some(tenant),
                ..Step::new(Action::UploadRefused).because(codes.join(" "))
            };
            let editing = self.editing.lock().await;
            self.commit(&editing, Vec::new(), (who, refused)).await?;
        }
        uploaded
    }

    async fn upload_counted(
        &self,
        who: &str,
        name: Option<&str>,
        brought: Brought,
    ) -> Result<Kept, UploadError> {
        if !brought.tenant.is_empty() && !self.tenants.has(&brought.tenant) {
            return Err(UploadError::NoTenant(brought.tenant));
        }
        self.uploads.admit(&brought.tenant, self.clock.now()).map_err(UploadError::Quota)?;
        let Examined { policy, report, signed_by, tried } = match self.examine(&brought).await {
            Ok(examined) => examined,
            Err(report) => {
                let in_file = report.manifest.as_ref().map(|manifest| manifest.name.as_str());
                let problem = name.or(in_file).and_then(|name| self.snapshot().name_problem(name.trim()));
                return Err(UploadError::Refused(report, problem));
            }
        };
        let name = name.or(policy.name()).unwrap_or("unnamed").trim().to_owned();
        let editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        // One by nobody who is trusted here today may be by somebody who is, elsewhere or tomorrow.
        let signature = brought.signature.as_deref().and_then(canonical).map(Arc::from);
        let signed_by = signed_by.map(Arc::from);
        let mut action = Action::Upload;
        let entry = match snapshot.policy(&policy.sha256()) {
            Some(known) if known.signed_by.is_some() || signed_by.is_none() => {
                return Ok(Kept { entry: known, report, tried });
            }
            Some(known) if known.source == Source::Shipped => {
                return Ok(Kept { entry: known, report, tried });
            }
            Some(known) => {
                action = Action::Sign;
                Entry { signature, signed_by, ..Entry::clone(&known) }
            }
            None => {
                if let Some(problem) = snapshot.name_problem(&name) {
                    return Err(UploadError::Name(problem));
                }
                quota::keep(&snapshot, &brought.tenant, brought.file.len()).map_err(UploadError::Quota)?;
                let uploaded = snapshot.policies().filter(|entry| entry.source == Source::Uploaded).count();
                if uploaded >= self.most {
                    return Err(UploadError::Full(uploaded));
                }
                let entry = Entry::new(policy, &name, Source::Uploaded, brought.file, self.clock.now());
                Entry { tenant: brought.tenant.into(), signature, signed_by, ..entry }
            }
        };
        let head = PolicyHead {
            name: entry.name.to_string(),
            since_ms: entry.since.0,
            tenant: entry.tenant.to_string(),
            signature: entry.signature.as_deref().map(str::to_owned),
        };
        let value = StoredPolicy { head, file: entry.file.clone() }.encode();
        let key = Bytes::copy_from_slice(&entry.id());
        let entry = Arc::new(entry);
        let put = Op::Put { table: Table::Policies, key, value };
        self.commit(&editing, vec![put], (who, Step::new(action).of_entry(&entry))).await?;
        self.edit(|snapshot| drop(snapshot.policies.insert(entry.id(), Arc::clone(&entry))));
        Ok(Kept { entry, report, tried })
    }

    /// Forgets an uploaded policy that is not in force anywhere.
    ///
    /// # Errors
    /// The scope that uses it, or nothing when there is no such uploaded policy.
    pub async fn remove(&self, who: &str, id: &[u8; 32]) -> Result<(), RemoveError> {
        let editing = self.editing.lock().await;
        let snapshot = self.snapshot.load_full();
        let known = snapshot.policy(id).filter(|entry| entry.source == Source::Uploaded);
        let known = known.ok_or(RemoveError::Unknown)?;
        if let Some(scope) = snapshot.uses(id) {
            return Err(RemoveError::InUse(write_scope(&scope)));
        }
        let delete = Op::Delete { table: Table::Policies, key: Bytes::copy_from_slice(id) };
        self.commit(&editing, vec![delete], (who, Step::new(Action::Remove).of_entry(&known))).await?;
        self.edit(|snapshot| drop(snapshot.policies.remove(id)));
        Ok(())
    }
}

//! `tributary policy sign`: a detached signature of a module.

use jsonwebtoken::{Algorithm, EncodingKey};
use merge_core::json::Writer;
use policy_workbench::{Answer, Paint, Problem, module_bytes};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};

/// A signature that was written.
pub(super) struct Signed {
    file: PathBuf,
    signature: String,
}

/// Signs the module at `policy` with the Ed25519 key in `key`, over all of its bytes (RFC 8032).
pub(super) fn sign(policy: &Path, key: &Path) -> Result<Signed, Problem> {
    let (module, bytes) = module_bytes(policy)?;
    let wrong = |error: &dyn std::fmt::Display| {
        Problem::usage(
            format!("{}: not an Ed25519 key: {error}", key.display()),
            "make one with: openssl genpkey -algorithm ed25519 -out author.key",
        )
    };
    let der = PrivatePkcs8KeyDer::from_pem_file(key).map_err(|error| wrong(&error))?;
    let key = EncodingKey::from_ed_der(der.secret_pkcs8_der());
    let signature =
        jsonwebtoken::crypto::sign(&bytes, &key, Algorithm::EdDSA).map_err(|error| wrong(&error))?;
    let file = file_of(&module);
    super::store(&file, &format!("{signature}\n"))?;
    Ok(Signed { file, signature })
}

/// Where the signature of a module stands.
pub(super) fn file_of(module: &Path) -> PathBuf {
    let mut file = module.as_os_str().to_owned();
    file.push(".sig");
    PathBuf::from(file)
}

impl Answer for Signed {
    fn is_good(&self) -> bool {
        true
    }

    fn text(&self, _: Paint) -> String {
        format!("{} was written\n", self.file.display())
    }

    fn write_json(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(true);
        out.key("file").string(&self.file.display().to_string());
        out.key("signature").string(&self.signature);
        out.end_object();
    }
}

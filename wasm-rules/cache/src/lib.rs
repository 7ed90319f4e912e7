//! Compiled policies, kept in files between two starts of a server, so that a start with a hundred
//! policies does not compile a hundred policies.
//!
//! ```text
//!   FOLDER/<file's SHA-256>-<engine>.code  =  HMAC-SHA256(secret, file's SHA-256, engine, code) || code
//! ```
//! Machine code that comes from a disk is run as it is: `Module::deserialize` is `unsafe`, since whoever
//! can write the file owns the process. What makes it sound here is that nothing reaches it but what
//! [`Cache::keep`] has written, which takes a [`Module`] and nothing else: each file carries a message
//! authentication code under a secret that is not in the folder, over the code and over what it was made
//! from. A file that was changed, cut, moved to another name, or made under another secret is no hit, and
//! the policy is compiled anew.
//!
//! `engine` is a digest of all that code generation depends on: the engine's version, the processor and its
//! features, the configuration with the prices of fuel, and the version of that table. After an upgrade
//! nothing of before is found, and it is the first to go when room is needed.
//!
//! Nothing here is an error for the caller: a cache that cannot be read or written costs time.
#![deny(unsafe_code)]

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use wasmtime::{Engine, Module};

/// The code of one policy; more is not kept. A file of 256 KiB compiles to about 2 MiB.
pub const CODE_BYTES: usize = 32 * 1024 * 1024;
/// All files of a cache together; the oldest go first.
pub const CACHE_BYTES: u64 = 256 * 1024 * 1024;

const MAC: usize = 32;
const ENDING: &str = "code";
const BEGUN: &str = "begun";

/// A folder of compiled policies for one engine.
pub struct Cache {
    folder: PathBuf,
    secret: [u8; 32],
    engine: [u8; 32],
    most_bytes: u64,
    /// Writers follow each other, so that what is counted for the bound is there.
    writing: Mutex<()>,
}

impl Cache {
    /// A cache in this folder, which is made if it is not there. `secret` must be random and kept elsewhere.
    /// `cost_version` is that of the table of fuel prices in `engine`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: PathBuf, secret: [u8; 32], engine: &Engine, cost_version: u32) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let engine = fingerprint(engine, cost_version);
        Ok(Self { folder, secret, engine, most_bytes: CACHE_BYTES, writing: Mutex::new(()) })
    }

    /// With another bound than [`CACHE_BYTES`] for all files together.
    #[must_use]
    pub fn with_bytes(mut self, most: u64) -> Self {
        self.most_bytes = most;
        self
    }

    /// The code of the policy with this SHA-256, if it was kept by this engine and nobody has touched it.
    /// `engine` is the one that the cache was opened for.
    pub fn load(&self, engine: &Engine, policy: &[u8; 32]) -> Option<Module> {
        let mut sealed = Vec::new();
        let most = (MAC + CODE_BYTES) as u64;
        fs::File::open(self.path(policy)).ok()?.take(most + 1).read_to_end(&mut sealed).ok()?;
        if sealed.len() as u64 > most {
            return None;
        }
        let (claimed, code) = sealed.split_first_chunk::<MAC>()?;
        self.mac(policy, code)?.verify_slice(claimed).ok()?;
        deserialize(engine, Authentic(code))
    }

    /// Keeps the code of the policy with this SHA-256.
    ///
    /// # Errors
    /// It cannot be written, or is larger than what is kept.
    pub fn keep(&self, policy: &[u8; 32], module: &Module) -> io::Result<()> {
        let code = module.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?;
        let room = self.most_bytes.min(CODE_BYTES as u64);
        if (MAC + code.len()) as u64 > room {
            return Err(io::Error::other(format!("the code has {} bytes, kept are {room}", code.len())));
        }
        let mac = self.mac(policy, &code).ok_or_else(|| io::Error::other("no key"))?;
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_room((MAC + code.len()) as u64)?;
        let path = self.path(policy);
        let begun = path.with_extension(BEGUN);
        let mut file = fs::File::create(&begun)?;
        file.write_all(&mac.finalize().into_bytes())?;
        file.write_all(&code)?;
        drop(file);
        // A reader sees all of it or nothing.
        fs::rename(begun, path)
    }

    fn path(&self, policy: &[u8; 32]) -> PathBuf {
        // Sixteen digits tell engines apart; the code's authenticity hangs on the MAC alone.
        let engine = hex(self.engine.get(..8).unwrap_or_default());
        self.folder.join(format!("{}-{engine}.{ENDING}", hex(policy)))
    }

    /// Bound to what the code was made from and by: neither another policy's code nor that of another
    /// engine can take its place.
    fn mac(&self, policy: &[u8; 32], code: &[u8]) -> Option<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        Some(
            mac.chain_update(b"compiled policy 1")
                .chain_update(policy)
                .chain_update(self.engine)
                .chain_update(code),
        )
    }

    /// Removes the oldest files until `wanted` more bytes fit.
    fn make_room(&self, wanted: u64) -> io::Result<()> {
        let mut files = kept(&self.folder)?;
        files.sort();
        let mut there: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if there.saturating_add(wanted) <= self.most_bytes {
                break;
            }
            fs::remove_file(path)?;
            there -= bytes;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Code whose message authentication code was right: this process, or an earlier one with its secret,
/// serialised it from a module.
struct Authentic<'a>(&'a [u8]);

#[expect(unsafe_code, reason = "the one place where machine code comes from a file")]
fn deserialize(engine: &Engine, code: Authentic<'_>) -> Option<Module> {
    // SAFETY: `deserialize` wants the unmodified output of `Module::serialize`, of any version of the engine.
    // An `Authentic` holds exactly that: its bytes carry a MAC that only `Cache::keep` makes, over the output
    // of `Module::serialize`. They are in memory of this process, so nobody changes them after the check.
    unsafe { Module::deserialize(engine, code.0) }.ok()
}

/// The files that are kept, with their times and lengths; also what a writer that died left behind.
fn kept(folder: &Path) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == ENDING || ending == BEGUN) {
            let about = entry.metadata()?;
            files.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len(), path));
        }
    }
    Ok(files)
}

/// A digest of all that the engine's code depends on.
fn fingerprint(engine: &Engine, cost_version: u32) -> [u8; 32] {
    struct Digests(Sha256);
    impl Hasher for Digests {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut digests = Digests(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut digests);
    digests.write_u32(cost_version);
    digests.0.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where something is missing")]
mod tests {
    use super::*;
    use wasmtime::{Config, Instance, Store};

    const SECRET: [u8; 32] = [7; 32];
    const POLICY: [u8; 32] = [1; 32];

    fn module(engine: &Engine, answer: i32) -> Module {
        let text = format!("(module (func (export \"f\") (result i32) (i32.const {answer})))");
        Module::from_binary(engine, &wat::parse_str(text).unwrap()).unwrap()
    }

    fn answer(engine: &Engine, module: &Module) -> i32 {
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        instance.get_typed_func::<(), i32>(&mut store, "f").unwrap().call(&mut store, ()).unwrap()
    }

    fn open(folder: &Path, engine: &Engine) -> Cache {
        Cache::open(folder.to_owned(), SECRET, engine, 1).unwrap()
    }

    fn only_file(folder: &Path) -> PathBuf {
        let files = kept(folder).unwrap();
        assert_eq!(files.len(), 1);
        files[0].2.clone()
    }

    #[test]
    fn what_was_kept_is_found_by_the_same_engine_with_the_same_secret_and_by_no_other() {
        let (folder, engine) = (tempfile::tempdir().unwrap(), Engine::default());
        open(folder.path(), &engine).keep(&POLICY, &module(&engine, 42)).unwrap();
        let again = open(folder.path(), &engine);
        assert_eq!(answer(&engine, &again.load(&engine, &POLICY).unwrap()), 42);
        assert!(again.load(&engine, &[2; 32]).is_none(), "another policy");
        let other = Cache::open(folder.path().to_owned(), [8; 32], &engine, 1).unwrap();
        assert!(other.load(&engine, &POLICY).is_none(), "another secret");
        let other = Cache::open(folder.path().to_owned(), SECRET, &engine, 2).unwrap();
        assert!(other.load(&engine, &POLICY).is_none(), "other prices");
        let fuel = Engine::new(Config::new().consume_fuel(true)).unwrap();
        assert!(open(folder.path(), &fuel).load(&fuel, &POLICY).is_none(), "another configuration");
    }

    #[test]
    fn a_file_that_was_changed_anywhere_cut_or_moved_is_no_hit() {
        let (folder, engine) = (tempfile::tempdir().unwrap(), Engine::default());
        let cache = open(folder.path(), &engine);
        cache.keep(&POLICY, &module(&engine, 42)).unwrap();
        let file = only_file(folder.path());
        let good = fs::read(&file).unwrap();
        for at in (0..good.len()).step_by(97).chain([0, MAC - 1, MAC, good.len() - 1]) {
            let mut changed = good.clone();
            changed[at] ^= 1;
            fs::write(&file, changed).unwrap();
            assert!(cache.load(&engine, &POLICY).is_none(), "byte {at} changed");
        }
        for length in [0, MAC - 1, MAC, good.len() / 2, good.len() - 1] {
            fs::write(&file, &good[..length]).unwrap();
            assert!(cache.load(&engine, &POLICY).is_none(), "cut to {length}");
        }
        fs::remove_file(&file).unwrap();
        fs::write(cache.path(&[2; 32]), &good).unwrap();
        assert!(cache.load(&engine, &[2; 32]).is_none(), "one policy's code under another's name");
    }

    #[test]
    fn a_full_cache_forgets_its_oldest_and_takes_nothing_larger_than_itself() {
        let (folder, engine) = (tempfile::tempdir().unwrap(), Engine::default());
        let one = module(&engine, 1);
        let bytes = (MAC + one.serialize().unwrap().len()) as u64;
        let cache = open(folder.path(), &engine).with_bytes(2 * bytes);
        for (policy, age) in [(1, 30), (2, 20)] {
            cache.keep(&[policy; 32], &one).unwrap();
            let file = fs::File::options().write(true).open(cache.path(&[policy; 32])).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
        }
        cache.keep(&[3; 32], &one).unwrap();
        let found = [1, 2, 3].map(|policy| cache.load(&engine, &[policy; 32]).is_some());
        assert_eq!(found, [false, true, true]);
        assert!(cache.with_bytes(bytes - 1).keep(&[4; 32], &one).is_err());
    }
}

//! The GRUUs of registered instances (RFC 5627 5): which are valid, and what the 200 says of them.
//!
//! ```text
//!   REGISTER, instance --> generation --sealed, anew each time--> temp-gruu
//!                              |                                      |
//!           Presentity <-- generations <--------------- opened -------+
//! ```
//! An instance that supports GRUUs has a generation, a random number that all of its bindings share. It
//! is kept while one of them is there and a refresh comes with the Call-ID of the binding that it
//! refreshes (5.1, 5.3). Public GRUUs need nothing kept.

use super::binding::stored;
use crate::effect::Effects;
use crate::hashing::{Keyed, Table};
use crate::presentity::{Binding, Live, Presentity, PresentityId};
use crate::respond::Reply;
use crate::route;
use crate::shard::Shard;
use merge_core::live::Registration;
use merge_core::uri::same_contact;
use std::borrow::Cow;
use std::fmt::Write;
use std::num::NonZeroU64;
use tributary_sip::gruu::{Gruu, Standing, Temporary};
use tributary_sip::transaction::FlowId;
use tributary_sip::{Aor, InstanceId, Message, Name, SealingKeys, Status, Uri};

/// What a shard knows of GRUUs.
pub(crate) struct Gruus {
    /// Without them no temporary ones are made.
    keys: Option<SealingKeys>,
    /// Whose instance each generation belongs to.
    generations: Table<NonZeroU64, PresentityId>,
}

impl Gruus {
    pub(crate) fn new(keyed: Keyed) -> Self {
        Self { keys: None, generations: Table::with_hasher(keyed) }
    }

    pub(crate) fn set_keys(&mut self, keys: SealingKeys) {
        self.keys = Some(keys);
    }

    /// A binding is gone: so are the temporary GRUUs of an instance of which it was the last.
    pub(super) fn left(&mut self, gone: &Binding, bindings: &[Binding]) {
        if let Some(generation) = gone.generation
            && bindings.iter().all(|other| other.generation != Some(generation))
        {
            self.generations.remove(&generation);
        }
    }

    /// A binding is back after a restart.
    pub(super) fn restored(&mut self, generation: Option<NonZeroU64>, id: PresentityId) {
        self.generations.extend(generation.map(|generation| (generation, id)));
    }

    /// Whether requests to this Contact would come back to the user who registers it (5.1).
    pub(super) fn leads_back(&self, aor: &Aor, contact: &str, uri: &Uri<'_>) -> bool {
        same_contact(contact, aor.as_str())
            || match Gruu::of(uri) {
                Some(Gruu::Public { aor: named, .. }) => named == *aor,
                Some(Gruu::Temporary(sealed)) => {
                    let held = self.keys.as_ref().and_then(|keys| Temporary::open(keys, sealed));
                    held.is_some_and(|held| held.holder == route::hash_of(aor.as_str()))
                }
                Some(Gruu::Unknown) | None => false,
            }
    }

    /// Adds the GRUUs of a binding to its Contact (5.2). Whoever asks again for what the last REGISTER
    /// was told is told the same.
    pub(super) fn push(
        &self,
        value: &mut String,
        presentity: &Presentity,
        binding: &Binding,
        registration: &Registration,
    ) {
        let Some((public, temporary)) = self.of(presentity, binding, registration) else {
            return;
        };
        // Writing to a String cannot fail.
        let _ = write!(value, ";pub-gruu=\"{public}\"");
        if let Some(made) = temporary {
            let _ = write!(value, ";temp-gruu=\"{made}\"");
        }
    }

    /// The public and the temporary GRUU of a binding's instance.
    pub(super) fn of(
        &self,
        presentity: &Presentity,
        binding: &Binding,
        registration: &Registration,
    ) -> Option<(String, Option<String>)> {
        let urn = registration.instance.as_deref()?;
        let public = public(&Aor::parse(&presentity.aor).ok()?, urn)?;
        let temporary = self.keys.as_ref().zip(binding.generation).map(|(keys, generation)| {
            let held = Temporary { holder: route::hash_of(&presentity.aor), generation: generation.get() };
            let entropy = u64::from(binding.cseq) << 32 | u64::from(binding.serial);
            held.seal(keys, entropy.to_be_bytes(), presentity.domain())
        });
        Some((public, temporary))
    }
}

impl Presentity {
    /// What the registered instances have published is shown with their GRUUs from now on (R24).
    pub(crate) fn show_gruus(&mut self) {
        let Ok(aor) = Aor::parse(&self.aor) else { return };
        let Live { publications, registrations } = &mut self.live;
        for device in publications.iter_mut().map(|publication| &mut publication.device) {
            let registered =
                |urn: &&str| registrations.iter().any(|own| own.instance.as_deref() == Some(*urn));
            if device.gruu.is_none()
                && let Some(urn) = device.instance.as_deref().filter(registered)
            {
                device.gruu = public(&aor, urn);
            }
        }
    }

    /// An instance has no binding any more: its GRUU leads nowhere.
    pub(super) fn hide_gruu(&mut self, urn: &str) {
        if self.live.registrations.iter().any(|own| own.instance.as_deref() == Some(urn)) {
            return;
        }
        let all = self.live.publications.iter_mut().map(|publication| &mut publication.device);
        all.filter(|device| device.instance.as_deref() == Some(urn)).for_each(|device| device.gruu = None);
    }
}

fn public(aor: &Aor, urn: &str) -> Option<String> {
    let instance = format!("<{urn}>");
    Some(Gruu::public(aor, InstanceId::new(&instance)?))
}

impl Shard {
    /// The generation that a binding of `instance` has after this REGISTER, which is about the binding
    /// at `at` or a new one. Where it is another than before, the instance's other bindings get it too.
    pub(super) fn generation(
        &mut self,
        id: PresentityId,
        at: Option<usize>,
        instance: Option<&str>,
        request: &Message,
        fx: &mut Effects,
    ) -> Option<NonZeroU64> {
        let presentity = self.presentities.get_mut(id)?;
        instance?;
        let its = |registration: &Registration| registration.instance.as_deref() == instance;
        let all = presentity.live.registrations.iter().enumerate();
        let bindings: Vec<usize> = all.filter(|(_, its_own)| its(its_own)).map(|(at, _)| at).collect();
        let before = bindings.iter().find_map(|&at| presentity.bindings.get(at)?.generation);
        let refreshed = at.and_then(|at| presentity.bindings.get(at));
        if before.is_some() && refreshed.is_none_or(|binding| *binding.call_id == *request.call_id()) {
            return before;
        }
        let makes_one = self.gruus.keys.is_some() && request.has_token(Name::Supported, "gruu");
        let after = if makes_one { NonZeroU64::new(self.random.u64()) } else { None };
        if let Some(before) = before {
            self.gruus.generations.remove(&before);
        }
        self.gruus.generations.extend(after.map(|after| (after, id)));
        for other in bindings.into_iter().filter(|&other| Some(other) != at) {
            if let Some(binding) = presentity.bindings.get_mut(other)
                && std::mem::replace(&mut binding.generation, after) != after
            {
                fx.extend(stored(presentity, other));
            }
        }
        after
    }

    /// What a Request-URI says to us: for a temporary GRUU the public one of the same device, for
    /// everything else itself.
    pub(crate) fn revealed<'u>(&self, uri: &'u str) -> Result<Cow<'u, str>, Reply> {
        let parsed = Uri::parse(uri).ok();
        let Some(Gruu::Temporary(sealed)) = parsed.as_ref().and_then(Gruu::of) else {
            return Ok(uri.into());
        };
        self.public_of(sealed).map(Cow::Owned).ok_or(Reply::refuse(Status::NOT_FOUND, "GRUU"))
    }

    /// The user of ours whom a request is about: by address, or by a GRUU.
    pub(crate) fn user_of(&self, uri: &str) -> Result<Aor, Reply> {
        let uri = self.revealed(uri)?;
        let aor = self.served(&uri)?;
        let instance = match Uri::parse(&uri).ok().and_then(|uri| Gruu::of(&uri)) {
            None => return Ok(aor),
            Some(Gruu::Public { instance, .. }) => Some(instance),
            Some(Gruu::Temporary(_) | Gruu::Unknown) => None,
        };
        // A device that is away is one all the same.
        let known =
            instance.is_some_and(|instance| Standing::of_public(&instance, true, false) != Standing::Invalid);
        if known { Ok(aor) } else { Err(Reply::refuse(Status::NOT_FOUND, "GRUU")) }
    }

    /// The Contact that a GRUU stands for on the connection of a dialog: within one the device gets what
    /// it has registered, too (6.1). `None` for other URIs, which are sent as they are.
    pub(crate) fn contact_of(&self, uri: &str, flow: FlowId) -> Option<Box<str>> {
        let uri = self.revealed(uri).ok()?;
        let gruu = Gruu::of(&Uri::parse(&uri).ok()?)?;
        let Gruu::Public { aor, instance } = gruu else { return None };
        let presentity = self.presentities.get(self.presentities.find(aor.as_str())?)?;
        let mut all = presentity.bindings.iter().zip(&presentity.live.registrations);
        let (_, registration) = all.find(|(binding, registration)| {
            let its = registration.instance.as_deref();
            binding.flow == Some(flow) && its.is_some_and(|its| its.eq_ignore_ascii_case(&instance))
        })?;
        Some(registration.contact.as_str().into())
    }

    fn public_of(&self, sealed: &str) -> Option<String> {
        let held = Temporary::open(self.gruus.keys.as_ref()?, sealed)?;
        let generation = NonZeroU64::new(held.generation)?;
        let presentity = self.presentities.get(*self.gruus.generations.get(&generation)?)?;
        let at = presentity.bindings.iter().position(|binding| binding.generation == Some(generation))?;
        let urn = presentity.live.registrations.get(at)?.instance.as_deref()?;
        public(&Aor::parse(&presentity.aor).ok()?, urn)
    }
}

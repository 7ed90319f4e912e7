//! Nothing published: what the switches make of that.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Basis, Composed, ContactOut, TupleOut, ids};
use crate::live::Registration;
use crate::model::Basic;

/// Open at the registered contacts, or closed, or nothing.
pub(super) fn compose(composed: &mut Composed<'_>) {
    let set = composed.set;
    if set.switches.presence_uses_registration_state {
        let mut live: Vec<&Registration> =
            set.registrations.iter().filter(|registration| registration.expires > composed.now).collect();
        // Of several flows of one device the one that it prefers.
        crate::order::sort_by(&mut live, |a, b| {
            a.key()
                .cmp(b.key())
                .then_with(|| b.q_milli.cmp(&a.q_milli))
                .then_with(|| a.contact.cmp(&b.contact))
        });
        live.dedup_by(|a, b| a.key() == b.key());
        if !live.is_empty() {
            composed.basis = Basis::Registered;
            for registration in live {
                // One device keeps its id when its address changes.
                let mut id = String::from("r-");
                ids::push_digits(&mut id, ids::digest(&[registration.key().as_bytes()]));
                composed.tuples.push(TupleOut {
                    contact: ContactOut::Registered(registration),
                    priority: registration.q_milli,
                    ..TupleOut::bare(Cow::Owned(id), Basic::Open)
                });
            }
            ids::make_unique(composed);
            super::tuples::order(&mut composed.tuples);
            return;
        }
    }
    if set.switches.notify_closed_state_for_non_published_users {
        composed.basis = Basis::Closed;
        composed.tuples.push(TupleOut::bare(Cow::Borrowed("closed"), Basic::Closed));
    } else {
        composed.basis = Basis::Nothing;
    }
}

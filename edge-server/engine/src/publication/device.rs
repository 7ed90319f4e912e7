//! Which device a PUBLISH is from. Browsers' PUBLISH carries no Contact, so the REGISTER of the same
//! connection has to say.

use crate::input::Flow;
use crate::presentity::Presentity;
use merge_core::live::{DeviceIdentity, DeviceKind};
use merge_core::model::Document;
use std::sync::Arc;
use tributary_sip::{Aor, Message};

/// The device, and what a REGISTER must show to bring its publication back.
pub(super) fn identify(
    presentity: &Presentity,
    flow: &Flow,
    request: &Message,
    document: &Document,
    id: u64,
) -> (DeviceIdentity, Option<Arc<str>>) {
    let registered = presentity
        .bindings
        .iter()
        .zip(&presentity.live.registrations)
        .find(|(binding, _)| binding.flow == Some(flow.id()))
        .map(|(_, registration)| registration);
    let contact = request.contact().ok().flatten();
    let own_instance = contact.as_ref().and_then(|contact| contact.instance()).map(|instance| instance.urn());
    let instance = own_instance.or(registered.and_then(|registration| registration.instance.as_deref()));
    let from = request.from().ok();
    let epid = from.as_ref().and_then(|from| from.params.get("epid"));
    let contact = contact.as_ref().map(|contact| contact.uri).or(registered.map(|r| r.contact.as_str()));
    let mut identity = DeviceIdentity::identify(instance, epid, document, contact, request.user_agent());
    // The user's own address says nothing about the device: it is what every simple client writes
    // into its tuple, and two of them are two devices.
    let says_nothing =
        |key: &str| key.is_empty() || Aor::parse(key).is_ok_and(|aor| *aor.as_str() == *presentity.aor);
    if says_nothing(&identity.key) {
        identity.key = match contact.filter(|contact| !says_nothing(contact)) {
            Some(contact) => contact.to_owned(),
            None => format!("p-{id:016x}"),
        };
    }
    let returns_as = instance.or(registered.map(|registration| registration.contact.as_str()));
    (identity, returns_as.map(Into::into))
}

/// The device of a stored publication.
pub(super) fn from_record(
    key: String,
    kind: &str,
    label: Option<String>,
    instance: Option<String>,
) -> DeviceIdentity {
    DeviceIdentity { key, kind: DeviceKind::of(kind).unwrap_or_default(), instance, gruu: None, label }
}

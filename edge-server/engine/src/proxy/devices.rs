//! A user's devices, in the order in which a request is for them.

use super::{Next, Target};
use crate::config::SaysForking;
use crate::egress::Permitted;
use crate::presentity::{Binding, Presentity, PresentityId};
use crate::respond::Reply;
use crate::route;
use crate::shard::Shard;
use merge_core::compose::hindrance;
use merge_core::live::{Publication, Registration};
use merge_core::model::Basic;
use std::cmp::Reverse;
use tributary_sip::gruu::{Gruu, Standing};
use tributary_sip::locate::NextHop;
use tributary_sip::preferences::{Candidate, Choice, Features, Preferences};
use tributary_sip::proxy::{Device, Disposition, Order};
use tributary_sip::{Message, NameAddr, Params, Status, Uri};

/// Whom a request goes to, and the groups in which they are asked.
pub(super) struct Chosen {
    pub(super) targets: Vec<Target>,
    pub(super) groups: Vec<Vec<Device>>,
    /// Whether there were more than a request may be forwarded to.
    pub(super) cut: bool,
}

/// A device, by the places of its bindings, newest first. Never are two of them asked at once: the
/// second copy would be answered 482.
struct Ways {
    bindings: Vec<usize>,
    presence: Presence,
}

/// How likely somebody is there, the better the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Presence {
    Closed,
    /// Open, but the user is busy or away.
    Engaged,
    /// Registered, and nothing said.
    Unknown,
    Open,
}

impl Shard {
    /// The devices of a user that get a request to this URI.
    pub(super) fn chosen(
        &self,
        id: Option<PresentityId>,
        uri: &str,
        request: &Message,
    ) -> Result<Chosen, Reply> {
        let preferences =
            Preferences::of(request).map_err(|_| Reply::refuse(Status::BAD_REQUEST, "caller preferences"))?;
        let presentity = id.and_then(|id| self.presentities.get(id));
        let mut devices = presentity.map(|presentity| self.reachable(presentity)).unwrap_or_default();
        if let Some(gruu) = Uri::parse(uri).ok().and_then(|uri| Gruu::of(&uri)) {
            named_alone(&gruu, presentity, &mut devices)?;
        } else if let (Some(presentity), Some(epid)) = (presentity, epid_of(request, uri)) {
            self.epid_alone(epid, presentity, &mut devices)?;
        }
        let Some(presentity) = presentity.filter(|_| !devices.is_empty()) else {
            return Err(Reply::refuse(Status::TEMPORARILY_UNAVAILABLE, "no device"));
        };
        let candidates: Vec<_> = devices.iter().map(|device| candidate(presentity, device)).collect();
        let mut order = preferences.order(&candidates);
        if order.is_empty() {
            return Err(Reply::refuse(Status::TEMPORARILY_UNAVAILABLE, "no such device"));
        }
        let disposition = Disposition::of(request);
        // Nothing is forked that goes to one device, or to one after the other.
        if !disposition.no_fork && disposition.order != Order::Sequential {
            let can_fork = |choice: &Choice| {
                devices.get(choice.contact).is_some_and(|device| self.can_fork(presentity, device))
            };
            order = self.config.forking.policy.apply(order, can_fork);
        }
        let most = self.config.limits.forks_per_request as usize;
        let cut = order.len() > most;
        order.truncate(most.max(1));
        let mut targets = Vec::new();
        let ranked = order.iter().filter_map(|choice| {
            let device = devices.get(choice.contact)?;
            let first = targets.len();
            targets.extend(device.bindings.iter().filter_map(|&at| self.target(presentity, at)));
            Some((choice.rank, Device { contacts: (first..targets.len()).collect() }))
        });
        let ranked: Vec<_> = ranked.collect();
        let groups = disposition.groups(ranked);
        Ok(Chosen { targets, groups, cut })
    }

    /// The devices that there is a way to, those first that are preferred where all else is equal: by
    /// presence, and then the newest (R8).
    fn reachable(&self, presentity: &Presentity) -> Vec<Ways> {
        let mut bindings: Vec<usize> = (0..presentity.bindings.len()).collect();
        bindings.retain(|&at| self.next(&presentity.bindings[at]).is_some());
        bindings.sort_by_key(|&at| Reverse(presentity.bindings[at].serial));
        let registrations = &presentity.live.registrations;
        let mut devices: Vec<Ways> = Vec::new();
        for at in bindings {
            let Some(registration) = registrations.get(at) else { continue };
            let same = |other: &&mut Ways| {
                let theirs = other.bindings.first().and_then(|&at| registrations.get(at));
                registration.instance.is_some()
                    && theirs.is_some_and(|theirs| theirs.instance == registration.instance)
            };
            match devices.iter_mut().find(same) {
                Some(device) => device.bindings.push(at),
                None => {
                    let presence = presence(&presentity.live.publications, registration);
                    devices.push(Ways { bindings: vec![at], presence });
                }
            }
        }
        devices.sort_by_key(|device| Reverse(device.presence));
        devices
    }

    /// Leaves the device that the To of a request names by its `epid`, as clients of Microsoft's servers do (R7).
    fn epid_alone(&self, epid: &str, presentity: &Presentity, devices: &mut Vec<Ways>) -> Result<(), Reply> {
        let is_its = |device: &Ways| {
            let mut bindings = device.bindings.iter().filter_map(|&at| presentity.bindings.get(at));
            bindings.any(|binding| binding.epid.as_deref().is_some_and(|its| its.eq_ignore_ascii_case(epid)))
        };
        if devices.iter().any(is_its) {
            devices.retain(is_its);
        } else if self.config.forking.refuse_unknown_epid {
            return Err(Reply::refuse(Status::TEMPORARILY_UNAVAILABLE, "epid"));
        }
        Ok(())
    }

    /// Whether a device takes part in forking, by what it said when it registered (R9).
    fn can_fork(&self, presentity: &Presentity, device: &Ways) -> bool {
        let newest = device.bindings.first().and_then(|&at| presentity.bindings.get(at));
        newest.is_some_and(|binding| match &self.config.forking.says {
            SaysForking::NotByTag(tag) => {
                !Params::parse(&binding.params).is_some_and(|params| params.has(tag))
            }
            SaysForking::BySupported => {
                let supported =
                    binding.headers.iter().filter(|kept| kept.name.eq_ignore_ascii_case("Supported"));
                let mut tags = supported.flat_map(|kept| kept.value.split(','));
                tags.any(|tag| tag.trim().eq_ignore_ascii_case("ms-forking"))
            }
        })
    }

    /// Where the device of a binding is: at the end of the flow that it registered over, or, when that is
    /// gone, behind the proxy that it registered through (RFC 3327 5.3).
    fn next(&self, binding: &Binding) -> Option<Next> {
        let open = binding.hop().filter(|hop| !self.flows.is_closed(hop.flow)).map(Next::Flow);
        open.or_else(|| self.behind(&binding.path).map(Next::Host))
    }

    /// The first proxy of a Path, if requests may go there: anybody can write one.
    pub(crate) fn behind(&self, path: &[Box<str>]) -> Option<Permitted> {
        let first = NameAddr::parse(path.first()?)?.parse_uri().ok()?;
        let next = NextHop::of(&first).filter(|next| !self.config.is_us(next.at.host(), next.at.port()))?;
        self.config.egress.permit(next)
    }

    fn target(&self, presentity: &Presentity, at: usize) -> Option<Target> {
        let (binding, registration) = (presentity.bindings.get(at)?, presentity.live.registrations.get(at)?);
        Some(Target {
            uri: Some(registration.contact.as_str().into()),
            next: self.next(binding)?,
            path: binding.path.clone(),
            binding: Some(Self::binding_name(self.keyed, &presentity.aor, &binding.id)),
        })
    }
}

/// The `epid` of a device, where a request that begins something names one of the user whom it goes to.
fn epid_of<'m>(request: &'m Message, uri: &str) -> Option<&'m str> {
    let to = request.to().ok().filter(|to| to.tag().is_none())?;
    let epid = to.epid()?;
    (route::named(to.uri)? == route::named(uri)?).then_some(epid)
}

/// Leaves the device that a GRUU names, or says why there is none (R6).
fn named_alone(
    gruu: &Gruu<'_>,
    presentity: Option<&Presentity>,
    devices: &mut Vec<Ways>,
) -> Result<(), Reply> {
    let registrations =
        presentity.map(|presentity| presentity.live.registrations.as_slice()).unwrap_or_default();
    let standing = match gruu {
        Gruu::Public { instance, .. } => {
            devices.retain(|device| {
                let registration = device.bindings.first().and_then(|&at| registrations.get(at));
                let its = registration.and_then(|registration| registration.instance.as_deref());
                its.is_some_and(|its| its.eq_ignore_ascii_case(instance))
            });
            Standing::of_public(instance, true, !devices.is_empty())
        }
        Gruu::Temporary(_) | Gruu::Unknown => Standing::Invalid,
    };
    standing.refusal().map_or(Ok(()), |status| Err(Reply::refuse(status, "GRUU")))
}

fn candidate<'p>(presentity: &'p Presentity, device: &Ways) -> Candidate<'p> {
    let at = device.bindings.first().copied().unwrap_or_default();
    let params = presentity.bindings.get(at).and_then(|binding| Params::parse(&binding.params));
    let q = presentity.live.registrations.get(at).map_or(1000, |registration| registration.q_milli);
    Candidate { q, features: Features::of(params.unwrap_or_default()) }
}

/// What the device of a registration has published.
fn presence(publications: &[Publication], registration: &Registration) -> Presence {
    let its = |publication: &&Publication| match &registration.instance {
        Some(instance) => publication.device.instance.as_ref() == Some(instance),
        None => publication.device.key == registration.contact,
    };
    let Some(publication) = publications.iter().filter(its).max_by_key(|publication| publication.received)
    else {
        return Presence::Unknown;
    };
    let document = &publication.document;
    let said: Vec<Basic> = document.tuples().filter_map(|tuple| tuple.basic()).collect();
    let engaged = |activities| hindrance(activities) > 0;
    match said.contains(&Basic::Open) {
        true if document.persons().filter_map(|person| person.activities()).any(engaged) => Presence::Engaged,
        true => Presence::Open,
        false if said.is_empty() => Presence::Unknown,
        false => Presence::Closed,
    }
}

//! Which device a publication is from.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::model::Document;

/// What kind of thing a device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceKind {
    /// A telephone on a desk.
    Desk,
    /// A telephone that is carried.
    Mobile,
    /// A program on a computer.
    #[default]
    Soft,
    /// A page in a browser.
    Web,
    /// A conference room.
    Room,
    /// A service without a person at it.
    Service,
}

impl DeviceKind {
    const ALL: [DeviceKind; 6] = [
        DeviceKind::Desk,
        DeviceKind::Mobile,
        DeviceKind::Soft,
        DeviceKind::Web,
        DeviceKind::Room,
        DeviceKind::Service,
    ];

    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeviceKind::Desk => "desk",
            DeviceKind::Mobile => "mobile",
            DeviceKind::Soft => "soft",
            DeviceKind::Web => "web",
            DeviceKind::Room => "room",
            DeviceKind::Service => "service",
        }
    }

    /// From its name in JSON.
    #[must_use]
    pub fn of(name: &str) -> Option<DeviceKind> {
        DeviceKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// A guess from a User-Agent header; programs on computers are what is left over.
    #[must_use]
    pub fn guess(user_agent: &str) -> DeviceKind {
        const WORDS: &[(&str, DeviceKind)] = &[
            ("calendar", DeviceKind::Service),
            ("gateway", DeviceKind::Service),
            ("android", DeviceKind::Mobile),
            ("iphone", DeviceKind::Mobile),
            ("ipad", DeviceKind::Mobile),
            ("ios", DeviceKind::Mobile),
            ("mobile", DeviceKind::Mobile),
            ("desk phone", DeviceKind::Desk),
            ("meeting room", DeviceKind::Room),
            ("jssip", DeviceKind::Web),
            ("sip.js", DeviceKind::Web),
            ("mozilla", DeviceKind::Web),
            ("room", DeviceKind::Room),
            ("yealink", DeviceKind::Desk),
            ("snom", DeviceKind::Desk),
            ("polycom", DeviceKind::Desk),
            ("cisco", DeviceKind::Desk),
            ("grandstream", DeviceKind::Desk),
            ("gigaset", DeviceKind::Desk),
            ("fanvil", DeviceKind::Desk),
        ];
        let lower = user_agent.to_ascii_lowercase();
        WORDS.iter().find(|(word, _)| lower.contains(word)).map_or(DeviceKind::Soft, |(_, kind)| *kind)
    }
}

/// One device of a presentity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// Tells devices apart and stays the same over refreshes: the instance, the epid, the deviceID or
    /// the contact, whichever is there first. Never empty where [`DeviceIdentity::identify`] made it;
    /// a publication with an empty key supersedes nothing.
    pub key: String,
    /// What kind of thing it is.
    pub kind: DeviceKind,
    /// `+sip.instance`, without the angle brackets.
    pub instance: Option<String>,
    /// The public GRUU of the instance (RFC 5627), once it has registered: what watchers see as the contact of
    /// its tuples, where they name no better one.
    pub gruu: Option<String>,
    /// What a person calls it: "Desk phone". Without one, explanations use the key.
    pub label: Option<String>,
}

impl DeviceIdentity {
    /// The identity of the device that published `document`.
    ///
    /// `instance` is `+sip.instance` of the Contact, `epid` the parameter that Microsoft's clients put
    /// into From; both may be unknown. `contact` is the Contact's URI, used when the document names none.
    #[must_use]
    pub fn identify(
        instance: Option<&str>,
        epid: Option<&str>,
        document: &Document,
        contact: Option<&str>,
        user_agent: Option<&str>,
    ) -> DeviceIdentity {
        let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let instance = instance.and_then(|text| present(text.trim_start_matches('<').trim_end_matches('>')));
        let key = instance
            .clone()
            .or_else(|| epid.and_then(present))
            .or_else(|| document.devices().find_map(|device| present(&device.device_id())))
            .or_else(|| document.tuples().find_map(|tuple| present(&tuple.device_id()?)))
            .or_else(|| document.tuples().find_map(|tuple| present(&tuple.contact()?.uri())))
            .or_else(|| contact.and_then(present))
            .unwrap_or_default();
        let kind = user_agent.map_or(DeviceKind::Soft, DeviceKind::guess);
        DeviceIdentity { key, kind, instance, gruu: None, label: None }
    }

    /// What to call it in a sentence: the label, or else the key.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.label {
            Some(label) if !label.is_empty() => label,
            _ if self.key.is_empty() => "an unnamed device",
            _ => &self.key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_gives_a_kind_away() {
        let check = |agent: &str, expect| assert_eq!(DeviceKind::guess(agent), expect, "{agent}");
        check("Yealink SIP-T46U 108.86", DeviceKind::Desk);
        check("LinphoneAndroid/5.2", DeviceKind::Mobile);
        check("JsSIP 3.10", DeviceKind::Web);
        check("MicroSIP/3.21", DeviceKind::Soft);
        check("Acme Calendar Bridge/2.0", DeviceKind::Service);
        check("XMPP-Gateway/1.4", DeviceKind::Service);
    }
}

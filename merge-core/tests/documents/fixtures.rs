//! The documents that the tests are run on: as clients write them, and as the RFCs print them.

/// Name and text of each.
pub(crate) const ALL: &[(&str, &str)] = &[
    ("all-values", include_str!("../fixtures/all-values.xml")),
    ("x-lite", include_str!("../fixtures/clients/x-lite.xml")),
    ("jitsi", include_str!("../fixtures/clients/jitsi.xml")),
    ("snom", include_str!("../fixtures/clients/snom.xml")),
    ("microsip", include_str!("../fixtures/clients/microsip.xml")),
    ("linphone", include_str!("../fixtures/clients/linphone.xml")),
    ("baresip", include_str!("../fixtures/clients/baresip.xml")),
    ("desk-phone", include_str!("../fixtures/clients/desk-phone.xml")),
    ("rfc3863-prefixed", include_str!("../fixtures/rfc/rfc3863-prefixed.xml")),
    ("rfc3863-default", include_str!("../fixtures/rfc/rfc3863-default.xml")),
    ("rfc3863-status-extension", include_str!("../fixtures/rfc/rfc3863-status-extension.xml")),
    ("rfc3863-notes-and-times", include_str!("../fixtures/rfc/rfc3863-notes-and-times.xml")),
    ("rfc3863-tuple-extension", include_str!("../fixtures/rfc/rfc3863-tuple-extension.xml")),
    ("rfc3863-must-understand", include_str!("../fixtures/rfc/rfc3863-must-understand.xml")),
    ("rfc4479-data-model", include_str!("../fixtures/rfc/rfc4479-data-model.xml")),
    ("rfc4480-rpid", include_str!("../fixtures/rfc/rfc4480-rpid.xml")),
    ("rfc4481-timed-status", include_str!("../fixtures/rfc/rfc4481-timed-status.xml")),
    ("rfc4482-cipid", include_str!("../fixtures/rfc/rfc4482-cipid.xml")),
    ("rfc4827-hard-state", include_str!("../fixtures/rfc/rfc4827-hard-state.xml")),
    ("rfc5196-caps", include_str!("../fixtures/rfc/rfc5196-caps.xml")),
];

/// RFC 4482's first example closes `display-name` with `</c:card>`.
pub(crate) const MISPRINTED: &str = include_str!("../fixtures/rfc/rfc4482-cipid-misprinted.xml");

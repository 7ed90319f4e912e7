//! Two texts: URIs match themselves and each other in both directions or in neither; the
//! canonical name of a user is a fixed point.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tributary_sip::{Aor, Uri};

fuzz_target!(|text: &str| {
    let (a, b) = text.split_once('\n').unwrap_or((text, text));
    for text in [a, b] {
        if let Ok(aor) = Aor::parse(text) {
            assert_eq!(Aor::parse(aor.as_str()), Ok(aor.clone()));
            let _ = (aor.user(), aor.host(), aor.user_decoded());
        }
    }
    if let (Ok(a), Ok(b)) = (Uri::parse(a), Uri::parse(b)) {
        assert!(a.matches(&a));
        assert_eq!(a.matches(&b), b.matches(&a));
        let same = (Aor::from_uri(&a), Aor::from_uri(&b));
        // Equivalent URIs of users name the same user.
        if let (true, (Ok(x), Ok(y))) = (a.matches(&b), same) {
            assert_eq!(x, y);
        }
    }
});

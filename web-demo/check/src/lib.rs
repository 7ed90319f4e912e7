//! The check that a page runs on a policy file before anything is uploaded.
//!
//! ```text
//!   file dropped on the page ──bytes──> checkPolicy ──JSON──> every error at once: code, place, fix
//! ```
//! It is a module of its own, apart from `web-engine`, because most visits to a page never need it: a
//! WebAssembly validator is several times the size of the merge.

#![forbid(unsafe_code)]

use wasm_bindgen::prelude::wasm_bindgen;

/// Checks a file as the server will when a tenant uploads it. Returns the report as JSON:
/// `{"errors":[{"code","place","message","fix"}],"warnings":[..],"manifest":{..}|null,"abi":1,"hooks":[..]}`.
#[wasm_bindgen(js_name = checkPolicy)]
#[must_use]
pub fn check_policy(bytes: &[u8]) -> String {
    policy_check::check(bytes).write_json()
}

#[cfg(test)]
mod tests {
    use super::check_policy;

    #[test]
    fn a_file_that_is_no_module_is_told_so_in_json() {
        let json = check_policy(b"hello");
        assert!(json.contains(r#""code":"E101""#), "{json}");
    }
}

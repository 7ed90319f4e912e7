//! The check that a page runs on a policy file before anything is uploaded, and the author's test vectors.
//!
//! ```text
//!   file dropped on the page ──bytes──> checkPolicy ──JSON──> every error at once: code, place, fix
//!                          meterPolicy ──bytes──> the same policy, which counts its own fuel
//!   vector dropped beside it ──bytes──> readVector ──input──> the policy, in its Worker
//!                                       judgeVector <─output──┘  ──JSON──> whether it holds, and what differs
//! ```
//! It is a module of its own, apart from `web-engine`, because most visits to a page never need it: a
//! WebAssembly validator is several times the size of the merge.

#![forbid(unsafe_code)]

use std::path::Path;

use merge_core::json::{self, Value, Writer};
use merge_core::policy::limits;
use policy_check::{Finding, Report, Script, Vector, VectorError, find_code};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// Checks a file as the server will when a tenant uploads it. Returns the report as JSON:
/// `{"errors":[{"code","place","message","fix"}],"warnings":[..],"manifest":{..}|null,"abi":1,"hooks":[..]}`.
#[wasm_bindgen(js_name = checkPolicy)]
#[must_use]
pub fn check_policy(bytes: &[u8]) -> String {
    policy_check::check(bytes).write_json()
}

/// The policy with a counter of its fuel, by which the page runs it: a browser counts none.
///
/// # Errors
/// Where the file has not passed [`check_policy`].
#[wasm_bindgen(js_name = meterPolicy)]
pub fn meter_policy(bytes: &[u8]) -> Result<Vec<u8>, JsError> {
    policy_meter::metered(bytes).map_err(|error| JsError::new(&error.to_string()))
}

/// A script in JavaScript that became a policy, or what is wrong with it.
#[wasm_bindgen]
pub struct MadeOfScript {
    report: String,
    module: Option<Vec<u8>>,
}

#[wasm_bindgen]
impl MadeOfScript {
    /// The report, as [`check_policy`] writes it.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn report(&self) -> String {
        self.report.clone()
    }

    /// The module, which goes wherever a policy's file does; `undefined` where there are errors.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn module(&self) -> Option<Vec<u8>> {
        self.module.clone()
    }
}

/// Whether a file is a policy in JavaScript rather than a module.
#[wasm_bindgen(js_name = isScript)]
#[must_use]
pub fn is_script(file: &[u8]) -> bool {
    policy_check::is_script(file)
}

/// The report on a script that is refused before an engine reads it; `undefined` where it may be read.
#[wasm_bindgen(js_name = checkScript)]
#[must_use]
pub fn check_script(file: &[u8]) -> Option<String> {
    let finding = Script::check(file).err()?;
    Some(Report { errors: vec![finding], ..Report::default() }.write_json())
}

/// Makes one module of a script that [`check_script`] has nothing against: of the `engine`'s file, and of what
/// `readScript` of the runner gave for the script.
#[wasm_bindgen(js_name = makeScript)]
#[must_use]
pub fn make_script(engine: &[u8], said: &[u8], memory: &[u8]) -> MadeOfScript {
    let refused = |finding| Box::new(Report { errors: vec![finding], ..Report::default() });
    let made = Script::read(said)
        .and_then(|script| Ok((script.module(engine, memory).map_err(refused)?, script.report)));
    match made {
        Ok((module, report)) => MadeOfScript { report: report.write_json(), module: Some(module) },
        Err(report) => MadeOfScript { report: report.write_json(), module: None },
    }
}

/// Judges parameters before anybody is assigned them: by the `params_schema` of a manifest, or `{}`. What the policy's
/// own `pp_params` says comes after, and is the page's to ask. Returns the errors as JSON, as [`check_policy`] does.
#[wasm_bindgen(js_name = judgeParams)]
#[must_use]
pub fn judge_params(schema: &str, params: &str) -> String {
    let whole = |message| {
        Finding::new("E200", "params", message, "give a JSON object of at most 4 KiB; numbers must be whole")
    };
    let errors = match (json::read(schema.as_bytes()), json::read(params.as_bytes())) {
        _ if params.len() > limits::PARAMS_BYTES => {
            let (found, allowed) = (params.len(), limits::PARAMS_BYTES);
            vec![whole(format!("the parameters have {found} bytes, allowed are {allowed}"))]
        }
        (_, Err(error)) => vec![whole(format!("the parameters are not JSON: {error}"))],
        (Ok(schema), Ok(params @ Value::Object(_))) => policy_check::judge_params(&schema, &params),
        // A schema that cannot be read was refused with its manifest.
        (Err(_), Ok(Value::Object(_))) => Vec::new(),
        (_, Ok(other)) => vec![whole(format!("the parameters are {}, not an object", other.kind()))],
    };
    Report { errors, ..Report::default() }.write_json()
}

/// Reads a test vector, or a captured input, as `tributary policy test` does. `base` is the file that it names,
/// if it names one. Returns `{"name","hook","input"}`, the input as text, or `{"error"}`.
#[wasm_bindgen(js_name = readVector)]
#[must_use]
pub fn read_vector(file: &str, bytes: &[u8], base: Option<Box<[u8]>>) -> String {
    let mut out = Writer::new();
    out.begin_object();
    match vector(file, bytes, base) {
        Ok(vector) => {
            out.key("name").string(&vector.name);
            out.key("hook").string(vector.hook.as_str());
            out.key("input").string(&String::from_utf8_lossy(&vector.input));
        }
        Err(error) => out.key("error").string(&error.to_string()),
    }
    out.end_object();
    out.into_string()
}

/// Judges what a policy made of the vector's input: its output, or nothing for no opinion, or the code of its
/// failure with what happened. Returns `{"ok":true}` or `{"ok":false,"message"}`.
#[wasm_bindgen(js_name = judgeVector)]
#[must_use]
pub fn judge_vector(
    file: &str,
    bytes: &[u8],
    base: Option<Box<[u8]>>,
    output: Option<Box<[u8]>>,
    code: &str,
    message: &str,
) -> String {
    let wrong = match vector(file, bytes, base) {
        Err(error) => Some(error.to_string()),
        Ok(vector) => {
            let answer = match find_code(code) {
                Some(row) => Err((row.code, message.to_owned())),
                None => Ok(output.as_deref()),
            };
            let mismatch = vector.known().map(|known| vector.judge(&known, answer));
            mismatch.unwrap_or_else(Some).map(|mismatch| mismatch.to_string())
        }
    };
    let mut out = Writer::new();
    out.begin_object();
    out.key("ok").bool(wrong.is_none());
    out.string_member("message", wrong.as_deref());
    out.end_object();
    out.into_string()
}

fn vector(file: &str, bytes: &[u8], base: Option<Box<[u8]>>) -> Result<Vector, VectorError> {
    let file = Path::new(file);
    Vector::read(file, bytes, |name| {
        let missing =
            || VectorError::of(file, format!("its input is in {name}: drop that file together with it"));
        base.map(Vec::from).ok_or_else(missing)
    })
}

#[cfg(test)]
mod tests {
    use super::{check_policy, judge_params, judge_vector, read_vector};

    #[test]
    fn a_file_that_is_no_module_is_told_so_in_json() {
        let json = check_policy(b"hello");
        assert!(json.contains(r#""code":"E101""#), "{json}");
    }

    #[test]
    fn parameters_are_judged_by_the_schema_and_must_be_an_object() {
        let check = |params: &str, expect: &str| {
            let told = judge_params(r#"{"properties":{"from":{"type":"integer"}}}"#, params);
            assert!(told.contains(expect), "{told}");
        };
        check(r#"{"from":12}"#, r#""errors":[]"#);
        check(r#"{"from":"noon"}"#, r#""code":"E207","place":"params.from""#);
        check("{", "the parameters are not JSON");
        check("[]", "not an object");
        check(&format!(r#"{{"a":"{}"}}"#, "x".repeat(5000)), "allowed are 4096");
        assert!(judge_params("{}", "{}").contains(r#""errors":[]"#));
    }

    const VECTOR: &[u8] =
        br#"{"name":"n","base":"b.json","patch":{"now_ms":7},"expect":{"set":{}},"match":"subset"}"#;

    fn base() -> Option<Box<[u8]>> {
        Some(Box::from(&br#"{"abi":1,"publications":[]}"#[..]))
    }

    #[test]
    fn a_vector_gives_the_input_that_its_base_and_patch_make() {
        assert_eq!(
            read_vector("v.json", VECTOR, base()),
            r#"{"name":"n","hook":"pp_merge","input":"{\"abi\":1,\"publications\":[],\"now_ms\":7}"}"#
        );
        let alone = read_vector("v.json", VECTOR, None);
        assert!(alone.contains("its input is in b.json: drop that file together with it"), "{alone}");
    }

    #[test]
    fn an_answer_is_judged_as_on_the_command_line() {
        let check = |output: Option<&[u8]>, code: &str, expect: &str| {
            let told = judge_vector("v.json", VECTOR, base(), output.map(Box::from), code, "it trapped");
            assert!(told.contains(expect), "{told}");
        };
        check(Some(br#"{"abi":1,"set":{"basic":"open"}}"#), "", r#"{"ok":true}"#);
        check(None, "", "got no opinion");
        check(None, "E201", r#"{"ok":false,"message":"it trapped"}"#);
        check(Some(b"{"), "", r#"{"ok":false"#);
    }
}

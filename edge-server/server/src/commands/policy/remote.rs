//! The commands that ask a running server.

use super::{Done, history};
use crate::cli::PolicyAction;
use crate::commands::remote::{NOT_THERE, Refusal, Remote, RemoteError, Sent, encoded, open};
use http::{Method, StatusCode};
use merge_core::json::{Writer, read};
use merge_core::policy::Level;
use policy_workbench::{Answer, Exit, Paint, Problem, params_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Policies that are not in use and are named all the same.
const IDLE_NAMES: usize = 20;

/// What a server answered, in its own JSON, and how it reads.
struct Told {
    body: Value,
    good: bool,
    text: fn(&Value, Paint) -> String,
}

impl Answer for Told {
    fn is_good(&self) -> bool {
        self.good
    }

    fn text(&self, paint: Paint) -> String {
        (self.text)(&self.body, paint)
    }

    fn write_json(&self, out: &mut Writer) {
        let text = self.body.to_string();
        match read(text.as_bytes()) {
            Ok(value) => out.value(&value),
            Err(_) => out.string(&text),
        }
    }
}

/// Does what is asked for on the server.
pub(super) fn act(action: PolicyAction) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::tool(error.to_string(), "see what the system is short of"))?;
    runtime.block_on(async {
        match action {
            PolicyAction::Push { .. } => super::push::push(action).await,
            PolicyAction::Assign { policy, built_in, to, canary, shadow, lock, params, server } => {
                let remote = open(&server).await?;
                let mut assignment = match (policy, built_in) {
                    (Some(policy), _) => {
                        let id = id_of(&remote, &policy).await?;
                        let params = params.as_deref().map(params_of).transpose()?;
                        let params = params.as_deref().unwrap_or("{}");
                        json!({"policy": id, "params": serde_json::from_str::<Value>(params).unwrap_or_default()})
                    }
                    (None, built_in) => json!({"built_in": built_in}),
                };
                if lock {
                    assignment["locked"] = Value::Bool(true);
                }
                if shadow {
                    assignment["shadow"] = Value::Bool(true);
                }
                if let Some(percent) = canary {
                    assignment["canary"] = percent.into();
                }
                let path = format!("/assignments/{}", encoded(&to));
                told(remote.call(Method::PUT, &path, Sent::Json(&assignment)).await, in_force)
            }
            PolicyAction::Activate { scope, canary, server } => {
                let path = format!("/assignments/{}/activate", encoded(&scope));
                let wanted = json!({"canary": canary});
                told(open(&server).await?.call(Method::POST, &path, Sent::Json(&wanted)).await, in_force)
            }
            PolicyAction::Rollback { scope, server } => {
                let path = format!("/assignments/{}/rollback", encoded(&scope));
                told(open(&server).await?.call(Method::POST, &path, Sent::Nothing).await, in_force)
            }
            PolicyAction::Unassign { scope, server } => {
                let path = format!("/assignments/{}", encoded(&scope));
                told(open(&server).await?.call(Method::DELETE, &path, Sent::Nothing).await, in_force)
            }
            PolicyAction::Audit { last, verify, noted, server } => {
                super::audit::audit(last, verify, noted, &server).await
            }
            PolicyAction::Status { server } => {
                told(open(&server).await?.call(Method::GET, "/policies", Sent::Nothing).await, status)
            }
            PolicyAction::Explain { address, watcher, lately, server } => {
                if let Some(time) = lately.span() {
                    return history::explained(&address, watcher.as_deref(), time, &server).await;
                }
                let watcher = watcher.map(|watcher| format!("?watcher={}", encoded(&watcher)));
                let path = format!("/presentities/{}{}", encoded(&address), watcher.unwrap_or_default());
                told(open(&server).await?.call(Method::GET, &path, Sent::Nothing).await, explanation)
            }
            PolicyAction::Capture { address: None, server, .. } => history::listed(&server).await,
            PolicyAction::Capture { address: Some(address), time: Some(time), server, .. } => {
                history::begin(&address, time, &server).await
            }
            PolicyAction::Capture { address: Some(address), off: true, server, .. } => {
                history::end(&address, &server).await
            }
            PolicyAction::Capture { address: Some(address), out, lately, whole, server, .. } => {
                if let Some(time) = lately.span() {
                    let folder = out.ok_or_else(|| {
                        let fix = "name a folder with --out, or see it with tributary policy explain";
                        Problem::usage("what was captured is many files", fix)
                    })?;
                    return history::inputs(&address, time, &folder, &server).await;
                }
                let path = format!("/presentities/{}/live", encoded(&address));
                let remote = open(&server).await?;
                let (_, mut live) = remote.call(Method::GET, &path, Sent::Nothing).await.map_err(problem)?;
                if !whole {
                    live = history::redacted(&live)?;
                }
                let Some(file) = out else {
                    return answer(live, true, |live, _| format!("{live}\n"));
                };
                private(&file, &live.to_string())?;
                let body = json!({"ok": true, "file": file.display().to_string()});
                answer(body, true, |body, _| format!("{} was written\n", word(body, "/file")))
            }
            // The others are done here.
            _ => Err(Problem::usage("this command asks no server", "see tributary policy --help")),
        }
    })
}

/// The id of the policy of this name, or whose id begins so.
async fn id_of(remote: &Remote, wanted: &str) -> Result<String, Problem> {
    let (_, body) = remote.call(Method::GET, "/policies", Sent::Nothing).await.map_err(problem)?;
    let policies = list(&body, "/policies");
    let ids = |fits: &dyn Fn(&Value) -> bool| -> Vec<String> {
        policies.iter().filter(|policy| fits(policy)).map(|policy| word(policy, "/id")).collect()
    };
    let named = ids(&|policy| word(policy, "/name") == wanted);
    let begun = ids(&|policy| word(policy, "/id").starts_with(wanted));
    match (named.first(), begun.as_slice()) {
        (Some(id), _) => Ok(id.clone()),
        (None, [id]) => Ok(id.clone()),
        (None, found) => Err(Problem {
            exit: Exit::Bad,
            message: match found.len() {
                0 => format!("the server has no policy {wanted}"),
                n => format!("{n} ids begin with {wanted}"),
            },
            fix: "see what is there with: tributary policy status".to_owned(),
        }),
    }
}

fn told(done: Result<(StatusCode, Value), RemoteError>, text: fn(&Value, Paint) -> String) -> Done {
    answer(done.map_err(problem)?.1, true, text)
}

pub(super) fn answer(body: Value, good: bool, text: fn(&Value, Paint) -> String) -> Done {
    Ok(Box::new(Told { body, good, text }))
}

/// A refusal in the server's own words.
pub(super) fn problem(error: RemoteError) -> Problem {
    match error {
        RemoteError::Unreached(message) => Problem { exit: Exit::Server, message, fix: NOT_THERE.to_owned() },
        RemoteError::Refused(refusal) => {
            let Refusal { status, message, fix, .. } = *refusal;
            let closed = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let message = if message.is_empty() { format!("the server answered {status}") } else { message };
            Problem { exit: if closed { Exit::Server } else { Exit::Bad }, message, fix }
        }
    }
}

/// A file that nobody else may read: a live set holds personal data.
pub(super) fn private(file: &Path, text: &str) -> Result<(), Problem> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    made.and(opened).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        Problem::usage(format!("{}: {error}", file.display()), "name a place that can be written")
    })
}

pub(super) fn list<'v>(value: &'v Value, place: &str) -> &'v [Value] {
    value.pointer(place).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text as it can be shown: what stands in it came from devices and policies.
pub(super) fn word(value: &Value, place: &str) -> String {
    match value.pointer(place) {
        Some(Value::String(text)) => policy_sandbox::plain_text(text),
        None | Some(Value::Null) => "-".to_owned(),
        Some(other) => policy_sandbox::plain_text(&other.to_string()),
    }
}

pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Whether anything is assigned by a generation.
fn is_something(generation: &Value) -> bool {
    ["/policy", "/built_in"].iter().any(|place| generation.pointer(place).is_some_and(|what| !what.is_null()))
}

fn generation(of: &Value) -> String {
    let what = match of.pointer("/policy/name") {
        Some(Value::String(_)) => format!("{} {}", word(of, "/policy/name"), short(&word(of, "/policy/id"))),
        _ if of.pointer("/built_in").is_some_and(Value::is_string) => {
            format!("the built-in merge {}", word(of, "/built_in"))
        }
        _ => "nothing of its own".to_owned(),
    };
    let params = word(of, "/params");
    let params = if params == "{}" || params == "-" { String::new() } else { format!(" with {params}") };
    let locked = if of.get("locked") == Some(&Value::Bool(true)) { ", locked" } else { "" };
    format!("{what}{params} (generation {}{locked})", word(of, "/generation"))
}

fn in_force(body: &Value, paint: Paint) -> String {
    let scope = word(body, "/scope");
    let mut out = match body.get("in_force").filter(|now| is_something(now)) {
        Some(now) => format!("{scope}: {} is in force\n", paint.good(&generation(now))),
        None => format!(
            "{scope}: nothing is assigned any more: what is around it decides, or the built-in merge\n"
        ),
    };
    if let Some(candidate) = body.get("candidate").filter(|candidate| candidate.is_object()) {
        let (percent, on_trial) = (word(candidate, "/percent"), candidate.get("generation"));
        let on_trial = on_trial.map(generation).unwrap_or_default();
        out.push_str(&format!("  on trial for {percent} %: {}\n", paint.warn(&on_trial)));
        out.push_str(&paint.dim(&format!("  tributary policy activate {scope} puts it in force\n")));
    }
    out
}

/// What was counted of a generation.
fn figures(of: &Value) -> String {
    let figure = |name: &str| word(of, &format!("/figures/{name}"));
    format!("{} calls, {} answers, {} failures", figure("calls"), figure("outputs"), figure("failures"))
}

/// Of whom, and signed by whom.
fn whose(policy: &Value) -> String {
    let mut out = String::new();
    if policy.get("tenant").is_some_and(Value::is_string) {
        out.push_str(&format!(" by {}", word(policy, "/tenant")));
    }
    match policy.pointer("/signature/by") {
        Some(Value::String(_)) => out.push_str(&format!(", signed by {}", word(policy, "/signature/by"))),
        Some(_) => out.push_str(", signed by nobody who is trusted"),
        None => {}
    }
    out
}

fn status(body: &Value, paint: Paint) -> String {
    let mut out = String::new();
    let assigned: Vec<&Value> = list(body, "/assignments")
        .iter()
        .filter(|assigned| {
            let trial = assigned.get("candidate").is_some_and(Value::is_object);
            trial || assigned.get("in_force").is_some_and(is_something)
        })
        .collect();
    let used: BTreeSet<String> = assigned
        .iter()
        .flat_map(|assigned| {
            ["/in_force/policy/id", "/candidate/generation/policy/id"].map(|at| word(assigned, at))
        })
        .collect();
    let was_called = |policy: &Value| policy.pointer("/figures/calls").and_then(Value::as_u64) > Some(0);
    let (used, idle): (Vec<&Value>, Vec<&Value>) = list(body, "/policies")
        .iter()
        .partition(|policy| used.contains(&word(policy, "/id")) || was_called(policy));
    used.iter().for_each(|policy| out.push_str(&doing(policy, paint)));
    for assigned in &assigned {
        let now = assigned.get("in_force").filter(|now| is_something(now));
        let candidate = assigned.get("candidate").filter(|candidate| candidate.is_object());
        let on_trial = candidate.and_then(|candidate| candidate.get("generation"));
        let with_figures = |of: &Value| match on_trial {
            Some(_) => format!("{}: {}", generation(of), figures(of)),
            None => generation(of),
        };
        let now = now.map_or("nothing".to_owned(), with_figures);
        out.push_str(&format!("{}: {now}\n", word(assigned, "/scope")));
        if let (Some(candidate), Some(on_trial)) = (candidate, on_trial) {
            let percent = word(candidate, "/percent");
            out.push_str(&format!("  on trial for {percent} %: {}\n", with_figures(on_trial)));
            out.push_str(&beside(candidate, paint));
        }
    }
    if assigned.is_empty() {
        out.push_str("nothing is assigned: the built-in merge is in force everywhere\n");
    }
    if !idle.is_empty() {
        let names: Vec<String> = idle.iter().take(IDLE_NAMES).map(|policy| word(policy, "/name")).collect();
        let more = if idle.len() > IDLE_NAMES { ", ..." } else { "" };
        out.push_str(&paint.dim(&format!("not in use, {}: {}{more}", idle.len(), names.join(", "))));
        out.push('\n');
    }
    out
}

/// What a policy was called for, and what came of it.
fn doing(policy: &Value, paint: Paint) -> String {
    let figure = |name: &str| word(policy, &format!("/figures/{name}"));
    let mut out = format!(
        "{} {} {}{}: {} calls, {} answers, {} without opinion",
        word(policy, "/name"),
        paint.dim(short(&word(policy, "/id"))),
        word(policy, "/source"),
        whose(policy),
        figure("calls"),
        figure("outputs"),
        figure("no_opinion"),
    );
    let failures = policy.pointer("/figures/failures").and_then(Value::as_object);
    let failures: Vec<(&String, u64)> =
        failures.into_iter().flatten().map(|(code, times)| (code, times.as_u64().unwrap_or(0))).collect();
    if !failures.is_empty() {
        let each: Vec<String> = failures
            .iter()
            .map(|(code, times)| format!("{} {times}", policy_sandbox::plain_text(code)))
            .collect();
        let all: u64 = failures.iter().map(|(_, times)| times).sum();
        out.push_str(&format!(", {}", paint.bad(&format!("{all} failures ({})", each.join(", ")))));
    }
    let number =
        |name: &str| policy.pointer(&format!("/figures/{name}")).and_then(Value::as_u64).unwrap_or(0);
    if let Some(mean) = number("fuel").checked_div(number("calls")) {
        out.push_str(&format!(", {mean} fuel a call"));
    }
    if policy.pointer("/figures/takes_long") == Some(&Value::Bool(true)) {
        out.push_str(" (beside the shards, so that nobody else waits)");
    }
    out.push('\n');
    if policy.pointer("/figures/last_failure").is_some_and(Value::is_object) {
        let (code, message) = (figure("last_failure/code"), figure("last_failure/message"));
        out.push_str(&format!("  last: {} {message}\n", paint.bad(&code)));
    }
    out
}

/// What a policy that runs beside the one in force would change.
fn beside(candidate: &Value, paint: Paint) -> String {
    let Some(shadow) = candidate.get("shadow").filter(|shadow| shadow.is_object()) else {
        return String::new();
    };
    let figure = |name: &str| word(shadow, &format!("/{name}"));
    let mut out = format!("  without effect: would change {} of {}", figure("changed"), figure("compared"));
    for name in ["failures", "skipped"] {
        if figure(name) != "0" {
            out.push_str(&format!(", {}", paint.warn(&format!("{} {name}", figure(name)))));
        }
    }
    out.push('\n');
    for changed in list(shadow, "/sample") {
        let what: Vec<String> = list(changed, "/what").iter().map(|what| word(what, "")).collect();
        out.push_str(&format!("    {}: {}\n", word(changed, "/aor"), what.join("; ")));
    }
    if shadow.get("last_failure").is_some_and(Value::is_object) {
        let (code, message) = (figure("last_failure/code"), figure("last_failure/message"));
        out.push_str(&format!("    last failure: {} {message}\n", paint.bad(&code)));
    }
    out
}

fn explanation(body: &Value, paint: Paint) -> String {
    let mut out = format!("{}: ", word(body, "/aor"));
    out.push_str(&match body.pointer("/policy/name") {
        Some(Value::String(_)) => {
            let (name, id) = (word(body, "/policy/name"), word(body, "/policy/id"));
            format!("{name} {} (generation {})\n", short(&id), word(body, "/policy/generation"))
        }
        _ => "the built-in merge\n".to_owned(),
    });
    if body.get("failure").is_some_and(Value::is_string) {
        let failure = paint.bad(&word(body, "/failure"));
        out.push_str(&format!(
            "  {} {failure}; what follows stands in for its answer\n",
            paint.dim("pp_merge")
        ));
    }
    for entry in list(body, "/explanation/entries") {
        out.push_str(&format!("  {} {}\n", paint.dim(&word(entry, "/path")), word(entry, "/reason")));
    }
    out.push_str(&masked(body, paint));
    if let Some(seen) = body.get("seen") {
        out.push_str(&sight(seen, paint));
    }
    out
}

/// What the operator's mask did; nothing where it did nothing.
pub(super) fn masked(of: &Value, paint: Paint) -> String {
    let dropped: Vec<String> = list(of, "/masked/drop").iter().map(|name| word(name, "")).collect();
    let took = (!dropped.is_empty()).then(|| format!("took away: {}", dropped.join(", ")));
    let left = match of.pointer("/masked/level").and_then(Value::as_str).and_then(Level::of) {
        None | Some(Level::Full) => None,
        Some(Level::BusyFree) => Some("left: open or closed, and busy or away".to_owned()),
        Some(Level::Basic) => Some("left: open or closed".to_owned()),
    };
    let did: Vec<String> = took.into_iter().chain(left).collect();
    if did.is_empty() {
        return String::new();
    }
    format!("  {} {}\n", paint.dim("the operator's mask"), did.join("; "))
}

/// What one watcher sees, and why.
fn sight(seen: &Value, paint: Paint) -> String {
    let class = seen["class"].as_str().unwrap_or("no class");
    let mut out = format!("\n{}: {class}, who {}\n", word(seen, "/watcher"), word(seen, "/why"));
    if !list(seen, "/groups").is_empty() {
        out.push_str(&format!("  {} {}\n", paint.dim("groups"), word(seen, "/groups")));
    }
    let said = match (&seen["failure"], &seen["output"]) {
        _ if seen["asked"] == Value::Bool(false) => "not asked: all watchers see the same".to_owned(),
        (Value::Null, Value::Null) => "nothing is hidden".to_owned(),
        (Value::Null, _) => word(seen, "/output"),
        _ => paint.bad(&word(seen, "/failure")),
    };
    out.push_str(&format!("  {} {said}\nsees:\n", paint.dim("pp_view")));
    let document = serde_json::to_string_pretty(&seen["document"]).unwrap_or_default();
    document.lines().for_each(|line| out.push_str(&format!("  {}\n", policy_sandbox::plain_text(line))));
    out
}

//! `tributary policy capture` and `explain --last-hour`: who is captured on a server, and what was captured.

use super::Done;
use super::audit::moment;
use super::remote::{answer, list, masked, private, problem, short, word};
use crate::cli::Server;
use crate::clock::Clock;
use crate::commands::remote::{Remote, Sent, encoded, open};
use http::Method;
use merge_core::json;
use merge_core::live::Snapshot;
use merge_core::redact::Redactor;
use policy_workbench::{Paint, Problem};
use serde_json::{Value, json};
use std::path::Path;

/// Entries that are asked for at a time.
const PAGE: usize = 200;

/// A length of time as people write it: `90s`, `20m`, `8h`, `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    seconds: u32,
}

impl Span {
    /// `--last-hour`.
    pub const HOUR: Self = Self { seconds: 3_600 };
}

impl std::str::FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "write a number with s, m, h or d: 90s, 20m, 8h";
        let unit = match text.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            _ => return Err(wrong),
        };
        let number: u32 = text.get(..text.len() - 1).and_then(|number| number.parse().ok()).ok_or(wrong)?;
        number.checked_mul(unit).filter(|seconds| *seconds > 0).map(|seconds| Self { seconds }).ok_or(wrong)
    }
}

/// Switches a capture on for so long.
pub(super) async fn begin(address: &str, time: Span, server: &Server) -> Done {
    let path = format!("/captures/{}", encoded(address));
    let wanted = json!({"seconds": time.seconds});
    let done = open(server).await?.call(Method::PUT, &path, Sent::Json(&wanted)).await;
    answer(done.map_err(problem)?.1, true, |capture, _| {
        format!(
            "{} is captured until {}: see it with tributary policy explain {0} --last-hour\n",
            word(capture, "/aor"),
            moment(capture, "/until_ms")
        )
    })
}

/// A live set as the API gives it, without what people wrote, and without the document that was made of it.
pub(super) fn redacted(live: &Value) -> Result<Value, Problem> {
    let bad = |error: &dyn std::fmt::Display| {
        Problem::tool(error.to_string(), "use the command of the server's release, or give --whole")
    };
    let mut snapshot = Snapshot::read_json(live.to_string().as_bytes()).map_err(|error| bad(&error))?;
    Redactor::new(&snapshot.set.presentity.aor.clone()).live_set(&mut snapshot.set);
    let mut redacted: Value = serde_json::from_str(&snapshot.write_json()).map_err(|error| bad(&error))?;
    redacted["policy"] = live.get("policy").cloned().unwrap_or_default();
    Ok(redacted)
}

/// Switches it off, and has what was kept forgotten.
pub(super) async fn end(address: &str, server: &Server) -> Done {
    let path = format!("/captures/{}", encoded(address));
    open(server).await?.call(Method::DELETE, &path, Sent::Nothing).await.map_err(problem)?;
    answer(json!({"ok": true, "aor": address}), true, |body, _| {
        format!("{} is captured no more, and what was kept is forgotten\n", word(body, "/aor"))
    })
}

/// Who is captured.
pub(super) async fn listed(server: &Server) -> Done {
    let done = open(server).await?.call(Method::GET, "/captures", Sent::Nothing).await;
    answer(done.map_err(problem)?.1, true, |body, _| {
        let mut out = String::new();
        for capture in list(body, "/captures") {
            out.push_str(&format!("{}, {} merges\n", captured(capture), word(capture, "/entries")));
        }
        if out.is_empty() {
            out.push_str("nobody is captured\n");
        }
        out
    })
}

/// Shows what was captured within the last time, the newest last; or what one watcher saw of it.
pub(super) async fn explained(address: &str, watcher: Option<&str>, time: Span, server: &Server) -> Done {
    let body = history(&open(server).await?, address, watcher, time).await?;
    let good = body.get("capture").is_some_and(Value::is_object);
    answer(body, good, shown)
}

/// Writes what was asked of policies within the last time into a folder, a file a call.
pub(super) async fn inputs(address: &str, time: Span, folder: &Path, server: &Server) -> Done {
    let pages = pages(&open(server).await?, &history_path(address, None, time, true)).await?;
    let mut files = 0;
    for page in &pages {
        // Read by the grammar of policies, which keeps the members in their order.
        let body = json::read(page)
            .map_err(|error| Problem::tool(error.to_string(), "use the command of the server's release"))?;
        if body.get("capture").is_none_or(json::Value::is_null) {
            return answer(serde_json::from_slice(page).unwrap_or_default(), false, shown);
        }
        std::fs::create_dir_all(folder).map_err(|error| {
            let fix = "name a folder that can be written";
            Problem::usage(format!("{}: {error}", folder.display()), fix)
        })?;
        for entry in items(&body, "entries") {
            files += store(entry, folder)?;
        }
    }
    let done = json!({"ok": true, "inputs": files, "folder": folder.display().to_string()});
    answer(done, true, |body, _| {
        format!("{} inputs were written into {}\n", word(body, "/inputs"), word(body, "/folder"))
    })
}

/// Writes the inputs of one entry; how many there were.
fn store(entry: &json::Value<'_>, folder: &Path) -> Result<usize, Problem> {
    let seq = entry.get("seq").and_then(json::Value::as_int).unwrap_or_default();
    let reason = entry.get("reason").and_then(json::Value::as_str).unwrap_or_default();
    // What a server calls a reason is no path of this machine.
    let reason: String = reason.chars().filter(char::is_ascii_lowercase).collect();
    let merge = entry.get("input").map(|input| (format!("{seq:04}-{reason}.json"), input));
    let views = (1..).zip(items(entry, "views"));
    let views = views.filter_map(|(number, view)| {
        Some((format!("{seq:04}-{reason}-view-{number}.json"), view.get("input")?))
    });
    let mut files = 0;
    for (name, input) in merge.into_iter().chain(views).filter(|(_, input)| !input.is_null()) {
        let mut out = json::Writer::new();
        out.value(input);
        private(&folder.join(name), &out.into_string())?;
        files += 1;
    }
    Ok(files)
}

fn items<'v, 'j>(value: &'v json::Value<'j>, name: &str) -> &'v [json::Value<'j>] {
    value.get(name).and_then(json::Value::as_array).unwrap_or_default()
}

/// All pages as one.
async fn history(
    remote: &Remote,
    address: &str,
    watcher: Option<&str>,
    time: Span,
) -> Result<Value, Problem> {
    let mut whole = Value::Null;
    for page in pages(remote, &history_path(address, watcher, time, false)).await? {
        let mut body: Value = serde_json::from_slice(&page).unwrap_or_default();
        if whole.is_null() {
            whole = body;
        } else if let (Some(all), Some(more)) =
            (whole["entries"].as_array_mut(), body["entries"].as_array_mut())
        {
            all.append(more);
        }
    }
    Ok(whole)
}

fn history_path(address: &str, watcher: Option<&str>, time: Span, inputs: bool) -> String {
    let since = Clock::default().now().0 - i64::from(time.seconds) * 1_000;
    let watcher = watcher.map(|watcher| format!("&watcher={}", encoded(watcher))).unwrap_or_default();
    let address = encoded(address);
    format!("/presentities/{address}/history?since={since}&limit={PAGE}&inputs={inputs}{watcher}")
}

/// All pages of a history, as they came: at most what a server keeps of one presentity.
async fn pages(remote: &Remote, path: &str) -> Result<Vec<Vec<u8>>, Problem> {
    let (mut pages, mut after) = (Vec::new(), Some(0));
    while let Some(last) = after {
        let path = format!("{path}&after={last}");
        let (_, page) = remote.answered(Method::GET, &path, Sent::Nothing).await.map_err(problem)?;
        let body: Value = serde_json::from_slice(&page).unwrap_or_default();
        after = body.get("next").and_then(Value::as_u64).filter(|next| *next > last);
        pages.push(page);
    }
    Ok(pages)
}

fn captured(capture: &Value) -> String {
    let (aor, by) = (word(capture, "/aor"), word(capture, "/by"));
    let (since, until) = (moment(capture, "/since_ms"), moment(capture, "/until_ms"));
    format!("{aor}: captured by {by} from {since} until {until}")
}

fn shown(body: &Value, paint: Paint) -> String {
    let aor = word(body, "/aor");
    let Some(capture) = body.get("capture").filter(|capture| capture.is_object()) else {
        let allow = if body.get("allowed") == Some(&Value::Bool(true)) {
            ""
        } else {
            "this server captures nobody: set policies.capture = true first\n"
        };
        return format!(
            "{aor} is not captured, so there is nothing to show\n{allow}switch it on with: tributary policy capture {aor} --for 8h\n"
        );
    };
    let mut out = format!("{}\n", captured(capture));
    if word(capture, "/lost") != "0" {
        out.push_str(&format!("{} merges found no room, or went to make it\n", word(capture, "/lost")));
    }
    let seen = body.get("seen").filter(|seen| seen.is_object());
    if let Some(seen) = seen {
        let class = seen["class"].as_str().unwrap_or("no class");
        out.push_str(&format!("{}: {class}, who {}\n", word(seen, "/watcher"), word(seen, "/why")));
    }
    // Who has no class sees all, and so do all where a policy does not tell them apart.
    let own_view = seen.is_some_and(|seen| seen["class"].is_string());
    for entry in list(body, "/entries") {
        out.push_str(&entry_text(entry, own_view && entry["told_apart"] == Value::Bool(true), paint));
    }
    if list(body, "/entries").is_empty() {
        out.push_str("no merge that somebody watched since then\n");
    }
    out
}

fn entry_text(entry: &Value, own_view: bool, paint: Paint) -> String {
    let mut out = format!("\n{}  {}", paint.dim(&moment(entry, "/at_ms")), word(entry, "/reason"));
    if entry["device"].is_object() {
        let key = word(entry, "/device/key");
        out.push_str(&match entry["device"]["user_agent"].as_str() {
            Some(_) => format!(" by {} ({key})", word(entry, "/device/user_agent")),
            None => format!(" by {key}"),
        });
    }
    out.push_str(&format!("\n  {}", decided_by(entry)));
    out.push_str(&said(entry, paint));
    out.push_str(&masked(entry, paint));
    if !own_view {
        out.push_str(&difference(entry, "watchers"));
        for view in list(entry, "/views") {
            let class = word(view, "/watcher/class");
            out.push_str(&format!("  {}", paint.dim(&format!("to {class}"))));
            out.push_str(&said(view, paint));
            out.push_str(&difference(view, "they"));
        }
        return out;
    }
    match list(entry, "/views").first() {
        Some(view) => {
            out.push_str(&format!("  {}", paint.dim("pp_view")));
            out.push_str(&said(view, paint));
            out.push_str(&difference(view, "that watcher"));
        }
        None => out
            .push_str("  no view was made for that watcher: nothing new, or nobody of that class watched\n"),
    }
    out
}

fn decided_by(entry: &Value) -> String {
    let generation = match &entry["generation"] {
        Value::Null => String::new(),
        number => format!(" (generation {number})"),
    };
    if entry["policy"].is_object() {
        let id = word(entry, "/policy/id");
        return format!("{} {}{generation}", word(entry, "/policy/name"), short(&id));
    }
    match entry["built_in"].as_str() {
        Some(_) => format!("the built-in merge {}{generation}", word(entry, "/built_in")),
        None => "the built-in merge".to_owned(),
    }
}

/// What a policy said, or how it failed; the rest of a line.
fn said(call: &Value, paint: Paint) -> String {
    if call["failure"].is_object() {
        let served = match call["failure"]["served"].as_str() {
            Some("last_good") => "its last good answer stood in",
            Some("minimal") => "open or closed, and nothing else, stood in",
            _ => "the built-in merge stood in",
        };
        let (code, message) = (word(call, "/failure/code"), word(call, "/failure/message"));
        return format!(": {} {message}; {served}\n", paint.bad(&code));
    }
    let lines: Vec<String> = list(call, "/output/explain").iter().map(|line| word(line, "")).collect();
    let fuel = if call["fuel"].is_u64() { format!(", {} fuel", word(call, "/fuel")) } else { String::new() };
    let said = match (call["output"].is_object(), call["fuel"].is_u64()) {
        (true, _) if lines.is_empty() => String::new(),
        (true, _) => format!(": {}", lines.join("; ")),
        (false, true) => ": no opinion".to_owned(),
        (false, false) => String::new(),
    };
    format!("{said}{}\n", paint.dim(&fuel))
}

fn difference(of: &Value, who: &str) -> String {
    let now = || match summary(&of["document"]) {
        Some(summary) => format!("  {who} saw {summary}\n"),
        None => format!("  {who} saw nothing\n"),
    };
    if of["changed"] != Value::Bool(true) {
        return format!("  {who} saw what they had seen before\n");
    }
    let what = list(of, "/what");
    if what.is_empty() {
        return now();
    }
    what.iter().map(|what| format!("    {}\n", word(what, ""))).collect()
}

/// A document in a few words: whether it is open, and the activities.
fn summary(document: &Value) -> Option<String> {
    document.as_object()?;
    let tuples = list(document, "/tuples");
    let open = tuples.iter().any(|tuple| tuple["basic"] == "open");
    let mut words = vec![if open { "open".to_owned() } else { "closed".to_owned() }];
    words.extend(list(document, "/person/activities").iter().map(|activity| word(activity, "")));
    Some(words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_its_unit() {
        for (text, expect) in [
            ("90s", Some(90)),
            ("20m", Some(1_200)),
            ("8h", Some(28_800)),
            ("1d", Some(86_400)),
            ("0h", None),
            ("8", None),
            ("", None),
            ("h", None),
            ("-1h", None),
            ("8µ", None),
            ("99999999d", None),
        ] {
            assert_eq!(text.parse::<Span>().ok().map(|span| span.seconds), expect, "{text}");
        }
    }
}

//! `tributary policy audit`: what became of policies on a server, and whether that is what was written.

use super::Done;
use super::remote::{list, problem, word};
use crate::cli::Server;
use crate::commands::remote::{Remote, Sent, open};
use crate::policies::{Head, hash_of, verify};
use http::Method;
use merge_core::json::Writer;
use policy_workbench::{Answer, Paint, Problem};
use serde_json::Value;

/// Lines that are asked for at a time.
const PAGE: usize = 1_000;

/// A place in the log that somebody noted: a line and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    seq: u64,
    hash: String,
}

impl std::str::FromStr for Noted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "write the line's number and its hash as `--verify` prints them: 17:9f86d0...";
        let (seq, hash) = text.split_once(':').ok_or(wrong)?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match seq.parse() {
            Ok(seq) if is_hash => Ok(Self { seq, hash: hash.to_ascii_lowercase() }),
            _ => Err(wrong),
        }
    }
}

/// Shows the last lines, or verifies all of them.
pub(super) async fn audit(last: usize, verifying: bool, noted: Option<Noted>, server: &Server) -> Done {
    let remote = open(server).await?;
    if !verifying {
        let head = page(&remote, u64::MAX - 1, 1).await?.1;
        let after = head.seq.saturating_sub(last as u64);
        return Ok(Box::new(Listed { lines: lines(&remote, after, last).await?.0, head }));
    }
    let (lines, head) = lines(&remote, 0, usize::MAX).await?;
    let broken = verify(&head, lines.iter().map(String::as_str)).err().map(|broken| broken.to_string());
    let broken = broken.or_else(|| noted.and_then(|noted| missed(&lines, &head, &noted)));
    Ok(Box::new(Verified { lines: lines.len(), head, broken }))
}

/// What is wrong where a noted line is not the one that is there.
fn missed(lines: &[String], head: &Head, noted: &Noted) -> Option<String> {
    let Noted { seq, hash } = noted;
    if *seq < head.first {
        return Some(format!("line {seq} was noted, and the oldest that is kept is {}", head.first));
    }
    let line = usize::try_from(seq - head.first).ok().and_then(|at| lines.get(at));
    match line {
        Some(line) if hash_of(line) == *hash => None,
        Some(_) => Some(format!("line {seq}: it is not the one that was noted: the log was written anew")),
        None => Some(format!("line {seq} was noted, and is missing")),
    }
}

async fn lines(remote: &Remote, after: u64, most: usize) -> Result<(Vec<String>, Head), Problem> {
    let (mut all, mut after) = (Vec::new(), after);
    loop {
        let (mut lines, head, next) = page_and_next(remote, after, PAGE.min(most - all.len())).await?;
        all.append(&mut lines);
        match next {
            Some(next) if all.len() < most && next > after => after = next,
            _ => return Ok((all, head)),
        }
    }
}

async fn page(remote: &Remote, after: u64, limit: usize) -> Result<(Vec<String>, Head), Problem> {
    page_and_next(remote, after, limit).await.map(|(lines, head, _)| (lines, head))
}

async fn page_and_next(
    remote: &Remote,
    after: u64,
    limit: usize,
) -> Result<(Vec<String>, Head, Option<u64>), Problem> {
    let path = format!("/audit?after={after}&limit={}", limit.max(1));
    let (_, body) = remote.call(Method::GET, &path, Sent::Nothing).await.map_err(problem)?;
    let lines = list(&body, "/lines").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let head = body.get("head").and_then(|head| serde_json::from_value(head.clone()).ok());
    Ok((lines, head.unwrap_or_default(), body.get("next").and_then(Value::as_u64)))
}

struct Listed {
    lines: Vec<String>,
    head: Head,
}

impl Answer for Listed {
    fn is_good(&self) -> bool {
        true
    }

    fn text(&self, paint: Paint) -> String {
        let mut out = String::new();
        for line in self.lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            out.push_str(&shown(&line, paint));
        }
        if self.lines.is_empty() {
            out.push_str("nothing was done with policies yet\n");
        }
        out
    }

    fn write_json(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(true);
        out.key("lines").begin_array();
        for line in &self.lines {
            out.string(line);
        }
        out.end_array();
        head(out, &self.head);
        out.end_object();
    }
}

/// A time in ms since the epoch, as people write it (RFC 3339).
pub(super) fn moment(of: &Value, place: &str) -> String {
    let at = of.pointer(place).and_then(Value::as_i64).unwrap_or_default();
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| "-".to_owned(), |at| at.to_string())
}

/// A line of the log as a sentence.
fn shown(line: &Value, paint: Paint) -> String {
    let at = moment(line, "/at_ms");
    let action = word(line, "/action").replace('_', " ");
    let bad = ["refused", "open", "quarantine"].iter().any(|word| action.contains(word));
    let mut out = format!("{:>5} {} {} ", word(line, "/seq"), paint.dim(&at), word(line, "/who"));
    out.push_str(&if bad { paint.bad(&action) } else { action });
    let id = line.get("policy").and_then(Value::as_str).and_then(|id| id.get(..12));
    for (before, place) in [
        (" ", "/name"),
        (" ", "/policy"),
        (" of ", "/tenant"),
        (" for ", "/scope"),
        (", generation ", "/generation"),
        (", percent ", "/percent"),
        (", signed by ", "/signed_by"),
        (": ", "/why"),
    ] {
        match (place, id, line.pointer(place)) {
            (_, _, None) => {}
            ("/policy", Some(id), _) => out.push_str(&format!(" {id}")),
            _ => out.push_str(&format!("{before}{}", word(line, place))),
        }
    }
    if line.get("until_ms").is_some() {
        out.push_str(&format!(", until {}", moment(line, "/until_ms")));
    }
    if line.get("locked") == Some(&Value::Bool(true)) {
        out.push_str(", locked");
    }
    out.push('\n');
    out
}

struct Verified {
    lines: usize,
    head: Head,
    broken: Option<String>,
}

impl Answer for Verified {
    fn is_good(&self) -> bool {
        self.broken.is_none()
    }

    fn text(&self, paint: Paint) -> String {
        let Head { first, seq, hash } = &self.head;
        match &self.broken {
            Some(broken) => format!("{}: {broken}\n", paint.bad("not what was written")),
            None if self.lines == 0 => "nothing was done with policies yet\n".to_owned(),
            None => format!(
                "{}: lines {first} to {seq}, each as it was written\nto be noted elsewhere: {seq}:{hash}\n",
                paint.good("good")
            ),
        }
    }

    fn write_json(&self, out: &mut Writer) {
        out.begin_object();
        out.key("ok").bool(self.is_good());
        out.key("lines").int(i64::try_from(self.lines).unwrap_or(i64::MAX));
        if let Some(broken) = &self.broken {
            out.key("broken").string(broken);
        }
        head(out, &self.head);
        out.end_object();
    }
}

fn head(out: &mut Writer, head: &Head) {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    out.key("head").begin_object();
    out.key("first").int(number(head.first));
    out.key("seq").int(number(head.seq));
    out.key("hash").string(&head.hash);
    out.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_written_anew_is_not_the_one_that_was_noted() {
        let lines = ["a", "b"].map(str::to_owned);
        let head = Head { first: 4, seq: 5, hash: hash_of("b") };
        let missed = |seq: u64, line: &str| missed(&lines, &head, &Noted { seq, hash: hash_of(line) });
        assert_eq!(missed(4, "a"), None);
        assert!(missed(5, "a").is_some_and(|why| why.contains("written anew")));
        assert!(missed(6, "c").is_some_and(|why| why.contains("missing")));
        assert!(missed(3, "z").is_some_and(|why| why.contains("the oldest that is kept is 4")));
        for wrong in ["", "5", "5:abc", "x:", &format!(":{}", hash_of("b"))] {
            assert!(wrong.parse::<Noted>().is_err(), "{wrong}");
        }
        assert_eq!(format!("5:{}", hash_of("b")).parse(), Ok(Noted { seq: 5, hash: hash_of("b") }));
    }
}

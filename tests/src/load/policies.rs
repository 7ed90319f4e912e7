//! `--scenario policies`: what the platform costs those who wait for it, and those who have nothing to do with it.
//!
//! ```text
//! upload      a file nobody has seen → checked, compiled, tried, stored → in force for everybody
//! activation  a policy that changes what everybody's watchers see is put in force over `--crowd` watched
//!             presentities; meanwhile a few others publish at `--pace`: PUBLISH → NOTIFY before and during it
//! neighbour   one tenant publishes at `--pace` under policies that use all they may, or never end; PUBLISH → NOTIFY
//!             of another tenant beside it, in turns with the same tenant having no policy
//! ```
//! Nobody publishes in step with anybody else: the times between are random (exponential, `--pace` a second in the
//! mean, the same in each run). Two tenants with a clock each that beats at the same rate would meet at each beat, or
//! never.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep_until, timeout};

use super::Options;
use super::phases::{connect_all, faultless, round, subscribe_all};
use super::sip;
use super::target::{Running, Target};
use super::watchers::{Board, Presentity, Publisher};
use super::wire::Connection;
use crate::api;

/// Uploads of each kind; the figure is their median.
const UPLOADS: usize = 11;
/// Watched users of each connection of the crowd.
const EACH: usize = 1_000;
/// Users who publish while something else goes on.
const USERS: usize = 50;
/// Turns of each kind of neighbour.
const TURNS: usize = 3;

/// The tenant `acme` has `example.org`. One client stands for many users here, so no limit of a client's holds.
const CONFIG: &str = "server.domains = [\"example.com\", \"example.org\"]\nserver.open = true\n\
    server.tenants = { \"example.org\" = \"acme\" }\noverload.requests_per_user = 0\n\
    limits.publications_per_flow = 100000\noverload.messages_per_connection = 100000\npolicies.max_files = 1000\n";

/// The policies that `cargo xtask policies` built, and the engine for scripts.
fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/policies")
}

async fn start() -> Result<Running, String> {
    Target::configured(&format!("{CONFIG}policies.shipped = {:?}\n", built())).await
}

/// Everybody's watchers see another document by it, and it takes next to nothing itself.
fn stamps(stamp: &str) -> Result<Vec<u8>, String> {
    let answer = format!(r#"{{"abi":1,"set":{{"mood":["x-{stamp}"]}}}}"#);
    let data = format!(r#"(data (i32.const 16) "{}")"#, answer.replace('"', "\\22"));
    let at_16 = 16_u64 << 32;
    module(&format!("{data} {}", merge(&format!("(i64.const {})", at_16 | answer.len() as u64))))
}

/// The same as a script.
fn stamps_in_javascript(stamp: &str) -> Vec<u8> {
    format!("export function merge() {{\n  return {{ set: {{ mood: [\"x-{stamp}\"] }} }};\n}}\n").into_bytes()
}

/// Policies of a bad neighbour: what each does, and so many turns of a loop. What they answer is no opinion.
const HOSTILE: [(&str, u32); 2] = [("takes nearly all it may", 200_000), ("never ends", u32::MAX)];

/// Its parameters are what lets it loose: an upload tries it without, and would refuse it.
fn hostile(turns: u32) -> Result<Vec<u8>, String> {
    // An input ends with the parameters: `{}}`, or `{"loose":1}}`.
    let third_last = "(i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 3)))";
    let turn = "(i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1)))";
    module(&merge(&format!(
        "(local i32) (if (i32.eq {third_last} (i32.const {})) (then (loop (br_if 0 {turn} (i32.const {turns}))))))
         (i64.const 0)",
        b'1'
    )))
}

fn merge(body: &str) -> String {
    format!(r#"(func (export "pp_merge") (param i32 i32) (result i64) {body})"#)
}

fn module(parts: &str) -> Result<Vec<u8>, String> {
    let text = format!(
        r#"(module (memory (export "memory") 2 2) (func (export "presence_policy_abi_1"))
           (func (export "pp_alloc") (param i32) (result i32) (i32.const 1024)) {parts})"#
    );
    wat::parse_str(&text).map_err(|error| format!("a policy of the generator: {error}"))
}

/// Measures, and prints how each figure stands to its target.
pub(crate) async fn run(options: &Options) -> Result<(), String> {
    let mut missed = Vec::new();
    missed.extend(upload().await?);
    missed.extend(activation(options).await?);
    missed.extend(neighbour(options).await?);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("  load average now: {}", load.split(' ').next().unwrap_or("unknown"));
    if options.strict && !missed.is_empty() { Err(format!("missed: {}", missed.join(", "))) } else { Ok(()) }
}

/// Says how a figure stands to its target; the name of one that is missed.
fn judge(what: &'static str, figure: f64, target: f64) -> Option<&'static str> {
    let met = figure <= target;
    println!("  {what}: {figure:.2} (target {target}: {})", if met { "met" } else { "MISSED" });
    (!met).then_some(what)
}

async fn upload() -> Result<Option<&'static str>, String> {
    let running = start().await?;
    let file = built().join("most-recent-device.wasm");
    let module = std::fs::read(&file)
        .map_err(|e| format!("{}: {e}; `cargo xtask policies` builds it", file.display()))?;
    let script = stamps_in_javascript("new");
    // A custom section, and a comment: another file each time, so that nothing of it is in a cache.
    let files: [(&str, Vec<Vec<u8>>); 2] = [
        ("module", (0..UPLOADS).map(|n| [&module[..], &[0, 3, 1, b'n', n as u8]].concat()).collect()),
        ("script", (0..UPLOADS).map(|n| [&script[..], format!("// {n}\n").as_bytes()].concat()).collect()),
    ];
    let mut of_modules = f64::NAN;
    for (kind, files) in &files {
        let (mut uploads, mut whole) = (Vec::new(), Vec::new());
        for (n, file) in files.iter().enumerate() {
            let began = Instant::now();
            let id = put(&running, &format!("{kind}-{n}"), file).await?;
            uploads.push(began.elapsed().as_secs_f64() * 1e3);
            assign(&running, "operator", &id, json!({})).await?;
            whole.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let (bytes, uploads, whole) = (files[0].len(), median(uploads), median(whole));
        println!("  {kind} of {bytes} bytes: uploaded in {uploads:.0} ms, in force after {whole:.0} ms");
        if *kind == "module" {
            of_modules = whole;
        }
    }
    Ok(judge("upload to in force, ms", of_modules, 300.0))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

async fn activation(options: &Options) -> Result<Option<&'static str>, String> {
    let running = start().await?;
    let crowd = Crowd::gather(&running, options.crowd).await?;
    let mut users = Users::come(&running, 'p', "example.com").await?;
    let turns = (options.seconds * options.pace) as usize;
    let kinds = [
        ("compiled", [stamps("first")?, stamps("second")?]),
        ("a script", ["third", "fourth"].map(stamps_in_javascript)),
    ];
    let mut of_compiled = f64::NAN;
    for (kind, policies) in kinds {
        let mut ratios = Vec::new();
        for (n, policy) in policies.iter().enumerate() {
            let id = put(&running, &format!("{}-{n}", kind.replace(' ', "-")), policy).await?;
            let before = users.publish(options.pace, |turn| turn < turns).await?;
            let (seen, began) = (crowd.notifies(), Instant::now());
            assign(&running, "operator", &id, json!({})).await?;
            let all = seen + options.crowd as u64;
            let during = users.publish(options.pace, |_| crowd.notifies() < all).await?;
            println!(
                "  {kind}: {} presentities merged anew and as many NOTIFYs in {:.1} s; PUBLISH to NOTIFY p50 {:.2} → {:.2} ms, \
                 p99 {:.2} → {:.2} ms",
                options.crowd,
                began.elapsed().as_secs_f64(),
                before.p50,
                during.p50,
                before.p99,
                during.p99,
            );
            ratios.push(during.p99 / before.p99);
        }
        if kind == "compiled" {
            of_compiled = median(ratios);
        }
    }
    Ok(judge("p99 while a policy is activated, of what it is else", of_compiled, 2.0))
}

async fn neighbour(options: &Options) -> Result<Option<&'static str>, String> {
    let running = start().await?;
    let mut users = Users::come(&running, 'p', "example.com").await?;
    let mut others = Users::come(&running, 'a', "example.org").await?;
    let mut worst: f64 = 0.0;
    for (what, turns) in HOSTILE {
        let id = put(&running, &what.replace(' ', "-"), &hostile(turns)?).await?;
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            for (hostile, times) in [(false, &mut without), (true, &mut with)] {
                if hostile {
                    assign(&running, "tenant:acme", &id, json!({"loose": 1})).await?;
                } else {
                    // Nothing is there to be taken back the first time.
                    let _ =
                        call(&running, "DELETE", "/assignments/tenant:acme", "application/json", b"").await;
                }
                let turns = (options.seconds * options.pace) as usize;
                let stop = Rc::new(Cell::new(false));
                let busy = {
                    let (stop, pace) = (stop.clone(), options.pace);
                    spawn_local(async move {
                        let outcome = others.publish(pace, |_| !stop.get()).await;
                        (others, outcome)
                    })
                };
                times.push(users.publish(options.pace, |turn| turn < turns).await?);
                stop.set(true);
                let (back, outcome) = busy.await.map_err(|e| format!("the neighbour ended: {e}"))?;
                others = back;
                outcome?;
            }
        }
        let (_, assigned) = call(&running, "GET", "/assignments", "application/json", b"").await?;
        let figures = &assigned["assignments"][0]["in_force"]["figures"];
        let of = |times: &[Times], which: fn(&Times) -> f64| median(times.iter().map(which).collect());
        let (p50, p99) = (|t: &Times| t.p50, |t: &Times| t.p99);
        println!(
            "  beside a policy that {what}: PUBLISH to NOTIFY p50 {:.2} → {:.2} ms, p99 {:.2} → {:.2} ms; its last turn: {figures}",
            of(&without, p50),
            of(&with, p50),
            of(&without, p99),
            of(&with, p99)
        );
        worst = worst.max(of(&with, p50) / of(&without, p50)).max(of(&with, p99) / of(&without, p99));
    }
    Ok(judge("another tenant's latency beside a hostile policy, of what it is else", worst, 1.2))
}

async fn put(running: &Running, name: &str, file: &[u8]) -> Result<String, String> {
    let path = format!("/policies?name={name}");
    let (_, answer) = call(running, "POST", &path, "application/octet-stream", file).await?;
    Ok(answer["id"].as_str().unwrap_or_default().to_owned())
}

async fn assign(running: &Running, scope: &str, id: &str, params: Value) -> Result<(), String> {
    let body = json!({"policy": id, "params": params}).to_string();
    let path = format!("/assignments/{scope}");
    call(running, "PUT", &path, "application/json", body.as_bytes()).await.map(drop)
}

async fn call(
    running: &Running,
    method: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(u16, Value), String> {
    let path = format!("/api/v1{path}");
    let answer = api::call(running.address, method, &path, content_type, body).await;
    let (status, answer) = answer.map_err(|lost| lost.to_string())?;
    if status >= 300 { Err(format!("{method} {path}: {status} {answer}")) } else { Ok((status, answer)) }
}

/// Presentities that have published, each with one watcher; many of either share a connection.
struct Crowd {
    /// Counts NOTIFYs, and wakes at each.
    board: Rc<Board>,
    tasks: Vec<JoinHandle<Result<(), String>>>,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Crowd {
    async fn gather(running: &Running, count: usize) -> Result<Crowd, String> {
        let mut crowd = Crowd { board: Board::new(), tasks: Vec::new() };
        for (group, connection) in connect_all(running, count.div_ceil(EACH)).await?.into_iter().enumerate() {
            let members = group * EACH..count.min((group + 1) * EACH);
            let uri = |n: usize| format!("sip:crowd{n}@example.com");
            let mut publisher = Publisher::new(running.connect(group).await?, 100_000 + group);
            for n in members.clone() {
                publisher.publish(&uri(n), None, 1).await?;
            }
            let all = crowd.notifies() + members.len() as u64;
            let members = members.map(move |n| (100_000 + n, uri(n)));
            crowd.tasks.push(spawn_local(watch_all(connection, members, crowd.board.clone())));
            let all_came = timeout(Duration::from_secs(60), crowd.told(all)).await;
            all_came.map_err(|_| format!("only {} of {all} watchers were greeted", crowd.notifies()))?;
        }
        Ok(crowd)
    }

    /// NOTIFYs that came in all.
    fn notifies(&self) -> u64 {
        self.board.notifies.get()
    }

    /// Waits until so many have come.
    async fn told(&self, all: u64) {
        loop {
            let changed = self.board.changed.notified();
            if self.notifies() >= all {
                return;
            }
            changed.await;
        }
    }
}

/// Subscribes to all of `members` over one connection, and answers and counts what comes.
async fn watch_all(
    mut connection: Connection,
    members: impl Iterator<Item = (usize, String)>,
    board: Rc<Board>,
) -> Result<(), String> {
    for (id, uri) in members {
        let request = sip::subscribe(id, &uri, connection.local);
        Connection::queue(&mut connection.out, request.as_bytes());
    }
    let lost = |e: std::io::Error| format!("a connection of the crowd: {e}");
    connection.flush().await.map_err(lost)?;
    let mut reply = Vec::new();
    loop {
        let open = connection.receive(|message, out| {
            if sip::status(message).is_none() {
                sip::answer_200(message, &mut reply);
                Connection::queue(out, &reply);
                board.notifies.set(board.notifies.get() + 1);
                board.changed.notify_waiters();
            }
        });
        if !open.await.map_err(lost)? {
            return Err("the server closed a connection of the crowd".into());
        }
    }
}

/// From a PUBLISH to the NOTIFY that comes of it, in milliseconds.
struct Times {
    p50: f64,
    p99: f64,
}

/// A few users who publish, each with a watcher.
struct Users {
    board: Rc<Board>,
    all: Vec<(Rc<Presentity>, Publisher, String)>,
    /// When the next of them publishes.
    chance: fastrand::Rng,
    _watching: Vec<JoinHandle<()>>,
}

impl Users {
    async fn come(running: &Running, letter: char, domain: &str) -> Result<Users, String> {
        let board = Board::new();
        let presentities: Vec<_> =
            (0..USERS).map(|n| Presentity::named(format!("sip:{letter}{n}@{domain}"))).collect();
        let connections = connect_all(running, USERS).await?;
        let watching = subscribe_all(&board, connections, |id| presentities[id].clone()).await?;
        let mut all = Vec::new();
        for (n, presentity) in presentities.into_iter().enumerate() {
            let mut publisher = Publisher::new(running.connect(n).await?, n);
            let etag = round(&mut publisher, &presentity, None, 1, &board).await?;
            all.push((presentity, publisher, etag));
        }
        let chance = fastrand::Rng::with_seed(u64::from(letter));
        Ok(Users { board, all, chance, _watching: watching })
    }

    /// They publish in turn, `pace` times a second in the mean, each when its watcher has seen its last change.
    async fn publish(&mut self, pace: u64, go_on: impl Fn(usize) -> bool) -> Result<Times, String> {
        self.board.latencies.borrow_mut().clear();
        let mut due = tokio::time::Instant::now();
        for turn in (0..).take_while(|turn| go_on(*turn)) {
            let pause = -(1.0 - self.chance.f64()).ln() / pace.max(1) as f64;
            due = due.max(tokio::time::Instant::now()) + Duration::from_secs_f64(pause);
            sleep_until(due).await;
            let (presentity, publisher, etag) = &mut self.all[turn % USERS];
            *etag = round(publisher, presentity, Some(etag), 1, &self.board).await?;
        }
        faultless(&self.board)?;
        let mut latencies = self.board.latencies.borrow_mut();
        Ok(Times { p50: latencies.percentile(50.0), p99: latencies.percentile(99.0) })
    }
}

//! The phases, and the figures they give.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

use super::Options;
use super::figures::own_cpu;
use super::target::{Running, Target};
use super::watchers::{Board, Presentity, Publisher, watch};

/// What a server did. NaN where a phase was left out.
#[derive(Clone, Debug)]
pub struct Figures {
    name: &'static str,
    pub(crate) connection_bytes: f64,
    pub(crate) subscription_bytes: f64,
    pub(crate) publication_bytes: f64,
    publish_rate: f64,
    pub(crate) notify_rate: f64,
    pub(crate) cpu_per_notify: f64,
    generator_cpu: f64,
    busy_p50: f64,
    busy_p99: f64,
    paced_cpu_per_notify: f64,
    paced_p50: f64,
    paced_p99: f64,
    pub(crate) fan_out: f64,
    pub(crate) fan_out_watchers: usize,
    fan_out_cpu: f64,
}

/// Runs every wanted phase, each against a fresh server.
pub(crate) async fn measure(target: &Target, options: &Options) -> Result<Figures, String> {
    let n = f64::NAN;
    let mut figures = Figures {
        name: target.name(),
        connection_bytes: n,
        subscription_bytes: n,
        publication_bytes: n,
        publish_rate: n,
        notify_rate: n,
        cpu_per_notify: n,
        generator_cpu: n,
        busy_p50: n,
        busy_p99: n,
        paced_cpu_per_notify: n,
        paced_p50: n,
        paced_p99: n,
        fan_out: n,
        fan_out_watchers: options.fan_out,
        fan_out_cpu: n,
    };
    if options.wants("memory") {
        memory(target, options, &mut figures).await?;
    }
    if options.wants("rate") || options.wants("latency") {
        rate_and_latency(target, options, &mut figures).await?;
    }
    if options.wants("fan-out") {
        fan_out(target, options, &mut figures).await?;
    }
    Ok(figures)
}

/// Watchers on `connections`, all of them subscribed and greeted when this returns.
pub(crate) async fn subscribe_all(
    board: &Rc<Board>,
    connections: Vec<super::wire::Connection>,
    of: impl Fn(usize) -> Rc<Presentity>,
) -> Result<Vec<JoinHandle<()>>, String> {
    let count = connections.len();
    let mut tasks = Vec::with_capacity(count);
    for (id, connection) in connections.into_iter().enumerate() {
        tasks.push(spawn_local(watch(connection, id, of(id), board.clone())));
        // In batches: a server may rightly limit what one moment brings.
        while id + 1 - board.greeted.get() > 500 {
            greeted(board, id + 1 - 500).await?;
        }
    }
    greeted(board, count).await?;
    Ok(tasks)
}

async fn greeted(board: &Rc<Board>, wanted: usize) -> Result<(), String> {
    let waiting = async {
        loop {
            let changed = board.changed.notified();
            if let Some(fault) = board.faults.borrow().first() {
                return Err(fault.clone());
            }
            if board.greeted.get() >= wanted {
                return Ok(());
            }
            changed.await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| {
        Err(format!("only {} of {wanted} watchers got their first NOTIFY in a minute", board.greeted.get()))
    })
}

pub(crate) async fn connect_all(
    running: &Running,
    count: usize,
) -> Result<Vec<super::wire::Connection>, String> {
    let mut connections = Vec::with_capacity(count);
    for n in 0..count {
        connections.push(running.connect(n).await?);
    }
    Ok(connections)
}

async fn memory(target: &Target, options: &Options, figures: &mut Figures) -> Result<(), String> {
    let running = target.start().await?;
    let processes = running.processes();
    let each = |before: u64, after: u64| (after as f64 - before as f64) / options.idle as f64;
    eprintln!("{}: {} idle connections", target.name(), options.idle);
    // A first few of each kind, so that what is allocated once is not counted.
    let board = Board::new();
    let _warm =
        subscribe_all(&board, connect_all(&running, 50).await?, |id| Presentity::new(900_000 + id)).await?;
    let mut warm = Publisher::new(running.connect(0).await?, 0);
    warm.publish("sip:warm@example.com", None, 1).await?;
    let before = processes.memory();
    let connections = connect_all(&running, options.idle).await?;
    let connected = processes.memory();
    figures.connection_bytes = each(before, connected);
    let board = Board::new();
    let presentities: Vec<_> = (0..options.idle.div_ceil(options.watchers)).map(Presentity::new).collect();
    let _tasks = subscribe_all(&board, connections, |id| presentities[id / options.watchers].clone()).await?;
    let subscribed = processes.memory();
    figures.subscription_bytes = each(connected, subscribed);
    eprintln!("{}: {} publications", target.name(), options.idle);
    // One connection a user, as in life. Each publishes and removes once before the count, so that
    // what a connection keeps for its buffers is not taken for a publication's memory.
    let mut publishers = Vec::with_capacity(options.idle);
    for (n, connection) in connect_all(&running, options.idle).await?.into_iter().enumerate() {
        let mut publisher = Publisher::new(connection, n);
        let entity = format!("sip:m{n}@example.com");
        let etag = publisher.publish(&entity, None, 1).await?;
        publisher.remove(&entity, &etag).await?;
        publishers.push((publisher, entity));
    }
    let before = processes.memory();
    for (publisher, entity) in &mut publishers {
        publisher.publish(entity, None, 1).await?;
    }
    figures.publication_bytes = each(before, processes.memory());
    Ok(())
}

async fn rate_and_latency(target: &Target, options: &Options, figures: &mut Figures) -> Result<(), String> {
    let running = target.start().await?;
    let processes = running.processes();
    let board = Board::new();
    let presentities: Vec<_> = (0..options.presentities).map(Presentity::new).collect();
    let count = options.presentities * options.watchers;
    let connections = connect_all(&running, count).await?;
    let _tasks = subscribe_all(&board, connections, |id| presentities[id / options.watchers].clone()).await?;
    let mut publishers = Vec::new();
    for n in 0..options.presentities {
        publishers.push(Publisher::new(running.connect(n).await?, n));
    }
    // Each presentity gets its publication before the clock starts.
    let mut etags = Vec::new();
    for (publisher, presentity) in publishers.iter_mut().zip(&presentities) {
        etags.push(round(publisher, presentity, None, options.watchers, &board).await?);
    }

    if options.wants("rate") {
        eprintln!("{}: {count} watchers of {} presentities, full speed", target.name(), options.presentities);
        board.latencies.borrow_mut().clear();
        let (notifies, published) = (board.notifies.get(), board.published.get());
        let (cpu, own) = (processes.cpu(), own_cpu());
        let began = Instant::now();
        let end = began + options.time();
        let mut running_publishers = Vec::new();
        for ((mut publisher, presentity), mut etag) in
            publishers.drain(..).zip(presentities.iter().cloned()).zip(etags.drain(..))
        {
            let (board, watchers) = (board.clone(), options.watchers);
            running_publishers.push(spawn_local(async move {
                while Instant::now() < end {
                    etag = round(&mut publisher, &presentity, Some(&etag), watchers, &board).await?;
                }
                Ok::<_, String>((publisher, etag))
            }));
        }
        for task in running_publishers {
            let (publisher, etag) = task.await.map_err(|e| format!("a publisher ended: {e}"))??;
            publishers.push(publisher);
            etags.push(etag);
        }
        let seconds = began.elapsed().as_secs_f64();
        let notifies = (board.notifies.get() - notifies) as f64;
        figures.publish_rate = (board.published.get() - published) as f64 / seconds;
        figures.notify_rate = notifies / seconds;
        figures.cpu_per_notify = (processes.cpu() - cpu).as_secs_f64() * 1e6 / notifies;
        figures.generator_cpu = (own_cpu() - own).as_secs_f64() * 1e6 / notifies;
        figures.busy_p50 = board.latencies.borrow_mut().percentile(50.0);
        figures.busy_p99 = board.latencies.borrow_mut().percentile(99.0);
    }

    if options.wants("latency") {
        eprintln!("{}: the same at {} PUBLISH/s", target.name(), options.pace);
        board.latencies.borrow_mut().clear();
        let (cpu, notifies) = (processes.cpu(), board.notifies.get());
        let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / options.pace.max(1)));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0..(options.seconds * options.pace) as usize {
            pace.tick().await;
            let n = turn % publishers.len();
            etags[n] = round(&mut publishers[n], &presentities[n], Some(&etags[n]), options.watchers, &board)
                .await?;
        }
        let notifies = (board.notifies.get() - notifies) as f64;
        figures.paced_cpu_per_notify = (processes.cpu() - cpu).as_secs_f64() * 1e6 / notifies;
        figures.paced_p50 = board.latencies.borrow_mut().percentile(50.0);
        figures.paced_p99 = board.latencies.borrow_mut().percentile(99.0);
    }
    faultless(&board)
}

/// One PUBLISH, until its 200 and the NOTIFY of every watcher are here. Returns the new entity-tag.
pub(crate) async fn round(
    publisher: &mut Publisher,
    presentity: &Presentity,
    etag: Option<&str>,
    watchers: usize,
    board: &Board,
) -> Result<String, String> {
    let mark = board.now().max(presentity.mark.get() + 1);
    presentity.seen.set(0);
    presentity.wanted.set(watchers);
    presentity.mark.set(mark);
    let etag = publisher.publish(&presentity.uri, etag, mark).await?;
    board.published.set(board.published.get() + 1);
    let all = async {
        loop {
            let all_saw = presentity.all_saw.notified();
            if presentity.seen.get() >= watchers {
                return;
            }
            all_saw.await;
        }
    };
    timeout(Duration::from_secs(20), all).await.map_err(|_| {
        format!(
            "{} of {watchers} watchers of {} saw a change in 20 s{}",
            presentity.seen.get(),
            presentity.uri,
            board.faults.borrow().first().map_or(String::new(), |fault| format!(" ({fault})")),
        )
    })?;
    Ok(etag)
}

async fn fan_out(target: &Target, options: &Options, figures: &mut Figures) -> Result<(), String> {
    let running = target.start().await?;
    let processes = running.processes();
    let board = Board::new();
    let presentity = Presentity::new(1);
    eprintln!("{}: one presentity, {} watchers", target.name(), options.fan_out);
    let connections = connect_all(&running, options.fan_out).await?;
    let _tasks = subscribe_all(&board, connections, |_| presentity.clone()).await?;
    let mut publisher = Publisher::new(running.connect(0).await?, 1);
    let mut etag = round(&mut publisher, &presentity, None, options.fan_out, &board).await?;
    let mut times = Vec::new();
    let (cpu, rounds) = (processes.cpu(), 5);
    for _ in 0..rounds {
        let began = Instant::now();
        etag = round(&mut publisher, &presentity, Some(&etag), options.fan_out, &board).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    figures.fan_out = times[rounds / 2];
    figures.fan_out_cpu = (processes.cpu() - cpu).as_secs_f64() * 1e6 / (rounds * options.fan_out) as f64;
    faultless(&board)
}

pub(crate) fn faultless(board: &Board) -> Result<(), String> {
    match board.faults.borrow().first() {
        None => Ok(()),
        Some(first) => Err(format!("{} faults, the first: {first}", board.faults.borrow().len())),
    }
}

impl Figures {
    /// An idle connection with its subscription.
    pub(crate) fn watcher_bytes(&self) -> f64 {
        self.connection_bytes + self.subscription_bytes
    }

    /// How these stand beside `other`'s.
    #[must_use]
    pub fn beside(&self, other: &Figures) -> String {
        let by = |ours: f64, theirs: f64| ours / theirs;
        format!(
            "{} : {}\n  CPU per NOTIFY       {:.2}\n  NOTIFY/s             {:.2}\n  CPU, moderate rate   {:.2}\n  \
             fan-out time         {:.2}\n  memory, connection   {:.2}\n  memory, subscription {:.2}\n  \
             memory, publication  {:.2}",
            self.name,
            other.name,
            by(self.cpu_per_notify, other.cpu_per_notify),
            by(self.notify_rate, other.notify_rate),
            by(self.paced_cpu_per_notify, other.paced_cpu_per_notify),
            by(self.fan_out, other.fan_out),
            by(self.connection_bytes, other.connection_bytes),
            by(self.subscription_bytes, other.subscription_bytes),
            by(self.publication_bytes, other.publication_bytes),
        )
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: f64| bytes / 1024.0;
        writeln!(f, "{}", self.name)?;
        writeln!(f, "  memory, idle connection     {:>9.2} KB", kib(self.connection_bytes))?;
        writeln!(f, "  memory, its subscription    {:>9.2} KB", kib(self.subscription_bytes))?;
        writeln!(f, "  memory, 1.4 KB publication  {:>9.2} KB", kib(self.publication_bytes))?;
        writeln!(f, "  PUBLISH/s, full speed       {:>9.0}", self.publish_rate)?;
        writeln!(f, "  NOTIFY/s, full speed        {:>9.0}", self.notify_rate)?;
        writeln!(f, "  server CPU per NOTIFY       {:>9.1} us", self.cpu_per_notify)?;
        writeln!(f, "  generator CPU per NOTIFY    {:>9.1} us", self.generator_cpu)?;
        writeln!(
            f,
            "  PUBLISH->NOTIFY, full speed {:>9.2} ms p50 {:>9.2} ms p99",
            self.busy_p50, self.busy_p99
        )?;
        writeln!(
            f,
            "  PUBLISH->NOTIFY, moderate   {:>9.2} ms p50 {:>9.2} ms p99",
            self.paced_p50, self.paced_p99
        )?;
        writeln!(f, "  CPU per NOTIFY, moderate    {:>9.1} us", self.paced_cpu_per_notify)?;
        writeln!(
            f,
            "  one PUBLISH to {:>6} watchers {:>6.0} ms to the last NOTIFY (median of 5)",
            self.fan_out_watchers, self.fan_out
        )?;
        write!(f, "  server CPU per NOTIFY there {:>9.1} us", self.fan_out_cpu)
    }
}

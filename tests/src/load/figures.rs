//! What a run shows: times, and what the server's processes used according to the kernel.

use std::fs;
use std::time::Duration;

/// Latencies in microseconds.
#[derive(Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn add(&mut self, microseconds: u64) {
        self.0.push(u32::try_from(microseconds).unwrap_or(u32::MAX));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The value below which `percent` of all lie, in milliseconds.
    pub(crate) fn percentile(&mut self, percent: f64) -> f64 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let at = ((last as f64) * percent / 100.0).round() as usize;
        self.0.get(at).map_or(f64::NAN, |us| f64::from(*us) / 1000.0)
    }
}

/// A process and all its descendants: Kamailio is many processes, ours is one.
pub(crate) struct Processes(pub(crate) u32);

impl Processes {
    fn all(&self) -> Vec<u32> {
        let mut found = vec![self.0];
        let mut at = 0;
        while let Some(pid) = found.get(at).copied() {
            at += 1;
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            for task in tasks {
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
        found
    }

    /// CPU time used so far, in user and kernel mode, of all threads.
    pub(crate) fn cpu(&self) -> Duration {
        self.all().into_iter().map(|pid| by_scheduler(pid).unwrap_or_else(|| by_ticks(pid))).sum()
    }

    /// Memory in bytes: proportional set size where the kernel tells it, so that what processes
    /// share counts once.
    pub(crate) fn memory(&self) -> u64 {
        let of = |pid: &u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("Pss:"));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        self.all().iter().map(of).sum()
    }
}

/// CPU time of the generator itself: near one core, it is the generator that bounds the rate.
pub(crate) fn own_cpu() -> Duration {
    let pid = std::process::id();
    by_scheduler(pid).unwrap_or_else(|| by_ticks(pid))
}

/// From each thread's `schedstat`, in nanoseconds; not every kernel is built with it.
fn by_scheduler(pid: u32) -> Option<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        nanoseconds += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

/// From the process's `stat`, in ticks of 10 ms: `utime` and `stime`, the 14th and 15th field (proc(5)).
///
/// The second field is a name in brackets that may hold blanks and brackets itself.
fn by_ticks(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let mut latencies = Latencies::default();
        (1..=100).rev().for_each(|ms| latencies.add(ms * 1000));
        assert_eq!((latencies.percentile(0.0), latencies.percentile(100.0)), (1.0, 100.0));
        assert!(Latencies::default().percentile(50.0).is_nan());
    }

    #[test]
    fn this_very_process_uses_cpu_and_memory() {
        let me = Processes(std::process::id());
        let before = me.cpu();
        // The kernel may bring the count up to date only at its next tick: reading is work enough
        // until then, and the bound is for a machine that never counts.
        assert!((0..1_000_000).any(|_| me.cpu() > before));
        assert!((0..1_000_000).any(|_| by_ticks(me.0) > Duration::ZERO));
        assert!(me.memory() > 100_000);
    }
}

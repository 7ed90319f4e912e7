//! The targets that the server was built to, and whether a run met them.

use std::fmt;

use super::phases::Figures;

/// What a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// One target, and what the run gave. NaN where the phase, or the other server, was left out.
#[derive(Debug)]
pub(crate) struct Verdict {
    what: &'static str,
    unit: &'static str,
    figure: f64,
    bound: Bound,
}

impl Verdict {
    /// `None` where nothing was measured.
    fn met(&self) -> Option<bool> {
        let met = match self.bound {
            Bound::AtMost(most) => self.figure <= most,
            Bound::AtLeast(least) => self.figure >= least,
        };
        (!self.figure.is_nan()).then_some(met)
    }

    pub(crate) fn missed(&self) -> bool {
        self.met() == Some(false)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not measured",
        };
        let (sign, bound) = match self.bound {
            Bound::AtMost(bound) => ("at most", bound),
            Bound::AtLeast(bound) => ("at least", bound),
        };
        let Verdict { what, unit, figure, .. } = self;
        write!(f, "  {what:<38} {figure:>8.2} {unit:<3} target {sign:<8} {bound:>6.2}  {verdict}")
    }
}

/// Watchers in the target for the fan-out.
const FAN_OUT: usize = 10_000;

/// Every target. `theirs` are Kamailio's figures of the same run: two targets are ratios to them.
pub(crate) fn verdicts(ours: &Figures, theirs: Option<&Figures>) -> Vec<Verdict> {
    use Bound::{AtLeast, AtMost};
    let ratio = |of: fn(&Figures) -> f64| theirs.map_or(f64::NAN, |theirs| of(ours) / of(theirs));
    let kib = |bytes: f64| bytes / 1024.0;
    let verdict = |what, figure, unit, bound| Verdict { what, unit, figure, bound };
    // Fewer watchers say nothing about the target's number.
    let fan_out = if ours.fan_out_watchers >= FAN_OUT { ours.fan_out } else { f64::NAN };
    vec![
        verdict("CPU per NOTIFY, of Kamailio's", ratio(|f| f.cpu_per_notify), "", AtMost(0.25)),
        verdict("NOTIFY/s, of Kamailio's", ratio(|f| f.notify_rate), "", AtLeast(3.0)),
        verdict("one PUBLISH to 10,000 watchers", fan_out, "ms", AtMost(250.0)),
        verdict("idle, subscribed watcher", kib(ours.watcher_bytes()), "KB", AtMost(10.0)),
        verdict("of it the subscription", kib(ours.subscription_bytes), "KB", AtMost(1.5)),
        verdict("a publication of 1.4 KB", kib(ours.publication_bytes), "KB", AtMost(3.5)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_up_to_its_bound_and_silent_where_nothing_was_measured() {
        let verdict = |figure, bound| Verdict { what: "", unit: "", figure, bound };
        assert_eq!(verdict(0.25, Bound::AtMost(0.25)).met(), Some(true));
        assert_eq!(verdict(0.26, Bound::AtMost(0.25)).met(), Some(false));
        assert_eq!(verdict(2.9, Bound::AtLeast(3.0)).met(), Some(false));
        assert!(verdict(2.9, Bound::AtLeast(3.0)).missed());
        assert_eq!(verdict(f64::NAN, Bound::AtLeast(3.0)).met(), None);
        assert!(!verdict(f64::NAN, Bound::AtMost(3.0)).missed());
    }
}

//! What becomes of devices that do not take part in forking.

/// A device may say that it wants no request that others get as well: by `Supported: ms-forking` left
/// out, where clients of Microsoft's servers are served, or by a feature tag of its Contact, where
/// everybody else is, since every user agent of RFC 3261 can be forked to. How that is read is the
/// owner's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForkPolicy {
    /// They get what all get.
    #[default]
    All,
    /// They are left out where there is another; the best of them stays where there is none.
    Exclude,
    /// Where there is one, the best device of all gets the request alone.
    AllOrBest,
}

impl ForkPolicy {
    /// The devices left, from those in the order of preference (R9). One that is alone, or was chosen
    /// by the caller, always stays.
    pub fn apply<T>(self, mut devices: Vec<T>, can_fork: impl Fn(&T) -> bool) -> Vec<T> {
        match self {
            ForkPolicy::All => {}
            ForkPolicy::Exclude if devices.iter().any(&can_fork) => devices.retain(can_fork),
            ForkPolicy::AllOrBest if devices.iter().all(can_fork) => {}
            ForkPolicy::Exclude | ForkPolicy::AllOrBest => devices.truncate(1),
        }
        devices
    }
}

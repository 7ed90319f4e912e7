//! The one place that reads the system's clock.

use merge_core::time::Millis;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock time that never goes back: it is read once and then carried on by the monotonic
/// clock, so that a correction of the system's clock neither ends nor prolongs anybody's state.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    at_origin: i64,
}

impl Default for Clock {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { origin: Instant::now(), at_origin: i64::try_from(since.as_millis()).unwrap_or(i64::MAX) }
    }
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Millis {
        let passed = i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX);
        Millis(self.at_origin.saturating_add(passed))
    }

    /// Now, in microseconds since 1970.
    pub fn micros(&self) -> u64 {
        let origin = u64::try_from(self.at_origin).unwrap_or(0).saturating_mul(1_000);
        origin.saturating_add(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// When `time` comes, for a timer. A time that has passed is now.
    pub fn instant(&self, time: Millis) -> tokio::time::Instant {
        let ahead = u64::try_from(time.0.saturating_sub(self.at_origin)).unwrap_or(0);
        // A day is far enough ahead: whoever waits asks again.
        let ahead = Duration::from_millis(ahead).min(self.origin.elapsed() + Duration::from_secs(86_400));
        tokio::time::Instant::from_std(self.origin + ahead)
    }
}

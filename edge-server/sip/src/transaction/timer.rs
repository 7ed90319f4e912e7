//! The timers of RFC 3261 table 4 with the amendments of RFC 6026 and 4320, and how long they run.

/// A timer of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// INVITE again, doubling (17.1.1.2).
    A,
    /// The INVITE was never answered.
    B,
    /// The INVITE rang too long: cancel it (16.6 item 11).
    C,
    /// Repeated answers to our INVITE get our ACK until then.
    D,
    /// Another request again, doubling up to T2 (17.1.2.2).
    E,
    /// Another request was never answered for good.
    F,
    /// The refusal of an INVITE again, doubling up to T2 (17.2.1).
    G,
    /// The ACK never came.
    H,
    /// Repeated ACKs are absorbed until then.
    I,
    /// Repeated requests get our answer until then (17.2.2).
    J,
    /// Repeated answers to our request are absorbed until then.
    K,
    /// Repeated INVITEs that we accepted are absorbed until then (RFC 6026).
    L,
    /// Further 2xx to our INVITE are passed on until then (RFC 6026).
    M,
    /// 200 ms in which the user may answer an INVITE before 100 goes out (17.2.1).
    Trying,
    /// The same for other requests: when the other side's Timer E reaches T2 (RFC 4320 4.1).
    Late,
    /// Nobody waits any more for our answer to a request that is no INVITE: the other side's
    /// Timer F has run out (RFC 4320 4.2).
    Expiry,
    /// A cancelled INVITE was not answered even so (9.1).
    Cancelled,
}

impl Timer {
    /// Every timer, in the order of its number.
    pub const ALL: [Timer; 17] = [
        Timer::A,
        Timer::B,
        Timer::C,
        Timer::D,
        Timer::E,
        Timer::F,
        Timer::G,
        Timer::H,
        Timer::I,
        Timer::J,
        Timer::K,
        Timer::L,
        Timer::M,
        Timer::Trying,
        Timer::Late,
        Timer::Expiry,
        Timer::Cancelled,
    ];

    /// For metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Timer::A => "A",
            Timer::B => "B",
            Timer::C => "C",
            Timer::D => "D",
            Timer::E => "E",
            Timer::F => "F",
            Timer::G => "G",
            Timer::H => "H",
            Timer::I => "I",
            Timer::J => "J",
            Timer::K => "K",
            Timer::L => "L",
            Timer::M => "M",
            Timer::Trying => "trying",
            Timer::Late => "late",
            Timer::Expiry => "expiry",
            Timer::Cancelled => "cancelled",
        }
    }

    /// Whether this timer runs beside one that ends the transaction.
    pub(super) const fn is_interim(self) -> bool {
        matches!(self, Timer::A | Timer::E | Timer::G | Timer::Trying | Timer::Late)
    }
}

/// The estimates that all timers derive from, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Round-trip time.
    pub t1: u32,
    /// Longest pause between repetitions.
    pub t2: u32,
    /// How long a message stays in the network.
    pub t4: u32,
    /// Timer C: more than three minutes.
    pub c: u32,
    /// How long the user may think about an INVITE before 100 goes out.
    pub trying: u32,
    /// Timer J over reliable transports, where RFC 3261 17.2.2 has none: answered requests linger
    /// that long, for clients that repeat them all the same, on the same connection.
    pub reliable_linger: u32,
}

impl Timing {
    /// T1 500 ms, T2 4 s, T4 5 s (RFC 3261 table 4), Timer C 181 s, 100 after 200 ms.
    pub const DEFAULT: Timing =
        Timing { t1: 500, t2: 4_000, t4: 5_000, c: 181_000, trying: 200, reliable_linger: 0 };

    /// How long a timer runs when it is first set; `None`: it is not used on this transport.
    pub fn first(&self, timer: Timer, reliable: bool) -> Option<u64> {
        let t1 = u64::from(self.t1);
        let wait = |unreliable| if reliable { 0 } else { unreliable };
        Some(match timer {
            Timer::A | Timer::E | Timer::G if reliable => return None,
            Timer::A | Timer::E | Timer::G => t1,
            Timer::B | Timer::F | Timer::H | Timer::L | Timer::M | Timer::Expiry | Timer::Cancelled => {
                64 * t1
            }
            Timer::C => u64::from(self.c),
            // At least 32 s whatever our T1: the other side has its own (RFC 6026 8.4).
            Timer::D => wait((64 * t1).max(32_000)),
            Timer::I | Timer::K => wait(u64::from(self.t4)),
            Timer::J if reliable => u64::from(self.reliable_linger),
            Timer::J => 64 * t1,
            Timer::Trying => u64::from(self.trying),
            Timer::Late => self.until_slow(),
        })
    }

    /// The pause after one of `last`: Timer A doubles, E and G double up to T2.
    pub fn next(&self, timer: Timer, last: u64) -> u64 {
        let doubled = last.saturating_mul(2);
        if timer == Timer::A { doubled } else { doubled.min(u64::from(self.t2)) }
    }

    /// The time that a client's Timer E takes to be set to T2: 3.5 s with the defaults.
    fn until_slow(&self) -> u64 {
        let (mut pause, mut at) = (u64::from(self.t1.max(1)), 0);
        while pause < u64::from(self.t2) {
            at += pause;
            pause *= 2;
        }
        at
    }
}

impl Default for Timing {
    fn default() -> Timing {
        Timing::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timer_stands_at_the_place_of_its_number() {
        for (number, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer as usize, number);
        }
    }
}

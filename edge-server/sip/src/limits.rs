//! What one message may cost: every bound the reader enforces, with its default.

/// Bounds for [`Message::parse_with`](crate::Message::parse_with). All are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets from the start line to the empty line, both included. Beyond: 513.
    pub head: usize,
    /// Octets of the body. Beyond: 413.
    pub body: usize,
    /// Header lines. Beyond: 513.
    pub headers: usize,
    /// Octets of one header line. Beyond: 513. Also of the start line, beyond which nothing can be answered.
    pub line: usize,
    /// Via values; each hop adds one, so this bounds a loop as well. Beyond: 513.
    pub vias: usize,
}

impl Limits {
    /// The defaults: 32 KiB head, 64 KiB body, 256 lines of at most 8 KiB, 70 Vias.
    pub const DEFAULT: Limits =
        Limits { head: 32 * 1024, body: 64 * 1024, headers: 256, line: 8 * 1024, vias: 70 };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

//! Status codes and their reason phrases, as the IANA registry "SIP Response Codes" has them.

use core::fmt;

/// A status code, 100 to 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(u16);

impl Status {
    /// 200 OK
    pub const OK: Status = Status(200);
    /// 202 Accepted
    pub const ACCEPTED: Status = Status(202);
    /// 400 Bad Request
    pub const BAD_REQUEST: Status = Status(400);
    /// 401 Unauthorized
    pub const UNAUTHORIZED: Status = Status(401);
    /// 403 Forbidden
    pub const FORBIDDEN: Status = Status(403);
    /// 404 Not Found
    pub const NOT_FOUND: Status = Status(404);
    /// 405 Method Not Allowed
    pub const METHOD_NOT_ALLOWED: Status = Status(405);
    /// 406 Not Acceptable
    pub const NOT_ACCEPTABLE: Status = Status(406);
    /// 407 Proxy Authentication Required
    pub const PROXY_AUTHENTICATION_REQUIRED: Status = Status(407);
    /// 408 Request Timeout
    pub const REQUEST_TIMEOUT: Status = Status(408);
    /// 412 Conditional Request Failed
    pub const CONDITIONAL_REQUEST_FAILED: Status = Status(412);
    /// 413 Request Entity Too Large
    pub const REQUEST_ENTITY_TOO_LARGE: Status = Status(413);
    /// 415 Unsupported Media Type
    pub const UNSUPPORTED_MEDIA_TYPE: Status = Status(415);
    /// 416 Unsupported URI Scheme
    pub const UNSUPPORTED_URI_SCHEME: Status = Status(416);
    /// 420 Bad Extension
    pub const BAD_EXTENSION: Status = Status(420);
    /// 423 Interval Too Brief
    pub const INTERVAL_TOO_BRIEF: Status = Status(423);
    /// 430 Flow Failed (RFC 5626 11.5)
    pub const FLOW_FAILED: Status = Status(430);
    /// 440 Max-Breadth Exceeded (RFC 5393 6.2)
    pub const MAX_BREADTH_EXCEEDED: Status = Status(440);
    /// 480 Temporarily Unavailable
    pub const TEMPORARILY_UNAVAILABLE: Status = Status(480);
    /// 481 Call/Transaction Does Not Exist
    pub const CALL_DOES_NOT_EXIST: Status = Status(481);
    /// 482 Loop Detected
    pub const LOOP_DETECTED: Status = Status(482);
    /// 483 Too Many Hops
    pub const TOO_MANY_HOPS: Status = Status(483);
    /// 487 Request Terminated
    pub const REQUEST_TERMINATED: Status = Status(487);
    /// 489 Bad Event
    pub const BAD_EVENT: Status = Status(489);
    /// 500 Server Internal Error
    pub const SERVER_INTERNAL_ERROR: Status = Status(500);
    /// 503 Service Unavailable
    pub const SERVICE_UNAVAILABLE: Status = Status(503);
    /// 505 Version Not Supported
    pub const VERSION_NOT_SUPPORTED: Status = Status(505);
    /// 513 Message Too Large
    pub const MESSAGE_TOO_LARGE: Status = Status(513);

    /// The status with this code, if it lies between 100 and 699.
    pub const fn new(code: u16) -> Option<Status> {
        if code >= 100 && code <= 699 { Some(Status(code)) } else { None }
    }

    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// True below 200.
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// True from 200 to 299.
    pub const fn is_success(self) -> bool {
        self.0 >= 200 && self.0 < 300
    }

    /// The registered phrase; see [`reason_phrase`].
    pub const fn reason(self) -> &'static str {
        reason_phrase(self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}

/// The registered reason phrase. An unregistered code gets the phrase of its class's x00 (183's
/// for 1xx), which is how RFC 3261 8.1.3.2 says it is to be understood.
pub const fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        417 => "Unknown Resource-Priority",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        424 => "Bad Location Information",
        425 => "Bad Alert Message",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity Info",
        437 => "Unsupported Credential",
        438 => "Invalid Identity Header",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        470 => "Consent Needed",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        555 => "Push Notification Service Not Supported",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => match code / 100 {
            1 => "Session Progress",
            2 => "OK",
            3 => "Multiple Choices",
            4 => "Bad Request",
            5 => "Server Internal Error",
            _ => "Busy Everywhere",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_the_registered_ones() {
        for (code, phrase) in [
            (412, "Conditional Request Failed"),
            (423, "Interval Too Brief"),
            (481, "Call/Transaction Does Not Exist"),
            (489, "Bad Event"),
            (299, "OK"),
            (499, "Bad Request"),
            (699, "Busy Everywhere"),
        ] {
            assert_eq!(reason_phrase(code), phrase, "{code}");
        }
    }

    #[test]
    fn codes_outside_100_to_699_do_not_exist() {
        assert_eq!(Status::new(99), None);
        assert_eq!(Status::new(700), None);
        assert_eq!(Status::new(489), Some(Status::BAD_EVENT));
    }
}

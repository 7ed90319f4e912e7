//! Traces for OpenTelemetry, by OTLP over HTTP in JSON (the feature `otlp`).
//!
//! ```text
//!   one Call-ID ── one trace:  INVITE      ├─wait─┼─handle─┼─store and send─┤
//!                              180 INVITE            ├─wait─┼─handle─┼─...
//! ```
//! A trace's number is made of its Call-ID alone: all messages of a call are in it, and so are those that
//! another server of this kind has seen of the same call. Each message that a shard handles is a span.

use crate::clock::Clock;
use crate::config::Otlp;
use crate::https::{AUTHORITIES, Fault, Https};
use crate::metrics::{Metrics, count};
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, Uri};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tributary_engine::{Hop, Transport};
use tributary_sip::{Aor, Message, Method};

/// Messages whose spans may wait to be sent; those beyond are lost and counted.
const QUEUE: usize = 4_096;

/// Messages whose spans are sent at once.
const BATCH: usize = 512;

/// For others to go along.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes of an answer that are read.
const ANSWER: usize = 65_536;

/// Bytes of a Call-ID or an address that are told.
const TEXT: usize = 255;

/// Notes what messages come to.
#[derive(Debug)]
pub(crate) struct Exporter {
    queue: mpsc::Sender<Passage>,
    percent: u32,
    clock: Clock,
    metrics: Metrics,
    /// For the numbers of spans: they must be new, and need not be unforeseeable.
    numbers: (RandomState, AtomicU64),
}

/// A message on its way through a shard. Times are in microseconds since 1970.
#[derive(Debug)]
pub(crate) struct Passage {
    trace: [u8; 16],
    spans: [u64; 4],
    name: String,
    is_request: bool,
    call_id: String,
    aor: Option<Aor>,
    transport: Transport,
    flow: u64,
    shard: u16,
    status: Option<u16>,
    read: u64,
    begun: u64,
    handled: u64,
    done: u64,
}

impl Exporter {
    /// As configured; `None` where there is nowhere to send to. What is noted is sent until `stop` says so.
    ///
    /// # Errors
    /// The endpoint cannot be used.
    pub(crate) fn start(
        config: &Otlp,
        clock: Clock,
        metrics: Metrics,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<Self>, Fault> {
        let Some(endpoint) = &config.endpoint else { return Ok(None) };
        let url: Uri = format!("{}/v1/traces", endpoint.trim_end_matches('/')).parse()?;
        let authorities = config.authorities.as_deref().unwrap_or(AUTHORITIES);
        let collector = Https::new(&url, Path::new(authorities))?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(send(collector, waiting, metrics.clone(), stop));
        let numbers = (RandomState::new(), AtomicU64::new(0));
        Ok(Some(Self { queue, percent: config.percent, clock, metrics, numbers }))
    }

    /// A message begins to be handled that has waited for so long; `None` if it is not of those that are kept.
    pub(crate) fn begin(
        &self,
        shard: u16,
        hop: &Hop,
        waited: Duration,
        message: &Message,
    ) -> Option<Passage> {
        let digest = Sha256::digest(message.call_id().as_bytes());
        let (trace, rest) = digest.split_first_chunk::<16>()?;
        // The same for all messages of a call, on whatever server.
        let share = rest.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))?;
        if u64::from(share) * 100 >= u64::from(self.percent) << 32 {
            return None;
        }
        let method = match message.method() {
            Method::Extension(_) => "other",
            method => method.as_str(),
        };
        let status = message.status().map(|status| status.code());
        let begun = self.clock.micros();
        Some(Passage {
            trace: *trace,
            spans: [(); 4].map(|()| self.number()),
            name: status.map_or_else(|| method.to_owned(), |status| format!("{status} {method}")),
            is_request: message.is_request(),
            call_id: message.call_id().chars().take(TEXT).collect(),
            // The canonical address: a URI as it came may carry a password.
            aor: message.to().ok().and_then(|to| Aor::parse(to.uri).ok()),
            transport: hop.transport,
            flow: hop.flow.0,
            shard,
            status,
            read: begun.saturating_sub(u64::try_from(waited.as_micros()).unwrap_or(0)),
            begun,
            handled: begun,
            done: begun,
        })
    }

    /// The state machine is through with it. `answered` is the status of an answer that was given at once.
    pub(crate) fn handled(&self, passage: &mut Passage, answered: Option<u16>) {
        passage.handled = self.clock.micros();
        passage.status = passage.status.or(answered);
    }

    /// All that it led to is stored and on its way.
    pub(crate) fn done(&self, mut passage: Passage) {
        passage.done = self.clock.micros();
        if self.queue.try_send(passage).is_err() {
            count(&self.metrics.otlp_messages, "result", "lost");
        }
    }

    /// Never 0, which is no number.
    fn number(&self) -> u64 {
        let (hasher, next) = &self.numbers;
        hasher.hash_one(next.fetch_add(1, Ordering::Relaxed)).max(1)
    }
}

/// Sends what waits, many at a time.
async fn send(
    collector: Https,
    mut waiting: mpsc::Receiver<Passage>,
    metrics: Metrics,
    mut stop: watch::Receiver<bool>,
) {
    let mut batch = Vec::new();
    loop {
        let count = tokio::select! {
            biased;
            count = waiting.recv_many(&mut batch, BATCH) => count,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if count == 0 {
            return;
        }
        let until = Instant::now() + PAUSE;
        loop {
            let room = BATCH - batch.len();
            // Without room, nothing more is taken.
            let more = timeout_at(until, waiting.recv_many(&mut batch, room)).await;
            if !matches!(more, Ok(1..)) {
                break;
            }
        }
        let result = match post(&collector, &batch).await {
            Ok(()) => "sent",
            Err(error) => {
                tracing::warn!(%error, "traces could not be sent");
                "failed"
            }
        };
        metrics.otlp_messages.get_or_create(&[("result", result.to_owned())]).inc_by(batch.len() as u64);
        batch.clear();
    }
}

async fn post(collector: &Https, batch: &[Passage]) -> Result<(), Fault> {
    let path = collector.url().path().to_owned();
    let request = Request::post(path).header(CONTENT_TYPE, "application/json");
    let (status, _) = collector.send(request.body(Body::from(written(batch).to_string()))?, ANSWER).await?;
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("{}: it answered {status}", collector.url()).into())
    }
}

/// An ExportTraceServiceRequest.
fn written(batch: &[Passage]) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            text("service.name", "tributary"),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ]},
        "scopeSpans": [{
            "scope": {"name": "tributary"},
            "spans": batch.iter().flat_map(Passage::spans).collect::<Vec<_>>(),
        }],
    }]})
}

impl Passage {
    /// The span of the message, and those of what happened to it.
    fn spans(&self) -> [Value; 4] {
        const SERVER: u8 = 2;
        const INTERNAL: u8 = 1;
        const ERROR: u8 = 2;
        let mut attributes = vec![
            text("network.protocol.name", "sip"),
            text("network.transport", if self.transport == Transport::Udp { "udp" } else { "tcp" }),
            text("sip.transport", self.transport.via()),
            text("sip.call_id", &self.call_id),
            number("tributary.shard", self.shard.into()),
            text("tributary.flow", &self.flow.to_string()),
        ];
        attributes.extend(self.aor.as_ref().map(|aor| text("sip.to", aor.as_str())));
        attributes.extend(self.status.map(|status| number("sip.status_code", status.into())));
        let failed = self.is_request && self.status.is_some_and(|status| (500..600).contains(&status));
        let [message, wait, handle, rest] = self.spans;
        let kind = if self.is_request { SERVER } else { INTERNAL };
        let mut first = self.span(message, None, &self.name, kind, (self.read, self.done));
        first["attributes"] = attributes.into();
        if failed {
            first["status"] = json!({ "code": ERROR });
        }
        let within = |id, name, times| self.span(id, Some(message), name, INTERNAL, times);
        [
            first,
            within(wait, "wait", (self.read, self.begun)),
            within(handle, "handle", (self.begun, self.handled)),
            within(rest, "store and send", (self.handled, self.done)),
        ]
    }

    fn span(&self, id: u64, parent: Option<u64>, name: &str, kind: u8, (from, to): (u64, u64)) -> Value {
        json!({
            "traceId": crate::policies::hex(&self.trace),
            "spanId": format!("{id:016x}"),
            "parentSpanId": parent.map(|parent| format!("{parent:016x}")).unwrap_or_default(),
            "name": name,
            "kind": kind,
            // 64 bits are text in the JSON of Protocol Buffers.
            "startTimeUnixNano": (from * 1_000).to_string(),
            "endTimeUnixNano": (to * 1_000).to_string(),
        })
    }
}

fn text(key: &str, value: &str) -> Value {
    let value: String = value.chars().take(TEXT).collect();
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Exposition;
    use std::collections::BTreeSet;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tributary_engine::FlowId;

    const HOP: fn() -> Hop =
        || Hop { flow: FlowId(7), transport: Transport::Tls, peer: "192.0.2.1:5061".parse().unwrap() };

    fn message(call_id: &str) -> Message {
        let text = format!(
            "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TLS a.example;branch=z9hG4bK1\r\n\
             From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob:secret@EXAMPLE.com>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        Message::parse(text.into()).unwrap()
    }

    fn exporter(config: &Otlp) -> (Exporter, watch::Sender<bool>) {
        let (stop, stopping) = watch::channel(false);
        let metrics = Exposition::default().metrics;
        let exporter = Exporter::start(config, Clock::default(), metrics, stopping).unwrap().unwrap();
        (exporter, stop)
    }

    fn to(port: u16) -> Otlp {
        Otlp { endpoint: Some(format!("http://127.0.0.1:{port}")), ..Otlp::default() }
    }

    #[tokio::test]
    async fn a_collector_gets_each_message_with_what_it_waited_and_was_handled_and_stored() {
        let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (exporter, _stop) = exporter(&to(collector.local_addr().unwrap().port()));
        for answered in [Some(503), None] {
            let waited = Duration::from_millis(3);
            let mut passage = exporter.begin(2, &HOP(), waited, &message("a84b4c76e66710")).unwrap();
            exporter.handled(&mut passage, answered);
            exporter.done(passage);
        }
        let (mut socket, _) = collector.accept().await.unwrap();
        let mut bytes = Vec::new();
        let body = loop {
            socket.read_buf(&mut bytes).await.unwrap();
            let read = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = read.split_once("\r\n\r\n")
                && let Ok(body) = serde_json::from_str::<Value>(body)
            {
                assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
                assert!(head.contains("content-type: application/json\r\n"), "{head}");
                break body;
            }
        };
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
        let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
        let one = ["INVITE", "wait", "handle", "store and send"];
        assert_eq!(names, [one, one].concat());
        let ids: BTreeSet<_> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
        assert!(ids.len() == 8 && ids.iter().all(|id| id.len() == 16));
        // printf a84b4c76e66710 | sha256sum
        let trace = crate::policies::hex(&Sha256::digest(b"a84b4c76e66710")[..16]);
        for (at, span) in spans.iter().enumerate() {
            assert_eq!(span["traceId"], trace, "one Call-ID is one trace");
            let parent = if at % 4 == 0 { &json!("") } else { &spans[at / 4 * 4]["spanId"] };
            assert_eq!(&span["parentSpanId"], parent);
            let time = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
            assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
        }
        assert_eq!(spans[0]["kind"], 2);
        assert_eq!(spans[0]["status"]["code"], 2, "503 is an error of ours");
        assert!(spans[4]["status"].is_null());
        let attributes = spans[0]["attributes"].to_string();
        for told in ["sip:bob@example.com", "\"TLS\"", "\"503\"", "a84b4c76e66710"] {
            assert!(attributes.contains(told), "{told} in {attributes}");
        }
        assert!(!body.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn of_all_calls_the_same_share_is_kept_everywhere_and_each_as_a_whole() {
        let here = exporter(&Otlp { percent: 25, ..to(9) }).0;
        let there = exporter(&Otlp { percent: 25, ..to(9) }).0;
        let kept = |exporter: &Exporter| -> Vec<bool> {
            let is_kept =
                |n| exporter.begin(0, &HOP(), Duration::ZERO, &message(&format!("call{n}"))).is_some();
            (0..1_000).map(is_kept).collect()
        };
        let once = kept(&here);
        assert_eq!(once, kept(&there));
        let count = once.iter().filter(|kept| **kept).count();
        assert!((180..320).contains(&count), "{count}");
        let all = exporter(&to(9)).0;
        assert!(kept(&all).into_iter().all(|kept| kept));
    }

    #[tokio::test]
    async fn where_nobody_collects_what_does_not_fit_is_lost_and_nothing_waits() {
        let (exporter, _stop) = exporter(&to(9));
        for n in 0..=QUEUE {
            let passage = exporter.begin(0, &HOP(), Duration::ZERO, &message(&n.to_string())).unwrap();
            exporter.done(passage);
        }
        let lost = exporter.metrics.otlp_messages.get_or_create(&[("result", "lost".to_owned())]).get();
        assert_eq!(lost, 1);
    }
}

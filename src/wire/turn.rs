//! What lies between two waits of a connection: heads judged, bodies answered, until bytes have to be read or written.
//!
//! [`Port::turn`] is what the socket shell runs, and [`Port::converse`] runs the very same over bytes that are already there: tests,
//! fuzzing and the offline explanation need no socket.

use super::{
    conn::{Conn, Fault, HeadCache, Settings, Step},
    counters::Counters,
    head::{HeadError, Method},
    reply::{Out, REPLY_BYTES, Reply},
    verdict::{Answer, Gate, Peer, Verdict},
};
use crate::{
    limits::{HEAD_BYTES, PIPELINE_COUNT},
    time::{Instant, Now},
};

/// Room for the answers of one turn.
pub const OUT_BYTES: usize = 4 * REPLY_BYTES;
/// Room that must be free before a request is looked at: its answer, and a `100 Continue` before that.
const NEED_BYTES: usize = REPLY_BYTES + 64;

/// Where a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Send what is in the out buffer, read more, or come back at `until`.
    Wait {
        /// When the connection's phase runs out.
        until: Instant,
    },
    /// Send what is in the out buffer, read nothing, and come back once the gate has found something out, or at `until`.
    Hold {
        /// When it has taken too long.
        until: Instant,
    },
    /// Move to a larger buffer, or fail with [`Fault::NoRoom`].
    Grow,
    /// Send what is in the out buffer and come back: there is more to do.
    Flush,
    /// Send what is in the out buffer, then close.
    Close,
}

/// Everything of a port that its connections share.
#[derive(Debug)]
pub struct Port<G> {
    /// What judges and answers.
    pub gate: G,
    /// What is allowed.
    pub settings: Settings,
    /// What was counted.
    pub counters: Counters,
    cache: HeadCache,
}

impl<G: Gate> Port<G> {
    /// A port in front of `gate`.
    #[must_use]
    pub fn new(gate: G, settings: Settings) -> Self {
        Self { gate, settings, counters: Counters::default(), cache: HeadCache::default() }
    }

    /// Advances `conn` as far as it comes with what is in `buf`, and at most [`PIPELINE_COUNT`] answers.
    pub fn turn(&mut self, conn: &mut Conn<G::Ticket>, buf: &mut [u8], peer: &Peer, now: Now, out: &mut Out<'_>) -> Turn {
        let mut answers = 0;
        loop {
            if answers >= PIPELINE_COUNT || out.free() < NEED_BYTES {
                return Turn::Flush;
            }
            let held = conn.is_held();
            match conn.receive(buf, &mut self.cache, &self.settings, now.mono) {
                Step::Wait { until } => return Turn::Wait { until },
                Step::Grow => return Turn::Grow,
                Step::Close => return Turn::Close,
                Step::Head(head) => {
                    self.counters.requests_total += u64::from(!held);
                    // `OPTIONS *` asks about the server as a whole (RFC 9110 §9.3.7), which no gate answers for.
                    let verdict = if head.raw_path() == "*" {
                        Verdict::Refuse(server_options())
                    } else if head.method() == Method::Other && head.method_text() != "TRACE" {
                        // RFC 9110 §9.1; TRACE is known and allowed nowhere, which the gate says.
                        let reply = Reply::error(501, HeadError::UnsupportedMethod.message());
                        self.counters.refused(&reply);
                        Verdict::Refuse(reply)
                    } else if head.method() == Method::Put && head.field("content-range").is_some() {
                        // RFC 9110 §14.5: part of a representation must not be taken for all of it.
                        let reply = Reply::error(400, "Content-Range in a PUT (RFC 9110 section 14.5)");
                        self.counters.refused(&reply);
                        Verdict::Refuse(reply)
                    } else {
                        self.gate.head(&head, peer, now)
                    };
                    match verdict {
                        Verdict::Take(ticket) => {
                            if let Err(fault) = conn.take(ticket, &self.settings, now, out) {
                                self.gate.dropped(ticket, Some(fault.reply(&self.settings).status));
                                self.fail(conn, fault, now, out);
                                answers += 1;
                            }
                        }
                        Verdict::Refuse(reply) => {
                            conn.refuse(&reply, now, out);
                            answers += 1;
                        }
                        Verdict::Later => return Turn::Hold { until: conn.hold(&self.settings, now.mono) },
                    }
                }
                Step::Body(head, body) => {
                    if let Some(ticket) = conn.ticket() {
                        let Answer::Now(reply) = self.gate.body(ticket, &head, peer, body, now);
                        self.counters.taken_total += u64::from(reply.status < 300);
                        conn.answer(&reply, now, out);
                        answers += 1;
                    }
                }
                Step::Fault(fault) => {
                    self.fail(conn, fault, now, out);
                    answers += 1;
                }
            }
        }
    }

    /// Answers a fault, counts it, and gives the ticket back whose body will not come.
    pub fn fail(&mut self, conn: &mut Conn<G::Ticket>, fault: Fault, now: Now, out: &mut Out<'_>) {
        let reply = fault.reply(&self.settings);
        if let Some(ticket) = conn.ticket() {
            self.gate.dropped(ticket, Some(reply.status));
        }
        self.counters.refused(&reply);
        conn.fail(fault, &self.settings, now, out);
    }

    /// Runs a whole conversation without a socket: the client sends `pieces`, one read each, and closes. Gives what it would
    /// receive. All of it happens at `now`, so nothing times out; what the gate puts off is waited for.
    pub fn converse<'p>(&mut self, pieces: impl IntoIterator<Item = &'p [u8]>, peer: &Peer, now: Now) -> Vec<u8> {
        let mut conn = Conn::new(now.mono);
        let mut buf = vec![0; crate::limits::CONN_BYTES];
        let mut space = vec![0; OUT_BYTES];
        let mut sent = Vec::new();
        let mut pieces = pieces.into_iter();
        let mut piece: &[u8] = &[];
        loop {
            let mut out = Out::new(&mut space);
            let turn = self.turn(&mut conn, &mut buf, peer, now, &mut out);
            sent.extend_from_slice(out.filled());
            match turn {
                Turn::Close => return sent,
                Turn::Flush => {}
                // A gate that puts off and then has nothing to do would put off for ever.
                Turn::Hold { .. } if !self.gate.advance(now) => return sent,
                Turn::Hold { .. } => {}
                Turn::Grow => {
                    let mut larger = vec![0; HEAD_BYTES + self.settings.body_bytes + super::conn::SLACK_BYTES];
                    conn.relocate(&buf, &mut larger);
                    buf = larger;
                }
                Turn::Wait { .. } => {
                    while piece.is_empty() {
                        let Some(next) = pieces.next() else { break };
                        piece = next;
                    }
                    let space = conn.space(&mut buf);
                    let n = piece.len().min(space.len());
                    let (now_read, rest) = piece.split_at(n);
                    if let Some(place) = space.get_mut(..n) {
                        place.copy_from_slice(now_read);
                    }
                    piece = rest;
                    if n == 0 {
                        conn.eof();
                    } else {
                        conn.filled(n, now.mono);
                    }
                }
            }
        }
    }
}

fn server_options() -> Reply {
    Reply::empty(204).allow([Method::Post, Method::Put, Method::Options].into_iter().collect())
}

#[cfg(test)]
mod tests {
    use core::{net::Ipv4Addr, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        limits::CONN_BYTES,
        time::Timestamp,
        wire::{
            conn::{DeadlineKeys, Deadlines},
            head::Head,
            reply::Methods,
        },
    };

    /// Takes POST and PUT to `/a`, says what it got; refuses everything else from the head.
    #[derive(Default)]
    struct Echo {
        dropped: Vec<Option<u16>>,
    }

    impl Gate for Echo {
        type Ticket = u32;

        fn head(&mut self, head: &Head<'_>, _: &Peer, _: Now) -> Verdict<u32> {
            if head.path(&mut [0; 64]) != "/a" {
                return Verdict::Refuse(Reply::error(404, "no such path"));
            }
            match head.method() {
                Method::Post | Method::Put => Verdict::Take(7),
                _ => Verdict::Refuse(Reply::error(405, "method").allow(Methods::NONE.with(Method::Post))),
            }
        }

        fn body(&mut self, ticket: u32, head: &Head<'_>, _: &Peer, body: &[u8], _: Now) -> Answer {
            assert_eq!(ticket, 7);
            if body == b"full" {
                return Answer::Now(Reply::error(503, "full").retry_after(1));
            }
            let text = body.escape_ascii().to_string();
            let query = head.query().unwrap_or("-");
            Answer::Now(Reply::error_fmt(200, format_args!("{query} {} {}", body.len(), text.get(..40).unwrap_or(&text))))
        }

        fn dropped(&mut self, ticket: u32, refused: Option<u16>) {
            assert_eq!(ticket, 7);
            self.dropped.push(refused);
        }
    }

    fn settings() -> Settings {
        Settings {
            body_bytes: 10_000,
            body_key: "limits.bodyBytes",
            require_length: true,
            refuse_dots: true,
            deadlines: Deadlines::default(),
            keys: DeadlineKeys::DATA,
        }
    }

    const PEER: Peer = Peer::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), false);
    const T0: Now = Now { mono: Instant(1_000_000_000), wall: Timestamp(0) };

    fn converse(pieces: &[&[u8]]) -> String {
        let mut port = Port::new(Echo::default(), settings());
        let sent = port.converse(pieces.iter().copied(), &PEER, T0);
        String::from_utf8_lossy(&sent).replace("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "")
    }

    /// Each answer as `status body`, with `!` when the connection ends after it.
    fn answers(sent: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut rest = sent;
        while let Some((head, after)) = rest.split_once("\r\n\r\n") {
            let status = head.split(' ').nth(1).unwrap_or_default();
            let length = head.split("Content-Length: ").nth(1).map_or(0, |t| t.split('\r').next().unwrap_or_default().parse().unwrap_or(0));
            let (body, after) = after.split_at(length);
            let end = if head.contains("Connection: close") { "!" } else { "" };
            let message = body.split("\"message\":\"").nth(1).map_or(body, |m| m.trim_end_matches("\"}"));
            found.push(format!("{status}{end} {message}"));
            rest = after;
        }
        assert_eq!(rest, "");
        found
    }

    fn post(target: &str, body: &str) -> String {
        format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// Whole, cut in two at every byte, and byte by byte: the same answers.
    fn same_however_split(raw: &[u8]) -> Vec<String> {
        let whole = converse(&[raw]);
        for at in 1..raw.len() {
            let (a, b) = raw.split_at(at);
            assert_eq!(converse(&[a, b]), whole, "split at {at}: {}", raw.escape_ascii());
        }
        assert_eq!(converse(&raw.chunks(1).collect::<Vec<_>>()), whole, "{}", raw.escape_ascii());
        answers(&whole)
    }

    #[test]
    fn messages_one_after_another() {
        let chunked = "PUT /a?c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n";
        let raw = [&post("/a?1", "xy"), "\r\n", chunked, &post("/a", ""), "\r\n\r\n", &post("/a?2", "full"), &post("/a?3", "z")].concat();
        assert_eq!(same_however_split(raw.as_bytes()), ["200 1 2 xy", "200 c 5 abcde", "200 - 0 ", "503 full", "200 3 1 z"]);
    }

    #[test]
    fn refused_heads_keep_the_connection_when_the_body_is_small() {
        let get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
        let raw = [&post("/b", "body"), get, &post("/a", "z")].concat();
        assert_eq!(same_however_split(raw.as_bytes()), ["404 no such path", "405 method", "200 - 1 z"]);
        let at = post("/b", &"x".repeat(SKIP)) + &post("/a", "z");
        assert_eq!(answers(&converse(&[at.as_bytes()])), ["404 no such path", "200 - 1 z"]);
        let past = post("/b", &"x".repeat(SKIP + 1)) + &post("/a", "z");
        assert_eq!(answers(&converse(&[past.as_bytes()])), ["404! no such path"]);
        let chunked = "PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(same_however_split([chunked, &post("/a", "z")].concat().as_bytes()), ["404! no such path"]);
        let sent = converse(&[b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"]);
        assert_eq!(sent, "HTTP/1.1 204 No Content\r\nAllow: POST, PUT, OPTIONS\r\n\r\n");
        let head = "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n";
        assert!(converse(&[head.as_bytes()]).ends_with("\r\n\r\n"));
    }
    const SKIP: usize = crate::wire::conn::SKIP_BYTES;

    #[test]
    fn expectations() {
        let with = |path: &str, body: &str| {
            format!("PUT {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        assert_eq!(same_however_split((with("/a", "z") + &post("/a", "y")).as_bytes()), ["100 ", "200 - 1 z", "200 - 1 y"]);
        assert_eq!(same_however_split((with("/b", "z") + &post("/a", "y")).as_bytes()), ["404! no such path"]);
        assert_eq!(
            same_however_split(b"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10001\r\n\r\n"),
            ["413! the body is longer than limits.bodyBytes (10000 bytes)"]
        );
    }

    #[test]
    fn the_last_request_of_a_connection() {
        let close = "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nz";
        assert_eq!(same_however_split([close, &post("/a", "y")].concat().as_bytes()), ["200! - 1 z"]);
        let old = "POST /a HTTP/1.0\r\nContent-Length: 1\r\n\r\nz";
        assert_eq!(same_however_split([old, &post("/a", "y")].concat().as_bytes()), ["200! - 1 z"]);
        let old_keep = "POST /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nz";
        let sent = converse(&[[old_keep, &post("/a", "y")].concat().as_bytes()]);
        assert_eq!(answers(&sent), ["200 - 1 z", "200 - 1 y"]);
        assert!(sent.contains("Connection: keep-alive\r\n"));
    }

    #[test]
    fn refusals_of_the_wire() {
        for (raw, want) in [
            ("POST /a HTTP/1.1\r\nHost: x\r\n\r\n", "411! neither Content-Length nor Transfer-Encoding (RFC 9110 section 15.5.12)"),
            ("POST /a/../a HTTP/1.1\r\nHost: x\r\n\r\n", "400! the path has a dot segment or an empty segment (RFC 3986 section 3.3)"),
            ("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n\r\n", "413! the body is longer than limits.bodyBytes (10000 bytes)"),
            (
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551617\r\n\r\n",
                "413! the body is longer than limits.bodyBytes (10000 bytes)",
            ),
            (
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2711\r\n",
                "413! the body is longer than limits.bodyBytes (10000 bytes)",
            ),
            ("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400! malformed chunk (RFC 9112 section 7.1)"),
            ("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", "400! the connection was closed in the middle of the request"),
            (
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
                "400! the connection was closed in the middle of the request",
            ),
            ("POST /a HTT", "400! the connection was closed in the middle of the request"),
            ("\r", "400! the connection was closed in the middle of the request"),
            ("\r\n\r\n\r\n\r\n\r\n", "400! empty lines before the request line (RFC 9112 section 2.2)"),
            ("\n", "400! the request line is not: method target HTTP-version (RFC 9112 section 3)"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505! HTTP version not supported, HTTP/1.1 and HTTP/1.0 are (RFC 9112 section 2.3)"),
        ] {
            assert_eq!(same_however_split(raw.as_bytes()), [want], "{raw}");
            // A good request before changes nothing, one behind is not looked at.
            let after = [post("/a", "z"), raw.to_owned()].concat();
            assert_eq!(same_however_split(after.as_bytes()), ["200 - 1 z", want]);
        }
        assert_eq!(converse(&[b""]), "");
        assert_eq!(converse(&[b"\r\n"]), "");
    }

    #[test]
    fn bodies_at_the_limit_take_a_larger_buffer() {
        let raw = post("/a", &"x".repeat(10_000)) + &post("/a", "z");
        let want = ["200 - 10000 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "200 - 1 z"];
        assert_eq!(answers(&converse(&[raw.as_bytes()])), want);
        assert_eq!(answers(&converse(&raw.as_bytes().chunks(1).collect::<Vec<_>>())), want);
        let chunked = format!(
            "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n{}",
            "1;aa\r\nx\r\n".repeat(300) + &format!("25e4\r\n{}\r\n", "x".repeat(9700)),
            post("/a", "z")
        );
        assert_eq!(answers(&converse(&[chunked.as_bytes()])), want);
        assert_eq!(answers(&converse(&chunked.as_bytes().chunks(7).collect::<Vec<_>>())), want);
        let long_head =
            format!("PUT /a HTTP/1.1\r\nHost: x\r\nA: {}\r\nContent-Length: 10000\r\n\r\n{}", "a".repeat(8000), "x".repeat(10_000))
                + &post("/a", "z");
        assert_eq!(answers(&converse(&[long_head.as_bytes()])), want);
    }

    #[test]
    fn tickets_come_back_when_the_body_does_not() {
        let mut port = Port::new(Echo::default(), settings());
        for raw in [
            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nabc",
            "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "POST /a HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            port.converse([raw.as_bytes()], &PEER, T0);
        }
        assert_eq!(port.gate.dropped, [Some(400), Some(413), Some(400), Some(411)]);
        let counted = port.counters.refusals().filter(|(_, n)| *n > 0).collect::<Vec<_>>();
        assert_eq!(counted, [("refused_bad_request_total", 2), ("refused_length_required_total", 1), ("refused_too_large_total", 1)]);
        assert_eq!((port.counters.requests_total, port.counters.taken_total), (4, 0));
    }

    #[test]
    fn at_most_so_many_answers_in_one_turn() {
        let mut port = Port::new(Echo::default(), settings());
        let mut conn = Conn::new(T0.mono);
        let mut buf = vec![0; CONN_BYTES];
        let raw = "GET /b HTTP/1.1\r\nHost: x\r\n\r\n".repeat(PIPELINE_COUNT + 2);
        conn.space(&mut buf)[..raw.len()].copy_from_slice(raw.as_bytes());
        conn.filled(raw.len(), T0.mono);
        let mut space = vec![0; OUT_BYTES];
        let mut count = || {
            let mut out = Out::new(&mut space);
            let turn = port.turn(&mut conn, &mut buf, &PEER, T0, &mut out);
            (turn, answers(&String::from_utf8_lossy(out.filled())).len())
        };
        assert_eq!(count(), (Turn::Flush, PIPELINE_COUNT));
        let until = T0.mono.after(Deadlines::default().idle);
        assert_eq!(count(), (Turn::Wait { until }, 2));
    }

    /// Feeds `bytes` at T0, then asks again `later`; what was sent and where it ended.
    fn late(bytes: &[u8], later: Duration) -> (Turn, Vec<String>) {
        let mut port = Port::new(Echo::default(), settings());
        let mut conn = Conn::new(T0.mono);
        let mut buf = vec![0; 20_000];
        let mut sent = Vec::new();
        let mut space = vec![0; OUT_BYTES];
        conn.space(&mut buf)[..bytes.len()].copy_from_slice(bytes);
        conn.filled(bytes.len(), T0.mono);
        let mut turn = Turn::Flush;
        for at in [T0.mono, T0.mono.after(later)] {
            let mut out = Out::new(&mut space);
            turn = port.turn(&mut conn, &mut buf, &PEER, Now { mono: at, ..T0 }, &mut out);
            sent.extend_from_slice(out.filled());
        }
        (turn, answers(&String::from_utf8_lossy(&sent).replace("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "")))
    }

    #[test]
    fn deadlines_at_and_one_before() {
        let head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n";
        let body = |n: usize| [&head[..], &vec![b'x'; n]].concat();
        let ms = Duration::from_millis;
        let wait = |after| Turn::Wait { until: T0.mono.after(after) };
        let lingers = |later: Duration| Turn::Wait { until: T0.mono.after(later).after(ms(5000)) };
        for (bytes, later, turn, want) in [
            (&b"POST"[..], ms(9_999), wait(ms(10_000)), None),
            (b"POST", ms(10_000), lingers(ms(10_000)), Some("408! the request head took longer than source.headTimeout (10s)")),
            (head, ms(4_999), wait(ms(5_000)), None),
            (head, ms(5_000), lingers(ms(5_000)), Some("408! the request body came slower than source.minBodyRate (64 bytes per second)")),
            (&body(640), ms(9_999), wait(ms(10_000)), None),
            (
                &body(640),
                ms(10_000),
                lingers(ms(10_000)),
                Some("408! the request body came slower than source.minBodyRate (64 bytes per second)"),
            ),
            (&body(8999), ms(59_999), wait(ms(60_000)), None),
            (&body(8999), ms(60_000), lingers(ms(60_000)), Some("408! the request body took longer than source.bodyTimeout (60s)")),
            (b"", ms(9_999), wait(ms(10_000)), None),
            (b"", ms(10_000), Turn::Close, None),
        ] {
            let (ended, sent) = late(bytes, later);
            assert_eq!(sent, want.into_iter().collect::<Vec<_>>(), "{}", bytes.escape_ascii());
            assert_eq!(ended, turn, "{}", bytes.escape_ascii());
        }
        let served = post("/b", "");
        assert_eq!(late(served.as_bytes(), ms(59_999)).0, wait(ms(60_000)));
        assert_eq!(late(served.as_bytes(), ms(60_000)).0, Turn::Close);
    }

    #[test]
    fn a_connection_is_small() {
        assert!(size_of::<Conn<[u32; 4]>>() <= 152, "{}", size_of::<Conn<[u32; 4]>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// However the bytes of several (good, bad, mutated) requests are cut, the client receives the same.
        #[test]
        fn splitting_never_changes_the_outcome(
            parts in proptest::collection::vec(0usize..12, 1..6),
            cuts in proptest::collection::vec(0usize..2000, 0..8),
            mutations in proptest::collection::vec((0usize..2000, any::<u8>()), 0..3),
        ) {
            let mut raw = Vec::new();
            for part in parts {
                raw.extend_from_slice(match part {
                    0 => &b"\r\n"[..],
                    1 => b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
                    2 => b"PUT /a?c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\nT: u\r\n\r\n",
                    3 => b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde",
                    4 => b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
                    5 => b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab",
                    6 => b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
                    7 => b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    8 => b"POST /%61 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
                    9 => b"POST http://h/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfull",
                    10 => b"HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                    _ => b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n00000002\r\nab\r\n000\r\n\r\n",
                });
            }
            for (at, b) in mutations {
                let at = at % raw.len();
                raw[at] = b;
            }
            let whole = converse(&[&raw]);
            let mut cuts = cuts.into_iter().map(|c| c % raw.len()).collect::<Vec<_>>();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&raw[from..cut]);
                from = cut;
            }
            pieces.push(&raw[from..]);
            prop_assert_eq!(&converse(&pieces), &whole);
            prop_assert_eq!(converse(&raw.chunks(1).collect::<Vec<_>>()), whole);
        }
    }
}

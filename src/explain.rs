//! `pushgate explain`: what would become of a request, decision by decision, without a socket.
//!
//! In: the bytes of one or more requests as a client would send them, the stored definitions started on a [`Bare`] host, and who is
//! supposed to send them. Out: each decision in order up to the first that refuses, with the RFC section or the key that decided; the
//! very bytes that the server would answer; and what each rule made of what was taken. The wire, the gate and the rules are those
//! of the daemon ([`Port::converse`], [`Engine::first`], [`Engine::second`]): only the watching is ours.

use core::fmt::{self, Write as _};

use crate::catalog::{Control, Host};
use crate::check::bare::Bare;
use crate::engine::{Engine, Progress, Ticket};
use crate::gate::reason::Reason;
use crate::gate::witness::Witness;
use crate::rule::status::Metric;
use crate::time::Now;
use crate::wire::conn::Settings;
use crate::wire::turn::Port;
use crate::wire::{Answer, Framing, Gate, Head, Peer, Reply, Verdict};

/// Steps of the rules after the last request, at most: a rule that feeds itself would never end.
const STEPS: usize = 100_000;

/// What would become of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Lines to print.
    pub text: String,
    /// What the server would send, to the byte.
    pub sent: Vec<u8>,
    /// Whether every request would be taken, and there is one.
    pub taken: bool,
}

/// Explains `bytes`, sent by `peer` to a port with `settings`.
pub fn explain(control: &mut Control<Bare>, bytes: Vec<u8>, peer: Peer, settings: Settings) -> Explained {
    control.host.engine(move |engine, now| {
        let mut port = Port::new(Watched { engine, notes: Notes::default() }, settings);
        let sent = port.converse([&*bytes], &peer, now);
        let Watched { engine, notes } = port.gate;
        let mut out = Explained { text: String::new(), taken: true, sent };
        let answers = answers(&out.sent);
        let mut heads = notes.heads.iter();
        let mut taken: Vec<&str> = Vec::new();
        let mut head = heads.next();
        let mut number = 0;
        for answer in &answers {
            number += 1;
            // An answer that the gate gave, or one that the wire gave to a request the gate had taken; else the wire alone.
            let own =
                head.filter(|h| h.gave.as_ref().is_none_or(|(status, message)| *status == answer.status && *message == answer.message));
            if own.is_some() {
                head = heads.next();
            }
            let _ = writeln!(out.text, "request {number}{}", own.map_or(String::new(), |h| format!(": {}", h.line)));
            let good = answer.status < 300;
            out.taken &= good;
            let steps = own.map_or(&[][..], |h| &h.steps);
            for (step, what) in steps {
                let _ = writeln!(out.text, "  {step:<11} {what}");
            }
            let refused = match own {
                _ if good => None,
                Some(Told { gave: Some(_), reason: Some(reason), .. }) => Some(decided(*reason)),
                Some(Told { gave: Some(_), .. }) => Some(("answer", "")),
                Some(_) if answer.status == 411 => Some(("framing", "")),
                Some(_) => Some(("body", "")),
                None if answer.status == 411 || answer.status == 413 || answer.message.contains("section 6.") => Some(("framing", "")),
                None => Some(("syntax", "")),
            };
            let wait = answer.retry_after.as_ref().map_or(String::new(), |s| format!(" (Retry-After: {s})"));
            let _ = match refused {
                None => writeln!(out.text, "  {:<11} {} {}", "answer", answer.status, answer.message),
                Some((step, "")) => writeln!(out.text, "  {step:<11} refused: {} {}{wait}", answer.status, answer.message),
                Some((step, by)) => writeln!(out.text, "  {step:<11} refused: {} {}{wait}; decided by {by}", answer.status, answer.message),
            };
            if good {
                taken.extend(own.iter().flat_map(|h| h.streams.iter().map(String::as_str)));
            }
        }
        if answers.is_empty() {
            out.taken = false;
            out.text.push_str("no request: the connection would be closed without an answer\n");
        }
        rules(engine, now, &taken, &mut out.text);
        out
    })
}

/// What each rule made of what was taken.
fn rules(engine: &mut Engine, now: Now, taken: &[&str], text: &mut String) {
    for _ in 0..STEPS {
        if engine.step(now) != Progress::More {
            break;
        }
    }
    for id in engine.ids() {
        let Some(rule) = engine.rule(id) else { continue };
        if !rule.unit.sources.iter().any(|source| taken.contains(&source.name.as_str())) {
            continue;
        }
        let messages: u64 = rule.unit.sinks.iter().map(|sink| sink.taken_total()).sum();
        let metrics = engine.metrics(id).unwrap_or_default();
        let count =
            |name: &str| metrics.iter().find(|(n, _)| n == name).map_or(0, |(_, value)| if let Metric::Int(n) = value { *n } else { 0 });
        let operators = metrics.iter().filter_map(|(name, _)| name.strip_suffix("_0_records_in_total"));
        let mut held = None;
        let mut error = None;
        for name in operators {
            let (got, gave) = (count(&format!("{name}_0_records_in_total")), count(&format!("{name}_0_records_out_total")));
            if got > 0 && gave == 0 && !name.starts_with("sink") {
                held = Some(name);
            }
            if count(&format!("{name}_0_exceptions_total")) > 0 {
                let of = format!("{name}_0_last_exception");
                error =
                    metrics.iter().find(|(n, _)| *n == of).and_then(|(_, v)| if let Metric::Text(t) = v { Some(t.clone()) } else { None });
            }
        }
        let _ = match (messages, error, held) {
            (1.., _, _) => writeln!(text, "rule {id}: matches, {messages} for its sinks"),
            (0, Some(error), _) => writeln!(text, "rule {id}: error: {error}"),
            (0, None, Some(held)) => writeln!(text, "rule {id}: nothing for its sinks now: the row ends, or waits, at {held}"),
            (0, None, None) => writeln!(text, "rule {id}: nothing for its sinks now"),
        };
    }
}

/// The step that refuses for a reason, and the key or rule that decides it.
const fn decided(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::NoRoute => ("route", "the endpoints of running rules"),
        Reason::Method => ("route", "method; RFC 9110 section 15.5.6"),
        Reason::Credential => ("credential", "credentials; RFC 9110 section 15.5.2"),
        Reason::Forbidden => ("credential", "subject and san of credentials"),
        Reason::Signature => ("signature", "credentials"),
        Reason::Stale => ("credential", "timestampHeader and maxSkew of credentials"),
        Reason::Replayed => ("signature", "timestampHeader of credentials"),
        Reason::Guesses => ("credential", "passwords that are being checked"),
        Reason::ConfKey => ("credential", "CONF_KEY"),
        Reason::Rate => ("admission", "limits of credentials, or addressLimits; RFC 6585 section 4"),
        Reason::Connections => ("admission", "limits.connections of credentials, or addressLimits"),
        Reason::Share => ("admission", "limits.queueShare of credentials, or addressLimits"),
        Reason::TooLarge => ("length", "limits.bodyBytes, limits.queueBytes"),
        Reason::Coding => ("type", "decompression; RFC 9110 section 8.4"),
        Reason::Type => ("type", "contentType: strict"),
        Reason::Malformed => ("body", "FORMAT; for JSON RFC 8259"),
        Reason::Corrupt => ("body", "RFC 1950 to 1952, RFC 8878"),
        Reason::Meta => ("body", "metaHeaders"),
        Reason::QueueFull => ("queue", "limits.queueBytes, bufferLength, overflow"),
        Reason::Unfinished => ("body", "RFC 9112 section 8"),
    }
}

/// The engine with somebody who watches.
struct Watched<'e> {
    engine: &'e mut Engine,
    notes: Notes,
}

/// What was seen of each head that could be read.
#[derive(Default)]
struct Notes {
    heads: Vec<Told>,
}

#[derive(Default)]
struct Told {
    /// The request line's method and target.
    line: String,
    steps: Vec<(&'static str, String)>,
    /// Streams that took it.
    streams: Vec<String>,
    reason: Option<Reason>,
    /// Status and message that the gate gave.
    gave: Option<(u16, String)>,
}

impl Witness for Notes {
    fn saw(&mut self, step: &'static str, what: fmt::Arguments<'_>) {
        if let Some(told) = self.heads.last_mut() {
            let what = what.to_string();
            if step == "queue" {
                told.streams.extend(what.split(": ").next().map(str::to_owned));
            }
            told.steps.push((step, what));
        }
    }
}

impl Notes {
    fn gave(&mut self, reply: &Reply, reason: Option<Reason>) {
        let mut out = Vec::new();
        // A Vec is never full.
        let _ = reply.emit(&mut out, &crate::wire::reply::Style::default());
        let message = answers(&out).into_iter().next().map(|a| a.message).unwrap_or_default();
        if let Some(told) = self.heads.last_mut() {
            (told.gave, told.reason) = (Some((reply.status, message)), reason);
        }
    }
}

impl Watched<'_> {
    /// Runs `f` and says which refusal it counted.
    fn counted<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> (R, Option<Reason>) {
        let before = self.engine.refused().clone();
        let result = f(self);
        (result, self.engine.refused().newer_than(&before))
    }
}

impl Gate for Watched<'_> {
    type Ticket = Ticket;

    fn head(&mut self, head: &Head<'_>, peer: &Peer, now: Now) -> Verdict<Ticket> {
        let line = format!("{} {}", head.method_text(), head.target());
        self.notes.heads.push(Told { line, ..Told::default() });
        self.notes.saw("syntax", format_args!("a head of {} bytes, {} fields", head.len(), head.fields().count()));
        match head.framing() {
            Framing::Empty => self.notes.saw("framing", format_args!("no body (RFC 9112 section 6.3)")),
            Framing::Length(n) => self.notes.saw("framing", format_args!("{n} bytes by Content-Length (RFC 9112 section 6.2)")),
            Framing::Chunked => self.notes.saw("framing", format_args!("chunked (RFC 9112 section 7.1)")),
        }
        let (verdict, reason) = self.counted(|w| w.engine.first(head, peer, now, &mut w.notes));
        match &verdict {
            Verdict::Refuse(reply) => self.notes.gave(reply, reason),
            // It will be shown again.
            Verdict::Later => drop(self.notes.heads.pop()),
            Verdict::Take(_) => {}
        }
        verdict
    }

    fn body(&mut self, ticket: Ticket, head: &Head<'_>, peer: &Peer, body: &[u8], now: Now) -> Answer {
        let (reply, reason) = self.counted(|w| w.engine.second(ticket, head, peer, body, now, &mut w.notes));
        self.notes.gave(&reply, reason);
        Answer::Now(reply)
    }

    fn advance(&mut self, now: Now) -> bool {
        self.engine.advance(now)
    }

    fn dropped(&mut self, ticket: Ticket, refused: Option<u16>) {
        self.engine.dropped(ticket, refused);
    }
}

/// One answer as it was sent.
struct Sent {
    status: u16,
    /// The message of a refusal, else the body.
    message: String,
    retry_after: Option<String>,
}

/// Takes answers apart; `100 Continue` is none.
fn answers(sent: &[u8]) -> Vec<Sent> {
    let mut out = Vec::new();
    let mut rest = sent;
    while let Some(end) = rest.windows(4).position(|w| w == b"\r\n\r\n") {
        let (head, after) = rest.split_at(end + 4);
        let head = String::from_utf8_lossy(head);
        let field = |name: &str| {
            head.lines().filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
        };
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        // An answer to HEAD announces what it does not bring.
        let length = field("content-length").and_then(|n| n.parse().ok()).unwrap_or(0).min(after.len());
        let length = if after.starts_with(b"HTTP/1.1 ") { 0 } else { length };
        let (body, more) = after.split_at(length);
        rest = more;
        if status == 100 {
            continue;
        }
        let body = String::from_utf8_lossy(body).into_owned();
        let json: Option<serde_json::Value> = serde_json::from_str(&body).ok();
        let message = json.as_ref().filter(|_| status >= 400).and_then(|j| j.get("message")?.as_str().map(str::to_owned)).unwrap_or(body);
        out.push(Sent { status, message, retry_after: field("retry-after") });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::bare::Outside;
    use crate::config::{Config, File, Input};
    use crate::sink::{TlsClient, TlsLoader, TlsProps};
    use crate::time::{Instant, Timestamp, Zone};
    use crate::wire::conn::{DeadlineKeys, Deadlines};

    struct NoTls;

    impl TlsLoader for NoTls {
        fn client(&self, _: &TlsProps) -> Result<TlsClient, String> {
            Err("no TLS in tests".into())
        }
    }

    fn control() -> Control<Bare> {
        let push = "k:\n  contentType: strict\n  credentials:\n    - {name: a, type: bearer, secret: s3cret, limits: {requestsPerSecond: 1, requestBurst: 2}}\n";
        let sources = [("httppush", File { name: "h.yaml", text: push })];
        let config = Config::load(&Input { main: None, sources: &sources, env: &[] }).expect("loads");
        let now = Now { mono: Instant(1), wall: Timestamp(1_700_000_000_000) };
        let outside = Outside { tls: Box::new(NoTls), zone: |_| None, now };
        let mut control = Control::new(Bare::new(&config, outside), config, Zone::utc());
        for ddl in [
            r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush")"#,
            r#"CREATE STREAM safe () WITH (DATASOURCE="/s/{id}", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#,
        ] {
            control.run_ddl(ddl).expect(ddl);
        }
        for (id, sql) in [
            ("hot", "SELECT a FROM demo WHERE a > 5"),
            ("windowed", "SELECT count(*) AS n FROM demo GROUP BY COUNTWINDOW(10)"),
            ("wrong", "SELECT a + b AS c FROM demo"),
            ("safe", "SELECT meta(id) AS id FROM safe"),
        ] {
            control.create_rule("", &serde_json::json!({"id": id, "sql": sql, "actions": [{"log": {}}]}).to_string()).expect(sql);
        }
        control
    }

    fn ask(raw: &str) -> Explained {
        let settings = Settings {
            body_bytes: 65_536,
            body_key: "limits.bodyBytes",
            require_length: true,
            refuse_dots: true,
            deadlines: Deadlines::default(),
            keys: DeadlineKeys::DATA,
        };
        explain(&mut control(), raw.as_bytes().to_vec(), Peer::new([127, 0, 0, 1].into(), false), settings)
    }

    fn post(target: &str, fields: &str, body: &str) -> String {
        format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{fields}\r\n{body}", body.len())
    }

    #[test]
    fn taken_with_every_decision_and_what_rules_make_of_it() {
        let seen = ask(&post("/a", "", r#"{"a":7,"b":"x"}"#));
        assert!(seen.taken, "{}", seen.text);
        let want = "request 1: POST /a\n  syntax      a head of 49 bytes, 2 fields\n  framing     15 bytes by Content-Length (RFC 9112 section 6.2)\n  \
                    route       POST /a\n  credential  none is asked for\n  type        is not looked at\n  admission   no limits are set\n  \
                    body        15 bytes, well-formed json\n  queue       demo: ";
        assert!(seen.text.starts_with(want), "{}", seen.text);
        for line in ["  answer      200 ok", "rule hot: matches, 1 for its sinks"] {
            assert!(seen.text.lines().any(|l| l == line), "{line}\n{}", seen.text);
        }
        assert!(seen.text.contains("rule windowed: nothing for its sinks now: the row ends, or waits, at op_"), "{}", seen.text);
        assert!(seen.text.contains("rule wrong: error: "), "{}", seen.text);
        assert!(!seen.text.contains("rule safe"), "it reads another stream: {}", seen.text);
        assert!(
            ask(&post("/a", "", r#"{"a":5,"b":1}"#)).text.contains("rule hot: nothing for its sinks now: the row ends, or waits, at op_")
        );
    }

    #[test]
    fn refusals_name_step_and_what_decides() {
        let bearer = "Authorization: Bearer s3cret\r\nContent-Type: application/json\r\n";
        for (raw, want) in [
            (
                post("/no", "", "{}"),
                "  route       refused: 404 no running rule reads this path; decided by the endpoints of running rules",
            ),
            (
                post("/s/1", "", "{}"),
                "  credential  refused: 401 this endpoint asks for a credential; decided by credentials; RFC 9110 section 15.5.2",
            ),
            (post("/s/1", "Authorization: Bearer x\r\n", "{}"), "  credential  refused: 401 the credential is not known here; decided by"),
            (
                post("/s/1", "Authorization: Bearer s3cret\r\n", "{}"),
                "  type        refused: 415 the content type does not fit the stream's format; decided by contentType: strict",
            ),
            (post("/a", "", "{"), "  body        refused: 400 body is no JSON: "),
            (post("/a", "", &"x".repeat(65_537)), "  length      refused: 413 "),
            (post("/a", "", &"x".repeat(65_537)), "decided by limits.bodyBytes"),
            ("POST /a HTTP/1.1\r\nHost: x\r\n\r\n".into(), "  framing     refused: 411 "),
            (
                "POST /a HTTP/1.1\nHost: x\n\n".into(),
                "  syntax      refused: 400 a line of the head does not end in CR LF (RFC 9112 section 2.2)",
            ),
            (
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
                "  framing     refused: 400 both Content-Length and Transfer-Encoding (RFC 9112 section 6.3)",
            ),
            (
                "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".into(),
                "  body        refused: 400 malformed chunk (RFC 9112 section 7.1)",
            ),
            (
                post("/a", "", "{}").replace("Content-Length: 2", "Content-Length: 3"),
                "  body        refused: 400 the connection was closed",
            ),
            (String::new(), "no request: the connection would be closed without an answer"),
            (
                [post("/s/1", bearer, "{}"), post("/s/2", bearer, "{}"), post("/s/3", bearer, "{}")].concat(),
                "  admission   refused: 429 credential a: more than its limits.requestsPerSecond or bytesPerSecond (Retry-After: 1); decided by limits",
            ),
        ] {
            let seen = ask(&raw);
            assert!(!seen.taken && seen.text.contains(want), "{want}\n{}", seen.text);
            assert!(!seen.text.contains("s3cret"), "{}", seen.text);
        }
    }

    #[test]
    fn several_requests_in_a_row() {
        let raw =
            [post("/a", "", "{}"), "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".into(), post("/no", "Expect: 100-continue\r\n", "{}")].concat();
        let seen = ask(&raw);
        for line in ["request 1: POST /a", "request 2", "  answer      204 ", "request 3: POST /no"] {
            assert!(seen.text.lines().any(|l| l == line), "{line}\n{}", seen.text);
        }
    }
}

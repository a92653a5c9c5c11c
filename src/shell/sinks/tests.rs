//! Sinks against real sockets and files: a scripted HTTP server on loopback, a scratch directory.

use std::{
    cell::{Cell, RefCell},
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    thread,
    time::Duration,
};

mod peers;

use serde_json::json;

use super::*;
use crate::{
    config::SinkDefaults,
    limits::Limits,
    sink::{Accept, SinkEnv, SinkScratch, TemplateFacts, build},
    time::Zone,
    value::{PackWriter, Packed, Scratch, Value},
};

/// One sink, its rule running as long as `runs`.
struct Alone {
    unit: RefCell<SinkUnit>,
    clock: Clock,
    runs: Cell<bool>,
}

impl Port for &Alone {
    fn with<T>(&self, f: impl FnOnce(&mut SinkUnit, Now) -> T) -> Option<T> {
        self.runs.get().then(|| f(&mut self.unit.borrow_mut(), self.clock.now()))
    }

    fn poll_work(&self, _: &mut Context<'_>) -> Poll<()> {
        // All there is was pushed before.
        Poll::Pending
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

fn sink(kind: &str, props: serde_json::Value) -> Alone {
    let (defaults, limits) = (SinkDefaults::default(), Limits::default());
    let env = SinkEnv {
        rule: "r",
        action: 0,
        qos: 0,
        waits_when_full: false,
        send_error: false,
        defaults: &defaults,
        limits: &limits,
        private_net: true,
        tls: &Certificates,
    };
    let unit = build(kind, props.as_object().expect("an object"), &env).expect("sound");
    let clock = Clock::start();
    let alone = Alone { unit: RefCell::new(unit), clock, runs: Cell::new(true) };
    (&alone).with(|unit, now| unit.start(now));
    alone
}

impl Alone {
    /// Accepts one message of one row `{"n": n}`.
    fn push(&self, n: i64) {
        let mut memory = vec![0; 4096];
        let work = Scratch::new(&mut memory);
        let rows = list(&work, n);
        let mut scratch = SinkScratch::new(&Limits::default());
        let (zone, rng) = (Zone::utc(), Cell::new(1));
        let facts = TemplateFacts { zone: &zone, rng: &rng };
        let accept = self.unit.borrow_mut().accept(rows, &mut scratch, self.clock.now(), &facts);
        assert_eq!(accept, Accept::Taken);
    }

    /// Runs the sink until nothing waits in it, then ends the rule.
    fn serve(&self, writer: &Writer) {
        let finished = async {
            let mut tries = 0;
            while self.unit.borrow().waiting() > 0 {
                tries += 1;
                assert!(tries < 5000, "nothing moves");
                Deadline::after(Duration::from_millis(2)).wait().await;
            }
        };
        smol::block_on(smol::future::or(run(self, writer, &Trials::default()), finished));
    }
}

fn list<'a>(work: &Scratch<'a>, n: i64) -> Packed<'a> {
    let mut writer: PackWriter<'_, 'a> = work.pack();
    writer.begin_list().expect("room");
    writer.begin_object().expect("room");
    writer.entry("n", Value::Int(n)).expect("room");
    writer.end().expect("room");
    writer.end().expect("room");
    writer.finish().expect("a list")
}

fn writer() -> Writer {
    Writer::start(1 << 18).expect("a thread")
}

/// What the server does with one request.
#[derive(Clone, Copy)]
enum Act {
    Answer(&'static str),
    /// Answers, then closes although it promised not to.
    AnswerAndClose(&'static str),
    Close,
    Silence,
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// A server that follows a script and then answers 200; tells each request.
fn server(script: Vec<Act>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut script = script.into_iter();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut raw = Vec::new();
            while let Some(request) = request(&mut stream, &mut raw) {
                if tell.send(request).is_err() {
                    return;
                }
                match script.next().unwrap_or(Act::Answer(OK)) {
                    Act::Answer(answer) => stream.write_all(answer.as_bytes()).expect("sent"),
                    Act::AnswerAndClose(answer) => {
                        stream.write_all(answer.as_bytes()).expect("sent");
                        break;
                    }
                    Act::Close => break,
                    Act::Silence => {
                        thread::sleep(Duration::from_millis(300));
                        break;
                    }
                }
            }
        }
    });
    (base, told)
}

/// One request off the stream.
fn request(stream: &mut std::net::TcpStream, raw: &mut Vec<u8>) -> Option<String> {
    let mut buf = [0; 4096];
    loop {
        if let Some(head) = raw.windows(4).position(|w| w == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&raw[..head]).into_owned();
            let len = text.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            let len: usize = len.map_or(0, |l| l.parse().expect("a number"));
            if raw.len() >= head + 4 + len {
                let whole = String::from_utf8_lossy(&raw[..head + 4 + len]).into_owned();
                raw.drain(..head + 4 + len);
                return Some(whole);
            }
        }
        let n = stream.read(&mut buf).ok().filter(|n| *n > 0)?;
        raw.extend_from_slice(&buf[..n]);
    }
}

/// First line and body of each request.
fn seen(told: &mpsc::Receiver<String>) -> Vec<String> {
    let short = |whole: String| {
        let (head, body) = whole.split_once("\r\n\r\n").expect("a head");
        format!("{} {body}", head.lines().next().expect("a line").trim_end_matches(" HTTP/1.1"))
    };
    told.try_iter().map(short).collect()
}

#[test]
fn requests_go_out_in_order_on_one_connection() {
    let (base, told) = server(Vec::new());
    let s = sink("rest", json!({"url": format!("{base}/c"), "method": "post", "headers": {"X-A": "1"}}));
    s.push(1);
    s.push(2);
    s.serve(&writer());
    let all: Vec<String> = told.try_iter().collect();
    assert!(all.iter().all(|r| r.contains("X-A: 1\r\n") && r.contains("Content-Type: application/json\r\n")), "{all:?}");
    assert!(all[0].starts_with("POST /c HTTP/1.1\r\n") && all[0].ends_with("[{\"n\":1}]") && all[1].ends_with("[{\"n\":2}]"), "{all:?}");
    assert_eq!(s.unit.borrow().drops(), &crate::sink::Drops::default());
}

#[test]
fn what_can_heal_is_tried_again_in_order() {
    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    let (base, told) = server(vec![Act::Close, Act::Answer(busy), Act::Silence, Act::Answer(OK)]);
    let s = sink("rest", json!({"url": base, "method": "post", "resendInterval": 5, "timeout": 100, "sendSingle": true}));
    s.push(1);
    s.push(2);
    s.serve(&writer());
    let seen = seen(&told);
    // While the server is silent it may collect a further try or two.
    let (last, tries) = seen.split_last().expect("some");
    assert!(tries.len() >= 4 && tries.iter().all(|t| t == "POST / {\"n\":1}") && last == "POST / {\"n\":2}", "{seen:?}");
    let unit = s.unit.borrow();
    let own = unit.ops().last().expect("the sink itself");
    assert_eq!((own.stats.records_in_total, own.stats.records_out_total, own.stats.exceptions_total), (2, 2, 1));
}

#[test]
fn what_cannot_heal_ends_the_payload() {
    let (base, told) = server(vec![Act::Answer("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")]);
    let s = sink("rest", json!({"url": base, "method": "put", "sendSingle": true}));
    s.push(1);
    s.push(2);
    s.serve(&writer());
    assert_eq!(seen(&told), ["PUT / {\"n\":1}", "PUT / {\"n\":2}"]);
    let unit = s.unit.borrow();
    assert_eq!(unit.drops().refused_total, 1);
    let own = unit.ops().last().expect("the sink itself");
    assert!(own.stats.last_exception.contains("response code error: 404"), "{}", own.stats.last_exception);
}

#[test]
fn a_kept_connection_that_was_closed_is_no_failure() {
    let (base, told) = server(vec![Act::AnswerAndClose(OK)]);
    let s = sink("rest", json!({"url": base, "method": "post", "sendSingle": true}));
    s.push(1);
    s.push(2);
    s.serve(&writer());
    assert_eq!(seen(&told), ["POST / {\"n\":1}", "POST / {\"n\":2}"]);
    assert_eq!(s.unit.borrow().ops().last().map(|op| op.stats.exceptions_total), Some(0));
}

#[test]
fn redirects_are_followed() {
    let found = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
    let again = "HTTP/1.1 307 Again\r\nLocation: c\r\nContent-Length: 0\r\n\r\n";
    let lost = "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n";
    let (base, told) = server(vec![Act::Answer(found), Act::Answer(OK), Act::Answer(again), Act::Answer(OK), Act::Answer(lost)]);
    let s = sink("rest", json!({"url": format!("{base}/a"), "method": "post", "sendSingle": true}));
    for n in 1..4 {
        s.push(n);
    }
    s.serve(&writer());
    assert_eq!(seen(&told), ["POST /a {\"n\":1}", "GET /b ", "POST /a {\"n\":2}", "POST /c {\"n\":2}", "POST /a {\"n\":3}"]);
    assert_eq!(s.unit.borrow().drops().refused_total, 1);
}

#[test]
fn a_refused_connection_is_tried_again_and_told() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let s = sink("rest", json!({"url": format!("http://{free}/"), "method": "post", "resendInterval": 5}));
    s.push(1);
    let stop = async {
        while s.unit.borrow().down().is_none() {
            Deadline::after(Duration::from_millis(2)).wait().await;
        }
    };
    smol::block_on(smol::future::or(run(&s, &writer(), &Trials::default()), stop));
    let unit = s.unit.borrow();
    assert_eq!(unit.down().map(|(_, reason)| reason.to_owned()), Some("connect refused".to_owned()));
    assert_eq!(unit.waiting(), 1);
}

#[test]
fn files_are_written_and_settled() {
    let dir = std::env::temp_dir().join(format!("pushgate-sinks-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    let path = dir.join("o.txt");
    let s = sink("file", json!({"path": path.to_str(), "sendSingle": true}));
    for n in 1..=100 {
        s.push(n);
    }
    let writer = writer();
    s.serve(&writer);
    assert!(writer.drain(Duration::from_secs(10)));
    let text = std::fs::read_to_string(&path).expect("written");
    let _ = std::fs::remove_dir_all(&dir);
    assert!(text.starts_with("{\"n\":1}\n{\"n\":2}\n") && text.ends_with("\n{\"n\":100}"), "{text}");
    assert_eq!(s.unit.borrow().ops().last().map(|op| op.stats.records_out_total), Some(100));
}

#[test]
fn certificates_that_are_missing_are_named() {
    let props = TlsProps { ca_path: Some("/nowhere/ca.pem".into()), ..TlsProps::default() };
    assert!(Certificates.client(&props).is_err_and(|e| !cfg!(feature = "tls") || e.contains("/nowhere/ca.pem")));
}

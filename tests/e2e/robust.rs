//! Nothing that reaches the management port kills the gate, makes it hang or slows the data port; and rules that come and go leave
//! memory where it was.
//!
//! `ROBUST_REQUESTS` (10,000), `ROBUST_SEED`, `CHURN_RULES` (100) and `CHURN_ROUNDS` (4) scale the tests; a failure prints seed and
//! request. `.ci/run robust` takes more of each.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pushgate::api::routes::{Op, ROUTES};
use serde_json::{Value, json};

use crate::gate::{Gate, PATIENCE, Scratch, program, rule, until};
use crate::http::{connect, request};

/// A number from the environment.
fn scale(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to below `n`.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).expect("below a usize")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW", "get", "X-%41"];
/// What may stand in place of a path's parameter; `/stop` and `?stop=1` are not asked for: they do what they say.
const SEGMENTS: &[&str] = &[
    "m1",
    "m2",
    "httppush",
    "memory",
    "rest",
    "default",
    "file",
    "validate",
    "status",
    "all",
    "tags",
    "..",
    ".",
    "%2e%2e",
    "%2F",
    "%00",
    "%",
    "%zz",
    "a%20b",
    "%C3%A9",
    "%FF",
    "a+b",
    "~",
    ";",
    "{}",
    "{id}",
    "-",
    "_",
    "1",
    "%22%27",
    "..%2f..%2fetc%2fpasswd",
];
const TEXTS: &[&str] = &[
    "",
    " ",
    "m1",
    "m2",
    "a b",
    "../x",
    "\u{0}",
    "\u{feff}",
    "é",
    "💧",
    "'",
    "\"",
    "\\",
    "SELECT",
    "SELECT * FROM m1",
    "SELECT a FROM m2 WHERE",
    "SELECT count(*) FROM m1 GROUP BY TUMBLINGWINDOW(ss, 1)",
    "CREATE STREAM m1 () WITH (DATASOURCE=\"/m1\", TYPE=\"httppush\")",
    "CREATE TABLE m2 (a bigint) WITH (DATASOURCE=\"/m2\", TYPE=\"httppush\")",
    "DROP STREAM m1",
    "SHOW STREAMS",
    "DESCRIBE STREAM m1",
    "{{",
    "{{.a}}",
    "{{range .}}",
    "1s",
    "-1s",
    "999999999h",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "* * * * *",
    "true",
    "null",
];

/// A body of the kind that an operation takes.
fn body(op: Op, dice: &mut Dice) -> Value {
    let id = *dice.pick(&["m1", "m2", "m3", "m4"]);
    let sink = match dice.below(5) {
        0 => json!({"rest": {"url": "http://127.0.0.1:1/", "method": "post", "headers": {"a": "{{.a}}"}}}),
        1 => json!({"memory": {"topic": "t"}}),
        2 => json!({"log": {"dataTemplate": "{{.a}}", "sendSingle": true, "fields": ["a"]}}),
        _ => json!({"nop": {}}),
    };
    let rule = json!({"id": id, "sql": "SELECT * FROM m1", "actions": [sink], "tags": ["x"],
        "options": {"qos": 0, "bufferLength": 10, "cron": "", "restartStrategy": {"attempts": 1}}});
    let stream = format!("CREATE STREAM {id} (a bigint, b struct(c array(string))) WITH (DATASOURCE=\"/{id}\", TYPE=\"httppush\")");
    match op {
        Op::RunStatement { .. } | Op::ReplaceSource { .. } => json!({ "sql": stream }),
        Op::CreateRule | Op::PutRule | Op::Validate => rule,
        Op::ImportRuleset | Op::ImportAll | Op::ImportAsync | Op::ImportYaml => {
            json!({"content": json!({"streams": {id: stream}, "tables": {}, "rules": {id: rule.to_string()}}).to_string()})
        }
        Op::SetTags | Op::AddTags | Op::RemoveTags | Op::MatchTags | Op::BulkStart | Op::BulkStop => json!({"tags": ["x"]}),
        Op::ExportSome => json!([id]),
        Op::Batch => json!([{"method": "GET", "path": "/rules"}, {"method": "POST", "path": "/rules", "body": rule.to_string()},
            {"method": "POST", "path": "/batch/req", "body": "[]"}]),
        Op::PatchConfigs => json!({"basic": {"logLevel": "info", "timezone": "UTC"}}),
        Op::Upload => json!({"name": "u1.json", "content": "{}"}),
        Op::CreateConnection | Op::PutConnection => json!({"id": id, "typ": "httppush", "props": {"method": "POST", "datasource": "/c"}}),
        Op::TraceStart => json!({"strategy": "always"}),
        Op::ResetState => json!({"type": 1, "params": {"streamName": "m1", "input": {"a": 1}}}),
        _ => {
            json!({"id": id, "sql": "SELECT a FROM m1", "method": "POST", "props": {}, "mockSource": {"m1": {"data": [{"a": 1}], "interval": 10}}})
        }
    }
}

/// Changes one place of a tree, or several.
fn mutate(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(map) if !map.is_empty() && !dice.one_in(6) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let key = dice.pick(&keys).clone();
            match dice.below(8) {
                0 => drop(map.remove(&key)),
                1 => {
                    let text = (*dice.pick(TEXTS)).to_owned();
                    map.insert(text, json!(dice.next()));
                }
                2 => {
                    if let Some(moved) = map.remove(&key) {
                        map.insert(key.to_ascii_uppercase(), moved);
                    }
                }
                _ => mutate(map.get_mut(&key).expect("its key"), dice),
            }
        }
        Value::Array(list) if !list.is_empty() && !dice.one_in(6) => {
            let at = dice.below(list.len());
            match dice.below(4) {
                0 => drop(list.remove(at)),
                1 => {
                    let copy = list[at].clone();
                    list.extend(std::iter::repeat_n(copy, dice.below(40)));
                }
                _ => mutate(&mut list[at], dice),
            }
        }
        Value::String(text) if !dice.one_in(3) => {
            let mut chars: Vec<char> = text.chars().collect();
            let at = dice.below(chars.len() + 1);
            match dice.below(5) {
                0 => chars.truncate(at),
                1 => chars.insert(at, *dice.pick(&['"', '\\', '\0', '(', ')', ',', '`', '\u{1F4A7}', '{', '}', '-', '9'])),
                2 if at < chars.len() => drop(chars.remove(at)),
                3 => chars.extend(std::iter::repeat_n('(', dice.below(300))),
                _ => chars = dice.pick(TEXTS).chars().collect(),
            }
            *text = chars.into_iter().collect();
        }
        value => {
            *value = match dice.below(10) {
                0 => Value::Null,
                1 => json!(true),
                2 => json!(-1),
                3 => json!(i64::MAX),
                4 => json!(1e308),
                5 => json!([]),
                6 => json!({}),
                7 => json!("x".repeat(dice.below(20_000))),
                8 => json!({"a": [[[{"b": value.clone()}]]]}),
                _ => json!(*dice.pick(TEXTS)),
            };
        }
    }
}

/// One request in full, and whether it keeps to HTTP, so that an answer must come.
fn make(dice: &mut Dice) -> (Vec<u8>, bool) {
    let (method, pattern, op) = loop {
        let found = *dice.pick(ROUTES);
        if found.2 != Op::Stop {
            break found;
        }
    };
    let mut path: Vec<String> = pattern
        .split('/')
        .map(|part| {
            if part == "{}" {
                let known = dice.one_in(2);
                (*dice.pick(if known { &["m1", "m2", "m3", "m4"] } else { SEGMENTS })).to_owned()
            } else {
                part.to_owned()
            }
        })
        .collect();
    if dice.one_in(8) {
        let at = dice.below(path.len() + 1);
        match dice.below(4) {
            0 => path.truncate(at.max(1)),
            1 => path.insert(at.max(1), (*dice.pick(SEGMENTS)).to_owned()),
            2 => path.push("x".repeat(dice.below(3000))),
            _ => path.insert(at.max(1), String::new()),
        }
    }
    let mut target = path.join("/");
    if target.is_empty() {
        target.push('/');
    }
    if dice.one_in(3) {
        const QUERIES: [&str; 8] =
            ["?partial=1", "?force=true", "?kind=scan", "?options=all", "?type=x", "?%", "?a=%zz&&=", "?forceAll=true"];
        target.push_str(QUERIES[dice.below(QUERIES.len())]);
    }
    let method = if dice.one_in(10) { dice.pick(METHODS) } else { method };
    let mut body = if method == "GET" && !dice.one_in(8) { Vec::new() } else { changed(op, dice) };
    if dice.one_in(200) {
        body.resize(1_200_000, b' ');
    }
    let mut sound = true;
    let fields = match dice.below(40) {
        0 => "Transfer-Encoding: chunked\r\n".to_owned(),
        1 => "Content-Encoding: gzip\r\n".to_owned(),
        2 => format!("X-Long: {}\r\n", "x".repeat(dice.below(9000))),
        3 => "Content-Type: multipart/form-data; boundary=b\r\n".to_owned(),
        4 => "Expect: 100-continue\r\n".to_owned(),
        5 => "Content-Length: 5\r\n".to_owned(),
        6 => "X-A: 1\r\n".repeat(dice.below(100)),
        _ => String::new(),
    };
    if fields.starts_with("Transfer") || fields.starts_with("Content-Length") {
        sound = false;
    }
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{fields}\r\n", body.len()).into_bytes();
    if dice.one_in(60) {
        sound = false;
        let at = dice.below(head.len());
        head[at] = u8::try_from(dice.below(256)).expect("a byte");
    }
    head.extend_from_slice(&body);
    if dice.one_in(100) {
        sound = false;
        head.truncate(dice.below(head.len()));
    }
    (head, sound)
}

/// A body, changed in its tree, in its text, or not at all.
fn changed(op: Op, dice: &mut Dice) -> Vec<u8> {
    let mut tree = body(op, dice);
    for _ in 0..dice.below(4) {
        mutate(&mut tree, dice);
    }
    let mut text = tree.to_string().into_bytes();
    match dice.below(12) {
        0 => text.truncate(dice.below(text.len() + 1)),
        1 => {
            for _ in 0..=dice.below(4) {
                let at = dice.below(text.len());
                text[at] = u8::try_from(dice.below(256)).expect("a byte");
            }
        }
        2 => {
            let depth = dice.below(20_000);
            let (open, close): (&[u8], &[u8]) = if dice.one_in(2) { (b"[", b"]") } else { (b"{\"a\":", b"}") };
            text = [open.repeat(depth), b"1".to_vec(), close.repeat(depth)].concat();
        }
        3 => text.clear(),
        _ => {}
    }
    text
}

/// A status code, or how the connection ended instead.
fn exchange(stream: &mut Option<TcpStream>, addr: SocketAddr, bytes: &[u8]) -> Result<u16, String> {
    let mut conn = stream.take().unwrap_or_else(|| connect(addr));
    // A refusal may come, and the connection end, before everything is written.
    let sent = conn.write_all(bytes);
    let mut buf = Vec::new();
    let mut chunk = [0; 16384];
    loop {
        if let Some(at) = buf.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buf[..at]).to_ascii_lowercase();
            let status: u16 = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| format!("no status line: {head}"))?;
            if status == 100 {
                buf.drain(..at + 4);
                continue;
            }
            let length: Option<usize> = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok());
            let whole = bytes.starts_with(b"HEAD") || length.is_some_and(|length| buf.len() >= at + 4 + length);
            if whole || length.is_none() {
                // Only an answer to exactly one request leaves the connection as it was.
                if whole && sent.is_ok() && !head.contains("connection: close") && length.is_some_and(|n| buf.len() == at + 4 + n) {
                    *stream = Some(conn);
                }
                return Ok(status);
            }
        }
        match conn.read(&mut chunk) {
            Ok(0) => return Err(format!("closed without an answer, {} bytes", buf.len())),
            Ok(n) => buf.extend_from_slice(&chunk[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Err(format!("silent for {PATIENCE:?}")),
            Err(e) => return Err(format!("{e}")),
        }
    }
}

fn steady(gate: &Gate) -> bool {
    let stream = json!({"sql": r#"CREATE STREAM steady () WITH (DATASOURCE="/steady", TYPE="httppush")"#}).to_string();
    let stood = gate.ask("PUT", "/streams/steady", &stream).status == 200;
    stood && gate.ask("PUT", "/rules/steady", &rule("steady", "SELECT * FROM steady", &json!({"nop": {}}))).status == 200
}

#[test]
fn mutated_requests_neither_kill_nor_slow() {
    let count = scale("ROBUST_REQUESTS", 10_000);
    let seed = scale("ROBUST_SEED", 20_260_101);
    let scratch = Scratch::new();
    let gate = Gate::start_with(&scratch, "basic:\n  restIp: 127.0.0.1\nsource:\n  httpServerPort: 0\n");
    assert!(steady(&gate));
    let data = Arc::new(Mutex::new(gate.data()));
    let over = Arc::new(AtomicBool::new(false));
    let pusher = thread::spawn({
        let (data, over) = (Arc::clone(&data), Arc::clone(&over));
        move || push_until(&data, &over)
    });
    let mut dice = Dice(seed);
    let mut stream = None;
    let mut codes = std::collections::BTreeMap::new();
    for n in 0..count {
        if n % 250 == 249 {
            // What was taken is thrown away, else everything is full before long.
            assert!(gate.ask("POST", "/data/import", r#"{"content":"{}"}"#).status == 200, "seed {seed}, before request {n}");
            assert!(steady(&gate), "seed {seed}, before request {n}");
            *data.lock().expect("no panic holds it") = gate.data();
        }
        let (bytes, sound) = make(&mut dice);
        let shown = || bytes.get(..bytes.len().min(600)).unwrap_or_default().escape_ascii().to_string();
        if !sound {
            // Nothing more comes: the end of the connection ends the wait.
            let mut conn = connect(gate.management);
            let _ = conn.write_all(&bytes);
            let _ = conn.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            match conn.read_to_end(&mut answer) {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("seed {seed}, request {n}: hangs: {}", shown());
                }
                _ => assert!(!answer.starts_with(b"HTTP/1.1 500"), "seed {seed}, request {n}: {}", shown()),
            }
            continue;
        }
        match exchange(&mut stream, gate.management, &bytes) {
            Ok(status) => {
                assert!(status < 500 || matches!(status, 501 | 505), "seed {seed}, request {n}: {status} for {}", shown());
                *codes.entry(status).or_insert(0_u64) += 1;
            }
            Err(why) => panic!("seed {seed}, request {n}: {why}: {}", shown()),
        }
    }
    over.store(true, Ordering::SeqCst);
    let (taken, slowest) = pusher.join().expect("the pusher ends");
    eprintln!("{count} requests, seed {seed}: {codes:?}; {taken} readings taken meanwhile, slowest {slowest:?}");
    assert!(taken > count / 100, "{taken} readings were taken meanwhile");
    assert!(slowest < Duration::from_secs(2), "a reading took {slowest:?}");
    // Refusals of every kind, and successes, were met.
    for code in [200, 201, 400, 404, 405] {
        assert!(codes.contains_key(&code), "{code}: {codes:?}");
    }
    assert!(steady(&gate), "it still works");
    assert_eq!(gate.push("/steady", "{}").status, 200);
    assert_eq!(gate.terminate().0, Some(0));
}

/// Pushes one reading after the other; gives how many were taken and the longest that one took.
fn push_until(data: &Mutex<SocketAddr>, over: &AtomicBool) -> (u64, Duration) {
    let (mut taken, mut slowest) = (0, Duration::ZERO);
    let bytes = request("POST", "/steady", "", r#"{"a":1}"#).into_bytes();
    while !over.load(Ordering::SeqCst) {
        let addr = *data.lock().expect("no panic holds it");
        // The port closes when a request drops every rule, and opens again at another number.
        let Ok(mut conn) = TcpStream::connect_timeout(&addr, PATIENCE) else {
            thread::park_timeout(Duration::from_millis(2));
            continue;
        };
        conn.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        loop {
            let start = Instant::now();
            let mut answer = [0; 1024];
            let Ok(n) = conn.write_all(&bytes).and_then(|()| conn.read(&mut answer)) else { break };
            if n == 0 || over.load(Ordering::SeqCst) {
                break;
            }
            if answer.starts_with(b"HTTP/1.1 200") {
                taken += 1;
                slowest = slowest.max(start.elapsed());
            }
            thread::park_timeout(Duration::from_millis(1));
        }
    }
    (taken, slowest)
}

/// Anonymous memory in KiB.
fn anonymous(gate: &Gate) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("Linux says so");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn rules_that_come_and_go_leave_memory_where_it_was() {
    let (rules, rounds) = (scale("CHURN_RULES", 100), scale("CHURN_ROUNDS", 4));
    let scratch = Scratch::new();
    let config = scratch.write("pushgate.yaml", &format!("limits:\n  ruleCount: {}\n", rules.clamp(1, 512)));
    // One heap for all threads, as the service's unit has it: glibc gives a new worker one of its own, a step of some megabytes.
    let mut command = program();
    command.env("MALLOC_ARENA_MAX", "1").arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config);
    let gate = Gate::spawn(&mut command);
    gate.stream("demo", "/demo");
    let tell = |method: &str, target: &str, body: &str| {
        let reply = gate.ask(method, target, body);
        assert!((200..300).contains(&reply.status), "{method} {target}: {reply:?}");
    };
    let mut after = Vec::new();
    for _ in 0..rounds {
        for n in 0..rules {
            tell("POST", "/rules", &rule(&format!("r{n}"), "SELECT a, b FROM demo WHERE a > 1", &json!({"nop": {}})));
        }
        for n in 0..rules {
            let sql = "SELECT avg(a) AS a, b FROM demo GROUP BY b, TUMBLINGWINDOW(ss, 10)";
            tell("PUT", &format!("/rules/r{n}"), &rule(&format!("r{n}"), sql, &json!({"log": {"sendSingle": true}})));
        }
        for n in 0..rules {
            tell("DELETE", &format!("/rules/r{n}"), "");
        }
        until("the rules are gone", || gate.tell("GET", "/rules", "") == "[]");
        after.push(anonymous(&gate));
    }
    eprintln!("{rules} rules, {rounds} rounds: RssAnon {after:?} KiB");
    // The first rounds fill what is kept for later: the allocator's own, threads, tables.
    let (settled, last) = (after[after.len() / 2], after[after.len() - 1]);
    assert!(last <= settled + 512, "memory grows: {after:?} KiB");
}

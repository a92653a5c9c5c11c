//! Whole sinks without their I/O: rows in, the payloads that leave them out, byte for byte; policies of a full outbox.

use core::cell::Cell;

use super::*;
use crate::value::{Numbers, Scratch, Value};

/// Loads nothing.
pub(crate) struct NoTls;

impl NoTls {
    pub(crate) const WHY: &'static str = "no such file (test)";
}

impl TlsLoader for NoTls {
    fn client(&self, _props: &TlsProps) -> Result<TlsClient, String> {
        Err(Self::WHY.into())
    }
}

pub(crate) fn env<'e>(defaults: &'e SinkDefaults, limits: &'e Limits) -> SinkEnv<'e> {
    SinkEnv { rule: "r", action: 0, qos: 0, waits_when_full: false, send_error: false, defaults, limits, private_net: true, tls: &NoTls }
}

/// A sink, and what it is driven with.
struct Bench {
    unit: SinkUnit,
    scratch: SinkScratch,
    now: Now,
}

impl Bench {
    fn new(kind: &str, props: &str) -> Self {
        Self::with(kind, props, &Limits::default(), |_| {})
    }

    fn with(kind: &str, props: &str, limits: &Limits, change: impl FnOnce(&mut SinkEnv<'_>)) -> Self {
        let defaults = SinkDefaults::default();
        let mut env = env(&defaults, limits);
        change(&mut env);
        let unit = build(kind, &serde_json::from_str(props).expect("an object"), &env).expect(props);
        let mut bench = Self { unit, scratch: SinkScratch::new(limits), now: Now::default() };
        bench.unit.start(bench.now);
        bench
    }

    /// Offers one message, a JSON array of rows.
    fn push(&mut self, rows: &str) -> Accept {
        let mut memory = vec![0; 1 << 18];
        let work = Scratch::new(&mut memory);
        let (zone, rng) = (Zone::utc(), Cell::new(1));
        let facts = TemplateFacts { zone: &zone, rng: &rng };
        self.unit.accept(packed(rows, &work), &mut self.scratch, self.now, &facts)
    }

    fn at(&mut self, ms: u64) {
        self.now = Now { mono: Instant(ms * 1_000_000), wall: Timestamp(i64::try_from(ms).expect("small")) };
        self.unit.tick(&mut self.scratch, self.now);
    }

    /// Takes all payloads out, delivered.
    fn sent(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(payload) = self.unit.next_out(self.now) {
            let text = match payload.target {
                Target::Memory { .. } => json_of(payload.body),
                _ => String::from_utf8_lossy(payload.body).into_owned(),
            };
            all.push(text);
            self.unit.done(Outcome::Delivered, self.now);
        }
        all
    }

    fn stats(&self, name: &str) -> OpStats {
        self.unit.ops().find(|op| op.name == name).map(|op| op.stats.clone()).expect(name)
    }
}

fn packed<'a>(rows: &str, work: &Scratch<'a>) -> Packed<'a> {
    use crate::json::scan;
    let mut writer = work.pack();
    writer.begin_list().expect("room");
    for row in scan::elements(rows) {
        writer.begin_object().expect("room");
        for (key, value) in scan::members(row) {
            writer.json_key(key).expect("room");
            writer.json(value, Numbers::Float).expect("room");
        }
        writer.end().expect("room");
    }
    writer.end().expect("room");
    writer.finish().expect("a list")
}

fn json_of(body: &[u8]) -> String {
    let (mut memory, mut buf) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let work = Scratch::new(&mut memory);
    let mut out = crate::json::write::Out::new(&mut buf);
    let list = Packed::from_bytes(body).expect("a packed list");
    crate::value::text::json(&mut out, Value::Packed(list), &work).expect("room");
    String::from_utf8_lossy(out.written()).into_owned()
}

const ROW: &str = r#"[{"id":1,"name":"alpha","temp":21.5}]"#;

#[test]
fn payloads() {
    for (kind, props, messages, want) in [
        ("rest", "{}", &[ROW, r#"[{"id":2,"temp":30.0}]"#][..], &[ROW, r#"[{"id":2,"temp":30}]"#][..]),
        ("log", "{}", &[r#"[{"s":"é <b> \"q\""}]"#], &[r#"[{"s":"é \u003cb\u003e \"q\""}]"#]),
        ("log", r#"{"sendSingle":true}"#, &[r#"[{"b":1,"a":null},{"a":2}]"#], &[r#"{"a":null,"b":1}"#, r#"{"a":2}"#]),
        ("nop", r#"{"log":true}"#, &["[{}]", "[]"], &["[{}]", "[]"]),
        ("nop", r#"{"log":true,"omitIfEmpty":true}"#, &["[{}]", "[]"], &["[{}]"]),
        ("nop", r#"{"log":true,"omitIfEmpty":true,"sendSingle":true}"#, &[r#"[{},{"a":1}]"#], &[r#"{"a":1}"#]),
        ("log", r#"{"excludeFields":["name","id"],"sendSingle":true}"#, &[ROW], &[r#"{"temp":21.5}"#]),
        ("log", r#"{"excludeFields":["name"]}"#, &[ROW], &[r#"[{"id":1,"temp":21.5}]"#]),
        ("log", r#"{"fields":["temp","x"]}"#, &[ROW], &[r#"[{"temp":21.5,"x":null}]"#]),
        ("log", r#"{"dataField":"tele","fields":["t"]}"#, &[r#"[{"tele":{"h":80,"t":20},"x":1}]"#], &[r#"{"t":20}"#]),
        ("log", r#"{"dataField":"none"}"#, &[ROW], &[]),
        // Delimited: columns are frozen by the first message, fields give their order.
        (
            "log",
            r#"{"format":"delimited","sendSingle":true}"#,
            &[r#"[{"a":1,"b":2}]"#, r#"[{"b":3,"c":4}]"#, r#"[{"a":5}]"#],
            &["1,2", ",3", "5,"],
        ),
        ("log", r#"{"format":"delimited","sendSingle":true,"delimiter":";","fields":["temp","id"]}"#, &[ROW], &["21.5;1"]),
        ("log", r#"{"format":"delimited","hasHeader":true}"#, &[r#"[{"b":1,"a":2},{"a":3}]"#], &["a,b\n2,1\n3,"]),
        ("log", r#"{"format":"urlencoded","sendSingle":true}"#, &[r#"[{"b":"x y","a":1}]"#], &["a=1&b=x+y"]),
        // Batches: by size, nested or flat.
        ("log", r#"{"batchSize":2,"sendSingle":true}"#, &[r#"[{"n":0}]"#, r#"[{"n":1}]"#, r#"[{"n":2}]"#], &[r#"[{"n":0},{"n":1}]"#]),
        ("log", r#"{"batchSize":2}"#, &[r#"[{"n":0}]"#, r#"[{"n":1},{"n":2}]"#], &[r#"[[{"n":0}],[{"n":1},{"n":2}]]"#]),
        (
            "log",
            r#"{"batchSize":2,"sendSingle":true,"format":"delimited","delimiter":";"}"#,
            &[r#"[{"b":1,"a":2},{"a":3,"b":4}]"#],
            &["a,b\n2,1\n3,4"],
        ),
        ("log", r#"{"batchSize":2,"sendSingle":true,"format":"urlencoded"}"#, &[r#"[{"a":1},{"a":2}]"#], &["a=1a=2"]),
        ("memory", r#"{"topic":"t"}"#, &[ROW], &[ROW]),
        ("memory", r#"{"topic":"t","sendSingle":true}"#, &[r#"[{"a":1},{"a":2}]"#], &[r#"[{"a":1}]"#, r#"[{"a":2}]"#]),
        ("memory", r#"{"topic":"t","dataField":"o"}"#, &[r#"[{"o":{"k":1}}]"#], &[r#"[{"k":1}]"#]),
        (
            "memory",
            r#"{"topic":"t","batchSize":2,"sendSingle":true}"#,
            &[r#"[{"n":0}]"#, r#"[{"n":1}]"#, r#"[{"n":2}]"#],
            &[r#"[{"n":0},{"n":1}]"#],
        ),
        ("memory", r#"{"topic":"t","batchSize":2}"#, &[r#"[{"n":0}]"#, r#"[{"n":1},{"n":2}]"#], &[r#"[{"n":0},{"n":1},{"n":2}]"#]),
        (
            "memory",
            r#"{"topic":"t","keyField":"id","rowkindField":"k","sendSingle":true}"#,
            &[r#"[{"id":1,"k":"delete"},{"id":2,"k":"x"},{"k":"insert"},{"id":3}]"#],
            &[r#"[{"id":1,"k":"delete"}]"#, r#"[{"id":3}]"#],
        ),
    ] {
        let mut bench = Bench::new(kind, props);
        for message in messages {
            assert_eq!(bench.push(message), Accept::Taken);
        }
        assert_eq!(bench.sent(), want, "{kind} {props}");
    }
}

#[test]
fn what_goes_nowhere_counts_as_delivered_at_once() {
    let mut bench = Bench::new("nop", r#"{"sendSingle":true}"#);
    for _ in 0..3 {
        assert_eq!(bench.push(r#"[{"a":1},{"a":2}]"#), Accept::Taken);
    }
    assert_eq!(bench.sent(), Vec::<String>::new());
    let sink = bench.unit.ops().last().expect("the sink").stats;
    assert_eq!((sink.records_in_total, sink.records_out_total, sink.messages_processed_total, sink.buffer_length), (6, 6, 6, 0));
    assert_eq!((bench.unit.taken_total(), bench.unit.waiting()), (6, 0));
}

#[test]
fn a_row_that_comes_as_text_is_the_payload_that_it_would_be() {
    for (kind, props, want) in [("log", "{}", ROW), ("log", r#"{"sendSingle":true}"#, &ROW[1..ROW.len() - 1]), ("rest", "{}", ROW)] {
        let (mut text, mut packed) = (Bench::new(kind, props), Bench::new(kind, props));
        assert!(text.unit.takes_lines() && text.unit.has_room(ROW.as_bytes()));
        text.unit.accept_line(ROW.as_bytes(), text.now);
        assert_eq!(packed.push(ROW), Accept::Taken);
        assert_eq!(text.sent(), [want]);
        assert_eq!(packed.sent(), [want]);
        let counts = |bench: &Bench| bench.unit.ops().map(|op| format!("{} {:?}", op.name, op.stats)).collect::<Vec<_>>();
        assert_eq!(counts(&text), counts(&packed));
    }
    for props in [
        r#"{"fields":["id"]}"#,
        r#"{"excludeFields":["id"]}"#,
        r#"{"dataField":"id"}"#,
        r#"{"dataTemplate":"x"}"#,
        r#"{"omitIfEmpty":true}"#,
        r#"{"format":"delimited"}"#,
        r#"{"compression":"gzip"}"#,
        r#"{"batchSize":2}"#,
    ] {
        assert!(!Bench::new("log", props).unit.takes_lines(), "{props}");
    }
    assert!(!Bench::new("memory", r#"{"topic":"t"}"#).unit.takes_lines());
}

#[test]
fn errors_count_where_they_happen_and_leave_as_text() {
    for (kind, props, send_error, rows, op, sent) in [
        ("rest", r#"{"bodyType":"text","format":"urlencoded","method":"post"}"#, false, ROW, "rest_0_1_encode", 0),
        ("rest", r#"{"bodyType":"text","format":"urlencoded","method":"post"}"#, true, ROW, "rest_0_1_encode", 1),
        ("log", r#"{"dataField":"id"}"#, true, ROW, "log_0_0_transform", 1),
        ("log", r#"{"format":"binary"}"#, false, ROW, "log_0_1_encode", 0),
        ("memory", r#"{"topic":"t","keyField":"x","rowkindField":"k"}"#, true, ROW, "memory_0_0_transform", 1),
    ] {
        let mut bench = Bench::with(kind, props, &Limits::default(), |env| env.send_error = send_error);
        bench.push(rows);
        let texts = bench.sent();
        assert_eq!(texts.len(), sent, "{texts:?}");
        for text in texts {
            assert_eq!(text.starts_with(r#"[{"error":""#), kind == "memory", "{text}");
            assert!(!text.starts_with('{'), "{text}");
        }
        let stats = bench.stats(op);
        assert_eq!((stats.exceptions_total, stats.records_in_total), (1, 1), "{op}");
        assert!(!stats.last_exception.is_empty());
    }
    // An error of the rule itself.
    let mut bench = Bench::new("log", "{}");
    assert_eq!(bench.unit.accept_error("run Select error: x", &mut bench.scratch, bench.now), Accept::Taken);
    assert_eq!(bench.sent(), ["run Select error: x"]);
    let mut bench = Bench::new("memory", r#"{"topic":"t"}"#);
    bench.unit.accept_error("run Select error: x", &mut bench.scratch, bench.now);
    assert_eq!(bench.sent(), [r#"[{"error":"run Select error: x"}]"#]);
}

#[test]
fn operators_have_ekuipers_names_and_count() {
    for (kind, props, names) in [
        ("rest", "{}", &["rest_0_0_transform", "rest_0_1_encode", "rest_0"][..]),
        ("memory", r#"{"topic":"t"}"#, &["memory_0_0_transform", "memory_0"]),
        ("log", r#"{"enableCache":true}"#, &["log_0_0_transform", "log_0_1_encode", "log_0_2_cache", "log_0"]),
        ("log", r#"{"batchSize":2}"#, &["log_0_0_batch", "log_0_1_transform", "log_0_2_batchWriter", "log_0"]),
        ("rest", r#"{"compression":"gzip","method":"post"}"#, &["rest_0_0_transform", "rest_0_1_encode", "rest_0_2_compress", "rest_0"]),
        ("file", r#"{"compression":"gzip"}"#, &["file_0_0_transform", "file_0_1_encode", "file_0"]),
    ] {
        let bench = Bench::new(kind, props);
        assert_eq!(bench.unit.ops().map(|op| op.name.to_owned()).collect::<Vec<_>>(), names);
        let last = bench.unit.ops().last().expect("the sink");
        assert_eq!((last.role, last.conn.map(|c| c.status)), ("sink", Some(1)));
    }
    assert_eq!(Bench::new("nop", "{}").unit.ops().last().and_then(|op| op.conn.map(|c| c.status)), Some(0));
    let mut bench = Bench::new("log", r#"{"sendSingle":true}"#);
    bench.push(r#"[{"a":1},{"a":2}]"#);
    bench.push(r#"[{"a":3}]"#);
    bench.sent();
    for (name, want) in [("log_0_0_transform", (2, 3, 2)), ("log_0_1_encode", (3, 3, 3)), ("log_0", (3, 3, 3))] {
        let s = bench.stats(name);
        assert_eq!((s.records_in_total, s.records_out_total, s.messages_processed_total), want, "{name}");
    }
}

#[test]
fn a_batch_leaves_at_the_ticks_of_its_interval() {
    let mut bench = Bench::new("log", r#"{"lingerInterval":100,"sendSingle":true}"#);
    assert_eq!(bench.unit.tick_until(), None, "nothing to send, nothing to wake up for");
    bench.at(130);
    bench.push(r#"[{"n":0}]"#);
    assert_eq!(bench.unit.tick_until(), Some(Instant(200_000_000)));
    bench.at(199);
    assert!(bench.sent().is_empty());
    bench.push(r#"[{"n":1}]"#);
    bench.at(200);
    assert_eq!(bench.sent(), [r#"[{"n":0},{"n":1}]"#]);
    bench.at(300);
    assert!(bench.sent().is_empty(), "an empty tick sends nothing");
    // A full batch does not move the ticks; the end of the rule sends the rest.
    let mut bench = Bench::new("log", r#"{"lingerInterval":100,"batchSize":2,"sendSingle":true}"#);
    bench.at(50);
    bench.push(r#"[{"n":0},{"n":1},{"n":2}]"#);
    assert_eq!(bench.sent(), [r#"[{"n":0},{"n":1}]"#]);
    assert_eq!(bench.unit.tick_until(), Some(Instant(100_000_000)));
    assert!(bench.unit.flush(&mut bench.scratch, bench.now));
    assert_eq!(bench.sent(), [r#"[{"n":2}]"#]);
}

/// Limits with payloads of `payload` bytes and an outbox of `outbox`.
fn small(payload: usize, outbox: usize) -> Limits {
    Limits { payload_bytes: payload, outbox_bytes: outbox, ..Limits::default() }
}

#[test]
fn arrays_that_are_too_large_leave_as_several() {
    let rows = r#"[{"n":10},{"n":11},{"n":12},{"n":13},{"n":14}]"#;
    // `[{"n":10},{"n":11}]` takes 19 bytes.
    for (payload, want, split) in [
        (46, &[rows][..], 0),
        (19, &[r#"[{"n":10},{"n":11}]"#, r#"[{"n":12},{"n":13}]"#, r#"[{"n":14}]"#], 1),
        (18, &[r#"[{"n":10}]"#, r#"[{"n":11}]"#, r#"[{"n":12}]"#, r#"[{"n":13}]"#, r#"[{"n":14}]"#], 1),
    ] {
        let mut bench = Bench::with("log", "{}", &small(payload, 4096), |_| {});
        bench.push(rows);
        assert_eq!(bench.sent(), want, "{payload}");
        assert_eq!(bench.unit.drops().split_total, split);
    }
    // A row that is too large goes alone, the others do not.
    let mut bench = Bench::with("log", "{}", &small(20, 4096), |_| {});
    bench.push(r#"[{"n":1},{"long":"aaaaaaaaaaaaaaaaaaaa"},{"n":2}]"#);
    assert_eq!(bench.sent(), [r#"[{"n":1}]"#, r#"[{"n":2}]"#]);
    assert_eq!(bench.unit.drops().too_large_total, 1);
    assert!(bench.stats("log_0_1_encode").last_exception.contains("limits.payloadBytes"));
    let mut bench = Bench::with("memory", r#"{"topic":"t"}"#, &small(60, 4096), |_| {});
    bench.push(rows);
    assert_eq!(bench.sent().concat().replace("][", ","), rows);
    // Batches are cut the same way.
    let mut bench = Bench::with("log", r#"{"batchSize":9,"sendSingle":true}"#, &small(20, 4096), |_| {});
    bench.push(rows);
    assert!(bench.unit.flush(&mut bench.scratch, bench.now));
    assert_eq!(bench.sent(), [r#"[{"n":10},{"n":11}]"#, r#"[{"n":12},{"n":13}]"#, r#"[{"n":14}]"#]);
}

#[test]
fn a_full_outbox_blocks_the_rule_or_loses_the_oldest() {
    let rows = r#"[{"n":0},{"n":1},{"n":2},{"n":3},{"n":4},{"n":5}]"#;
    let want: Vec<String> = (0..6).map(|n| format!("{{\"n\":{n}}}")).collect();
    for (qos, waits) in [(1, false), (2, false), (0, true)] {
        let mut bench = Bench::with("log", r#"{"sendSingle":true,"bufferLength":1}"#, &Limits::default(), |env| {
            (env.qos, env.waits_when_full) = (qos, waits);
        });
        // The message is offered again until it is taken; nothing comes twice, nothing is missing.
        let mut all = Vec::new();
        while bench.push(rows) == Accept::Blocked {
            assert_eq!(bench.push(rows), Accept::Blocked);
            all.extend(bench.sent());
        }
        all.extend(bench.sent());
        assert_eq!(all, want);
        assert_eq!(bench.unit.drops(), &Drops::default());
        assert_eq!(bench.stats("log_0_0_transform").records_in_total, 1);
    }
    let mut bench = Bench::new("log", r#"{"sendSingle":true,"bufferLength":1}"#);
    assert_eq!(bench.push(rows), Accept::Taken);
    assert_eq!(bench.sent(), want[4..]);
    assert_eq!(bench.unit.drops().outbox_full_total, 4);
    // A cache in memory is bounded by the outbox alone.
    let mut bench = Bench::new("log", r#"{"sendSingle":true,"bufferLength":1,"enableCache":true}"#);
    bench.push(rows);
    assert_eq!(bench.sent(), want);
}

#[test]
fn a_batch_that_finds_no_room_waits() {
    let mut bench = Bench::with("log", r#"{"sendSingle":true,"bufferLength":0,"batchSize":1}"#, &Limits::default(), |env| env.qos = 1);
    assert_eq!(bench.push(r#"[{"n":0}]"#), Accept::Taken);
    assert_eq!(bench.push(r#"[{"n":1}]"#), Accept::Taken, "it waits in the batch");
    assert_eq!(bench.push(r#"[{"n":2}]"#), Accept::Blocked);
    assert_eq!(bench.sent(), [r#"[{"n":0}]"#]);
    assert_eq!(bench.push(r#"[{"n":2}]"#), Accept::Taken);
    assert_eq!(bench.sent(), [r#"[{"n":1}]"#]);
    assert!(bench.unit.flush(&mut bench.scratch, bench.now));
    assert_eq!(bench.sent(), [r#"[{"n":2}]"#]);
}

#[test]
fn kinds_and_properties() {
    let (defaults, limits) = (SinkDefaults::default(), Limits::default());
    let env = env(&defaults, &limits);
    let map = serde_json::from_str(r#"{"sendSngle":true}"#).expect("an object");
    let fault = build("kafka", &map, &env).expect_err("not in this build");
    assert_eq!((fault.code, fault.message.starts_with("sink kafka is not defined")), (2201, true), "{}", fault.message);
    assert!(fault.message.contains("rest"));
    let unit = build("log", &map, &env).expect("unknown properties only warn");
    assert!(unit.warnings().iter().any(|w| w.contains("sendSngle") && w.contains("sendSingle")));
    assert_eq!((unit.name(), unit.kind(), unit.waiting(), unit.down()), ("log_0", Kind::Log, 0, None));
    for (kind, props) in [("nop", r#"{"log":1}"#), ("log", r#"{"bufferLength":-1}"#)] {
        let map = serde_json::from_str(props).expect("an object");
        assert_eq!(build(kind, &map, &env).map(|_| ()).map_err(|f| f.code), Err(1000), "{kind} {props}");
    }
    for (kind, props) in [("file", r#"{"fileType":"x"}"#), ("rest", r#"{"url":"x"}"#), ("log", r#"{"batchSize":-1}"#)] {
        let map = serde_json::from_str(props).expect("an object");
        assert_eq!(build(kind, &map, &env).map(|_| ()).map_err(|f| f.code), Err(2201), "{kind} {props}");
    }
}

#[test]
fn csv_files_get_their_header_apart() {
    // (properties, messages, header of the first file, payloads)
    let base = r#""path":"o","fileType":"csv","format":"delimited""#;
    for (more, header, payload) in [
        (r#","sendSingle":true,"hasHeader":true,"delimiter":";""#, "id;name;temp", "1;alpha;21.5"),
        (r#","sendSingle":true,"hasHeader":true,"fields":["temp","id"]"#, "temp,id", "21.5,1"),
        (r#","sendSingle":true"#, "", "1,alpha,21.5"),
        (r#","hasHeader":true"#, "", "id,name,temp\n1,alpha,21.5"),
    ] {
        let mut bench = Bench::new("file", &format!("{{{base}{more}}}"));
        bench.push(ROW);
        let payload_out = bench.unit.next_out(bench.now).expect("one");
        let Target::File(to) = payload_out.target else { panic!("a file") };
        assert_eq!((to.open.map(|o| o.header), core::str::from_utf8(payload_out.body)), (Some(header), Ok(payload)), "{more}");
    }
}

#[test]
fn a_rolled_file_is_closed_at_its_tick() {
    let mut bench = Bench::new("file", r#"{"path":"o","rollingInterval":100}"#);
    bench.push(ROW);
    let seq = bench.unit.next_out(bench.now).map(|p| p.seq).expect("one");
    bench.unit.done(Outcome::Queued, bench.now);
    assert_eq!((bench.unit.waiting(), bench.unit.next_out(bench.now).is_none()), (1, true));
    bench.unit.settle(seq, 1, 0, "", bench.now);
    assert_eq!((bench.unit.waiting(), bench.unit.until()), (0, Some(Instant(100_000_000))));
    bench.at(201);
    assert!(bench.unit.next_out(bench.now).is_some_and(|p| matches!(p.target, Target::Close { slot: 0 })));
    bench.unit.done(Outcome::Queued, bench.now);
    assert!(bench.unit.next_out(bench.now).is_none());
    bench.push(ROW);
    let next = bench.unit.next_out(bench.now).expect("one");
    assert!(matches!(next.target, Target::File(FileWrite { open: Some(_), .. })));
}

#[test]
fn rest_answers_end_or_repeat_a_payload() {
    let mut bench = Bench::new("rest", r#"{"url":"http://h/c","method":"post","resendInterval":50}"#);
    bench.push(ROW);
    bench.push(ROW);
    let target = bench.unit.next_out(bench.now).map(|p| format!("{:?}", p.target)).expect("one");
    assert!(target.contains("POST") && target.contains("http://h/c"), "{target}");
    bench.unit.done(Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(1)), body: b"" }, bench.now);
    assert_eq!((bench.unit.waiting(), bench.unit.until()), (2, Some(Instant(1_000_000_000))));
    assert_eq!(bench.unit.down().map(|(_, why)| why.to_owned()), Some("answered 503".to_owned()));
    bench.at(1000);
    assert!(bench.unit.next_out(bench.now).is_some());
    bench.unit.done(Outcome::Answered { status: 404, retry_after: None, body: b"" }, bench.now);
    let stats = bench.stats("rest_0");
    assert_eq!((stats.exceptions_total, bench.unit.waiting(), bench.unit.drops().refused_total), (1, 1, 1));
    let want = "parse response error: response code error: 404. | method=POST path=\"http://h/c\"";
    assert_eq!(stats.last_exception.as_str(), want);
    assert!(bench.unit.next_out(bench.now).is_some());
    bench.unit.done(Outcome::Broken { reason: "connect refused" }, bench.now);
    assert!(bench.stats("rest_0").last_exception.starts_with("rest sink fails to send out the data:err=connect refused recoverAble=true"));
    assert_eq!(bench.unit.down().map(|(_, why)| why.to_owned()), Some("connect refused".to_owned()));
    bench.at(2000);
    assert!(bench.unit.next_out(bench.now).is_some());
    bench.unit.done(Outcome::Answered { status: 204, retry_after: None, body: b"" }, bench.now);
    assert_eq!((bench.unit.down(), bench.stats("rest_0").records_out_total), (None, 1));
}

#[test]
fn templates() {
    for (props, messages, want) in [
        (r#"{"dataTemplate":"{{.}}","sendSingle":true}"#, &[r#"[{"b":1,"a":"x"}]"#][..], &["map[a:x b:1]"][..]),
        (r#"{"dataTemplate":"f({{json .}});","sendSingle":true}"#, &[ROW], &[r#"f({"id":1,"name":"alpha","temp":21.5});"#]),
        (r#"{"dataTemplate":"{{range .}}{{.id}},{{end}}"}"#, &[r#"[{"id":1},{"id":2}]"#], &["1,2,"]),
        // What is picked from a template's text is parsed.
        (r#"{"dataTemplate":"{\"b\":{{.id}},\"a\":1}","excludeFields":["a"],"sendSingle":true}"#, &[ROW], &[r#"{"b":1}"#]),
        (r#"{"dataTemplate":"{\"o\":{\"k\":[1, 2]}}","dataField":"o","sendSingle":true}"#, &[ROW], &[r#"{"k":[1,2]}"#]),
        // A failing template drops that row only.
        (r#"{"dataTemplate":"{{len .s}}","sendSingle":true}"#, &[r#"[{"s":"abc"},{"s":1},{"s":"a"}]"#], &["3", "1"]),
        (r#"{"dataTemplate":"{{.f}}"}"#, &[ROW], &[]),
        (r#"{"dataTemplate":"","sendSingle":true}"#, &[r#"[{"a":1}]"#], &[r#"{"a":1}"#]),
        (r#"{"dataTemplate":"{{.none}}{{\"\"}}","sendSingle":true}"#, &[r#"[{"a":1}]"#], &["<no value>"]),
        (r#"{"dataTemplate":"{{with .none}}x{{end}}","sendSingle":true}"#, &[r#"[{"a":1}]"#], &[""]),
        // Batches take the value of a template's text.
        (r#"{"dataTemplate":"{\"n\": {{.n}}}","batchSize":2,"sendSingle":true}"#, &[r#"[{"n":0},{"n":1}]"#], &[r#"[{"n":0},{"n":1}]"#]),
    ] {
        let mut bench = Bench::new("log", props);
        for message in messages {
            bench.push(message);
        }
        assert_eq!(bench.sent(), want, "{props}");
    }
    let mut bench = Bench::new("memory", r#"{"topic":"t","dataTemplate":"[{\"n\":{{.n}}},{\"n\":2}]","sendSingle":true}"#);
    bench.push(r#"[{"n":1}]"#);
    assert_eq!(bench.sent(), [r#"[{"n":1},{"n":2}]"#]);
    let (defaults, limits) = (SinkDefaults::default(), Limits::default());
    for (kind, props) in [
        ("log", r#"{"dataTemplate":"{{if}}"}"#),
        ("log", r#"{"dataTemplate":"{{nofunction .a}}"}"#),
        ("rest", r#"{"url":"http://h/{{.a"}"#),
        ("rest", r#"{"url":"http://{{.h}}/"}"#),
        ("rest", r#"{"url":"{{.u}}"}"#),
        ("rest", r#"{"headers":{"a":"{{"}}"#),
        ("file", r#"{"path":"{{.a"}"#),
        ("memory", r#"{"topic":"{{.a"}"#),
    ] {
        let map = serde_json::from_str(props).expect("an object");
        assert_eq!(build(kind, &map, &env(&defaults, &limits)).map(|_| ()).map_err(|f| f.code), Err(2201), "{kind} {props}");
    }
}

/// Url or path or topic, headers, and body of each payload.
fn targets(bench: &mut Bench) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(payload) = bench.unit.next_out(bench.now) {
        let body = String::from_utf8_lossy(payload.body).into_owned();
        all.push(match payload.target {
            Target::Rest(request) => {
                let fields: Vec<_> = request.fields().filter(|(n, _)| *n != "Content-Type").map(|(n, v)| format!("{n}={v} ")).collect();
                format!("{} {}{body}", request.url(), fields.concat())
            }
            Target::File(to) => format!("{} {}", to.slot, to.open.map_or("", |o| o.path)),
            Target::Memory { topic, configured, .. } => format!("{topic} of {configured}"),
            _ => body,
        });
        bench.unit.done(Outcome::Delivered, bench.now);
    }
    all
}

#[test]
fn templated_properties_are_data() {
    for (kind, props, rows, want) in [
        (
            "rest",
            r#"{"url":"http://h/dev/{{.name}}?id={{.id}}","method":"post","sendSingle":true,"fields":["id"]}"#,
            r#"[{"id":1,"name":"a b/../c"}]"#,
            &[r#"http://h/dev/a%20b%2F..%2Fc?id=1 {"id":1}"#][..],
        ),
        (
            "rest",
            r#"{"url":"http://h/","method":"post","sendSingle":true,"fields":[],"headers":{"X-N":"n {{.n}}","X-B":"b"}}"#,
            r#"[{"n":1},{"n":"x\r\nEvil: 1"}]"#,
            &[r#"http://h/ X-B=b X-N=n 1 {"n":1}"#],
        ),
        // A url template that fails drops the row.
        (
            "rest",
            r#"{"url":"http://h/{{len .o}}/{{.o.k}}","method":"post","sendSingle":true}"#,
            r#"[{"o":{"k":1}},{"o":"s"}]"#,
            &[r#"http://h/1/1 {"o":{"k":1}}"#],
        ),
        // A batch has the properties of its last row.
        (
            "rest",
            r#"{"url":"http://h/{{.n}}","method":"post","sendSingle":true,"batchSize":2}"#,
            r#"[{"n":1},{"n":2}]"#,
            &[r#"http://h/2 [{"n":1},{"n":2}]"#],
        ),
        (
            "memory",
            r#"{"topic":"t/{{.d}}","sendSingle":true}"#,
            r##"[{"d":"a"},{"d":"#"},{"d":"+"},{"d":"b"}]"##,
            &["t/a of t/{{.d}}", "t/b of t/{{.d}}"],
        ),
        (
            "file",
            r#"{"path":"d/{{.d}}.txt","sendSingle":true}"#,
            r#"[{"d":"a"},{"d":"../../etc/x"},{"d":"a"},{"d":"b"},{"d":"x/y"},{"d":"a\u0000"}]"#,
            &["0 d/a.txt", "0 ", "1 d/b.txt"],
        ),
    ] {
        let mut bench = Bench::new(kind, props);
        bench.push(rows);
        assert_eq!(targets(&mut bench), want, "{props}");
    }
    // An error's text has no values: the template itself is its address.
    let mut bench = Bench::new("memory", r#"{"topic":"t/{{.b}}"}"#);
    bench.unit.accept_error("x", &mut bench.scratch, bench.now);
    assert_eq!(targets(&mut bench), ["t/{{.b}} of t/{{.b}}"]);
}

#[test]
fn at_most_sixteen_files_are_open() {
    let mut bench = Bench::new("file", r#"{"path":"{{.d}}","sendSingle":true}"#);
    for d in 0..20 {
        bench.push(&format!(r#"[{{"d":"f{d}"}}]"#));
    }
    bench.push(r#"[{"d":"f19"}]"#);
    bench.push(r#"[{"d":"f4"}]"#);
    bench.push(r#"[{"d":"f0"}]"#);
    let all = targets(&mut bench);
    assert_eq!(all[..2], ["0 f0", "1 f1"]);
    // The seventeenth takes the place of the one that waited longest.
    assert_eq!(all[15..], ["15 f15", "0 f16", "1 f17", "2 f18", "3 f19", "3 ", "4 ", "5 f0"]);
}

#[test]
fn forms_carry_templated_fields() {
    let props = r#"{"url":"http://h/","method":"post","bodyType":"formdata","fileFieldName":"up","formData":{"a":"{{.n}}","b":"x"},"sendSingle":true}"#;
    let mut bench = Bench::new("rest", props);
    bench.push(r#"[{"n":"two\r\nlines"}]"#);
    let all = targets(&mut bench);
    assert!(
        all[0].contains("name=\"up\"; filename=\"0\"\r\nContent-Type: application/octet-stream\r\n\r\n{\"n\":\"two\\r\\nlines\"}\r\n"),
        "{all:?}"
    );
    assert!(all[0].contains("name=\"a\"\r\n\r\ntwo\r\nlines\r\n") && all[0].contains("name=\"b\"\r\n\r\nx\r\n"), "{all:?}");
}

//! The real engine under a fake clock and a seed: floods, malformed bodies, slow sinks, rules that come and go.
//!
//! A failure prints the seed that repeats it. What must hold at any moment: every reading is answered; what was answered 200 is seen
//! by every rule that runs on the stream, or counted; what was refused is seen by none. And 10,000 readings through gate, ring,
//! filter, projection and encoding allocate nothing.

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::Bench;
use pushgate::rule::status::Metric;
use pushgate::sink::Outcome;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const DEMO: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush")"#;

/// A small generator, so that a seed means the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn metric(bench: &Bench, rule: &str, name: &str) -> u64 {
    let metrics = bench.engine.metrics(rule).expect("the rule runs");
    match metrics.iter().find(|(n, _)| n == name) {
        Some((_, Metric::Int(n))) => u64::try_from(*n).expect("a count"),
        _ => 0,
    }
}

/// Takes up to `most` payloads of each sink; now and then one breaks.
fn drain(bench: &mut Bench, chance: &mut Chance, most: u64) -> u64 {
    let ids: Vec<_> = bench.engine.sinks().map(|(id, _)| id).collect();
    let mut taken = 0;
    for id in ids {
        for _ in 0..most {
            let now = bench.now;
            if bench.engine.next_out(id, now).is_none() {
                break;
            }
            if chance.below(10) == 0 {
                bench.engine.done(id, Outcome::Broken { reason: "connection reset" }, now);
                break;
            }
            bench.engine.done(id, Outcome::Delivered, now);
            taken += 1;
        }
    }
    taken
}

fn run(seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut bench = Bench::new(seed);
    bench.stream(DEMO);
    // qos 1: a full outbox makes the rule wait, so nothing may be lost anywhere.
    let rule = |id: &str| {
        format!(
            r#"{{"id":"{id}","sql":"SELECT id, temperature FROM demo WHERE temperature > 50","options":{{"qos":1}},"actions":[{{"log":{{"sendSingle":true,"bufferLength":16}}}}]}}"#
        )
    };
    for id in ["a", "b"] {
        bench.try_rule(&rule(id)).expect("a rule");
    }
    let (mut accepted, mut delivered, mut matching) = (0_u64, 0_u64, 0_u64);
    for step in 0..2_000 {
        match chance.below(12) {
            0..=6 => {
                let temperature = chance.below(100);
                let pad = "x".repeat(usize::try_from(chance.below(4_000)).expect("small"));
                let body = format!(r#"{{"id":{step},"temperature":{temperature},"pad":"{pad}"}}"#);
                match bench.request("POST", "/api/data", body.as_bytes()) {
                    (200, _) => {
                        accepted += 1;
                        matching += u64::from(temperature > 50);
                    }
                    (503, text) => assert!(text.contains("queue full"), "seed {seed}: {text}"),
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
            7 => {
                let whole = br#"{"id":1,"temperature":99}"#;
                let cut = usize::try_from(chance.below(whole.len() as u64 - 1)).expect("small") + 1;
                assert_eq!(bench.request("POST", "/api/data", &whole[..cut]).0, 400, "seed {seed}");
            }
            8 => assert_eq!(bench.request("POST", "/other", b"{}").0, 404, "seed {seed}"),
            9 => {
                let most = chance.below(40);
                delivered += drain(&mut bench, &mut chance, most);
            }
            10 => bench.pass(chance.below(500)),
            _ => {
                for _ in 0..chance.below(8) {
                    let _ = bench.engine.step(bench.now);
                }
            }
        }
    }
    for _ in 0..100_000 {
        bench.settle();
        let n = drain(&mut bench, &mut chance, 64);
        delivered += n;
        bench.pass(1_000);
        if n == 0 && bench.engine.undelivered().all(|(_, queued, waiting)| queued == 0 && waiting == 0) {
            break;
        }
    }
    for id in ["a", "b"] {
        assert_eq!(metric(&bench, id, "source_demo_0_records_in_total"), accepted, "seed {seed}: rule {id} saw all that was accepted");
        assert_eq!(metric(&bench, id, "op_3_filter_0_records_out_total"), matching, "seed {seed}: rule {id}");
    }
    assert_eq!(delivered, 2 * matching, "seed {seed}: each rule delivered each match once");
}

#[test]
fn what_is_accepted_reaches_every_rule() {
    let count = std::env::var("SIM_SEEDS").map_or(40, |n| n.parse().expect("SIM_SEEDS is a number"));
    for seed in 1..=count {
        run(seed);
    }
}

#[test]
fn ten_thousand_readings_allocate_nothing() {
    let mut bench = Bench::new(7);
    bench.stream(DEMO);
    let rule = r#"{"id":"r","sql":"SELECT id, temperature, humidity FROM demo WHERE temperature > 50","actions":[{"nop":{}},{"log":{}}]}"#;
    bench.try_rule(rule).expect("a rule");
    let bodies: Vec<String> =
        (0..100).map(|i| format!(r#"{{"id":{i},"device":"sensor-{i:04}","temperature":{i},"humidity":48.2,"note":"a\nb"}}"#)).collect();
    let head = bench.head("POST", "/api/data", 0);
    let sinks: Vec<_> = bench.engine.sinks().map(|(id, _)| id).collect();
    let mut delivered = 0;
    let mut go = |bench: &mut Bench, readings: usize| {
        for i in 0..readings {
            assert_eq!(bench.answer(&head, bodies[i % 100].as_bytes()), 200);
            bench.settle();
            for id in &sinks {
                let now = bench.now;
                while bench.engine.next_out(*id, now).is_some() {
                    bench.engine.done(*id, Outcome::Delivered, now);
                    delivered += 1;
                }
            }
        }
    };
    go(&mut bench, 1_000); // the last pages are touched, the last lazy table is built
    let allocations = counting::counted(|| go(&mut bench, 10_000));
    assert_eq!(allocations, 0);
    assert_eq!(delivered, 49 * 110);
}

#[test]
fn payloads_merges_and_lookups_allocate_nothing() {
    let stream = |name: &str, extra: &str| {
        let extra = extra.replace('"', "\\\"");
        format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="/{name}", TYPE="httppush", EXTRA="{extra}")"#)
    };
    let mut bench = Bench::new(7);
    bench.stream(&stream("payload", r#"{"payloadFormat":"json","payloadField":"d"}"#));
    bench.stream(&stream("batch", r#"{"payloadFormat":"json","payloadField":"d","payloadBatchField":"b"}"#));
    bench.stream(&stream("merged", r#"{"interval":10,"mergeField":"id"}"#));
    bench.stream(&stream("latest", r#"{"interval":10}"#));
    bench.stream(&stream("plain", "{}"));
    bench.stream(r#"CREATE TABLE t () WITH (TYPE="memory", DATASOURCE="t", KIND="lookup", KEY="id")"#);
    for (id, sql, sink) in [
        ("a", "SELECT * FROM payload", r#""nop":{}"#),
        ("b", "SELECT q, z FROM batch", r#""nop":{}"#),
        ("c", "SELECT * FROM merged", r#""nop":{}"#),
        ("d", "SELECT * FROM latest", r#""nop":{}"#),
        ("e", "SELECT * FROM plain", r#""memory":{"topic":"t","rowkindField":"k","keyField":"id"}"#),
        ("f", "SELECT plain.v, t.v AS w FROM plain LEFT JOIN t ON plain.ref = t.id", r#""nop":{}"#),
    ] {
        bench.try_rule(&format!(r#"{{"id":"{id}","sql":"{sql}","actions":[{{{sink}}}]}}"#)).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    }
    let bodies: Vec<(String, String)> = (0..100)
        .flat_map(|i| {
            let kind = if i % 5 == 0 { "delete" } else { "upsert" };
            [
                ("/payload", format!(r#"{{"id":{i},"d":"[{{\"q\":{i}}},{{\"q\":\"x\"}}]"}}"#)),
                ("/payload", format!(r#"{{"id":{i},"d":"{{\"q\":{i}}}"}}"#)),
                ("/batch", format!(r#"{{"id":{i},"b":[{{"d":"{{\"q\":{i}}}","z":1}},{{"d":"bad"}}]}}"#)),
                ("/merged", format!(r#"{{"id":{},"v":{i}}}"#, i % 9)),
                ("/latest", format!(r#"{{"id":{i}}}"#)),
                ("/plain", format!(r#"{{"id":{i},"ref":{},"v":{i},"k":"{kind}"}}"#, i + 1)),
            ]
        })
        .map(|(path, body)| (bench.head("POST", path, body.len()), body))
        .collect();
    let go = |bench: &mut Bench, rounds: usize| {
        for (head, body) in bodies.iter().cycle().take(bodies.len() * rounds) {
            assert_eq!(bench.answer(head, body.as_bytes()), 200);
            bench.settle();
            bench.pass(1);
        }
    };
    go(&mut bench, 2);
    assert_eq!(counting::counted(|| go(&mut bench, 10)), 0);
    for (rule, op) in [("a", "op_4_project"), ("b", "op_4_project"), ("c", "op_4_project"), ("d", "op_4_project"), ("f", "op_t")] {
        assert!(metric(&bench, rule, &format!("{op}_0_records_out_total")) > 100, "rule {rule} has worked");
    }
}

//! One scenario for so many rows, for counting: `rows SCENARIO COUNT`. Prints nanoseconds and allocations per row.
//!
//! `benches/rows.sh` runs it under callgrind with two counts and prints user instructions per row.

use std::time::Instant;

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/counting.rs"]
mod counting;

use common::Bench;
use pushgate::encode::Format;
use pushgate::gate::body::Index;
use pushgate::pages::Pages;
use pushgate::ring::{Overflow, Parts, Ring};
use pushgate::rule::run::{FeedId, Feeds, Lent, Rule, Slice};
use pushgate::sink::SinkScratch;
use pushgate::table::Lookup;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const STREAM: &str = r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush")"#;
const OTHER: &str = r#"CREATE STREAM other () WITH (DATASOURCE="/api/other", FORMAT="json", TYPE="httppush")"#;

/// A reading of 250 bytes, 16 members.
fn reading(i: usize) -> String {
    let body = format!(
        concat!(
            r#"{{"device":"meter-{:04}","ts":1732412345{:03},"u1":230.1,"u2":229.8,"u3":231.4,"i1":4.21,"i2":3.97,"#,
            r#""i3":4.05,"p":{}.5,"q":117.2,"pf":0.981,"f":50.01,"ok":true,"tag":["hall-2","line-b"],"site":"north","note":"#
        ),
        i % 1000,
        i % 1000,
        1000 + i % 977,
    );
    format!("{body}\"{}\"}}", "x".repeat(250 - body.len() - 3))
}

/// Rules of a scenario, and whether the clock moves.
fn rules(scenario: &str) -> Option<(Vec<String>, bool)> {
    let aggregates = "avg(p) AS a, min(p) AS mn, max(p) AS mx, stddev(p) AS sd";
    let one = |sql: &str| vec![sql.to_owned()];
    Some(match scenario {
        // Nobody's filter lets a row through: what the gate and the ring cost.
        "gate" => (one("SELECT device FROM demo WHERE FALSE"), false),
        "projection" => (one("SELECT device, p, site FROM demo WHERE p > 50"), false),
        "star" => (one("SELECT * FROM demo"), false),
        "tumbling" => (one("SELECT device, avg(p) AS a FROM demo GROUP BY TUMBLINGWINDOW(ss, 10), device"), true),
        "count" => (one(&format!("SELECT {aggregates} FROM demo GROUP BY COUNTWINDOW(1000)")), false),
        "count_each" => (one(&format!("SELECT {aggregates} FROM demo GROUP BY COUNTWINDOW(1000, 1)")), false),
        "rules_1" => ((0..1).map(filter).collect(), false),
        "rules_100" => ((0..100).map(filter).collect(), false),
        "join" => (one("SELECT demo.device, other.p FROM demo INNER JOIN other ON demo.p = other.q GROUP BY TUMBLINGWINDOW(ss, 10)"), true),
        _ => return None,
    })
}

fn filter(i: usize) -> String {
    format!("SELECT device, p FROM demo WHERE p > {}", 5000 + i)
}

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (Some(scenario), count) = (args.next(), args.next().and_then(|n| n.parse().ok()).unwrap_or(100_000_usize)) else {
        return println!("rows SCENARIO COUNT: scan decode gate projection star tumbling count count_each rules_1 rules_100 join");
    };
    if matches!(&*scenario, "scan" | "decode") {
        return alone(&scenario, count);
    }
    let Some((rules, moves)) = rules(&scenario) else { return println!("no scenario {scenario}") };
    let mut bench = Bench::new(1);
    bench.stream(STREAM);
    bench.stream(OTHER);
    for (i, sql) in rules.iter().enumerate() {
        bench.try_rule(&format!(r#"{{"id":"r{i}","sql":"{sql}","actions":[{{"nop":{{}}}}]}}"#)).expect("a rule");
    }
    let bodies: Vec<String> = (0..1000).map(reading).collect();
    assert!(bodies.iter().all(|body| body.len() == 250));
    if scenario == "join" {
        return join(&mut bench, &bodies);
    }
    let head = bench.head("POST", "/api/data", 250);
    let run = |bench: &mut Bench, count: usize| {
        let mut in_rules = 0;
        for i in 0..count {
            assert_eq!(bench.answer(&head, bodies[i % 1000].as_bytes()), 200);
            if moves && i % 10 == 0 {
                bench.pass(1);
            }
            // So many wait in the ring, as when a burst comes in.
            if i % 16 == 15 {
                let start = Instant::now();
                bench.settle();
                in_rules += start.elapsed().as_nanos();
            }
        }
        in_rules
    };
    run(&mut bench, 2000);
    let (start, mut in_rules) = (Instant::now(), 0);
    let allocations = counting::counted(|| in_rules = run(&mut bench, count));
    let (ns, rows) = (start.elapsed().as_nanos(), count as u128);
    println!("{scenario}: {} ns/row, {} of them in rules; {allocations} allocations in {count} rows", ns / rows, in_rules / rows);
}

/// Without heads, endpoints and an engine: `scan` is the pass over the body, `decode` has the queue and the rule of `projection` behind it.
fn alone(scenario: &str, count: usize) {
    struct One(Ring<Pages>);
    impl Feeds for One {
        fn ring(&mut self, _: FeedId) -> &mut Ring<Pages> {
            &mut self.0
        }

        fn lookup(&self, _: FeedId) -> Option<&Lookup> {
            None
        }
    }
    let mut bench = Bench::new(1);
    bench.stream(STREAM);
    let sql = "SELECT device, p, site FROM demo WHERE p > 50";
    let unit = bench.unit(&format!(r#"{{"id":"r","sql":"{sql}","actions":[{{"nop":{{}}}}]}}"#)).expect("a rule");
    let limits = bench.limits();
    let mut feeds = One(Ring::new(Pages::new(limits.queue_bytes), 1, Overflow::Reject, None));
    let reader = feeds.0.add_reader().expect("a slot");
    let mut rule = Rule::new(unit, &[(FeedId(0), reader)], 1);
    rule.connected(bench.now);
    let (mut scratch, mut rows) = (vec![0; limits.scratch_bytes], vec![0; limits.payload_bytes]);
    let mut sinks = SinkScratch::new(limits);
    let mut index = Box::new(Index::new());
    let bodies: Vec<String> = (0..1000).map(reading).collect();
    let mut run = |count: usize| {
        for i in 0..count {
            let body = bodies[i % 1000].as_bytes();
            let checked = index.check(Format::Json, std::hint::black_box(body), 0).expect("JSON");
            if scenario == "scan" {
                continue;
            }
            let parts = Parts { flags: checked.flags, time_ms: bench.now.wall.0, index: index.bytes(checked), body, ..Parts::default() };
            feeds.0.push(&parts).expect("room");
            if i % 16 == 15 {
                let mut lent = Lent { scratch: &mut scratch, rows: &mut rows, sinks: &mut sinks, now: bench.now };
                while rule.slice(&mut feeds, &mut lent) == Slice::More {}
            }
        }
    };
    run(2000);
    let start = Instant::now();
    let allocations = counting::counted(|| run(count));
    println!("{scenario}: {} ns/row; {allocations} allocations in {count} rows", start.elapsed().as_nanos() / count as u128);
}

/// 1,000 × 1,000 rows in one window: how long the longest slice keeps readings waiting.
fn join(bench: &mut Bench, bodies: &[String]) {
    let (demo, other) = (bench.head("POST", "/api/data", 250), bench.head("POST", "/api/other", 250));
    for body in bodies {
        assert_eq!((bench.answer(&demo, body.as_bytes()), bench.answer(&other, body.as_bytes())), (200, 200));
        bench.settle();
    }
    bench.pass(10_000);
    let (start, mut longest, mut slices) = (Instant::now(), 0, 0);
    loop {
        let slice = Instant::now();
        let more = bench.engine.step(bench.now) == pushgate::engine::Progress::More;
        longest = longest.max(slice.elapsed().as_micros());
        slices += 1;
        if !more {
            break;
        }
    }
    println!("join: {} ms in {slices} slices, the longest {longest} µs", start.elapsed().as_millis());
}

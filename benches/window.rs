//! One reading's way into a window: groups, count windows that overlap or not, compared with the plain projection.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

#[path = "../tests/common/mod.rs"]
mod common;

fn windows(c: &mut Criterion) {
    let mut group = c.benchmark_group("window");
    group.throughput(Throughput::Elements(1));
    let aggregates = "avg(v) AS a, min(v) AS mn, max(v) AS mx, stddev(v) AS sd";
    for (name, sql) in [
        ("projection", "SELECT v, device FROM demo WHERE v > 5".to_owned()),
        ("tumbling_by_device", "SELECT device, avg(v) AS a FROM demo GROUP BY TUMBLINGWINDOW(ss, 10), device".to_owned()),
        ("count_1000", format!("SELECT {aggregates} FROM demo GROUP BY COUNTWINDOW(1000)")),
        ("count_1000_1", format!("SELECT {aggregates} FROM demo GROUP BY COUNTWINDOW(1000, 1)")),
    ] {
        let mut bench = common::Bench::new(1);
        bench.stream(r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush")"#);
        bench.try_rule(&format!(r#"{{"id":"r1","sql":"{sql}","actions":[{{"nop":{{}}}}]}}"#)).expect("a rule");
        let bodies: Vec<(String, String)> = (0..1000)
            .map(|i| {
                let body = format!(r#"{{"device":"sensor-{i:04}","v":{},"unit":"celsius","site":"north"}}"#, 10 + i % 37);
                (bench.head("POST", "/api/data", body.len()), body)
            })
            .collect();
        let mut next = bodies.iter().cycle();
        let mut passed = 0_u64;
        for (head, body) in &bodies {
            assert_eq!(bench.answer(head, body.as_bytes()), 200);
            bench.settle();
        }
        group.bench_function(name, |b| {
            b.iter(|| {
                let Some((head, body)) = next.next() else { return };
                assert_eq!(bench.answer(head, black_box(body.as_bytes())), 200);
                passed += 1;
                if passed.is_multiple_of(10) {
                    bench.pass(1);
                }
                bench.settle();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, windows);
criterion_main!(benches);

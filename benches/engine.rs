//! One reading's whole way through the engine, without a socket: head, gate, ring, rule, sink.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

#[path = "../tests/common/mod.rs"]
mod common;
mod payload;

fn readings(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(1));
    for (name, rules, sql) in [
        ("all", 1, "SELECT * FROM demo"),
        ("filter_and_columns", 1, "SELECT id, p, note FROM demo WHERE p > 50"),
        ("filtered_out", 1, "SELECT id, p, note FROM demo WHERE p > 5000"),
        ("ten_rules", 10, "SELECT id, p, note FROM demo WHERE p > 50"),
    ] {
        let mut bench = common::Bench::new(1);
        bench.stream(r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush")"#);
        for i in 0..rules {
            bench.try_rule(&format!(r#"{{"id":"r{i}","sql":"{sql}","actions":[{{"nop":{{}}}}]}}"#)).expect("a rule");
        }
        let head = payload::head(payload::DENSE.len());
        group.bench_function(name, |b| {
            b.iter(|| {
                assert_eq!(bench.answer(&head, black_box(payload::DENSE.as_bytes())), 200);
                bench.settle();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, readings);
criterion_main!(benches);

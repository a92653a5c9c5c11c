//! The gate's one pass over a JSON body.
#![expect(clippy::unwrap_used, reason = "a bench may stop at a failure")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pushgate::json::scan;
use std::hint::black_box;

mod payload;

fn check(c: &mut Criterion) {
    let mut group = c.benchmark_group("json_check");
    for (name, text) in [("padded", payload::padded()), ("dense", payload::DENSE.to_owned())] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut members = 0;
                scan::check(black_box(&text), |_| members += 1).unwrap();
                members
            })
        });
    }
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);

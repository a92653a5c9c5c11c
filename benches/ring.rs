//! A reading into a stream's queue and out of it again, for one reader and for five.
#![expect(clippy::unwrap_used, reason = "a bench may stop at a failure")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pushgate::{
    limits::QUEUE_BYTES,
    ring::{Overflow, Parts, Ring},
};
use std::hint::black_box;

mod payload;

fn push_and_take(c: &mut Criterion) {
    let mut group = c.benchmark_group("ring");
    group.throughput(Throughput::Elements(1));
    for readers in [1, 5] {
        let mut ring = Ring::new(vec![0; QUEUE_BYTES], readers, Overflow::Reject, None);
        let ids: Vec<_> = (0..readers).map(|_| ring.add_reader().unwrap()).collect();
        let parts = Parts { body: payload::DENSE.as_bytes(), ..Parts::default() };
        group.bench_function(format!("{readers}_readers"), |b| {
            b.iter(|| {
                ring.push(black_box(&parts)).unwrap();
                for id in &ids {
                    black_box(ring.peek(*id).unwrap().body);
                    ring.take(*id);
                }
            })
        });
    }
    group.finish();
}

criterion_group!(benches, push_and_take);
criterion_main!(benches);

//! Finding the end of a request head and judging it.
#![expect(clippy::unwrap_used, reason = "a bench may stop at a failure")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pushgate::wire::head::HeadInfo;
use std::hint::black_box;

mod payload;

fn read(c: &mut Criterion) {
    let curl = payload::head(payload::DENSE.len());
    let bare = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".to_owned();
    let mut group = c.benchmark_group("head");
    for (name, text) in [("curl", curl), ("bare", bare)] {
        let mut info = HeadInfo::default();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| info.read(black_box(text.as_bytes())).unwrap().is_some()));
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);

//! Our check and reading of rows beside those of libraries, on one page of 100 full events.
//!
//! `cargo bench -p tap-sentry-json --bench compare`; the README has the figures of one run.

mod page;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::hint::black_box;
use tap_sentry_json::{Body, Document};

/// Rows and their members are looked into, as the tap does.
const INDEXED_DEPTH: usize = 4;

/// Only whether the page is JSON.
fn check(criterion: &mut Criterion) {
    let page = page::page();
    let page = page.as_bytes();
    let mut group = criterion.benchmark_group("check");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            Document::parse(black_box(page), INDEXED_DEPTH)
                .expect("JSON")
                .root()
        });
    });
    group.bench_function("ours, in chunks of 16 KiB with their copy", |bencher| {
        bencher.iter(|| {
            let mut body = Body::expecting(page.len(), INDEXED_DEPTH);
            black_box(page)
                .chunks(16 << 10)
                .for_each(|chunk| body.push(chunk));
            body.document().expect("JSON").root()
        });
    });
    group.bench_function("serde_json IgnoredAny", |bencher| {
        bencher.iter(|| serde_json::from_slice::<IgnoredAny>(black_box(page)).expect("JSON"));
    });
    group.bench_function("sonic-rs elements", |bencher| {
        bencher.iter(|| {
            sonic_rs::to_array_iter(black_box(page))
                .map(|row| row.expect("JSON").as_raw_str().len())
                .sum::<usize>()
        });
    });
    group.finish();
}

/// The check, and each row's keys with the text of their values. All of them must find the same
/// bytes.
fn rows(criterion: &mut Criterion) {
    let page = page::page();
    let page = page.as_bytes();
    let expected = ours(page);
    assert_eq!(serde_maps(page), expected);
    assert_eq!(sonic(page), expected);
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| ours(black_box(page))));
    group.bench_function("serde_json maps of RawValue", |bencher| {
        bencher.iter(|| serde_maps(black_box(page)));
    });
    group.bench_function("sonic-rs elements and members", |bencher| {
        bencher.iter(|| sonic(black_box(page)));
    });
    group.finish();
}

/// How many bytes the keys and values of all rows have.
fn ours(page: &[u8]) -> usize {
    let document = Document::parse(page, INDEXED_DEPTH).expect("JSON");
    document
        .elements(document.root())
        .flat_map(|row| document.members(row))
        .map(|(key, value)| key.len() + document.text(value).len())
        .sum()
}

fn serde_maps(page: &[u8]) -> usize {
    serde_json::from_slice::<Vec<BTreeMap<&str, &RawValue>>>(page)
        .expect("JSON")
        .iter()
        .flatten()
        .map(|(key, value)| key.len() + value.get().len())
        .sum()
}

/// Both iterators check what they step over: the text of a row once as an element, once as an
/// object.
fn sonic(page: &[u8]) -> usize {
    sonic_rs::to_array_iter(page)
        .map(|row| {
            let row = row.expect("JSON");
            sonic_rs::to_object_iter(row.as_raw_str())
                .map(|member| {
                    let (key, value) = member.expect("JSON");
                    key.len() + value.as_raw_str().len()
                })
                .sum::<usize>()
        })
        .sum()
}

criterion_group!(benches, check, rows);
criterion_main!(benches);

//! What every page costs: its check, its records, the cursor of the next.

#[path = "../crates/json/benches/page/mod.rs"]
mod page;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use std::hint::black_box;
use tap_sentry::record::lines::{Batch, Lines};
use tap_sentry::record::projection::Projection;
use tap_sentry::streams::find;
use tap_sentry_api::link::next_page;
use tap_sentry_api::request::INDEXED_DEPTH;
use tap_sentry_json::Document;
use tokio::time::Instant;

const LINK: &str = r#"<https://sentry.io/api/0/organizations/acme/issues/1/events/?full=1&per_page=100&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", <https://sentry.io/api/0/organizations/acme/issues/1/events/?full=1&per_page=100&cursor=0:100:0>; rel="next"; results="true"; cursor="0:100:0""#;

fn hot(criterion: &mut Criterion) {
    let page = page::page();
    let def = find("events").expect("a stream");
    let schema: Value = serde_json::from_str(def.schema).expect("a schema");
    let projection = Projection::new(def, &schema, &|_| true, false);
    let frame = projection.frame(|_| Some("acme"), "2026-11-20T00:00:00.000000Z");

    let mut group = criterion.benchmark_group("page");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("check", |bencher| {
        bencher.iter(|| {
            Document::parse(black_box(page.as_bytes()), INDEXED_DEPTH)
                .expect("JSON")
                .root()
        });
    });
    let doc = Document::parse(page.as_bytes(), INDEXED_DEPTH).expect("JSON");
    let mut batch = Batch::new(def, Instant::now());
    group.bench_function("records", |bencher| {
        bencher.iter(|| {
            batch.lines = Lines::default();
            batch.rows.clear();
            for row in doc.elements(doc.root()) {
                projection
                    .write(&doc, row, &frame, &mut batch)
                    .expect("a record");
            }
            black_box(batch.rows.len())
        });
    });
    group.finish();
    criterion.bench_function("next cursor", |bencher| {
        bencher.iter(|| next_page(black_box(LINK)));
    });
}

criterion_group!(benches, hot);
criterion_main!(benches);

//! The OTLP bridge against the floor of any: decoding what comes and encoding it again. CPU a span, memory; and what a spool
//! costs beside none, and beside a plain file that is written as often.
//!
//! `cargo bench -p sentry-otlp --bench otlp` prints tables; `-- cpu memory spool` chooses parts. The batch is
//! `benches/otlp_batch.bin`, which `benches/otlp_batch.py` captures from Python's exporter. The intake answers in this process,
//! so the CPU time of the child is the bridge's alone.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use bytes::Bytes;
use chrono::Utc;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use ureq::Agent;

const BATCH: &[u8] = include_bytes!("otlp_batch.bin");
const SPANS: u64 = 512;
/// Batches that are sent where throughput counts.
const ROUNDS: u64 = 400;
/// And each time where CPU counts.
const CPU_ROUNDS: u64 = 300;
/// So often: most of it comes after memory has been taken for the first time.
const CPU_TIMES: u64 = 9;
/// Where CPU counts, spans wait so long for the rest of their trace.
const TRACE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the bridge is asked whether something waits, which costs it CPU time as well.
const LOOK: Duration = Duration::from_millis(50);
/// Spans in flight where memory counts.
const IN_FLIGHT: u64 = 100_000;

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let parts: [(&str, fn()); 3] = [("cpu", cpu), ("memory", memory), ("spool", spool)];
    for (name, part) in parts {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            part();
        }
    }
}

/// A table row, as Markdown.
fn row(cells: &[&str]) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "| {} |", cells.join(" | ")).expect("stdout");
}

fn head(cells: &[&str]) {
    writeln!(std::io::stdout().lock()).expect("stdout");
    row(cells);
    row(&vec!["---"; cells.len()]);
}

/// The batch as if it had been recorded now, with ids of its own.
fn batch(number: u64) -> Bytes {
    let mut request = ExportTraceServiceRequest::decode(BATCH).expect("a request");
    let now = u64::try_from(Utc::now().timestamp_nanos_opt().expect("a time")).expect("after 1970");
    let mut spans: Vec<&mut Span> = request
        .resource_spans
        .iter_mut()
        .flat_map(|resource| &mut resource.scope_spans)
        .flat_map(|scope| &mut scope.spans)
        .collect();
    let first = spans.iter().map(|span| span.start_time_unix_nano).min();
    let shift = now - 60_000_000_000 - first.expect("a span");
    for span in &mut spans {
        let events = span.events.iter_mut();
        let times = events.map(|event| &mut event.time_unix_nano);
        times
            .chain([&mut span.start_time_unix_nano, &mut span.end_time_unix_nano])
            .for_each(|time| *time += shift);
        for (byte, more) in span.trace_id.iter_mut().zip(number.to_be_bytes()) {
            *byte ^= more;
        }
    }
    request.encode_to_vec().into()
}

/// What a thread of this process has spent, in seconds.
fn own_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
    seconds(&text)
}

/// User and system time of a line of `/proc/…/stat`.
fn seconds(stat: &str) -> f64 {
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: f64 = ticks
        .map(|field| field.parse::<f64>().expect("ticks"))
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let second = rustix::param::clock_ticks_per_second() as f64;
    ticks / second
}

/// An intake that takes everything, or answers nothing while it is held.
#[derive(Clone, Default)]
struct Intake {
    held: Arc<AtomicBool>,
    otlp: bool,
}

async fn answer(State(intake): State<Intake>, request: Request<Body>) -> Response<Body> {
    let is_otlp = request.uri().path().contains("/otlp/");
    let body = to_bytes(request.into_body(), usize::MAX).await;
    let is_probe = body.is_ok_and(|body| body.is_empty());
    if intake.held.load(Ordering::Relaxed) && !is_probe {
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Body::empty());
    if is_otlp && !intake.otlp {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if is_otlp {
        let value = axum::http::HeaderValue::from_static("application/x-protobuf");
        response.headers_mut().insert("content-type", value);
    } else {
        *response.body_mut() = Body::from("{}");
    }
    response
}

/// Its port.
fn intake(intake: Intake) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    spawn(move || {
        listener.set_nonblocking(true).expect("a listener");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let router = Router::new().fallback(answer).with_state(intake);
            axum::serve(listener, router).await.expect("served");
        });
    });
    port
}

/// The bridge, started.
struct Bridge {
    child: Child,
    /// Of OTLP over HTTP, and of its own metrics.
    addresses: [String; 2],
    agent: Agent,
    _folder: TempDir,
}

impl Bridge {
    fn start(port: u16, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
             exporters:\n  sentry:\n    dsn: http://key@127.0.0.1:{port}/42\n{more}"
        );
        std::fs::write(folder.path().join("otlp.yml"), config).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_sentry-otlp"))
            .args([
                "--config",
                "otlp.yml",
                "--web.listen-address",
                "127.0.0.1:0",
            ])
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the bridge");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut address = || {
            let mut lines = log.by_ref().map_while(Result::ok);
            let found = lines.find_map(|line| {
                let (_, rest) = line.split_once("listening")?.1.split_once("127.0.0.1:")?;
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                (!port.is_empty()).then(|| format!("127.0.0.1:{port}"))
            });
            found.expect("an address in the log")
        };
        let addresses = [address(), address()];
        // A full pipe would stop it.
        spawn(move || log.map_while(Result::ok).for_each(drop));
        Self {
            child,
            addresses,
            agent: Agent::new_with_defaults(),
            _folder: folder,
        }
    }

    fn send(&self, body: &[u8]) {
        let url = format!("http://{}/v1/traces", self.addresses[0]);
        loop {
            let request = self.agent.post(&url).content_type("application/x-protobuf");
            match request.send(body) {
                // Sentry is slower than what comes: a client waits, though not for so short a time.
                Err(ureq::Error::StatusCode(429)) => sleep(Duration::from_millis(5)),
                answer => {
                    assert_eq!(answer.expect("an answer").status(), 200);
                    return;
                }
            }
        }
    }

    /// The sum of the series of these names. It is read as it is, since to compress it is not what is measured.
    fn metrics(&self, names: &[&str]) -> f64 {
        let url = format!("http://{}/metrics", self.addresses[1]);
        let request = self.agent.get(&url).header("accept-encoding", "identity");
        let mut answer = request.call().expect("metrics");
        let text = answer.body_mut().read_to_string().expect("a text");
        let values = text.lines().filter_map(|line| {
            let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
            let (_, value) = rest.rsplit_once(' ')?;
            rest.starts_with([' ', '{'])
                .then(|| value.parse::<f64>().expect("a number"))
        });
        values.sum()
    }

    fn wait_until_empty(&self) {
        while self.metrics(&["sentry_otlp_pending", "sentry_otlp_spool_requests"]) > 0.0 {
            sleep(LOOK);
        }
    }

    fn cpu(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        seconds(&std::fs::read_to_string(path).expect("Linux"))
    }

    /// A line of `/proc/PID/status`, in MiB.
    fn memory(&self, line: &str) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("Linux");
        let kib = text.lines().find_map(|text| {
            let rest = text.strip_prefix(line)?.strip_prefix(':')?;
            rest.trim().strip_suffix(" kB")?.parse::<f64>().ok()
        });
        kib.expect(line) / 1024.0
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Decoding the batch with prost and encoding it again, microseconds a span.
fn floor() -> f64 {
    let body = batch(0);
    let began = own_cpu();
    for _ in 0..CPU_ROUNDS {
        let request = ExportTraceServiceRequest::decode(body.clone()).expect("a request");
        black_box(request.encode_to_vec());
    }
    (own_cpu() - began) * 1e6 / spans(CPU_ROUNDS)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn spans(rounds: u64) -> f64 {
    (rounds * SPANS) as f64
}

/// The one in the middle, and the least and the greatest.
fn middle(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    (values[last / 2], values[0], values[last])
}

/// CPU a span, from the request to Sentry's answer, each time between two floors: what else a machine does comes and goes.
fn cpu() {
    let modes = [("OTLP out", true, "2.5"), ("transactions out", false, "4")];
    let bridges = modes.map(|(_, otlp, _)| {
        let port = intake(Intake {
            otlp,
            ..Intake::default()
        });
        let seconds = TRACE_TIMEOUT.as_secs();
        let more = format!(
            "    trace_timeout: {seconds}s\n    sending_queue: {{queue_size: 100000000, sizer: bytes}}\n"
        );
        let bridge = Bridge::start(port, &more);
        // The mode is known, and all code has run once.
        bridge.send(&batch(0));
        bridge.wait_until_empty();
        bridge
    });
    let mut floors = vec![floor()];
    let mut found = modes.map(|_| (Vec::new(), Vec::new()));
    for time in 0..CPU_TIMES {
        let first = 1 + time * CPU_ROUNDS;
        let bodies: Vec<Bytes> = (first..first + CPU_ROUNDS).map(batch).collect();
        for (bridge, (spent, ratios)) in bridges.iter().zip(&mut found) {
            let began = bridge.cpu();
            for body in &bodies {
                bridge.send(body);
            }
            // Spans wait so long for the rest of their trace: before that there is nothing to ask for.
            sleep(TRACE_TIMEOUT);
            bridge.wait_until_empty();
            let of_each = (bridge.cpu() - began) * 1e6 / spans(CPU_ROUNDS);
            let (before, after) = (floors[floors.len() - 1], floor());
            floors.push(after);
            spent.push(of_each);
            ratios.push(of_each / f64::midpoint(before, after));
        }
    }
    head(&[
        "CPU a span, the one in the middle",
        "µs",
        "of the floor",
        "least",
        "most",
        "target",
    ]);
    let (floor, least, most) = middle(floors);
    row(&[
        "decode and encode with prost",
        &format!("{floor:.2}"),
        "1",
        &format!("{least:.2} µs"),
        &format!("{most:.2} µs"),
        "",
    ]);
    for (((name, _, target), bridge), (spent, ratios)) in modes.iter().zip(&bridges).zip(found) {
        let lost = bridge.metrics(&["sentry_otlp_rejected_total"]);
        assert!(lost < 0.5, "{lost} lost");
        let (ratio, least, most) = middle(ratios);
        row(&[
            name,
            &format!("{:.2}", middle(spent).0),
            &format!("{ratio:.2}"),
            &format!("{least:.2}"),
            &format!("{most:.2}"),
            target,
        ]);
    }
}

/// Memory, idle and while Sentry does not answer.
fn memory() {
    head(&[
        "resident memory, MiB",
        "idle",
        "100,000 spans in flight",
        "target",
    ]);
    for (name, otlp) in [("OTLP out", true), ("transactions out", false)] {
        let sink = Intake {
            otlp,
            ..Intake::default()
        };
        let port = intake(sink.clone());
        let more =
            "    trace_timeout: 1h\n    sending_queue: {queue_size: 1000000000, sizer: bytes}\n";
        let bridge = Bridge::start(port, more);
        sleep(Duration::from_secs(2));
        let idle = bridge.memory("VmRSS");
        sink.held.store(true, Ordering::Relaxed);
        for number in 0..IN_FLIGHT.div_ceil(SPANS) {
            bridge.send(&batch(number));
        }
        let busy = bridge.memory("VmRSS");
        row(&[
            name,
            &format!("{idle:.1}"),
            &format!("{busy:.1}"),
            "16 / 160",
        ]);
    }
}

/// Clients that send at the same time where throughput counts.
const CLIENTS: usize = 4;

/// Whole runs in memory and with a spool, alternating; then single acknowledgements beside a plain file.
fn spool() {
    let bodies: Vec<Bytes> = (1..=ROUNDS).map(batch).collect();
    head(&[
        "512 spans a request",
        "spans/s in memory",
        "with a spool",
        "ratio",
        "target",
    ]);
    for (name, otlp) in [("OTLP out", true), ("transactions out", false)] {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..5 {
            for (kind, rates) in [false, true].into_iter().zip(&mut rates) {
                rates.push(throughput(otlp, kind, &bodies));
            }
        }
        let [memory, spool] = rates.map(median);
        let ratio = format!("{:.2}", spool / memory);
        row(&[
            name,
            &format!("{memory:.0}"),
            &format!("{spool:.0}"),
            &ratio,
            "0.5",
        ]);
    }
    head(&[
        "99th percentile, ms",
        "plain file",
        "acknowledgement",
        "within 3 times",
        "target",
    ]);
    let (files, answers) = acknowledgements(&bodies);
    let (plain, answer) = (percentile(&files), percentile(&answers));
    let within = answers.iter().filter(|one| **one <= 3.0 * plain).count();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let share = within as f64 / answers.len() as f64;
    let shown = |seconds: f64| format!("{:.2}", seconds * 1e3);
    row(&[
        "one client",
        &shown(plain),
        &shown(answer),
        &format!("{:.1} %", share * 100.0),
        "99 %",
    ]);
}

/// Spans a second, from the first request to the last answer of Sentry.
fn throughput(otlp: bool, has_spool: bool, bodies: &[Bytes]) -> f64 {
    let bridge = started(otlp, has_spool);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let bridge = &bridge;
            scope.spawn(move || {
                for body in bodies.iter().skip(client).step_by(CLIENTS) {
                    bridge.send(body);
                }
            });
        }
    });
    bridge.wait_until_empty();
    spans(ROUNDS) / began.elapsed().as_secs_f64()
}

/// A bridge whose mode is known.
fn started(otlp: bool, has_spool: bool) -> Bridge {
    let port = intake(Intake {
        otlp,
        ..Intake::default()
    });
    let spool = if has_spool { "    spool: spool\n" } else { "" };
    let more = format!(
        "    trace_timeout: 1s\n    sending_queue: {{queue_size: 100000000, sizer: bytes}}\n{spool}"
    );
    let bridge = Bridge::start(port, &more);
    bridge.send(&batch(0));
    bridge.wait_until_empty();
    bridge
}

/// How long it takes to append each body to a file and have it on the disk, and how long until it is acknowledged;
/// alternating, in seconds.
fn acknowledgements(bodies: &[Bytes]) -> (Vec<f64>, Vec<f64>) {
    let bridge = started(true, true);
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = std::fs::File::create(folder.path().join("plain")).expect("a file");
    let timed = |act: &mut dyn FnMut()| {
        let began = Instant::now();
        act();
        began.elapsed().as_secs_f64()
    };
    let mut both = (Vec::new(), Vec::new());
    for body in bodies {
        both.0.push(timed(&mut || {
            file.write_all(body).expect("written");
            file.sync_data().expect("on the disk");
        }));
        both.1.push(timed(&mut || bridge.send(body)));
    }
    both
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The 99th.
fn percentile(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() * 99 / 100]
}

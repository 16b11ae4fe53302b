// A JavaScript service with OpenTelemetry: as client.py, with the same arguments.
//
//     node client.mjs MODULES http|proto orders|steady|large AMOUNT FILE
//
// MODULES is the folder whose node_modules has the packages.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, flavour, work, amount, file] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { context, diag, DiagConsoleLogger, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, createTraceState } = require("@opentelemetry/api");
const { BatchSpanProcessor, TracerProvider } = require("@opentelemetry/sdk-trace");
const { defaultResource, detectResources, envDetector } = require("@opentelemetry/resources");
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${flavour}`);

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.INFO);

// [type, text or parts]: as the exporter has them, for whom a number without a fraction is whole.
function value(one) {
  if (typeof one === "boolean") return ["bool", one];
  if (typeof one === "number") {
    if (Number.isInteger(one)) return ["int", String(BigInt(one))];
    return ["double", Number.isNaN(one) ? "nan" : String(one).replace("Infinity", "inf")];
  }
  if (one instanceof Uint8Array) return ["bytes", Buffer.from(one).toString("hex")];
  if (typeof one === "string") return ["string", one];
  if (one === null || one === undefined) return ["none", null];
  if (Array.isArray(one)) return ["array", one.map(value)];
  return ["map", values(one)];
}
const values = (attributes) => Object.fromEntries(Object.entries(attributes ?? {}).map(([key, one]) => [key, value(one)]));
const nanos = ([seconds, rest]) => String(BigInt(seconds) * 1000000000n + BigInt(rest));
const happened = (event) => ({ time: nanos(event.time), attributes: values(event.attributes) });

class Truth {
  spans = [];
  onStart() {}
  onEnd(span) {
    const own = span.spanContext();
    const parent = span.parentSpanContext;
    this.spans.push({
      trace_id: own.traceId,
      span_id: own.spanId,
      parent_span_id: parent?.spanId ?? null,
      remote: parent?.isRemote === true,
      name: span.name,
      kind: SpanKind[span.kind].toLowerCase(),
      start: nanos(span.startTime),
      end: nanos(span.endTime),
      failed: span.status.code === SpanStatusCode.ERROR,
      message: span.status.message ?? "",
      trace_state: own.traceState?.serialize() ?? "",
      attributes: values(span.attributes),
      resource: values(span.resource.attributes),
      scope: [span.instrumentationScope.name, span.instrumentationScope.version],
      links: span.links.map((link) => ({ trace_id: link.context.traceId, span_id: link.context.spanId, attributes: values(link.attributes) })),
      events: span.events.filter((event) => event.name !== "exception").map((event) => ({ name: event.name, ...happened(event) })),
      exceptions: span.events.filter((event) => event.name === "exception").map(happened),
    });
  }
  async forceFlush() {}
  async shutdown() {}
}

// What the exporter reports of each batch.
class Told {
  exports = [];
  exporter = new OTLPTraceExporter();
  export(spans, done) {
    const began = performance.now();
    this.exporter.export(spans, (result) => {
      this.exports.push({ ok: result.code === 0, seconds: (performance.now() - began) / 1000, ids: spans.map((span) => span.spanContext().spanId) });
      done(result);
    });
  }
  async forceFlush() {
    await this.exporter.forceFlush?.();
  }
  async shutdown() {
    await this.exporter.shutdown();
  }
}

const EVERY_TYPE = {
  "app.text": 'a "quoted" back\\slash\nline, é 🙂',
  "app.empty": "",
  "app.long": "x".repeat(3000),
  "app.true": true,
  "app.false": false,
  "app.int": 42,
  "app.int.large": 2 ** 60,
  "app.int.safe": -Number.MAX_SAFE_INTEGER,
  "app.double": 0.1,
  "app.double.whole": 2.0,
  "app.double.tiny": 5e-324,
  "app.nan": NaN,
  "app.infinity": -Infinity,
  "app.texts": ["a", "", "ü"],
  "app.truths": [true, false],
  "app.ints": [1, -2, 2 ** 40],
  "app.doubles": [0.5, 1.25],
  "app.none": [],
  "app key with spaces": "blanks",
  "app.schlüssel": "umlaut",
  release: "no release",
  user: "no user",
  filename: "no file",
  environment: "no environment",
  ["k".repeat(230)]: "long key",
};

function stock(number) {
  throw new RangeError(`article ${number}`);
}
function reserve(number) {
  try {
    stock(number);
  } catch (error) {
    throw new TypeError(`order ${number} cannot be reserved`, { cause: error });
  }
}

const elsewhere = (isRemote, traceFlags, traceState) => ({ traceId: randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex"), isRemote, traceFlags, traceState });

function order(tracer, number) {
  let from = ROOT_CONTEXT;
  if (number % 2) from = trace.setSpanContext(from, elsewhere(true, TraceFlags.SAMPLED, createTraceState("vendor=a1,other=b2")));
  const links = [
    { context: elsewhere(true, TraceFlags.SAMPLED), attributes: { "link.kind": "follows", "link.number": 7 } },
    { context: elsewhere(false, TraceFlags.NONE) },
  ];
  const attributes = { "http.request.method": "POST", "http.route": "/orders/{id}", "url.path": `/orders/${number}`, "url.scheme": "https", "http.response.status_code": 500, "server.address": "shop.example.com", "user.id": `u${number}` };
  const root = tracer.startSpan("POST /orders/{id}", { kind: SpanKind.SERVER, attributes, links }, from);
  const inside = trace.setSpan(from, root);
  const child = (name, options, parent = inside) => tracer.startSpan(name, options, parent);
  const everything = child("everything", { attributes: EVERY_TYPE });
  everything.addEvent("cache miss", { key: `order:${number}`, size: 3, ratio: 0.25 });
  everything.addEvent("retry");
  everything.setStatus({ code: SpanStatusCode.OK }).end();
  child("SELECT orders", { kind: SpanKind.CLIENT, attributes: { "db.system.name": "postgresql", "db.query.text": "SELECT * FROM orders WHERE id = $1", "db.namespace": "shop", "server.port": 5432 } }).end();
  const get = child("GET", { kind: SpanKind.CLIENT, attributes: { "http.method": "GET", "http.url": `https://stock.example.com/${number}`, "http.status_code": 503 } });
  get.setStatus({ code: SpanStatusCode.ERROR, message: "no stock" }).end();
  const message = { "messaging.system": "kafka", "messaging.destination.name": "orders", "messaging.operation.type": "publish" };
  const producer = child("publish orders", { kind: SpanKind.PRODUCER, attributes: message });
  producer.end();
  const outer = child("reserve");
  const inner = child("reserve in stock", {}, trace.setSpan(inside, outer));
  try {
    reserve(number);
  } catch (error) {
    for (const span of [inner, outer]) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message }).end();
    }
  }
  try {
    null.missing;
  } catch (error) {
    root.recordException(error);
  }
  root.setStatus({ code: SpanStatusCode.ERROR, message: "order failed" }).end();
  const sent = producer.spanContext();
  const arrived = trace.setSpanContext(ROOT_CONTEXT, { ...sent, isRemote: true });
  const consumer = tracer.startSpan("process orders", { kind: SpanKind.CONSUMER, attributes: { ...message, "messaging.operation.type": "process" }, links: [{ context: sent }] }, arrived);
  child("call", { kind: SpanKind.CLIENT, attributes: { "rpc.system": "grpc", "rpc.service": "shop.Stock", "rpc.method": "Take" } }, trace.setSpan(arrived, consumer)).end();
  consumer.end();
}

function large(tracer, count) {
  const root = tracer.startSpan("import");
  const inside = trace.setSpan(context.active(), root);
  for (let number = 0; number < count - 1; number++) {
    tracer.startSpan(`row ${number}`, { attributes: { "app.row": number, "app.text": "y".repeat(200) } }, inside).end();
  }
  root.end();
}

const truth = new Truth();
const told = new Told();
const batches = new BatchSpanProcessor({ exporter: told, maxQueueSize: 8192, scheduledDelayMillis: 200, maxExportBatchSize: 64 });
const provider = new TracerProvider({ resource: defaultResource().merge(detectResources({ detectors: [envDetector] })), spanProcessors: [truth, batches] });
const tracer = provider.getTracer("shop", "1.4.0");
if (work === "large") large(tracer, Number(amount));
if (work === "orders") for (let number = 0; number < Number(amount); number++) order(tracer, number);
if (work === "steady") {
  const until = performance.now() + Number(amount) * 1000;
  for (let number = 0; performance.now() < until; number++) {
    order(tracer, number);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const exported = () => told.exports.reduce((sum, one) => sum + one.ids.length, 0);
for (let tries = 0; tries < 20 && exported() < truth.spans.length; tries++) await provider.forceFlush().catch(() => {});
await provider.shutdown().catch(() => {});
writeFileSync(file, JSON.stringify({ client: `javascript-${flavour}`, spans: truth.spans, exports: told.exports }));

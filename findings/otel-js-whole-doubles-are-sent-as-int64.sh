#!/usr/bin/env bash
# Expected: an attribute is sent with one type; a number that no int64 holds is sent as a double
# Happens: the value decides: whole numbers go as `intValue`, so one attribute has two types, and
#   1e21 goes as `"intValue":1e+21`, which no int64 can take
# Version: @opentelemetry/otlp-transformer 0.223.1 (npm).
# Concerns: receivers that build columns by type, and senders of large numbers
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace-base@2.12.1 @opentelemetry/otlp-transformer@0.223.1
node - <<'JS'
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { JsonTraceSerializer } = require("@opentelemetry/otlp-transformer");
const assert = require("assert");

console.log("otlp-transformer", require("./node_modules/@opentelemetry/otlp-transformer/package.json").version);
const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
function sent(attributes) {
  exporter.reset();
  provider.getTracer("x").startSpan("a", { attributes }).end();
  const text = new TextDecoder().decode(JsonTraceSerializer.serializeRequest(exporter.getFinishedSpans()));
  const found = JSON.parse(text).resourceSpans[0].scopeSpans[0].spans[0].attributes;
  console.log(JSON.stringify(found), text.match(/"attributes":\[\{"key":"v".*?\]/)?.[0]);
  return Object.fromEntries(found.map((a) => [a.key, a.value]));
}
assert.deepStrictEqual(sent({ v: 1.5 }).v, { doubleValue: 1.5 });
assert.deepStrictEqual(sent({ v: 2.0 }).v, { intValue: 2 });
assert.deepStrictEqual(sent({ v: 1e21 }).v, { intValue: 1e21 });
JS

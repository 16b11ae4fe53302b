#!/usr/bin/env bash
# Expected: the flags of a sampled span, and of a link to one, have bit 0 set in OTLP, as W3C's trace flags
#   and Node's exporter have them
# Happens: only the bits about a remote parent are sent, 0x100 and 0x300: behind the receiver each link is
#   one to a span that was not sampled
# Version: opentelemetry-exporter-otlp-proto-common 1.45.2 (PyPI); @opentelemetry/otlp-transformer
#   0.223.1 (npm).
# Concerns: receivers that pass the sampled flag of links on
# Source: seen on 2026-11-29.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-common==1.45.2
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace@2.12.1 @opentelemetry/otlp-transformer@0.223.1
cat > flags.js <<'JS'
const { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } = require("@opentelemetry/sdk-trace");
const { JsonTraceSerializer } = require("@opentelemetry/otlp-transformer");
const exporter = new InMemorySpanExporter();
const context = { traceId: "1".repeat(32), spanId: "2".repeat(16), isRemote: true, traceFlags: 1 };
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
provider.getTracer("x").startSpan("a", { links: [{ context }] }).end();
setTimeout(() => {
  const request = JSON.parse(Buffer.from(JsonTraceSerializer.serializeRequest(exporter.getFinishedSpans())).toString());
  const span = request.resourceSpans[0].scopeSpans[0].spans[0];
  console.log(span.flags.toString(16), span.links[0].flags.toString(16));
}, 200);
JS
node=$(node flags.js)
python=$(env/bin/python - <<'PY'
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanContext, TraceFlags

span = TracerProvider().get_tracer("x").start_span("a", links=[Link(SpanContext(1, 2, True, TraceFlags(TraceFlags.SAMPLED)))])
span.end()
assert span.context.trace_flags.sampled
sent = encode_spans([span]).resource_spans[0].scope_spans[0].spans[0]
print(f"{sent.flags:x} {sent.links[0].flags:x}")
PY
)
printf 'flags of a span and of its link, from Python: %s, from Node: %s\n' "$python" "$node"
[ "$python" = "100 300" ] && [ "$node" = "101 301" ]

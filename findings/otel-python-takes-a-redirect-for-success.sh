#!/usr/bin/env bash
# Expected: an export that is answered with a redirect is sent again to the new place, or fails
# Happens: neither: every status below 400 is success, the redirect is not followed, and nothing is
#   logged, so the spans are lost without a trace; so it is for 304. The exporter for Node fails
# Version: opentelemetry-exporter-otlp-proto-http 1.45.2 (PyPI); @opentelemetry/exporter-trace-otlp-http
#   0.223.1 (npm).
# Concerns: collectors behind a proxy that sends HTTP to HTTPS or adds a slash, and sign-in pages
# Source: seen on 2026-11-28.
set -euo pipefail
export PYTHONPATH=$(cd "$(dirname "$0")/shared" && pwd) PYTHONDONTWRITEBYTECODE=1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace-base@2.12.1 @opentelemetry/exporter-trace-otlp-http@0.223.1
cat > export.js <<'JS'
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");

const memory = new InMemorySpanExporter();
new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory)] }).getTracer("x").startSpan("a").end();
new OTLPTraceExporter({ url: process.argv[2] }).export(memory.getFinishedSpans(), ({ code, error }) => {
  console.log(code === 0 ? "success" : `failure ${error.code}`);
});
JS
env/bin/python - <<'PY'
import io, logging, subprocess
from importlib.metadata import version

print("exporter", version("opentelemetry-exporter-otlp-proto-http"))
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from stub import Stub

log = io.StringIO()
logging.getLogger("opentelemetry").addHandler(logging.StreamHandler(log))
logging.getLogger("opentelemetry").setLevel(logging.DEBUG)
stub = Stub()
stub.answer = lambda path, _: (status if path == "/v1/traces" else 200, {"Location": "/moved/v1/traces"}, b"")
url = f"http://{stub.address}/v1/traces"
memory = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
provider.get_tracer("x").start_span("a").end()
for status in (301, 302, 304, 307, 308):
    stub.seen.clear()
    result = OTLPSpanExporter(endpoint=url).export(memory.get_finished_spans())
    print(status, result, [path for path, _ in stub.seen], repr(log.getvalue()))
    assert result.name == "SUCCESS" and len(stub.seen) == 1 and not log.getvalue()
status = 400
assert OTLPSpanExporter(endpoint=url).export(memory.get_finished_spans()).name == "FAILURE"
assert "400" in log.getvalue()
status = 307
node = subprocess.run(["node", "export.js", url], capture_output=True, text=True, check=True).stdout.strip()
print("node:", node)
assert node == "failure 307"
PY

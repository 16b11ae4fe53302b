#!/usr/bin/env bash
# Expected: the answer "200, all spans rejected, over quota" of OTLP's partial success is logged as a
#   warning, which is what it is for
# Happens: the answer's body is not read: success, and no line at any level. The exporter for Node
#   writes a warning
# Version: opentelemetry-exporter-otlp-proto-http 1.45.2 (PyPI); @opentelemetry/exporter-trace-otlp-http
#   0.223.1 (npm).
# Concerns: receivers that tell of refused spans by partial success
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
const { diag, DiagConsoleLogger, DiagLogLevel } = require("@opentelemetry/api");
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
const memory = new InMemorySpanExporter();
new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory)] }).getTracer("x").startSpan("a").end();
new OTLPTraceExporter({ url: process.argv[2] }).export(memory.getFinishedSpans(), () => {});
JS
env/bin/python - <<'PY'
import io, logging, subprocess
from importlib.metadata import version

print("exporter", version("opentelemetry-exporter-otlp-proto-http"))
from google.protobuf.json_format import MessageToJson
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess, ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from stub import Stub

log = io.StringIO()
logging.getLogger("opentelemetry").addHandler(logging.StreamHandler(log))
logging.getLogger("opentelemetry").setLevel(logging.DEBUG)
partial = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=1, error_message="over quota"))


def answer(_, kind):
    body = MessageToJson(partial).encode() if kind == "application/json" else partial.SerializeToString()
    return 200, {"Content-Type": kind}, body


stub = Stub()
stub.answer = answer
url = f"http://{stub.address}/v1/traces"
memory = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
provider.get_tracer("x").start_span("a").end()
result = OTLPSpanExporter(endpoint=url).export(memory.get_finished_spans())
print("python:", result, repr(log.getvalue()))
assert result.name == "SUCCESS" and not log.getvalue()
node = subprocess.run(["node", "export.js", url], capture_output=True, text=True, check=True)
print("node:  ", (node.stdout + node.stderr).strip())
assert "over quota" in node.stdout + node.stderr
assert [kind for _, kind in stub.seen] == ["application/x-protobuf", "application/json"]
PY

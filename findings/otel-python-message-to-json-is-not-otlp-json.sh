#!/usr/bin/env bash
# Expected: the request's protobuf message, turned to JSON by protobuf's own function, is what an
#   OTLP/JSON receiver takes
# Happens: `traceId` is base64 and `kind` a name, where OTLP's JSON asks for hex and a number;
#   nothing fails at the sender
# Version: opentelemetry-exporter-otlp-proto-common 1.45.2 (PyPI).
# Concerns: whoever writes OTLP files or requests in JSON from Python
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-common==1.45.2
env/bin/python - <<'PY'
import json
from importlib.metadata import version

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

print("opentelemetry-sdk", version("opentelemetry-sdk"))
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))


def span(value):
    with provider.get_tracer("x").start_as_current_span("a") as current:
        current.set_attribute("v", value)
    return exporter.get_finished_spans()[-1]


import base64

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

finished = span(1)
sent = MessageToDict(encode_spans([finished]))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
print(json.dumps(sent))
number = finished.context.trace_id
assert sent["traceId"] == base64.b64encode(number.to_bytes(16, "big")).decode()
assert sent["traceId"] != f"{number:032x}" and sent["kind"] == "SPAN_KIND_INTERNAL"
PY

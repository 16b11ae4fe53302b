#!/usr/bin/env bash
# Expected: what `set_attribute` accepts can be written by the SDK's own `to_json`
# Happens: bytes end in `TypeError: Object of type bytes is not JSON serializable`, and NaN is
#   written as a bare `NaN`, which is no JSON
# Version: opentelemetry-sdk 1.45.2 (PyPI).
# Concerns: programs that trace to the console or a log
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install opentelemetry-sdk==1.45.2
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


text = span(float("nan")).to_json(indent=None)
print(text)
assert '"v": NaN' in text
broken = span(b"ab")
assert broken.attributes["v"] == b"ab"
try:
    broken.to_json()
    raise SystemExit("no longer so")
except TypeError as error:
    print(error)
PY

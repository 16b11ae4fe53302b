#!/usr/bin/env bash
# Expected: an observed NaN is refused, or counted (it is in no bucket but `+Inf`), so that count
#   and sum belong together
# Happens: the sum is NaN until the process ends, while `_count` and the `+Inf` bucket leave the
#   observation out, so nothing tells that there was one
# Version: prometheus_client 0.26.0.
# Concerns: programs that observe a quotient: one 0/0 ends every average of the series
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install prometheus_client==0.26.0
env/bin/python - <<'PY'
from importlib.metadata import version

print("prometheus_client", version("prometheus_client"))
from prometheus_client import CollectorRegistry, Histogram, generate_latest

registry = CollectorRegistry()
histogram = Histogram("h", "x", buckets=[1], registry=registry)
histogram.observe(float("nan"))
histogram.observe(0.5)
text = generate_latest(registry).decode()
print(text)
assert "h_sum NaN" in text and "h_count 1.0" in text and 'h_bucket{le="+Inf"} 1.0' in text
PY

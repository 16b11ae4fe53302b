#!/usr/bin/env bash
# Expected: the labels of a pushed histogram come out of the Pushgateway as they were pushed
# Happens: Python's `le="1.0"` becomes `le="1"`, while a gauge's label of that name stays `1.0`; so
#   `h_bucket{le="1.0"}` finds the scraped program and never the pushed one, and Prometheus 2 holds
#   them for two labels
# Version: prometheus_client 0.26.0, Debian's prometheus-pushgateway 1.5.1-2+b5.
# Concerns: service level rules that pick one bucket, for programs that are partly pushed
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/prometheus.sh" prometheus-pushgateway=1.5.1-2+b5
"$bin/prometheus-pushgateway" --version 2>&1 | head -1
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install prometheus_client==0.26.0
start_pushgateway
env/bin/python - "$gateway" <<'PY'
import re, sys
from importlib.metadata import version
from urllib.request import urlopen

print("prometheus_client", version("prometheus_client"))
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest, push_to_gateway

registry = CollectorRegistry()
Histogram("h", "x", buckets=(0.5, 1, 10), registry=registry).observe(0.7)
Gauge("g", "x", ["le"], registry=registry).labels("1.0").set(1)
here = generate_latest(registry).decode()
push_to_gateway(sys.argv[1], job="j", registry=registry)
there = urlopen(f"http://{sys.argv[1]}/metrics").read().decode()


def bounds(name, text):
    return re.findall(rf'^{name}{{.*le="([^"]*)"', text, re.M)


for text in (here, there):
    print(bounds("h_bucket", text), bounds("g", text))
assert bounds("h_bucket", here) == ["0.5", "1.0", "10.0", "+Inf"]
assert bounds("h_bucket", there) == ["0.5", "1", "10", "+Inf"]
assert bounds("g", here) == bounds("g", there) == ["1.0"]
PY

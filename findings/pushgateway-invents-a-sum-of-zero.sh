#!/usr/bin/env bash
# Expected: a Python histogram has a sum, and what comes out of the Pushgateway is what was pushed
# Happens: with a first bucket below 0 Python's client leaves the sum out, in the classic text too;
#   the Pushgateway adds the line `h_sum 0`, so the average of -5 and 1.5 is 0 behind it
# Version: prometheus_client 0.26.0, Debian's prometheus-pushgateway 1.5.1-2+b5.
# Concerns: histograms of temperatures, drifts and differences of clocks
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/prometheus.sh" prometheus-pushgateway=1.5.1-2+b5
"$bin/prometheus-pushgateway" --version 2>&1 | head -1
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install prometheus_client==0.26.0
start_pushgateway
env/bin/python - "$gateway" <<'PY'
import sys
from importlib.metadata import version
from urllib.request import urlopen

print("prometheus_client", version("prometheus_client"))
from prometheus_client import CollectorRegistry, Histogram, generate_latest, push_to_gateway

registry = CollectorRegistry()
for name, buckets in (("plain", (0, 1)), ("h", (-1, 0, 1))):
    histogram = Histogram(name, "x", buckets=buckets, registry=registry)
    histogram.observe(-5)
    histogram.observe(1.5)
here = generate_latest(registry).decode()
push_to_gateway(sys.argv[1], job="j", registry=registry)
there = urlopen(f"http://{sys.argv[1]}/metrics").read().decode()


def sums(text):
    return {line.split("{")[0].split()[0]: float(line.split()[-1]) for line in text.splitlines() if line.startswith(("h_sum", "plain_sum"))}


print("client: ", sums(here))
print("gateway:", sums(there))
assert sums(here) == {"plain_sum": -3.5}
assert sums(there) == {"plain_sum": -3.5, "h_sum": 0}
PY

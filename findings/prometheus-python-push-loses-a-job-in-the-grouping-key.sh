#!/usr/bin/env bash
# Expected: `push_to_gateway(job="batch", grouping_key={"job": "a"})` is refused by the client or by
#   the gateway, or the two jobs are two groups
# Happens: both take it, the `job` of the grouping key is dropped, and the push of job `b` replaces
#   the metrics of job `a`
# Version: prometheus_client 0.26.0, Debian's prometheus-pushgateway 1.5.1-2+b5.
# Concerns: wrappers that build the grouping key from labels of a task, one of which is `job`
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
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway


def push(value, key):
    registry = CollectorRegistry()
    Gauge("rows", "x", registry=registry).set(value)
    push_to_gateway(sys.argv[1], job="batch", grouping_key=key, registry=registry)


def held():
    return [line for line in urlopen(f"http://{sys.argv[1]}/metrics").read().decode().splitlines() if line.startswith("rows{")]


push(1, {"job": "a"})
push(2, {"job": "b"})
print(held())
assert held() == ['rows{instance="",job="batch"} 2']
push(1, {"task": "a"})
push(2, {"task": "b"})
print(held())
assert len(held()) == 3
PY

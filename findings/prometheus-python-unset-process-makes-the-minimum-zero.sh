#!/usr/bin/env bash
# Expected: in multiprocess mode `min` over a gauge that one process set to 5 and another only
#   declared is 5, as `mostrecent` gives it
# Happens: it is 0: a process that has imported the module counts as one that measured 0. So `max` of
#   -5 is 0 too. A gauge with a label does not count until the label is used
# Version: prometheus_client 0.26.0.
# Concerns: workers that set a gauge only when they have had a job: "oldest item", "free space"
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install prometheus_client==0.26.0
mkdir values
export PROMETHEUS_MULTIPROC_DIR=$tmp/values
cat > worker.py <<'PY'
import sys
from prometheus_client import Gauge

low = Gauge("low", "x", multiprocess_mode="min")
high = Gauge("high", "x", multiprocess_mode="max")
recent = Gauge("recent", "x", multiprocess_mode="mostrecent")
labelled = Gauge("labelled", "x", ["l"], multiprocess_mode="min")
if sys.argv[1] == "busy":
    low.set(5)
    high.set(-5)
    recent.set(5)
    labelled.labels("a").set(5)
PY
env/bin/python worker.py busy
env/bin/python worker.py idle
env/bin/python - <<'PY'
from importlib.metadata import version

print("prometheus_client", version("prometheus_client"))
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

registry = CollectorRegistry()
MultiProcessCollector(registry)
values = {sample.name: sample.value for family in registry.collect() for sample in family.samples}
print(values)
assert values == {"low": 0, "high": 0, "recent": 5, "labelled": 5}
PY

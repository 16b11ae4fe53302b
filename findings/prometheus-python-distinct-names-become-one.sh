#!/usr/bin/env bash
# Expected: a registry that takes names with dots and dashes writes them in the quoted form, or
#   refuses two that would clash, as it refuses equal names
# Happens: `generate_latest` writes `a_b` for each, with equal labels: the same series three times
#   in one answer, which the format forbids
# Version: prometheus_client 0.26.0.
# Concerns: code that names metrics after outside things
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
from prometheus_client import CollectorRegistry, Gauge, generate_latest

registry = CollectorRegistry()
for value, name in enumerate(("a.b", "a-b", "a_b")):
    Gauge(name, "x", registry=registry).set(value)
text = generate_latest(registry).decode()
print(text)
assert text.count("# TYPE a_b gauge") == 3
assert [line for line in text.splitlines() if line[0] != "#"] == ["a_b 0.0", "a_b 1.0", "a_b 2.0"]
PY

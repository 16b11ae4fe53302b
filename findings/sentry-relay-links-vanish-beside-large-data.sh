#!/usr/bin/env bash
# Expected: the links of a transaction's trace context are kept or cut like its data, and what is cut leaves a remark
# Happens: with 6 kB of data beside them they are kept; with 9 kB all links are gone while every datum stays, and
#   neither `_meta` nor `errors` says so
# Version: sentry-relay 0.10.1 (PyPI), Sentry's normaliser of events as a Python library, with trimming on.
# Concerns: senders of transactions with span links, as those of OpenTelemetry's messaging conventions
# Source: seen on 2026-11-29.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install sentry-relay==0.10.1
env/bin/python - <<'PY'
import time
from importlib.metadata import version

print("sentry-relay", version("sentry-relay"))
from sentry_relay.processing import StoreNormalizer

normalizer = StoreNormalizer(project_id=1, enable_trimming=True)
now = time.time()


def kept(data):
    trace = {
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "links": [{"trace_id": "c" * 32, "span_id": "d" * 16}],
        "data": {f"key{number}": "x" * 100 for number in range(data)},
    }
    event = normalizer.normalize_event({
        "type": "transaction",
        "transaction": "work",
        "start_timestamp": now - 1,
        "timestamp": now,
        "contexts": {"trace": trace},
        "spans": [],
    })
    trace = event["contexts"]["trace"]
    links = len(trace.get("links") or [])
    print(data, "data ->", len(trace["data"]), "data,", links, "links,", event.get("_meta"), event.get("errors"))
    assert len(trace["data"]) == data and not event.get("_meta") and not event.get("errors")
    return links


assert kept(60) == 1
assert kept(90) == 0
PY

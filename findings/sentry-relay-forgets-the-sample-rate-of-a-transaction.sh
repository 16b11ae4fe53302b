#!/usr/bin/env bash
# Expected: `contexts.trace.client_sample_rate`, which Sentry's event schema lists, survives normalisation
# Happens: it is gone, 0.25 as well as 1, without a remark in `_meta`; other fields beside it stay. The rate of a trace is
#   taken from elsewhere: the `trace` header of the envelope, which this library does not see
# Version: sentry-relay 0.10.1 (PyPI), Sentry's normaliser of events as a Python library.
# Concerns: senders that sample and put the rate into the transaction alone: numbers are not scaled up
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

normalizer = StoreNormalizer(project_id=1)
now = time.time()
for rate in (0.25, 1.0):
    trace = {"trace_id": "a" * 32, "span_id": "b" * 16, "origin": "auto.x", "client_sample_rate": rate}
    event = normalizer.normalize_event({
        "type": "transaction",
        "transaction": "work",
        "start_timestamp": now - 1,
        "timestamp": now,
        "contexts": {"trace": trace},
        "spans": [],
    })
    trace = event["contexts"]["trace"]
    print(rate, "->", trace.get("client_sample_rate"), trace["origin"], event.get("_meta"), event.get("errors"))
    assert trace.get("client_sample_rate") is None and trace["origin"] == "auto.x"
    assert not event.get("_meta") and not event.get("errors")
PY

#!/usr/bin/env bash
# Expected: a level `warn` is a warning, as `critical` is `fatal` and `log` is `info`
# Happens: it is an error, as every unknown level is; so is `Warning` with a capital letter, while
#   the number 30 is a warning. The event has a note, and counts as an error in searches
# Version: sentry-relay 0.10.1 (PyPI), Sentry's normaliser of events as a Python library.
# Concerns: bridges that pass on the level of Go's, Rust's or Node's logs
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install sentry-relay==0.10.1
env/bin/python - <<'PY'
from importlib.metadata import version

print("sentry-relay", version("sentry-relay"))
from sentry_relay.processing import StoreNormalizer

normalizer = StoreNormalizer(project_id=1)
levels = {"warning": "warning", 30: "warning", "critical": "fatal", "log": "info", "warn": "error", "Warning": "error", "trace": "error"}
for given, level in levels.items():
    event = normalizer.normalize_event({"level": given})
    print(repr(given), "->", event["level"], event.get("errors"))
    assert event["level"] == level
PY

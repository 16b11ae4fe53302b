#!/usr/bin/env bash
# Expected: a number in a fingerprint or as a tag's value becomes its text: 1.2 and 1.9 are two groups
# Happens: the fraction is cut off: both are the fingerprint `1` and the tag `1`, and no error is
#   noted on the event; in `extra` 1.9 stays
# Version: sentry-relay 0.10.1 (PyPI), Sentry's normaliser of events as a Python library.
# Concerns: senders that put a version or a threshold as a number into tags and fingerprints
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
for number in (1.2, 1.9):
    event = normalizer.normalize_event({"fingerprint": [number], "tags": {"v": number}, "extra": {"v": number}})
    print(number, "->", event["fingerprint"], event["tags"], event["extra"], event.get("errors"))
    assert event["fingerprint"] == ["1"] and event["tags"] == [["v", "1"]]
    assert event["extra"] == {"v": number} and not event.get("errors")
PY

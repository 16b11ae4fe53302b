#!/usr/bin/env bash
# Expected: an integer beyond 64 bits is rounded to a double, kept as text or refused with a note
# Happens: 2 to the 64th and all above it become 0, in `extra`, as a tag and as the id of a user, so
#   all such users are user 0, without a note; the integer below it is kept exactly, and a double of
#   1e30 in `extra` too
# Version: sentry-relay 0.10.1 (PyPI), Sentry's normaliser of events as a Python library.
# Concerns: senders in languages with big integers: UUIDs, hashes and amounts in wei as numbers
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
for number, kept in ((2**64 - 1, 2**64 - 1), (2**64, 0), (10**30, 0)):
    event = normalizer.normalize_event({"extra": {"v": number}, "tags": {"v": number}, "user": {"id": number}})
    print(number, "->", event["extra"], event["tags"], event["user"]["id"], event.get("errors"), event.get("_meta"))
    assert event["extra"] == {"v": kept} and event["tags"] == [["v", str(kept)]]
    assert event["user"]["id"] == str(kept)
    assert not event.get("errors") and not event.get("_meta")
event = normalizer.normalize_event({"extra": {"v": 1e30}})
print(1e30, "->", event["extra"])
assert event["extra"] == {"v": 1e30}
PY

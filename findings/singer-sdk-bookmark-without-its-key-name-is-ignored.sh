#!/usr/bin/env bash
# Expected: a bookmark whose value is there is where the run starts
# Happens: without the name of the key beside it the value is not read, the run starts from the
#   beginning, and the STATE at its end may hold an earlier time than before
# Version: singer-sdk 0.54.9.
# Concerns: users who write or repair a state by hand
# Source: seen on 2026-11-28.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install singer-sdk==0.54.9
cp "$here/shared/singer_sdk_tap.py" .
cat > check.py <<'PY'
from singer_sdk_tap import run, bookmark

value = {"replication_key_value": "2025-01-01T00:00:00Z"}
messages, start = run(state={"bookmarks": {"items": value}})
print("start without the name:", start)
assert start is None and bookmark(messages)["replication_key_value"] == "2024-01-02T00:00:00Z"
_, start = run(state={"bookmarks": {"items": {**value, "replication_key": "at"}}})
print("start with the name:", start)
assert start == "2025-01-01T00:00:00Z"
PY
env/bin/python -W ignore check.py

#!/usr/bin/env bash
# Expected: a bookmark, once there, is where a run starts, and `start_date` is only for the first
#   run
# Happens: the later of the two is taken, so a `start_date` that is moved past the bookmark skips
#   what lies between, without a warning
# Version: singer-sdk 0.54.9.
# Concerns: users who change `start_date` of a tap that already runs
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
from singer_sdk_tap import run

state = {"bookmarks": {"items": {"replication_key": "at", "replication_key_value": "2020-01-01T00:00:00Z"}}}
_, start = run(state=state, config={"start_date": "2024-01-01T00:00:00Z"})
print("start:", start)
assert start == "2024-01-01T00:00:00Z"
PY
env/bin/python -W ignore check.py

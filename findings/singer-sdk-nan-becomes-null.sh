#!/usr/bin/env bash
# Expected: a number that JSON does not have is an error or a warning
# Happens: `"n":null` for NaN and for infinity, which a reader cannot tell from a missing value
# Version: singer-sdk 0.54.9.
# Concerns: authors of taps that compute or read numbers
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
import json

import singer_sdk_tap as tap
from singer_sdk_tap import run

tap.ROWS[:] = [
    {"id": 1, "at": "2024-01-02T00:00:00Z", "n": float("nan")},
    {"id": 2, "at": "2024-01-03T00:00:00Z", "n": float("inf")},
]
messages, _ = run()
assert [json.loads(line)["record"]["n"] for line in messages["RECORD"]] == [None, None]
PY
env/bin/python -W ignore check.py

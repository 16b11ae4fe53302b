#!/usr/bin/env bash
# Expected: a date-time replication key is compared as a time, so half a second later is later
# Happens: it is compared as text, where `.` comes before `Z`, and the run ends in
#   InvalidStreamSortException; an API that leaves out a fraction of zero sends just this
# Version: singer-sdk 0.54.9.
# Concerns: authors of taps with `is_sorted`
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
from singer_sdk.exceptions import InvalidStreamSortException
import singer_sdk_tap as tap
from singer_sdk_tap import run

tap.ROWS[:] = [{"id": 1, "at": "2024-01-01T00:00:00Z"}, {"id": 2, "at": "2024-01-01T00:00:00.5Z"}]
tap.Items.is_sorted = True
try:
    run()
    raise SystemExit("no longer so")
except InvalidStreamSortException as error:
    print(error)
PY
env/bin/python -W ignore check.py

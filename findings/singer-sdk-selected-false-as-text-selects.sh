#!/usr/bin/env bash
# Expected: `"selected": "false"`, as some editors and templates write it, deselects or is refused
# Happens: any text that is not empty counts as true: the stream is extracted; only the boolean
#   false leaves it out
# Version: singer-sdk 0.54.9.
# Concerns: catalogs from templates
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

from singer_sdk_tap import catalog, run

for value, records in ((False, 0), ("false", 1)):
    print("selected:", json.dumps(value))
    assert len(run(catalog=catalog({"selected": value}))[0]["RECORD"]) == records
PY
env/bin/python -W ignore check.py

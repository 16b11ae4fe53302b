#!/usr/bin/env bash
# Expected: `incremental` is INCREMENTAL or an unknown method that is refused
# Happens: the run succeeds with all records and a STATE whose bookmark is empty, so every run
#   starts from the beginning; `LOG_BASED`, which the stream cannot do, is the same
# Version: singer-sdk 0.54.9.
# Concerns: catalogs edited by hand
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
from singer_sdk_tap import catalog, run, bookmark

for method, there in (("INCREMENTAL", True), ("incremental", False), ("LOG_BASED", False)):
    print("replication_method:", method)
    messages, _ = run(catalog=catalog(replication_method=method))
    assert len(messages["RECORD"]) == 1 and ("replication_key_value" in bookmark(messages)) is there
PY
env/bin/python -W ignore check.py

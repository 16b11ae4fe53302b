#!/usr/bin/env bash
# Expected: metadata `replication-method` of a stream, which Singer's specification names as what
#   the user sets, decides
# Happens: it is ignored; `forced-replication-method` is read, but only where the entry has no
#   `replication_method`, which discovery always writes
# Version: singer-sdk 0.54.9.
# Concerns: users who set `metadata` in Meltano to have a stream whole
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

def without_own(root):
    found = catalog(root)
    del found["streams"][0]["replication_method"]
    return found


for label, chosen, incremental in (
    ("replication-method", catalog({"replication-method": "FULL_TABLE"}), True),
    ("replication-method alone", without_own({"replication-method": "FULL_TABLE"}), True),
    ("forced", catalog({"forced-replication-method": "FULL_TABLE"}), True),
    ("forced alone", without_own({"forced-replication-method": "FULL_TABLE"}), False),
):
    print(label)
    assert ("replication_key_value" in bookmark(run(catalog=chosen)[0])) is incremental
PY
env/bin/python -W ignore check.py

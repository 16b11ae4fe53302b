#!/usr/bin/env bash
# Expected: a cast of a text with an offset to TIMESTAMP gives the time in UTC, as 1.1.3 does, or is
#   refused
# Happens: 2.0.1 leaves the offset out, so texts of one instant become different timestamps, and
#   values loaded before and after an upgrade differ by the offset
# Version: duckdb 1.1.3 and 2.0.1 (PyPI).
# Concerns: loaders that keep times as TIMESTAMP without a zone
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install duckdb==1.1.3
python3 -m venv new
new/bin/pip -q --disable-pip-version-check install duckdb==2.0.1
cat > show.py <<'PY'
import sys
import duckdb

new = duckdb.__version__ == "2.0.1"
print("duckdb", duckdb.__version__)
got = duckdb.sql("select '2024-01-01T12:00:00+14:00'::timestamp::varchar").fetchall()[0][0]
print(got)
assert got == ("2024-01-01 12:00:00" if new else "2023-12-31 22:00:00")
PY
env/bin/python show.py
new/bin/python show.py

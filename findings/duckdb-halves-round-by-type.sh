#!/usr/bin/env bash
# Expected: a half rounds the same way whatever the number's type
# Happens: a DECIMAL (any literal with a point) rounds away from zero, a DOUBLE and a number in JSON
#   to the even neighbour
# Version: duckdb 2.0.1 (PyPI).
# Concerns: whoever compares a loaded value with one that was written in a query
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install duckdb==2.0.1
env/bin/python - <<'PY'
import duckdb

print("duckdb", duckdb.__version__)
row = duckdb.sql("select 2.5::int, 2.5::double::int, '2.5'::json::int").fetchall()[0]
print(row)
assert row == (3, 2, 2)
PY

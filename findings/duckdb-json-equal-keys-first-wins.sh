#!/usr/bin/env bash
# Expected: the last of equal keys wins, as in Python, JavaScript and PostgreSQL's jsonb
# Happens: `->` gives the first, `json_keys` lists both, and `read_json` ends in an error, so one
#   text has three answers
# Version: duckdb 2.0.1 (PyPI).
# Concerns: tables of raw JSON that other programs read too
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
text = '{"a":1,"a":2}'
print(duckdb.execute("select ?::json -> 'a', json_keys(?)", [text, text]).fetchall())
assert duckdb.execute("select ?::json -> 'a'", [text]).fetchall() == [("1",)]
with open("equal.jsonl", "w") as file:
    file.write(text + "\n")
try:
    duckdb.sql("select * from read_json('equal.jsonl')").fetchall()
    raise SystemExit("no longer so")
except duckdb.InvalidInputException as error:
    print(error)
    assert "duplicate key" in str(error)
PY

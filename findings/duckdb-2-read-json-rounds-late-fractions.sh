#!/usr/bin/env bash
# Expected: a late 1.7 in a column that looked like integers is 1.7 or an error, as a late text is
# Happens: 2.0.1 rounds it to the guessed BIGINT without a word
# Version: duckdb 1.1.3 and 2.0.1 (PyPI).
# Concerns: whoever reads amounts or rates with `read_json` and a guessed schema
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
with open("late.jsonl", "w") as file:
    file.write('{"n": 1}\n' * 30000 + '{"n": 1.7}\n')
got = duckdb.sql("select max(n), any_value(typeof(n)) from read_json('late.jsonl')").fetchall()[0]
print(got)
assert got[0] == (2 if new else 1.7)
PY
env/bin/python show.py
new/bin/python show.py

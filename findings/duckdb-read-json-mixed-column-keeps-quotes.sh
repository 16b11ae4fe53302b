#!/usr/bin/env bash
# Expected: a column with numbers and texts becomes VARCHAR, so `v = 'a'` finds the text
# Happens: it becomes JSON: the value is `"a"` with the quotes, and `v = 'a'` is no comparison that
#   is false but a ConversionException, as `a` is no JSON
# Version: duckdb 1.1.3 and 2.0.1 (PyPI).
# Concerns: queries over extracts whose values are of several types (tags, extra data)
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
with open("mixed.jsonl", "w") as file:
    file.write('{"v":1}\n{"v":"a"}\n')
rows = duckdb.sql("select v, typeof(v) from read_json('mixed.jsonl')").fetchall()
print(rows)
assert rows == [("1", "JSON"), ('"a"', "JSON")]
try:
    duckdb.sql("select * from read_json('mixed.jsonl') where v = 'a'").fetchall()
    sys.exit("no longer so")
except duckdb.ConversionException as error:
    print(error)
PY
env/bin/python show.py
new/bin/python show.py

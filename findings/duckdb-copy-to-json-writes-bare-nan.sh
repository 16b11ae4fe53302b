#!/usr/bin/env bash
# Expected: a format called JSON holds null or a text for NaN, or COPY refuses it
# Happens: `{"v":NaN,"w":Infinity}`: DuckDB reads it back, Node's `JSON.parse` does not
# Version: duckdb 1.1.3 and 2.0.1 (PyPI).
# Concerns: exports of computed ratios
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
duckdb.sql("copy (select 'nan'::double v, 'inf'::double w) to 'out.json'")
with open("out.json") as file:
    text = file.read().strip()
print(text)
assert text == '{"v":NaN,"w":Infinity}'
PY
env/bin/python show.py
new/bin/python show.py
if node -e 'JSON.parse(require("fs").readFileSync("out.json"))' 2> node.txt; then
  exit 1
fi
grep SyntaxError node.txt

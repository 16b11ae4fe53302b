#!/usr/bin/env bash
# Expected: a key that the sampled rows lack becomes a column or an error, as a late value of the
#   wrong type does
# Happens: 2.0.1 reads the row and leaves the key out without a word; 1.1.3 has the column for this
#   file
# Version: duckdb 1.1.3 and 2.0.1 (PyPI).
# Concerns: whoever reads extracts with `read_json` and relies on its columns; `sample_size=-1` or
#   `columns` helps
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
    file.write('{"id": 1}\n' * 30000 + '{"id": 2, "late": "x"}\n')
columns = [row[0] for row in duckdb.sql("describe select * from read_json('late.jsonl')").fetchall()]
count = duckdb.sql("select count(*) from read_json('late.jsonl')").fetchall()[0]
print(columns, count)
assert columns == (["id"] if new else ["id", "late"]) and count == (30001,)
whole = duckdb.sql("describe select * from read_json('late.jsonl', sample_size=-1)").fetchall()
assert [row[0] for row in whole] == ["id", "late"]
PY
env/bin/python show.py
new/bin/python show.py

#!/usr/bin/env bash
# Expected: an empty text is a value like any other, also in a key
# Happens: it writes empty texts to its CSV file as nothing, which DuckDB reads as null: a key column is NOT NULL, so the run
#   ends with a ConstraintException and loads nothing of the stream; in other columns the text arrives as null
# Version: target-duckdb 0.8.0 with duckdb 1.1.3.
# Concerns: whoever loads rows of which a part of the key may be empty, such as values of tags
# Source: seen on 2026-11-29.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat > make.py <<'PY'
import json
import sys

properties = {"n": {"type": "integer"}, "value": {"type": "string"}}
schema = {"type": "object", "properties": properties}
keys = ["n", "value"] if sys.argv[1] == "key" else ["n"]
print(json.dumps({"type": "SCHEMA", "stream": "tags", "schema": schema, "key_properties": keys}))
for number, value in enumerate(("a", "")):
    print(json.dumps({"type": "RECORD", "stream": "tags", "record": {"n": number, "value": value}}))
PY
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install target-duckdb==0.8.0 duckdb==1.1.3
echo '{"path": "w.db", "default_target_schema": "loaded"}' > config.json
python3 make.py column | env/bin/target-duckdb --config config.json > /dev/null 2>&1
env/bin/python -c '
import duckdb
print(duckdb.connect("w.db").execute("select value from loaded.tags order by n").fetchall())' | tee found.txt
diff found.txt - <<<"[('a',), (None,)]"
rm -f w.db
! python3 make.py key | env/bin/target-duckdb --config config.json > out.txt 2>&1
grep 'NOT NULL constraint failed' out.txt

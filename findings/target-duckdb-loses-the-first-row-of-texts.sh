#!/usr/bin/env bash
# Expected: every record is loaded, or the target fails
# Happens: it copies a CSV file without saying whether it has a header, DuckDB guesses, and where
#   all columns are texts the first row is taken for one: it reports 200 rows and 1 row and
#   succeeds, but 199 and 0 arrive, with both versions of duckdb; with an integer column in the
#   stream all arrive
# Version: target-duckdb 0.8.0 with duckdb 1.1.3 and 2.0.1.
# Concerns: whoever loads streams of texts, above all small ones
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat > make.py <<'PY'
import json
import sys

for stream, count in (("issues", 200), ("teams", 1)):
    properties = {"id": {"type": "string"}, "name": {"type": "string"}}
    if sys.argv[1] == "number":
        properties["n"] = {"type": "integer"}
    schema = {"type": "object", "properties": properties}
    print(json.dumps({"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": ["id"]}))
    for number in range(count):
        record = {"id": str(number), "name": f"name {number}"}
        if sys.argv[1] == "number":
            record["n"] = number
        print(json.dumps({"type": "RECORD", "stream": stream, "record": record}))
PY
cat > count.py <<'PY'
import duckdb

con = duckdb.connect("w.db")
tables = ("issues", "teams")
print(*[con.execute(f"select count(*) from loaded.{table}").fetchall()[0][0] for table in tables])
PY
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install target-duckdb==0.8.0
echo '{"path": "w.db", "default_target_schema": "loaded"}' > config.json
for duckdb in 1.1.3 2.0.1; do
  env/bin/pip -q --disable-pip-version-check install "duckdb==$duckdb"
  for kind in text number; do
    rm -f w.db
    python3 make.py "$kind" | env/bin/target-duckdb --config config.json 2>&1 | grep Loading
    echo "duckdb $duckdb, $kind: $(env/bin/python count.py)" | tee -a counts.txt
  done
done
diff counts.txt - <<'TXT'
duckdb 1.1.3, text: 199 0
duckdb 1.1.3, number: 200 1
duckdb 2.0.1, text: 199 0
duckdb 2.0.1, number: 200 1
TXT

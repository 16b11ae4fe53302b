#!/usr/bin/env bash
# Expected: a text column of Parquet with the logical type JSON holds any JSON, a list or a number too
# Happens: it becomes ClickHouse's type JSON, which refuses what is no object, and objects lose their null members. With
#   input_format_parquet_enable_json_parsing = 0 it is text
# Version: chdb 4.4.0, which is ClickHouse 26.9, files of pyarrow 26.0.1 (PyPI).
# Concerns: whoever reads Parquet of writers that mark JSON as such, DuckDB and arrow-rs among them
# Source: seen on 2026-11-29.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install chdb==4.4.0 pyarrow==26.0.1
cat > show.py <<'PY'
import chdb
import pyarrow as pa
import pyarrow.parquet as pq

print(chdb.query("select version()"))
for name, text in (("object", '{"a":1,"b":null}'), ("list", "[1]")):
    pq.write_table(pa.table({"j": pa.array([text]).cast(pa.json_())}), f"{name}.parquet")


def read(file, settings=""):
    try:
        return str(chdb.query(f"select j from file('{file}.parquet') {settings}", "TSVRaw")).strip()
    except Exception as error:
        return str(error)


for file in ("object", "list"):
    print(read(file))
assert read("object").replace(" ", "").replace("\n", "") == '{"a":1}'
assert "Cannot read JSON object" in read("list")
for file, text in (("object", '{"a":1,"b":null}'), ("list", "[1]")):
    assert read(file, "settings input_format_parquet_enable_json_parsing = 0") == text
PY
env/bin/python show.py

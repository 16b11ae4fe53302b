#!/usr/bin/env bash
# Expected: `concat(how="diagonal")` of two Parquet files, of which one lacks a column, has nulls there, as for other columns
# Happens: where that column is a list of the logical type JSON, a PanicException: `should not fail: SchemaMismatch`. With POLARS_UNKNOWN_EXTENSION_TYPE_BEHAVIOR=load_as_storage it works
# Version: polars 2.1.0, files of pyarrow 26.0.1 (PyPI).
# Concerns: whoever reads Parquet of writers that mark JSON as such, DuckDB and arrow-rs among them
# Source: seen on 2026-11-29.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install polars==2.1.0 pyarrow==26.0.1
cat > write.py <<'PY'
import pyarrow as pa
import pyarrow.parquet as pq

of_json = pa.list_(pa.field("element", pa.json_()))
lists = pa.array([['{"x":1}']], pa.list_(pa.field("element", pa.string()))).cast(of_json)
pq.write_table(pa.table({"id": [1]}), "without.parquet")
pq.write_table(pa.table({"id": [2], "j": lists}), "with.parquet")
pq.write_table(pa.table({"id": [2], "j": pa.array(["{}"]).cast(pa.json_())}), "plain.parquet")
PY
cat > read.py <<'PY'
import polars as pl

print("polars", pl.__version__)


def together(*files):
    return pl.concat([pl.scan_parquet(f"{file}.parquet") for file in files], how="diagonal").collect()


print(together("without", "plain"))
try:
    print(together("without", "with"))
except BaseException as error:  # a panic is no Exception
    print(type(error).__name__, error)
    raise SystemExit(7)
PY
env/bin/python -W ignore write.py
code=0
env/bin/python -W ignore read.py || code=$?
test "$code" = 7
POLARS_UNKNOWN_EXTENSION_TYPE_BEHAVIOR=load_as_storage env/bin/python -W ignore read.py

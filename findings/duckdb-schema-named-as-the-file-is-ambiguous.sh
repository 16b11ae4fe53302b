#!/usr/bin/env bash
# Expected: `sales.orders` is the table of the schema, as in every other file: `sales` alone cannot
#   be both a catalog and a schema of a table that exists once
# Happens: the file's stem is the catalog's name, and any two-part name, even of CREATE and INSERT,
#   raises a BinderException; `sales.sales.orders` works
# Version: duckdb 1.1.3 and 2.0.1 (PyPI).
# Concerns: loaders that name the schema after the source and the file too
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
con = duckdb.connect(f"sales{int(new)}.duckdb")
schema = f"sales{int(new)}"
con.execute(f"create schema {schema}")
con.execute(f"create table {schema}.{schema}.orders (id int)")
try:
    con.execute(f"select * from {schema}.orders")
    sys.exit("no longer so")
except duckdb.BinderException as error:
    print(error)
    assert "Ambiguous reference" in str(error)
PY
env/bin/python show.py
new/bin/python show.py

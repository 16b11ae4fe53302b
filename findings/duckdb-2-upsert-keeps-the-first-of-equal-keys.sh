#!/usr/bin/env bash
# Expected: the last row of `insert or replace` wins, as if they came one by one, or the statement
#   is refused, as 1.1.3 does and as PostgreSQL does for ON CONFLICT DO UPDATE
# Happens: 2.0.1 keeps the first row of the statement, also with `on conflict do update set n =
#   excluded.n`; two statements in a row keep the last
# Version: duckdb 1.1.3 and 2.0.1 (PyPI).
# Concerns: loaders that upsert a batch with several versions of a record: the oldest stays
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
con = duckdb.connect()
con.execute("create table t (id int primary key, n int)")
for number, ask in enumerate((
    "insert or replace into t values ({0}, 1), ({0}, 2)",
    "insert into t values ({0}, 1), ({0}, 2) on conflict do update set n = excluded.n",
)):
    try:
        con.execute(ask.format(number))
        rows = con.execute("select n from t where id = ?", [number]).fetchall()
        print(ask, rows)
        assert new and rows == [(1,)]
    except duckdb.ConstraintException as error:
        print(error)
        assert not new
con.execute("insert or replace into t values (9, 1)")
con.execute("insert or replace into t values (9, 2)")
assert con.execute("select n from t where id = 9").fetchall() == [(2,)]
PY
env/bin/python show.py
new/bin/python show.py

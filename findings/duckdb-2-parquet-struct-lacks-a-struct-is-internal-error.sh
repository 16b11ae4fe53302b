#!/usr/bin/env bash
# Expected: where a struct of one Parquet file lacks a member that it has in another, the member is null, as it is when it is a number,
#   a text or a list
# Happens: when the member is itself a struct and some of the outer ones are null, an INTERNAL error, after which the database answers
#   nothing any more; with and without `union_by_name`, in either order. `UNION ALL BY NAME` of the files works
# Version: duckdb 2.0.1 (PyPI).
# Concerns: whoever reads files of which later ones have more columns
# Source: seen on 2026-11-29.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install duckdb==2.0.1
cat > show.py <<'PY'
import duckdb

print("duckdb", duckdb.__version__)


def write(file, struct):
    duckdb.connect().execute(f"copy (select i, case when i > 0 then {struct} end s from range(3) t(i)) to '{file}'")


def read(query):
    try:
        return duckdb.connect().execute(query).fetchall()
    except duckdb.InternalException as error:
        return str(error).splitlines()[0]


write("b.parquet", "{'a': 1}")
for member, expected in (("'x'", True), ("[1]", True), ("{'b': 1}", False)):
    write("a.parquet", f"{{'a': 1, 'n': {member}}}")
    for files in ("['a.parquet', 'b.parquet']", "['b.parquet', 'a.parquet']"):
        found = read(f"from read_parquet({files}, union_by_name = true)")
        print(member, found)
        assert (len(found) == 6) == expected and expected == (not str(found).startswith("INTERNAL")), found
assert len(read("from 'a.parquet' union all by name from 'b.parquet'")) == 6
PY
env/bin/python show.py

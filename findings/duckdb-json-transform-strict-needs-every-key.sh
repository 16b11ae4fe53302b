#!/usr/bin/env bash
# Expected: the strict form is strict about types: a key that an object lacks is NULL, as a null is,
#   and as in `json_transform`
# Happens: `{"a": 1}` for `{"a": "INT", "b": "INT"}` raises; `{"a": 1, "b": null}` does not; 1.7 for
#   an INT, on the other hand, is rounded to 2 by both forms
# Version: duckdb 1.1.3 and 2.0.1 (PyPI).
# Concerns: loaders that want wrong types refused while records leave out what is empty
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
shape = '{"a": "INT", "b": "INT"}'
ask = "select json_transform_strict(?::json, ?)"
for text in ('{"a": 1, "b": null}', '{"a": 1.7, "b": 1}'):
    print(text, duckdb.execute(ask, [text, shape]).fetchone())
assert duckdb.execute(ask, ['{"a": 1.7, "b": 1}', shape]).fetchone() == ({"a": 2, "b": 1},)
try:
    duckdb.execute(ask, ['{"a": 1}', shape])
    sys.exit("no longer so")
except duckdb.InvalidInputException as error:
    print(error)
    assert "does not have key" in str(error)
PY
env/bin/python show.py
new/bin/python show.py

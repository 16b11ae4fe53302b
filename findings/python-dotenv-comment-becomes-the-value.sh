#!/usr/bin/env bash
# Expected: `K=# x` and `K= # x` are both an empty value with a comment, as npm's `dotenv` 18 reads
#   them
# Happens: with a space before the `#` the value is empty, without one the comment is the value
# Version: python-dotenv 1.2.4.
# Concerns: whoever comments out the value of a line in `.env`: the program gets a token or a filter
#   that is a comment
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install python-dotenv==1.2.4
env/bin/python - <<'PY'
import io
import dotenv
from importlib.metadata import version

print("python-dotenv", version("python-dotenv"))


def read(text):
    values = dict(dotenv.dotenv_values(stream=io.StringIO(text)))
    print(repr(text), "->", values)
    return values


assert read("K= # x\n") == {"K": ""}
assert read("K=# x\n") == {"K": "# x"}
PY

#!/usr/bin/env bash
# Expected: `K="a"b` is `ab`, as in a shell, or an error
# Happens: the line is left out, `load_dotenv` still returns True for the rest, and the only trace
#   is a warning of the module's logger, without the line's text
# Version: python-dotenv 1.2.4.
# Concerns: files that are read by a shell and by Python
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


import os
import logging

logging.basicConfig()
assert read('K="a"b\nJ=2\n') == {"J": "2"}
assert dotenv.load_dotenv(stream=io.StringIO('K="a"b\nJ=2\n')) is True
assert "K" not in os.environ and os.environ["J"] == "2"
PY

#!/usr/bin/env bash
# Expected: single quotes keep `${X}` as it is, as in a shell, and `${X-d}` gives the default `d`
# Happens: `${X}` is expanded inside single quotes as everywhere, so no quotes protect a password
#   that holds it; of the shell's defaults only `${X:-d}` is known, and `${X-d}` is silently empty
# Version: python-dotenv 1.2.4.
# Concerns: secrets in `.env` that hold `${`
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


assert read("X=1\nK='${X}'\n")["K"] == "1"
assert read("K=${X:-d}\n")["K"] == "d"
assert read("K=${X-d}\n")["K"] == ""
PY

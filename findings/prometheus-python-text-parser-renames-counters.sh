#!/usr/bin/env bash
# Expected: a sample that a server exposes as `a 1` under `# TYPE a counter` is parsed as `a`: the
#   text format asks for no suffix
# Happens: the sample is called `a_total`, a name that is nowhere in the input; of a gauge it stays
#   `a`
# Version: prometheus_client 0.26.0.
# Concerns: tests and tools that look up what a server in another language exposed
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install prometheus_client==0.26.0
env/bin/python - <<'PY'
from importlib.metadata import version

print("prometheus_client", version("prometheus_client"))
from prometheus_client.parser import text_string_to_metric_families as parse

for kind, name in (("gauge", "a"), ("counter", "a_total")):
    text = f"# TYPE a {kind}\na 1\n"
    names = [s.name for family in parse(text) for s in family.samples]
    print(repr(text), "->", names)
    assert names == [name]
PY

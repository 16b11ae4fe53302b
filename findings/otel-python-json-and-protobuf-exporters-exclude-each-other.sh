#!/usr/bin/env bash
# Expected: opentelemetry-exporter-otlp-json-http 0.66b1 and opentelemetry-exporter-otlp-proto-http 1.45.2, which
#   both go with opentelemetry-sdk 1.45.2, can be installed together
# Happens: pip finds no solution. Both share packages that are pinned to one beta exactly, the one to 0.66b1, the
#   other to 0.66b2; each alone is installed
# Version: opentelemetry-exporter-otlp-json-http 0.66b1, opentelemetry-exporter-otlp-proto-http 1.45.2 (PyPI).
# Concerns: tests of both encodings, which need a virtualenv each
# Source: seen on 2026-11-29.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
resolves() { env/bin/pip -q --disable-pip-version-check install --dry-run "$@" opentelemetry-sdk==1.45.2 >pip.log 2>&1; }
json=opentelemetry-exporter-otlp-json-http==0.66b1 protobuf=opentelemetry-exporter-otlp-proto-http==1.45.2
resolves "$json"
resolves "$protobuf"
if resolves "$json" "$protobuf"; then
  echo "they can be installed together"
  exit 1
fi
grep -o 'have conflicting dependencies' pip.log
env/bin/pip -q --disable-pip-version-check install "$json" "$(printf %s "$protobuf" | cut -d= -f1)" --no-deps
env/bin/python - <<'PY'
from importlib.metadata import requires

for name in ("opentelemetry-exporter-otlp-json-http", "opentelemetry-exporter-otlp-proto-http"):
    print(name, [one for one in requires(name) if "==" in one and "extra" not in one])
PY

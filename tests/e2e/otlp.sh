#!/usr/bin/env bash
# sentry-otlp between real OpenTelemetry exporters and sandbox Sentrys, with Sentry's normaliser as judge.
#
#   tests/e2e/otlp.sh             everything
#   tests/e2e/otlp.sh install     only what others made, for a later run
#
# Installs OpenTelemetry's exporters from PyPI and npm, and the normaliser (pinned below). Builds the bridge and the sandbox
# without optimization. Everything else lives in a temporary folder and ends with the script. One line a check, `ok …` or
# `FAIL …`; the last is `N passed, M failed`. What cannot be installed is a failure.
#
#   PYTHON, E2E_VENVS, E2E_KEEP   as for run.sh
#   RELAY_DSN, RECEIVED           the same clients go into a real Relay besides: the DSN of a project of its, and the file to
#                                 which what stands behind it appends a JSON line for each request that Relay forwards:
#                                 {"items": [{"header": …, "payload": …}]}, the items of the envelope. Relay needs
#                                 `outcomes: {emit_outcomes: true}`, so that what it refuses is among them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD name=sentry-otlp-e2e
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

stage "programs of others"
ensurepip
# venv NAME PINS…
venv() {
  local folder=$venvs/$1 pins
  shift
  pins="$("$python" --version) $*"
  [ "$(cat "$folder/pins" 2>/dev/null)" != "$pins" ] || return 0
  rm -rf "$folder"
  "$python" -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" && echo "$pins" >"$folder/pins"
}
npm_packages() {
  local folder=$venvs/otel-javascript pins
  pins="$(node --version) $*"
  [ "$(cat "$folder/pins" 2>/dev/null)" != "$pins" ] || return 0
  rm -rf "$folder"
  npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel error "$@" && echo "$pins" >"$folder/pins"
}
check "installed: OpenTelemetry's exporters of protobuf for Python, and Sentry's normaliser" \
  venv otel-python opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2 opentelemetry-exporter-otlp-proto-grpc==1.45.2 \
  grpcio==1.85.3 protobuf==7.36.2 sentry-relay==0.10.1
# It cannot be installed together with those.
check "installed: OpenTelemetry's exporter of JSON for Python" \
  venv otel-python-json opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-json-http==0.66b1
check "installed: OpenTelemetry's exporters for JavaScript" \
  npm_packages @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace@2.12.1 @opentelemetry/resources@2.12.1 \
  @opentelemetry/exporter-trace-otlp-http@0.223.1 @opentelemetry/exporter-trace-otlp-proto@0.223.1
if grep -q '^FAIL ' "$results" || [ "${1:-}" = install ]; then exit; fi

stage "the bridge, the sandbox"
# The kinds of targets that `cargo test` builds as well: after it there is nothing to do.
check "built: the bridge, the sandbox" cargo build --workspace --locked --bins --examples
if grep -q '^FAIL ' "$results"; then exit 1; fi
script otlp/run.py "$python"
stage "done"

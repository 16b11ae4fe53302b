#!/usr/bin/env bash
# Extracts a real Sentry server and compares the result with an independent reading of its API.
#
#   TAP_SENTRY_COMPAT_URL=https://sentry.example.com TAP_SENTRY_COMPAT_TOKEN=… TAP_SENTRY_COMPAT_ORG=my-org tests/compat/run.sh
#
#   TAP_SENTRY_COMPAT_START    the earliest activity, default 60 days ago
#   TAP_SENTRY_COMPAT_INGEST   a script that stores the events of a file: [{"project_id": "2", "event": {…}}, …];
#                              then fresh events are sent, and the next incremental run must bring them
#   TAP_BIN                    use this instead of building
#   PYTHON                     default python3.11
set -euo pipefail
if [ -z "${TAP_SENTRY_COMPAT_URL:-}" ] || [ -z "${TAP_SENTRY_COMPAT_TOKEN:-}" ] || [ -z "${TAP_SENTRY_COMPAT_ORG:-}" ]; then
  echo "does nothing: TAP_SENTRY_COMPAT_URL, TAP_SENTRY_COMPAT_TOKEN and TAP_SENTRY_COMPAT_ORG name no server"
  exit 0
fi
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
if [ -z "${TAP_BIN:-}" ]; then
  cargo build --release --locked --bin tap-sentry
  export TAP_BIN=$target/release/tap-sentry
fi
venv=$target/e2e/compat
if [ ! -x "$venv/bin/done" ]; then
  "${PYTHON:-python3.11}" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'jsonschema[format]==4.25.1'
  ln -sf python "$venv/bin/done"
fi
PYTHONPATH=tests/e2e exec "$venv/bin/python" tests/compat/compat.py

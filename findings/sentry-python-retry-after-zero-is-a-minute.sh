#!/usr/bin/env bash
# Expected: a 429 with `Retry-After: 0`, or with a date that has passed, lets the next event go out
# Happens: Python's SDK takes the 0 for a missing header and sends nothing at all for 60 seconds; the
#   event in between is lost. With `Retry-After: 1` it waits that second
# Version: sentry-sdk 2.75.0 (PyPI).
# Concerns: proxies whose limiter rounds the seconds that are left down
# Source: seen on 2026-11-28.
set -euo pipefail
export PYTHONPATH=$(cd "$(dirname "$0")/shared" && pwd) PYTHONDONTWRITEBYTECODE=1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install sentry-sdk==2.75.0
env/bin/python - <<'PY'
from datetime import datetime, timezone
from importlib.metadata import version

import sentry_sdk

print("sentry-sdk", version("sentry-sdk"))
from stub import Stub

stub = Stub()
stub.answer = lambda *_: (429, {"Retry-After": retry_after}, b"")
for retry_after in ("0", "Wed, 21 Oct 2015 07:28:00 GMT"):
    stub.seen.clear()
    sentry_sdk.init(dsn=f"http://key@{stub.address}/1", default_integrations=False)
    sentry_sdk.capture_message("a")
    sentry_sdk.flush(10)
    # the SDK's own end of the pause, so that the test need not wait for it
    left = (sentry_sdk.get_client().transport._disabled_until[None] - datetime.now(timezone.utc)).total_seconds()
    sentry_sdk.capture_message("b")
    sentry_sdk.flush(10)
    print(f"Retry-After: {retry_after} -> {len(stub.seen)} of 2 sent, {left:.0f} seconds left")
    assert len(stub.seen) == 1 and left > 30
PY

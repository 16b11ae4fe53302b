#!/usr/bin/env bash
# Expected: `X-Sentry-Rate-Limits: 60.5:error:organization` stops errors for a minute, as Sentry's
#   protocol allows fractions of a second; and if the header cannot be read, `Retry-After` counts
# Happens: Python's SDK takes whole seconds only: such a limit is dropped, and the header's presence
#   turns off `Retry-After: 61` of the same 429, so it goes on sending at once; the SDK for Node
#   stops
# Version: sentry-sdk 2.75.0 (PyPI), @sentry/node 11.12.0 (npm).
# Concerns: relays and stubs that write limits themselves
# Source: seen on 2026-11-28.
set -euo pipefail
export PYTHONPATH=$(cd "$(dirname "$0")/shared" && pwd) PYTHONDONTWRITEBYTECODE=1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install sentry-sdk==2.75.0
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @sentry/node@11.12.0
cat > send.py <<'PY'
import sys
import sentry_sdk

sentry_sdk.init(dsn=sys.argv[1], default_integrations=False, send_client_reports=False)
for text in ("a", "b"):
    sentry_sdk.capture_message(text, level="error")
    sentry_sdk.flush(10)
PY
cat > send.js <<'JS'
const Sentry = require("@sentry/node");
Sentry.init({ dsn: process.argv[2], defaultIntegrations: false, sendClientReports: false });
(async () => {
  for (const text of ["a", "b"]) {
    Sentry.captureMessage(text, "error");
    await Sentry.flush(10000);
  }
  process.exit();
})();
JS
env/bin/python - <<'PY'
import subprocess
from importlib.metadata import version

print("sentry-sdk", version("sentry-sdk"))
from stub import Stub

stub = Stub()
stub.answer = lambda *_: (429, {"X-Sentry-Rate-Limits": limit, "Retry-After": "61"}, b"")
dsn = f"http://key@{stub.address}/1"


def sent(*command):
    stub.seen.clear()
    subprocess.run([*command, dsn], check=True)
    print(command[0], limit, "->", len(stub.seen), "of 2 sent")
    return len(stub.seen)


limit = "60:error:organization"
assert sent("env/bin/python", "send.py") == 1 and sent("node", "send.js") == 1
limit = "60.5:error:organization"
assert sent("env/bin/python", "send.py") == 2 and sent("node", "send.js") == 1
PY

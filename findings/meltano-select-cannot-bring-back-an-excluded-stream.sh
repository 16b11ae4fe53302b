#!/usr/bin/env bash
# Expected: the last word wins: `meltano select tap users '*'` after `meltano select --exclude tap
#   users '*'` brings the stream back
# Happens: the command succeeds and `--list` shows `users.*` among the enabled patterns, but the
#   older `!users.*` still wins and the stream is not in the catalog as selected; only `--remove` or
#   an edit helps
# Version: meltano 4.4.1.
# Concerns: users of Meltano who take a stream out for a while
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install meltano==4.4.1

export MELTANO_SEND_ANONYMOUS_USAGE_STATS=false MELTANO_CLI_LOG_LEVEL=error NO_COLOR=1
env/bin/meltano --version
cat > tap.sh <<'SH'
#!/usr/bin/env python3
import json
import sys

if "--discover" in sys.argv:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    streams = [
        {"tap_stream_id": name, "stream": name, "schema": schema, "metadata": []}
        for name in ("orders", "users")
    ]
    print(json.dumps({"streams": streams}))
elif "--catalog" in sys.argv:
    with open(sys.argv[sys.argv.index("--catalog") + 1]) as file:
        catalog = json.load(file)
    chosen = [
        s["tap_stream_id"]
        for s in catalog["streams"]
        for m in s["metadata"]
        if not m["breadcrumb"] and m["metadata"].get("selected")
    ]
    print("chosen:", *sorted(chosen))
SH
chmod +x tap.sh
cat > meltano.yml <<'YML'
send_anonymous_usage_stats: false
plugins:
  extractors:
  - name: tap-x
    namespace: tap_x
    executable: ./tap.sh
    capabilities: [catalog, discover]
    select: ['orders.*', 'users.*']
YML

env/bin/meltano select --exclude tap-x users '*'
env/bin/meltano select tap-x users '*'
grep -A1 select: meltano.yml
env/bin/meltano select tap-x --list | tee list.txt
env/bin/meltano invoke tap-x | tee chosen.txt
sed -n '/Enabled patterns/,/Selected/p' list.txt | grep -qE '^\s+users\.\*$'
grep -qx 'chosen: orders' chosen.txt

#!/usr/bin/env bash
# Expected: `meltano select tap orders '*'` adds `orders` to what is selected, as it does when
#   `select` stands in `meltano.yml`
# Happens: where the plugin's definition (its lock file) holds the default `select`, the command
#   writes a new list with only `orders.*`, which replaces the default: streams and exclusions of
#   the definition are gone
# Version: meltano 4.4.1.
# Concerns: users who select one more stream of a plugin with defaults
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
    variant: mine
YML
mkdir -p plugins/extractors
cat > plugins/extractors/tap-x--mine.lock <<'LOCK'
{
  "plugin_type": "extractors",
  "name": "tap-x",
  "namespace": "tap_x",
  "variant": "mine",
  "executable": "./tap.sh",
  "capabilities": ["catalog", "discover"],
  "select": ["users.*"]
}
LOCK
env/bin/meltano invoke tap-x | grep '^chosen' | tee before.txt
env/bin/meltano select tap-x orders '*'
env/bin/meltano invoke tap-x | grep '^chosen' | tee after.txt
grep -qx 'chosen: users' before.txt
grep -qx 'chosen: orders' after.txt

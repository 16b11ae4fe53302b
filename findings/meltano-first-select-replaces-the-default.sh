#!/usr/bin/env bash
# Expected: `meltano select tap orders '*'` adds `orders` to what is selected, as it does when
#   `select` stands in `meltano.yml`
# Happens: where the plugin's definition (its lock file) holds the default `select`, the command
#   writes a new list with only `orders.*`, which replaces the default: streams and exclusions of
#   the definition are gone
# Version: meltano 4.4.1.
# Concerns: users who select one more stream of a plugin with defaults
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/meltano.sh" 4.4.1 meltano_streams_tap.py
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

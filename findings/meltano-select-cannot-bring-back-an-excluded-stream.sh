#!/usr/bin/env bash
# Expected: the last word wins: `meltano select tap users '*'` after `meltano select --exclude tap
#   users '*'` brings the stream back
# Happens: the command succeeds and `--list` shows `users.*` among the enabled patterns, but the
#   older `!users.*` still wins and the stream is not in the catalog as selected; only `--remove` or
#   an edit helps
# Version: meltano 4.4.1.
# Concerns: users of Meltano who take a stream out for a while
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/meltano.sh" 4.4.1 meltano_streams_tap.py
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

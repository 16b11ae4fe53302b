#!/usr/bin/env bash
# Expected: a setting of `kind: decimal` takes 1.5 from `meltano.yml` and from the environment alike
# Happens: from `meltano.yml` it works; from `TAP_X_RATE=1.5` Meltano stops with `TypeError: Object
#   of type Decimal is not JSON serializable` as it writes the plugin's configuration
# Version: meltano 4.4.1.
# Concerns: authors of plugin definitions with a fractional number (the older `kind: integer` or
#   `string` works)
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/meltano.sh" 4.4.1 meltano_tap.sh

cat > meltano.yml <<'YML'
send_anonymous_usage_stats: false
plugins:
  extractors:
  - name: tap-x
    namespace: tap_x
    executable: ./tap.sh
    settings:
    - {name: rate, kind: decimal}
    config:
      rate: 1.5
YML

env/bin/meltano invoke tap-x | tee yml.txt
grep -q '"rate": 1.5' yml.txt
if TAP_X_RATE=1.5 env/bin/meltano invoke tap-x > env.txt 2>&1; then
  echo "no longer so"
  exit 1
fi
grep 'TypeError: Object of type Decimal' env.txt

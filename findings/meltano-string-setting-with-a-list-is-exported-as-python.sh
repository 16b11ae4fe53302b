#!/usr/bin/env bash
# Expected: a YAML list reaches the plugin's environment as JSON, whatever the setting's kind
# Happens: `kind: array` exports `["a"]`; `kind: string` exports `['a']`, which no JSON reader
#   takes, while the configuration file has a real list in both cases
# Version: meltano 4.4.1.
# Concerns: taps that read their settings from the environment, and old definitions where a list was
#   declared a string
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
    - {name: text, kind: string}
    - {name: list, kind: array}
    config:
      text: [a]
      list: [a]
YML

env/bin/meltano invoke tap-x | grep -E 'TAP_X_(TEXT|LIST)=|config' | tee out.txt
grep -qxF "TAP_X_TEXT=['a']" out.txt
grep -qxF 'TAP_X_LIST=["a"]' out.txt

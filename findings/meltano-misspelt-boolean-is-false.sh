#!/usr/bin/env bash
# Expected: `TAP_X_FLAG=enabled` for a boolean setting is true or refused, as `TAP_X_NUM=many` is
#   for an integer; an empty one leaves the default
# Happens: any text that is not on the list of true words is false, silently: `enabled`, `treu` and
#   the empty text all turn off a setting whose default is true, while a wrong integer ends in a
#   ValueError
# Version: meltano 4.4.1.
# Concerns: users who switch settings by environment variables, above all CI systems that set unset
#   variables to the empty text
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
    - {name: flag, kind: boolean, value: true}
    - {name: num, kind: integer}
YML

env/bin/meltano invoke tap-x | tee default.txt
grep -q '"flag": true' default.txt
for text in enabled treu ''; do
  TAP_X_FLAG=$text env/bin/meltano invoke tap-x | grep config: | tee out.txt
  grep -q '"flag": false' out.txt
done
if TAP_X_NUM=many env/bin/meltano invoke tap-x > num.txt 2>&1; then
  exit 1
fi
grep -q ValueError num.txt

#!/usr/bin/env bash
# Expected: the environment wins over `meltano.yml`: `TAP_X_OBJ={"z":1}` replaces the object, as
#   `TAP_X_LIST=["z"]` replaces the list
# Happens: the list is replaced, but the object keeps every key of `meltano.yml` that the variable
#   does not name, so a key cannot be taken away from outside
# Version: meltano 4.4.1.
# Concerns: users who override an object (headers, a stream map) for one run
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
    - {name: obj, kind: object}
    - {name: list, kind: array}
    config:
      obj: {a: 1}
      list: [a]
YML

TAP_X_OBJ='{"z": 1}' TAP_X_LIST='["z"]' env/bin/meltano invoke tap-x | grep config: | tee out.txt
grep -qE '"a": 1' out.txt
grep -qE '"z": 1' out.txt
grep -qE '"list": \[ *"z" *\]' out.txt

#!/usr/bin/env bash
# Expected: `start: 2024-05-01T10:00:00+02:00` in `meltano.yml` means the same with and without
#   quotes
# Happens: without quotes YAML makes it a timestamp, and the plugin is given `2024-05-01T10:00:00`,
#   without the offset and not converted, so that it reads two hours later; with quotes it is passed
#   on whole
# Version: meltano 4.4.1.
# Concerns: whoever writes a start date with an offset other than Z in `meltano.yml`
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
    - {name: bare, kind: date_iso8601}
    - {name: quoted, kind: date_iso8601}
    config:
      bare: 2024-05-01T10:00:00+02:00
      quoted: '2024-05-01T10:00:00+02:00'
YML

env/bin/meltano invoke tap-x | tee out.txt
grep -q '"bare": "2024-05-01T10:00:00"' out.txt
grep -q '"quoted": "2024-05-01T10:00:00+02:00"' out.txt

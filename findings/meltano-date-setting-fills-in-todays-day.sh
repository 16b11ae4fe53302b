#!/usr/bin/env bash
# Expected: a value that is no full date is refused, or `2024-05` means the month's first day, as in
#   ISO 8601; a week date is read as one
# Happens: `TAP_X_DAY=2024-05` is passed on as `2024-05-DD` with the day of the month on which
#   Meltano runs, and `2024-W05-1` (29 January 2024) as 1 May 2024; no warning
# Version: meltano 4.4.1.
# Concerns: users who give `start_date` as a month or a week: the data before today's day of the
#   month is missing, and by a different amount each day
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
    - {name: day, kind: date_iso8601}
YML

TAP_X_DAY=2024-05 env/bin/meltano invoke tap-x | tee month.txt
TAP_X_DAY=2024-W05-1 env/bin/meltano invoke tap-x | tee week.txt
today=$(date +%d)
grep -q "\"day\": \"2024-05-${today}T00:00:00\"" month.txt
grep -q '"day": "2024-05-01T00:00:00"' week.txt

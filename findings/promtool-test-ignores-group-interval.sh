#!/usr/bin/env bash
# Expected: a group with `interval: 1h` is evaluated once an hour in a test too: 4 minutes after
#   the start the recorded series has the first sample, 1
# Happens: it is evaluated at the test's `evaluation_interval` (1 minute here and by default), so
#   the recorded series has the newest sample, 5, and lives on between two evaluations, where a
#   server's would be stale after 5 minutes
# Version: Debian's prometheus 2.42.0+ds-5+deb12u1 (promtool).
# Concerns: slow groups whose results other rules read: the tests pass, the server sees gaps
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/prometheus.sh" prometheus=2.42.0+ds-5+deb12u1
"$bin/promtool" --version 2>&1 | head -1

cat > rules.yml <<'YML'
groups:
- name: slow
  interval: 1h
  rules:
  - {record: slow, expr: a}
YML
cat > test.yml <<'YML'
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: a, values: '1+1x30'}
  promql_expr_test:
  - {expr: slow, eval_time: 4m, exp_samples: [{labels: slow, value: 5}]}
  - {expr: slow, eval_time: 30m, exp_samples: [{labels: slow, value: 31}]}
  - {expr: 'count_over_time(slow[30m])', eval_time: 30m, exp_samples: [{labels: '{}', value: 31}]}
YML
"$bin/promtool" check rules rules.yml
"$bin/promtool" test rules test.yml

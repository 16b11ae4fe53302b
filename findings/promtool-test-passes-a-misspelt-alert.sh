#!/usr/bin/env bash
# Expected: a test of an alert that no rule file has is an error, so that a test of silence says
#   something
# Happens: with an empty `exp_alerts` it passes, although the rule, here written with another
#   letter case, fires at that very time
# Version: Debian's prometheus 2.42.0+ds-5+deb12u1 (promtool).
# Concerns: tests that say "does not fire", which outlive the renaming of an alert
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/prometheus.sh" prometheus=2.42.0+ds-5+deb12u1
"$bin/promtool" --version 2>&1 | head -1

cat > rules.yml <<'YML'
groups:
- name: g
  rules:
  - {alert: QueueFull, expr: a > 2}
YML
write() {
  cat > "$1.yml" <<YML
rule_files: [rules.yml]
tests:
- interval: 1m
  input_series:
  - {series: a, values: '5 5 5'}
  alert_rule_test:
  - {eval_time: 1m, alertname: $1, exp_alerts: []}
YML
}
write QueueFull
write Queuefull
if "$bin/promtool" test rules QueueFull.yml; then exit 1; fi
"$bin/promtool" test rules Queuefull.yml

#!/usr/bin/env bash
# Expected: a rule's test that expects NaN, as `exp_samples` can say, passes when the expression
#   gives NaN
# Happens: it fails with `exp: {} NaN` and `got: {} NaN`, so no test can state that a ratio of
#   nothing to nothing is NaN; Inf can be stated
# Version: Debian's prometheus 2.42.0+ds-5+deb12u1 (promtool).
# Concerns: rules with ratios, whose first hour of no traffic is what one wants to test
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/prometheus.sh" prometheus=2.42.0+ds-5+deb12u1
"$bin/promtool" --version 2>&1 | head -1

write() {
  cat > "$1" <<YML
tests:
- interval: 1m
  input_series:
  - {series: a, values: '0 0 0'}
  - {series: b, values: '1 1 1'}
  promql_expr_test:
  - {expr: $2 / a, eval_time: 1m, exp_samples: [{labels: '{}', value: $3}]}
YML
}
write inf.yml b .inf
"$bin/promtool" test rules inf.yml
write nan.yml a .nan
if "$bin/promtool" test rules nan.yml > nan.txt 2>&1; then exit 1; fi
cat nan.txt
grep -q 'exp: {} NaN' nan.txt && grep -q 'got: {} NaN' nan.txt

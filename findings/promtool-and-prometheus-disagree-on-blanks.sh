#!/usr/bin/env bash
# Expected: what `promtool check metrics` can read, the Prometheus of the same package can scrape,
#   and the other way round; the format ignores blanks at the start and end of a line
# Happens: promtool reads a line with a blank in front, for which Prometheus refuses the whole
#   answer; and promtool refuses a line with a blank at its end, which Prometheus reads
# Version: Debian's prometheus 2.42.0+ds-5+deb12u1.
# Concerns: templates that write metrics, checked with promtool in CI
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/prometheus.sh" prometheus=2.42.0+ds-5+deb12u1
"$bin/prometheus" --version 2>&1 | head -1

mkdir pages
printf '# HELP a x\n# TYPE a gauge\n  a 1\n' > pages/front
printf '# HELP a x\n# TYPE a gauge\na 1 \n' > pages/end
serve pages
cat > prometheus.yml <<YML
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- {job_name: front, metrics_path: /front, static_configs: [{targets: ['$files']}]}
- {job_name: end, metrics_path: /end, static_configs: [{targets: ['$files']}]}
YML
start_prometheus prometheus.yml
targets() {
  curl -fs "http://$prometheus/api/v1/targets" | python3 -c 'import json, sys
for t in json.load(sys.stdin)["data"]["activeTargets"]: print(t["labels"]["job"], t["health"], t["lastError"])' > targets.txt
  test "$(grep -c -e ' up ' -e ' down ' targets.txt)" = 2
}
until_true targets
cat targets.txt
grep -q '^front down invalid metric name' targets.txt
grep -q '^end up' targets.txt
"$bin/promtool" check metrics < pages/front && echo "promtool reads front"
if "$bin/promtool" check metrics < pages/end 2> promtool.txt; then exit 1; fi
cat promtool.txt
grep -q 'expected integer as timestamp, got ""' promtool.txt

#!/usr/bin/env bash
# Expected: `up` is what Prometheus itself found; a sample of that name in a target's answer is
#   renamed, as its labels `job` and `instance` are, or loses
# Happens: the target's sample wins: its scrapes succeed, the target's health is up, and the series
#   `up` is 0; so it is for `scrape_samples_scraped`
# Version: Debian's prometheus 2.42.0+ds-5+deb12u1.
# Concerns: exporters that name the state of what they watch `up`, and alerts on `up == 0`
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/prometheus.sh" prometheus=2.42.0+ds-5+deb12u1
"$bin/prometheus" --version 2>&1 | head -1

mkdir pages
printf 'up 0\nscrape_samples_scraped 99\na 1\n' > pages/metrics
serve pages
cat > prometheus.yml <<YML
scrape_configs:
- {job_name: x, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{targets: ['$files']}]}
YML
start_prometheus prometheus.yml
stored() { query a | grep -q .; }
until_true stored
health=$(curl -fs "http://$prometheus/api/v1/targets" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["activeTargets"][0]["health"])')
echo "health: $health"
query '{job="x"}' | tee series.txt
test "$health" = up
grep -q '"up", .*"0"\]' series.txt
grep -q '"scrape_samples_scraped", .*"99"\]' series.txt

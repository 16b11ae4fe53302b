#!/usr/bin/env bash
# Expected: what the Pushgateway takes as two series, or refuses as one twice, Prometheus counts the same
# Happens: `z` and `z{a=""}` are two series to the Pushgateway, which checks for equal ones and answers
#   200; to Prometheus an empty label is none, so it keeps the first of both, with `up` 1, and the sum
#   over the metric lacks the other
# Version: Debian's prometheus 2.42.0+ds-5+deb12u1 and prometheus-pushgateway 1.5.1-2+b5.
# Concerns: jobs that push a label which is empty for some of their series and left out of others
# Source: seen on 2026-11-28.
. "$(dirname "$0")/shared/prometheus.sh" prometheus=2.42.0+ds-5+deb12u1 prometheus-pushgateway=1.5.1-2+b5
"$bin/prometheus" --version 2>&1 | head -1
"$bin/prometheus-pushgateway" --version 2>&1 | head -1
start_pushgateway
printf '# TYPE z gauge\nz{a=""} 1\nz 2\nz{a="b"} 4\n' |
  curl -fs -o pushed -w 'push: %{http_code}\n' -X PUT --data-binary @- "http://$gateway/metrics/job/j"
curl -fs "http://$gateway/metrics" | grep '^z' | tee page
[ "$(wc -l <page)" = 3 ]
cat > prometheus.yml <<YAML
scrape_configs:
- {job_name: x, honor_labels: true, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{targets: ['$gateway']}]}
YAML
start_prometheus prometheus.yml
is_there() { [ -n "$(query 'z')" ]; }
until_true is_there
query z | tee kept
query 'sum(z)' | tee sum
query up | tee up
[ "$(wc -l <kept)" = 2 ]
grep -q '"6"' sum
grep -q '"1"' up

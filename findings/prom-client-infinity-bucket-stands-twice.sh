#!/usr/bin/env bash
# Expected: an explicit last bucket of Infinity is the `+Inf` one, as in Prometheus' other clients
# Happens: both are written, the first in JavaScript's spelling
# Version: prom-client 15.1.3 (npm).
# Concerns: programs that share a list of buckets with another language
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund prom-client@15.1.3
node - <<'JS'
const client = require("prom-client");
const assert = require("assert");

console.log("prom-client", require("./node_modules/prom-client/package.json").version);
const registry = new client.Registry();
const histogram = new client.Histogram({ name: "h", help: "x", buckets: [1, Infinity], registers: [registry] });
histogram.observe(5);
registry.metrics().then((text) => {
  console.log(text);
  assert(text.includes('h_bucket{le="Infinity"} 1') && text.includes('h_bucket{le="+Inf"} 1'));
});
JS

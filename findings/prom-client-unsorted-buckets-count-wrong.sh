#!/usr/bin/env bash
# Expected: buckets in any order are sorted, or refused
# Happens: they are kept as given and summed in that order, so 1.5 appears in `le="1"` too: every
#   quantile is wrong, and no error tells
# Version: prom-client 15.1.3 (npm).
# Concerns: programs that build their buckets
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
const histogram = new client.Histogram({ name: "h", help: "x", buckets: [2, 1], registers: [registry] });
histogram.observe(1.5);
registry.metrics().then((text) => {
  console.log(text);
  assert(text.includes('h_bucket{le="1"} 1'));
});
JS

#!/usr/bin/env bash
# Expected: a counter refuses NaN, as it refuses a negative number and as its gauge refuses a text
# Happens: it stays NaN whatever is added later, and is written `Nan`; null, as a missing value
#   often is, counts as 1
# Version: prom-client 15.1.3 (npm).
# Concerns: programs that add a parsed number
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
const counter = new client.Counter({ name: "c", help: "x", registers: [registry] });
assert.throws(() => counter.inc(-1));
counter.inc(null);
registry.metrics().then(async (before) => {
  counter.inc(NaN);
  counter.inc(1);
  const after = await registry.metrics();
  console.log(before, after);
  assert(before.includes("\nc 1\n") && after.includes("\nc Nan\n"));
});
JS

#!/usr/bin/env bash
# Expected: two calls of `captureException` are two events, unless the integration that removes
#   duplicates is on
# Happens: with no integrations at all the second call for the same object sends nothing, although
#   it returns; an equal error that is a new object is sent
# Version: @sentry/node 11.12.0 (npm).
# Concerns: programs that keep one error object (a constant, a cached rejection) and count by events
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @sentry/node@11.12.0
node - <<'JS'
const Sentry = require("@sentry/node");
const assert = require("assert");

console.log("@sentry/node", Sentry.SDK_VERSION);
let events = 0;
const beforeSend = () => {
  events += 1;
  return null;
};
Sentry.init({ dsn: "http://key@127.0.0.1:9/1", defaultIntegrations: false, beforeSend });
const error = new Error("x");
Sentry.captureException(error);
Sentry.captureException(error);
Sentry.flush(500).then(async () => {
  console.log("same object:", events);
  assert.strictEqual(events, 1);
  const again = () => new Error("y");
  Sentry.captureException(again());
  Sentry.captureException(again());
  await Sentry.flush(500);
  console.log("after two equal ones:", events);
  assert.strictEqual(events, 3);
});
JS

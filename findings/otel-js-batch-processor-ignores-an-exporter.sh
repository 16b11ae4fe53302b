#!/usr/bin/env bash
# Expected: `new BatchSpanProcessor(exporter)` works with @opentelemetry/sdk-trace as it does with
#   @opentelemetry/sdk-trace-base of the same version, or throws
# Happens: it is made, and every span is lost. Its argument is `{ exporter }`; the error about the missing
#   exporter is caught, and without a logger nothing is printed and the exit code is 0. Only forceFlush rejects
# Version: @opentelemetry/sdk-trace 2.12.1, @opentelemetry/sdk-trace-base 2.12.1 (npm).
# Concerns: moving to the package that the exporters 0.223.1 depend on
# Source: seen on 2026-11-29.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace@2.12.1 @opentelemetry/sdk-trace-base@2.12.1
cat > lost.js <<'JS'
const [name, form] = process.argv.slice(2);
const { BatchSpanProcessor, BasicTracerProvider, InMemorySpanExporter, TracerProvider } = require(name);
const exporter = new InMemorySpanExporter();
const processor = new BatchSpanProcessor(form === "object" ? { exporter } : exporter);
const provider = new (TracerProvider ?? BasicTracerProvider)({ spanProcessors: [processor] });
provider.getTracer("x").startSpan("a").end();
// The batch is due after 5 s.
setTimeout(() => console.log(exporter.getFinishedSpans().length), 6000);
JS
run() { node lost.js "$@" 2>&1; }
base=$(run @opentelemetry/sdk-trace-base alone)
alone=$(run @opentelemetry/sdk-trace alone)
object=$(run @opentelemetry/sdk-trace object)
printf 'exported by sdk-trace-base: %s\nby sdk-trace: %s\nby sdk-trace with { exporter }: %s\n' "$base" "$alone" "$object"
[ "$base" = 1 ] && [ "$alone" = 0 ] && [ "$object" = 1 ]

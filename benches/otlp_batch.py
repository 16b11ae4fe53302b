"""Captures what Python's OTLP exporter sends: one batch of 512 spans with 10 attributes each, every tenth with an exception.

python3 -m venv target/otlp-batch
target/otlp-batch/bin/pip install opentelemetry-exporter-otlp-proto-http==1.45.2 opentelemetry-sdk==1.45.2
target/otlp-batch/bin/python benches/otlp_batch.py benches/otlp_batch.bin
"""

import http.server
import linecache
import random
import sys
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

SPANS = 512
# Spans of one trace.
TRACE = 16
# 2026-11-01T00:00:00Z, in nanoseconds.
START = 1_793_491_200 * 10**9


class Ids(IdGenerator):
    """The same ids in each run."""

    def __init__(self):
        self.random = random.Random(1)

    def generate_span_id(self):
        return self.random.getrandbits(63) + 1

    def generate_trace_id(self):
        return self.random.getrandbits(127) + 1


class Kept(SpanExporter):
    """Keeps spans, so that they are sent as one batch."""

    def __init__(self):
        self.spans = []

    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


class Receiver(http.server.BaseHTTPRequestHandler):
    bodies = []

    def do_POST(self):
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def attributes(number):
    return {
        "http.request.method": ["GET", "POST"][number % 2],
        "http.route": f"/api/orders/{{id}}/{number % 7}",
        "url.full": f"https://shop.example.com/api/orders/{1000 + number}/{number % 7}?page={number % 3}",
        "http.response.status_code": [200, 201, 404, 500][number % 4],
        "server.address": "shop.example.com",
        "server.port": 443,
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "network.protocol.version": "1.1",
        "app.cache.hit": number % 3 == 0,
        "app.load": number / 7,
    }


def fail(number):
    raise ValueError(f"order {number % 5} cannot be read")


def record(tracer, kept):
    number = 0
    while number < SPANS:
        kind = SpanKind.SERVER
        parent = None
        for place in range(TRACE):
            at = START + number * 10**6
            span = tracer.start_span(
                f"GET /api/orders/{{id}}/{number % 7}", parent, kind, attributes(number), start_time=at
            )
            if number % 10 == 0:
                try:
                    fail(number)
                except ValueError as error:
                    span.record_exception(error, timestamp=at + 500_000)
                    span.set_status(Status(StatusCode.ERROR, f"ValueError: {error}"))
            span.end(at + (TRACE - place) * 10**6)
            if parent is None:
                parent = set_span_in_context(span)
                kind = SpanKind.CLIENT
            number += 1


def main(path):
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    resource = Resource.create({
        "service.name": "shop",
        "service.version": "1.2.3",
        "service.instance.id": "00000000-0000-4000-8000-000000000000",
        "deployment.environment.name": "production",
        "host.name": "web-1",
    })
    provider = TracerProvider(resource=resource, id_generator=Ids())
    kept = Kept()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    record(provider.get_tracer("shop.orders", "0.1"), kept)
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{server.server_port}/v1/traces")
    # Children come before their parents.
    assert exporter.export(kept.spans[::-1]) is SpanExportResult.SUCCESS
    server.shutdown()
    (body,) = Receiver.bodies
    with open(path, "wb") as file:
        file.write(body)
    print(f"{len(kept.spans)} spans, {len(body)} bytes")


def as_module(name, path):
    """This file once more, under a path that is the same on each machine: stack traces name it."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    module = {"__name__": name}
    exec(compile(text, path, "exec"), module)
    return module


if __name__ == "__main__":
    as_module("orders", "/srv/shop/orders.py")["main"](*sys.argv[1:])

"""A Python service with OpenTelemetry: makes spans, exports them by an ordinary exporter that knows nothing but
OTEL_EXPORTER_OTLP_ENDPOINT, and tells what it made and what its exporter reported.

    client.py http|grpc|json orders COUNT FILE      so many traces at once
    client.py http|grpc|json steady SECONDS FILE    a trace each 50 ms
    client.py http|grpc|json large SPANS FILE       one trace of so many spans

What is written is taken from the SDK's own spans, not from what was exported.
"""

import importlib
import json
import random
import sys
import time

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

EXPORTERS = {
    "http": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "json": "opentelemetry.exporter.otlp.json.http.trace_exporter",
}
BATCH = 64


def value(one):
    """[type, text or parts]: exact, whatever JSON makes of numbers."""
    if isinstance(one, bool):
        return ["bool", one]
    if isinstance(one, int):
        return ["int", str(one)]
    if isinstance(one, float):
        return ["double", repr(one)]
    if isinstance(one, bytes):
        return ["bytes", one.hex()]
    if isinstance(one, str):
        return ["string", one]
    if one is None:
        return ["none", None]
    if isinstance(one, dict):
        return ["map", values(one)]
    return ["array", [value(part) for part in one]]


def values(attributes):
    return {key: value(one) for key, one in (attributes or {}).items()}


class Truth(SpanProcessor):
    def __init__(self):
        self.spans = []

    def on_end(self, span):
        context, parent = span.context, span.parent
        exceptions = [event for event in span.events if event.name == "exception"]
        self.spans.append({
            "trace_id": f"{context.trace_id:032x}",
            "span_id": f"{context.span_id:016x}",
            "parent_span_id": f"{parent.span_id:016x}" if parent else None,
            "remote": bool(parent and parent.is_remote),
            "name": span.name,
            "kind": span.kind.name.lower(),
            "start": str(span.start_time),
            "end": str(span.end_time),
            "failed": span.status.status_code is StatusCode.ERROR,
            "message": span.status.description or "",
            "trace_state": context.trace_state.to_header(),
            "attributes": values(span.attributes),
            "resource": values(span.resource.attributes),
            "scope": [span.instrumentation_scope.name, span.instrumentation_scope.version],
            "links": [{"trace_id": f"{link.context.trace_id:032x}", "span_id": f"{link.context.span_id:016x}", "attributes": values(link.attributes)} for link in span.links],
            "events": [{"name": event.name, "time": str(event.timestamp), "attributes": values(event.attributes)} for event in span.events if event not in exceptions],
            "exceptions": [{"time": str(event.timestamp), "attributes": values(event.attributes)} for event in exceptions],
        })


class Told(SpanExporter):
    """What the exporter reports of each batch."""

    def __init__(self, exporter):
        self.exporter, self.exports = exporter, []

    def export(self, spans):
        began = time.monotonic()
        result = self.exporter.export(spans)
        self.exports.append({"ok": result is SpanExportResult.SUCCESS, "seconds": time.monotonic() - began, "ids": [f"{span.context.span_id:016x}" for span in spans]})
        return result

    def shutdown(self):
        self.exporter.shutdown()

    def force_flush(self, timeout_millis=30000):
        return self.exporter.force_flush(timeout_millis)


class OrderError(ValueError):
    pass


def stock(number):
    raise KeyError(f"article {number}")


def reserve(number):
    try:
        stock(number)
    except KeyError as error:
        raise OrderError(f"order {number} cannot be reserved") from error


EVERY_TYPE = {
    "app.text": 'a "quoted" back\\slash\nline, é 🙂',
    "app.empty": "",
    "app.long": "x" * 3000,
    "app.true": True,
    "app.false": False,
    "app.int": 42,
    "app.int.large": 2**53 + 1,
    "app.int.least": -(2**63),
    "app.int.most": 2**63 - 1,
    "app.double": 0.1,
    "app.double.whole": 2.0,
    "app.double.tiny": 5e-324,
    "app.nan": float("nan"),
    "app.infinity": float("-inf"),
    "app.bytes": b"\x00\xff\x80",
    "app.bytes.text": "Grüße".encode(),
    "app.texts": ["a", "", "ü"],
    "app.truths": [True, False],
    "app.ints": [1, -2, 2**40],
    "app.doubles": [0.5, 1e300],
    "app.none": [],
    "app key with spaces": "blanks",
    "app.schlüssel": "umlaut",
    "release": "no release",
    "user": "no user",
    "filename": "no file",
    "environment": "no environment",
    "k" * 230: "long key",
}


def order(tracer, number):
    """One trace: a request that comes from elsewhere every other time, with all that may be in spans."""
    context = None
    if number % 2:
        state = TraceState([("vendor", "a1"), ("other", "b2")])
        remote = SpanContext(random.getrandbits(127) + 1, random.getrandbits(63) + 1, True, TraceFlags(1), state)
        context = trace.set_span_in_context(NonRecordingSpan(remote))
    earlier = [SpanContext(random.getrandbits(127) + 1, random.getrandbits(63) + 1, remote, TraceFlags(flags)) for remote, flags in [(True, 1), (False, 0)]]
    server = {"http.request.method": "POST", "http.route": "/orders/{id}", "url.path": f"/orders/{number}", "url.scheme": "https", "http.response.status_code": 500, "server.address": "shop.example.com", "user.id": f"u{number}"}
    links = [Link(earlier[0], {"link.kind": "follows", "link.number": 7}), Link(earlier[1])]
    with tracer.start_as_current_span("POST /orders/{id}", context, SpanKind.SERVER, server, links) as root:
        with tracer.start_as_current_span("everything", attributes=EVERY_TYPE) as span:
            span.add_event("cache miss", {"key": f"order:{number}", "size": 3, "ratio": 0.25})
            span.add_event("retry")
            span.set_status(Status(StatusCode.OK))
        statement = {"db.system.name": "postgresql", "db.query.text": "SELECT * FROM orders WHERE id = $1", "db.namespace": "shop", "server.port": 5432}
        with tracer.start_as_current_span("SELECT orders", kind=SpanKind.CLIENT, attributes=statement):
            pass
        old = {"http.method": "GET", "http.url": f"https://stock.example.com/{number}", "http.status_code": 503}
        with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=old) as span:
            span.set_status(Status(StatusCode.ERROR, "no stock"))
        message = {"messaging.system": "kafka", "messaging.destination.name": "orders", "messaging.operation.type": "publish"}
        with tracer.start_as_current_span("publish orders", kind=SpanKind.PRODUCER, attributes=message) as producer:
            pass
        try:
            with tracer.start_as_current_span("reserve"):
                with tracer.start_as_current_span("reserve in stock"):
                    reserve(number)
        except OrderError:
            pass
        try:
            [][number]
        except IndexError as error:
            root.record_exception(error, {"retry.count": 2})
        root.set_status(Status(StatusCode.ERROR, "order failed"))
    sent = producer.get_span_context()
    arrived = SpanContext(sent.trace_id, sent.span_id, True, sent.trace_flags, sent.trace_state)
    receive = {**message, "messaging.operation.type": "process"}
    with tracer.start_as_current_span("process orders", trace.set_span_in_context(NonRecordingSpan(arrived)), SpanKind.CONSUMER, receive, [Link(sent)]):
        with tracer.start_as_current_span("call", kind=SpanKind.CLIENT, attributes={"rpc.system": "grpc", "rpc.service": "shop.Stock", "rpc.method": "Take"}):
            pass


def large(tracer, count):
    with tracer.start_as_current_span("import"):
        for number in range(count - 1):
            with tracer.start_as_current_span(f"row {number}", attributes={"app.row": number, "app.text": "y" * 200}):
                pass


def main():
    flavour, work, amount, file = sys.argv[1:]
    told = Told(importlib.import_module(EXPORTERS[flavour]).OTLPSpanExporter())
    truth = Truth()
    provider = TracerProvider()
    provider.add_span_processor(truth)
    provider.add_span_processor(BatchSpanProcessor(told, max_queue_size=8192, schedule_delay_millis=200, max_export_batch_size=BATCH))
    tracer = provider.get_tracer("shop", "1.4.0")
    if work == "large":
        large(tracer, int(amount))
    elif work == "orders":
        for number in range(int(amount)):
            order(tracer, number)
    else:
        until, number = time.monotonic() + float(amount), 0
        while time.monotonic() < until:
            order(tracer, number)
            number += 1
            time.sleep(0.05)
    # Until the last batch has succeeded or is given up: the SDK's own time-out is shorter than that of its exporter.
    for _ in range(20):
        if provider.force_flush(60_000) and sum(len(export["ids"]) for export in told.exports) == len(truth.spans):
            break
    provider.shutdown()
    with open(file, "w") as out:
        json.dump({"client": f"python-{flavour}", "spans": truth.spans, "exports": told.exports}, out)


if __name__ == "__main__":
    main()

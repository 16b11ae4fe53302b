"""Compares what clients made with what arrived: every span, exception and link, and each attribute.

What is right to change, and nothing else:

| made | as OTLP | in a transaction |
|---|---|---|
| an int beyond 2^53 | the same | text |
| NaN, infinity | null | `NaN`, `Infinity`, `-Infinity` as text |
| bytes | text if they are UTF-8, else left out by Sentry | base64 |
| from JavaScript as JSON | such a number is left out, as its exporter sends null; an int beyond 2^53 has the digits that JavaScript prints | the same, null |
"""

import base64
import math
from collections import Counter
from decimal import Decimal

import lab

ABSENT = object()
EXACT = 2**53
# So far may times be off, in seconds: Sentry's are floats.
INSTANT = 2e-6
# Sentry's own, and the resource's and the scope's, beside a span's attributes.
BESIDE = ("resource.", "instrumentation.", "sentry.", "otel.", "sentry_otlp.", "w3c.")


def number(text, client):
    """An int as the client's exporter sends it."""
    whole = int(text)
    return int(Decimal(repr(float(whole)))) if client == "javascript-http" and abs(whole) > EXACT else whole


def as_otlp(made, client):
    kind, value = made
    if kind == "double":
        value = float(value)
        if not math.isfinite(value):
            return ABSENT if client == "javascript-http" else {"type": "double", "value": None}
        return {"type": "double", "value": value}
    if kind == "int":
        return {"type": "integer", "value": number(value, client)}
    if kind == "bool":
        return {"type": "boolean", "value": value}
    if kind == "string":
        return {"type": "string", "value": value}
    if kind == "bytes":
        try:
            return {"type": "string", "value": bytes.fromhex(value).decode()}
        except UnicodeDecodeError:
            return ABSENT
    if kind == "array":
        return {"type": "array", "value": [as_otlp(part, client)["value"] for part in value]}
    raise AssertionError(f"no rule for {kind}")


def as_data(made, client):
    kind, value = made
    if kind == "double":
        value = float(value)
        if math.isfinite(value):
            return value
        if client == "javascript-http":
            return None
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if kind == "int":
        value = number(value, client)
        return str(value) if abs(value) > EXACT else value
    if kind == "bytes":
        return base64.b64encode(bytes.fromhex(value)).decode()
    if kind == "array":
        return [as_data(part, client) for part in value]
    assert kind in ("bool", "string"), f"no rule for {kind}"
    return value


def alike(found, expected):
    """Equal, types too; a float may be one off in its last digit."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and found.keys() == expected.keys() and all(alike(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(alike, found, expected))
    if isinstance(expected, float):
        return isinstance(found, (int, float)) and not isinstance(found, bool) and math.isclose(found, expected, rel_tol=1e-15)
    return type(found) is type(expected) and found == expected


class Accounts:
    """One side's spans against the other's."""

    def __init__(self, tellings, arrived):
        self.arrived, self.faults = arrived, []
        self.made = {span["span_id"]: {**span, "client": telling["client"]} for telling in tellings for span in telling["spans"]}
        self.acknowledged = {span_id for telling in tellings for export in telling["exports"] if export["ok"] for span_id in export["ids"]}
        self.refused = {span_id for telling in tellings for export in telling["exports"] if not export["ok"] for span_id in export["ids"]} - self.acknowledged

    def fault(self, text):
        self.faults.append(text)

    def verdict(self):
        kinds = Counter(fault.split(":")[0] for fault in self.faults)
        assert not self.faults, f"{len(self.faults)} faults, {dict(kinds)}; the first: {'; '.join(self.faults[:4])}"

    def each_once(self):
        """What was acknowledged is there once, what was not is not, and nothing else is there."""
        counts = Counter(span["span_id"] for span in self.arrived.spans)
        for span_id, made in self.made.items():
            if span_id not in self.acknowledged and span_id not in self.refused:
                self.fault(f"never exported: {span_id}")
            elif counts[span_id] != (span_id in self.acknowledged):
                self.fault(f"{counts[span_id]} times there: {made['client']} {made['name']} {span_id}, acknowledged: {span_id in self.acknowledged}")
        for span_id in counts.keys() - self.made.keys():
            self.fault(f"nobody made it: {span_id}")

    def contents(self, environment=lab.ENVIRONMENT, exact=True):
        """`exact`: attributes under names that Sentry renames are compared too."""
        for found in self.arrived.spans:
            if made := self.made.get(found["span_id"]):
                self.span(made, found, environment, exact)

    def span(self, made, found, environment, exact):
        def equal(what, one, other):
            if one != other:
                self.fault(f"{what}: {made['client']} {found['form']} {made['name']}: {one!r} for {other!r}")

        equal("trace id", found["trace_id"], made["trace_id"])
        equal("parent", found["parent_span_id"], made["parent_span_id"])
        equal("kind", found["kind"], made["kind"])
        equal("failed", found["failed"], made["failed"])
        equal("release", found["release"], lab.RELEASE)
        equal("environment", found["environment"] in environment if isinstance(environment, set) else found["environment"] == environment, True)
        equal("name", made["name"] in found["names"], True)
        for side in ("start", "end"):
            equal(side, abs(found[side] - int(made[side]) / 1e9) <= INSTANT, True)
        self.attributes(made, found, exact)
        convert = as_otlp if found["form"] == "otlp" else as_data
        links = [(link["trace_id"], link["span_id"], {key: convert(value, made["client"]) for key, value in link["attributes"].items()}) for link in made["links"]]
        strip = [(trace, span, {key: value for key, value in attributes.items() if not key.startswith("w3c.")}) for trace, span, attributes in found["links"]]
        equal("links", strip, links)
        if found["form"] == "transaction":
            self.data(made, found, equal)

    def attributes(self, made, found, exact):
        convert = as_otlp if found["form"] == "otlp" else as_data
        expected = {key: convert(value, made["client"]) for key, value in made["attributes"].items()}
        expected = {key: value for key, value in expected.items() if value is not ABSENT}
        own = {key: value for key, value in found["attributes"].items() if not key.startswith(BESIDE)}
        for key, value in expected.items():
            is_custom = key.startswith("app")
            # Relay leaves out what is null.
            is_left_out = value is None and key not in own and not exact
            if (exact or is_custom) and not is_left_out and (key not in own or not alike(own[key], value)):
                self.fault(f"attribute {key[:30]}: {made['client']} {found['form']} {made['name']}: {str(own.get(key, 'none'))[:80]} for {str(value)[:80]}")
        if exact and own.keys() - expected.keys():
            self.fault(f"attributes nobody set: {made['client']} {found['form']} {made['name']}: {sorted(own.keys() - expected.keys())}")
        resource = found.get("resource") or {key.removeprefix("resource."): value for key, value in found["attributes"].items() if key.startswith("resource.")}
        for key, value in made["resource"].items():
            if exact and not alike(resource.get(key), convert(value, made["client"])):
                self.fault(f"resource {key}: {made['client']} {found['form']}: {resource.get(key)!r} for {value!r}")

    def data(self, made, found, equal):
        """What only transactions have room for."""
        data = found["attributes"]
        equal("status message", data.get("otel.status_description", ""), made["message"])
        equal("scope", [data.get("otel.scope.name"), data.get("otel.scope.version")], made["scope"])
        equal("trace state", data.get("w3c.tracestate", ""), made["trace_state"])
        events = [(event["name"], event["attributes"]) for event in data.get("otel.events", [])]
        expected = [(event["name"], {key: as_data(value, made["client"]) for key, value in event["attributes"].items()}) for event in made["events"]]
        equal("events", events, expected)

    def grouped(self):
        """Each span is in the transaction of the nearest span above it that has no parent in its process."""
        for found in self.arrived.spans:
            root = self.made.get(found["span_id"])
            while root and root["parent_span_id"] and not root["remote"]:
                root = self.made.get(root["parent_span_id"])
            if found["root"] and (root is None or found["root"] != root["span_id"]):
                self.fault(f"in another transaction: {found['span_id']} in {found['root']}")
            marks = {"sentry.parent_span_already_sent", "sentry_otlp.parent_span_missing"} & found["attributes"].keys()
            if marks:
                self.fault(f"marked: {found['span_id']} {marks}")

    def errors(self, frames=True):
        """Each exception once, of the innermost span that recorded it."""
        expected = {}
        for span in self.made.values():
            for exception in span["exceptions"]:
                text = {key: value[1] for key, value in exception["attributes"].items()}
                key = (span["trace_id"], text["exception.type"], text["exception.message"])
                first = expected.get(key)
                if first is None or self.is_inside(span, first[0]):
                    expected[key] = (span, exception)
        expected = {key: one for key, one in expected.items() if one[0]["span_id"] in self.acknowledged}
        counts = Counter()
        for event, _ in self.arrived.errors:
            trace, values = event["contexts"]["trace"], event["exception"]["values"]
            key = (trace["trace_id"], named(values[-1]), values[-1]["value"])
            counts[key] += 1
            if key not in expected:
                self.fault(f"no such exception: {key}")
                continue
            self.error(event, *expected[key], frames)
        for key in expected:
            if counts[key] != 1:
                self.fault(f"{counts[key]} times there: exception {key}")
        return len(expected)

    def is_inside(self, span, other):
        while span and span["parent_span_id"]:
            if span["parent_span_id"] == other["span_id"]:
                return True
            span = self.made.get(span["parent_span_id"])
        return False

    def error(self, event, span, exception, frames):
        def equal(what, one, other):
            if one != other:
                self.fault(f"error's {what}: {span['client']} {event['exception']['values'][-1]['type']}: {one!r} for {other!r}")

        trace, values = event["contexts"]["trace"], event["exception"]["values"]
        equal("span", trace["span_id"], span["span_id"])
        equal("parent", trace.get("parent_span_id"), span["parent_span_id"])
        equal("time", abs(event["timestamp"] - int(exception["time"]) / 1e9) <= INSTANT, True)
        equal("level", event["level"], "error")
        equal("release", event.get("release"), lab.RELEASE)
        if not frames:
            return
        stack = exception["attributes"]["exception.stacktrace"][1]
        functions = [frame.get("function") for frame in values[-1]["stacktrace"]["frames"]]
        if values[-1]["value"].endswith("cannot be reserved"):
            equal("frame", functions[-1], "reserve")
        if "direct cause" in stack:
            equal("causes", [one["type"].split(".")[-1] for one in values], ["KeyError", "OrderError"])
            equal("frame of the cause", values[0]["stacktrace"]["frames"][-1]["function"], "stock")
        further = {key: as_data(value, span["client"]) for key, value in exception["attributes"].items() if not key.startswith("exception.")}
        equal("attributes", (event["contexts"].get("otel_event") or {}).get("attributes", {}), further)


def named(value):
    """The type as clients name it, which Python does with its module."""
    return ".".join(filter(None, [value.get("module"), value["type"]]))

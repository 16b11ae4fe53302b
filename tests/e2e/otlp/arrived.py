"""What came of it at a Sentry, in one shape for OTLP and transactions."""

import json


class Arrived:
    def __init__(self):
        self.spans = []  # see of_span and of_transaction
        self.errors = []
        self.transactions = []
        self.refused = []  # whatever was not taken, or changed

    def events(self):
        """What Sentry's normaliser can judge."""
        return [*self.transactions, *(payload for payload, _ in self.errors)]

    def add(self, kind, payload, project):
        if kind == "span":
            self.spans.append(of_span(payload, project))
        elif kind == "transaction":
            self.transactions.append(payload)
            self.spans.extend(of_transaction(payload, project))
        elif kind == "event":
            self.errors.append((payload, project))
        else:
            self.refused.append(f"an item {kind}")


def plain(attributes):
    """Values without their types, for what both forms have."""
    return {key: one.get("value") for key, one in (attributes or {}).items()}


def of_span(span, project):
    """A span of a container or of OTLP. Relay has null for attributes that it has renamed."""
    attributes = {key: value for key, value in (span.get("attributes") or {}).items() if value is not None}
    text = plain(attributes)
    return {
        "form": "otlp",
        "project": project,
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
        "parent_span_id": span.get("parent_span_id"),
        "names": {span.get("name")},
        "failed": span["status"] != "ok",
        "start": span["start_timestamp"],
        "end": span["end_timestamp"],
        "attributes": attributes,
        "links": [(link["trace_id"], link["span_id"], link.get("attributes") or {}) for link in span.get("links") or []],
        "kind": text.get("sentry.kind"),
        "release": text.get("sentry.release"),
        "environment": text.get("sentry.environment"),
        "op": text.get("sentry.op"),
        "root": None,
    }


def of_transaction(event, project):
    """The root of a transaction, and its children."""
    trace = event["contexts"]["trace"]
    root = {**trace, "start_timestamp": event["start_timestamp"], "timestamp": event["timestamp"]}
    for span in [root, *event["spans"]]:
        data = span.get("data") or {}
        names = {span.get("description"), data.get("sentry.description"), data.get("otel.span.name")}
        links = span.get("links") or data.get("otel.links") or []
        yield {
            "form": "transaction",
            "project": project,
            "trace_id": span["trace_id"],
            "span_id": span["span_id"],
            "parent_span_id": span.get("parent_span_id"),
            "names": names | {event["transaction"]} if span is root else names,
            "failed": span.get("status") != "ok",
            "start": span["start_timestamp"],
            "end": span["timestamp"],
            "attributes": data,
            "links": [(link["trace_id"], link["span_id"], link.get("attributes") or {}) for link in links],
            "kind": data.get("sentry.kind"),
            "release": event.get("release"),
            "environment": event.get("environment"),
            "op": span.get("op"),
            "root": trace["span_id"],
            "resource": event["contexts"]["otel"]["resource"],
        }


def at_sandbox(server):
    arrived, outcomes = Arrived(), server.outcomes()
    for one in outcomes["accepted"]:
        arrived.add(one["kind"], one["payload"], one["project"])
        arrived.refused += [f"{one['kind']} changed at {remark['path']}: {remark['reason']}" for remark in one["remarks"]]
    arrived.refused += [f"{one['quantity']} {one['category']} {one['outcome']}: {one['reason']}, {one['detail']}" for one in outcomes["refused"]]
    return arrived


def at_relay(file, offset):
    """What a real Relay forwarded since then: a line for each request, with the items of its envelope."""
    arrived = Arrived()
    with open(file) as lines:
        lines.seek(offset)
        for line in lines:
            for item in json.loads(line).get("items", []):
                kind, payload = item["header"]["type"], item["payload"]
                if kind == "metric_buckets":
                    arrived.refused += map(outcome, (one for one in payload if "outcomes/" in one["name"]))
                    continue
                for one in payload["items"] if kind == "span" else [payload]:
                    arrived.refused += [f"{kind} changed at {path}: {remark}" for path, remark in remarks(one.get("_meta")) if not is_rename(remark)]
                    arrived.add(kind, one, None)
    return arrived


def remarks(meta, path=""):
    """Where Relay has changed something, and how."""
    for key, value in (meta or {}).items():
        if key:
            yield from remarks(value, f"{path}.{key}")
        else:
            yield path, value


def is_rename(remark):
    """Old names of attributes, whose values are under the new ones."""
    return remark.keys() == {"rem"} and all(reason == "attribute.deprecated" for reason, *_ in remark["rem"])


def outcome(bucket):
    tags = bucket.get("tags", {})
    return f"{bucket['value']} {bucket['name']} {tags.get('reason')} category {tags.get('category')}"

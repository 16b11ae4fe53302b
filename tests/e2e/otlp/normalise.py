"""Judges events as Sentry does: JSON lines from standard input go through the normaliser of sentry-relay 0.10.1, the
schema half of Sentry's own intake. Fails, with the reason, if one is refused, or if something of one was changed."""

import datetime
import json
import math
import sys

from sentry_relay.processing import StoreNormalizer

NORMALIZER = StoreNormalizer(
    received_at=datetime.datetime.now(datetime.timezone.utc).isoformat(),
    sent_at=None,
    enable_trimming=True,
    remove_other=True,
    max_secs_in_past=5 * 24 * 3600,
    max_secs_in_future=60,
    is_renormalize=False,
)


def faults(event):
    """What the normaliser finds wrong with an event."""
    try:
        stored = NORMALIZER.normalize_event(event)
    except Exception as error:  # the package has no common class for what it raises
        yield f"refused: {str(error).splitlines()[0]}"
        return
    for field in ("_meta", "errors"):
        if stored.get(field):
            yield f"{field}: {json.dumps(stored[field])[:600]}"
    if len(stored.get("spans") or []) != len(event.get("spans") or []):
        yield "spans are missing"
    yield from changed(event, stored)


def changed(event, stored):
    """What of an event is not as it was sent, without a remark. A field that Sentry has no place for just vanishes."""
    for field in ("event_id", "transaction", "platform", "release", "environment", "timestamp", "start_timestamp"):
        if event.get(field) != stored.get(field):
            yield f"{field}: {event.get(field)!r} became {stored.get(field)!r}"
    tags = dict(stored.get("tags") or [])
    for key, value in (event.get("tags") or {}).items():
        if tags.get(key) != value:
            yield f"tag {key}: {value!r} became {tags.get(key)!r}"
    pairs = [(event["contexts"]["trace"], stored["contexts"]["trace"])]
    pairs += zip(event.get("spans") or [], stored.get("spans") or [])
    for sent, kept in pairs:
        for field, value in sent.items():
            # Sentry takes it from the header of the envelope, which is not seen here.
            if field == "client_sample_rate":
                continue
            if not is_kept(value, kept.get(field)):
                yield f"span {sent['span_id']}: {field}: {str(value)[:300]} became {str(kept.get(field))[:300]}"


def is_kept(sent, kept):
    """Whether a value is stored. Sentry adds entries, leaves out those that are null, and may be one off in the last
    digit of a number."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        return all(is_kept(value, kept.get(key)) for key, value in sent.items())
    if isinstance(sent, list) and isinstance(kept, list):
        return len(sent) == len(kept) and all(map(is_kept, sent, kept))
    if isinstance(sent, float) and isinstance(kept, (int, float)):
        return math.isclose(sent, kept, rel_tol=1e-9)
    return sent == kept or (not sent and kept is None)


def main():
    number = bad = 0
    for number, line in enumerate(sys.stdin, 1):
        event = json.loads(line)
        for fault in faults(event):
            bad += 1
            print(f"event {number} ({event.get('event_id')}): {fault}", file=sys.stderr)
    print(f"{number} events, {bad} faults", file=sys.stderr)
    return 0 if number and not bad else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env bash
# Expected: of two tags that become one name the loss leaves a remark, as a tag whose name is too long does
# Happens: a space in a name becomes `-`; of `a b` and `a-b` the first in the event stays, in either order, and the other is
#   gone without a remark in `_meta` or `errors`
# Version: sentry-relay 0.10.1 (PyPI), Sentry's normaliser of events as a Python library.
# Concerns: senders that make tags of attributes with names from elsewhere
# Source: seen on 2026-11-29.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install sentry-relay==0.10.1
env/bin/python - <<'PY'
from importlib.metadata import version

print("sentry-relay", version("sentry-relay"))
from sentry_relay.processing import StoreNormalizer

normalizer = StoreNormalizer(project_id=1)
for tags in ([["a b", "space"], ["a-b", "dash"]], [["a-b", "dash"], ["a b", "space"]]):
    event = normalizer.normalize_event({"tags": tags})
    print(tags, "->", event["tags"], event.get("_meta"), event.get("errors"))
    assert event["tags"] == [["a-b", tags[0][1]]]
    assert not event.get("_meta") and not event.get("errors")
PY

#!/usr/bin/env bash
# Expected: `"selected": "false"`, as some editors and templates write it, deselects or is refused
# Happens: any text that is not empty counts as true: the stream is extracted; only the boolean
#   false leaves it out
# Version: singer-sdk 0.54.9.
# Concerns: catalogs from templates
# Source: seen on 2026-11-28.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install singer-sdk==0.54.9
cat > tap.py <<'PY'
import contextlib
import io
import json
import logging
from importlib.metadata import version

from singer_sdk import Stream, Tap
from singer_sdk import typing as th

logging.disable(logging.CRITICAL)
print("singer-sdk", version("singer-sdk"))
ROWS = [{"id": 1, "at": "2024-01-02T00:00:00Z"}]


class Items(Stream):
    name = "items"
    primary_keys = ["id"]
    replication_key = "at"
    is_sorted = False
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType),
        th.Property("at", th.DateTimeType),
        th.Property("n", th.NumberType),
    ).to_dict()

    def get_records(self, context):
        self.start = self.get_starting_replication_key_value(context)
        yield from ROWS


class MyTap(Tap):
    name = "tap-items"
    config_jsonschema = th.PropertiesList(th.Property("start_date", th.DateTimeType)).to_dict()

    def discover_streams(self):
        return [Items(self)]


def catalog(root=None, **entry):
    found = json.loads(json.dumps(MyTap(config={}).catalog_dict))
    stream = found["streams"][0]
    stream.update(entry)
    for part in stream["metadata"]:
        if not part["breadcrumb"]:
            part["metadata"].update(root or {})
    return found


def run(**arguments):
    """The messages of a run by type, and the start that the stream asked for."""
    tap = MyTap(**{"config": {}, **arguments})
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        tap.sync_all()
    lines = out.getvalue().splitlines()
    messages = {"RECORD": [], "STATE": [], "SCHEMA": []}
    for line in lines:
        messages[json.loads(line)["type"]].append(line)
    for line in messages["RECORD"] + messages["STATE"]:
        print(" ", line)
    return messages, getattr(tap.streams["items"], "start", None)


def bookmark(messages):
    return json.loads(messages["STATE"][-1])["value"]["bookmarks"]["items"]


for value, records in ((False, 0), ("false", 1)):
    print("selected:", json.dumps(value))
    assert len(run(catalog=catalog({"selected": value}))[0]["RECORD"]) == records
PY
env/bin/python -W ignore tap.py

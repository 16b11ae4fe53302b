"""A tap of one stream, with what the scripts ask of it."""

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

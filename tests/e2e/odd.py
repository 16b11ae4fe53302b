"""Rows that are hard to load, for the recipes of docs/targets.md.

    odd.py write > MESSAGES         a stream `odd`, its rows, of which one comes twice, a STATE and half a line
    odd.py check < ROWS             whether the rows that arrived, one JSON object a line, are those
"""

import json
import sys

TEXTS = ["", " ", "\\", "\\\\", "\\.", "\\N", "\\n", "a\nb\r\nc\td", '"', '""', "'", "$$", "%s", "null", "\x01\x02\x1f", "é", "漢字", "😀", "\u2028", "\ufffd", "x" * 2_000_000]
ROWS = [
    {"id": f"{at}", "text": text, "at": "2026-01-02T03:04:05.678901Z", "count": -(2**63) + at, "ratio": 0.1, "yes": at % 2 == 0, "free": {text: [text, None, 1.5]}}
    for at, text in enumerate(TEXTS)
] + [{"id": "none", "text": None, "at": None, "count": None, "ratio": None, "yes": None, "free": None}]
TYPES = {"id": "string", "text": "string", "at": "string", "count": "integer", "ratio": "number", "yes": "boolean", "free": "object"}


def write():
    properties = {name: {"type": [kind, "null"]} | ({"format": "date-time"} if name == "at" else {}) for name, kind in TYPES.items()}
    properties["absent"] = {"type": ["string", "null"]}
    record = lambda row: {"type": "RECORD", "stream": "odd", "record": row}
    messages = [
        {"type": "SCHEMA", "stream": "odd", "schema": {"type": "object", "properties": properties}, "key_properties": ["id"]},
        record(ROWS[0] | {"text": "old"}),
        *map(record, ROWS),
        {"type": "STATE", "value": {"old": "state"}},
        {"type": "STATE", "value": {"text": "\\ \" ' é 😀"}},
    ]
    for message in messages:
        # Both ways of writing what is not ASCII.
        print(json.dumps(message, separators=(",", ":"), ensure_ascii=message["type"] == "RECORD" and len(message["record"]["id"]) == 1))
    print('{"type":"RECORD","stream":"odd","record":{"id":"half', end="")


def check():
    found = {row["id"]: row for row in map(json.loads, sys.stdin)}
    assert found.keys() == {row["id"] for row in ROWS}, sorted(found)
    for row in ROWS:
        row, theirs = row | {"absent": None}, dict(found[row["id"]])
        if row["at"]:
            assert theirs.pop("at").replace(" ", "T").startswith(row.pop("at").rstrip("Z")), row["id"]
        assert theirs == row, (str(theirs)[:300], str(row)[:300])


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]]()

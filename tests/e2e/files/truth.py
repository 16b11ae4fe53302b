"""What the rows must be: the last RECORD of each key of the pipe's messages, by the types of the SCHEMA messages."""

import datetime
import hashlib
import json

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def kind(schema):
    """The type of a column: a word, {member: type} for a struct, [type] for a list."""
    types = schema.get("type", [])
    types = [name for name in ([types] if isinstance(types, str) else types) if name != "null"]
    if types == ["string"]:
        return "instant" if schema.get("format") == "date-time" else "text"
    if types in (["integer"], ["number"], ["boolean"]):
        return types[0]
    if sorted(types) == ["integer", "number"]:
        return "number"
    if types == ["object"] and schema.get("additionalProperties") is not True and "properties" in schema:
        return columns(schema)
    if types == ["array"] and isinstance(schema.get("items"), dict):
        inner = kind(schema["items"])
        return None if inner in ({}, None) else [inner]
    return "json"


def columns(schema):
    """Objects of which no member is selected are no columns."""
    kinds = {name: kind(member) for name, member in schema["properties"].items()}
    return {name: kind for name, kind in kinds.items() if kind not in ({}, None)}


def plain(value, kind, strict=True):
    """A value that can be compared, from whatever a reader gives for it. Without `strict`, null structs and lists are empty ones."""
    if value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NaTType", "NAType"):
        if not strict and isinstance(kind, dict):
            return {name: plain(None, inner, strict) for name, inner in kind.items()}
        return [] if not strict and isinstance(kind, list) else None
    if isinstance(kind, dict):
        return {name: plain(value.get(name), inner, strict) for name, inner in kind.items()}
    if isinstance(kind, list):
        return [plain(item, kind[0], strict) for item in value]
    if kind == "instant":
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if kind == "json":
        return number(json.loads(value) if isinstance(value, str) and not isinstance(value, Parsed) else value)
    return {"integer": int, "number": float, "boolean": bool, "text": str}[kind](value)


def united(old, new):
    """Columns of both, at any depth."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {name: united(old.get(name), new.get(name)) for name in {**old, **new}}
    if isinstance(old, list) and isinstance(new, list):
        return [united(old[0], new[0])]
    return old if new is None else new


class Parsed(str):
    """A text that stands in a JSON column, not the JSON of one."""


def parsed(value):
    return Parsed(value) if isinstance(value, str) else value


def number(value):
    """A number is the same however it is written."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [number(item) for item in value]
    if isinstance(value, dict):
        return {name: number(item) for name, item in value.items()}
    return str(value) if isinstance(value, Parsed) else value


class Truth:
    def __init__(self):
        self.columns, self.keys, self.rows = {}, {}, {}

    def read(self, file, full_table):
        """Adds a run of the pipe; the rows of streams that are read whole are those of the last run."""
        fresh = set()
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                message = json.loads(line)
                stream = message.get("stream")
                if message["type"] == "SCHEMA":
                    self.columns[stream] = united(self.columns.get(stream, {}), columns(message["schema"]))
                    self.keys[stream] = message["key_properties"]
                    self.rows.setdefault(stream, {})
                    if stream in full_table and stream not in fresh:
                        fresh.add(stream)
                        self.rows[stream] = {}
                elif message["type"] == "RECORD":
                    key = tuple(message["record"][name] for name in self.keys[stream])
                    self.rows[stream][key] = message["record"]

    def of(self, stream, strict=True):
        rows = self.rows[stream].values()
        return [{name: truth_value(row.get(name), kind, strict) for name, kind in self.columns[stream].items()} for row in rows]


def truth_value(value, kind, strict):
    """In a record a text of a JSON column is a text."""
    if isinstance(kind, dict) and isinstance(value, dict):
        return {name: truth_value(value.get(name), inner, strict) for name, inner in kind.items()}
    if isinstance(kind, list) and isinstance(value, list):
        return [truth_value(item, kind[0], strict) for item in value]
    return plain(parsed(value) if kind == "json" else value, kind, strict)


def checksum(rows):
    return hashlib.md5(json.dumps(sorted(json.dumps(row, sort_keys=True) for row in rows)).encode()).hexdigest()[:12]


def differences(found, expected, keys):
    """Up to three lines about what is not the same."""
    found_by, expected_by = ({tuple(row[name] for name in keys): row for row in rows} for rows in (found, expected))
    told = []
    if len(found) != len(found_by):
        told.append(f"{len(found) - len(found_by)} rows repeat a key")
    for what, keys_of in (("missing", expected_by.keys() - found_by.keys()), ("too many", found_by.keys() - expected_by.keys())):
        if keys_of:
            told.append(f"{len(keys_of)} {what}: {sorted(map(str, keys_of))[:2]}")
    for key in sorted(expected_by.keys() & found_by.keys(), key=str):
        for name, value in expected_by[key].items():
            if found_by[key].get(name) != value:
                told.append(f"{key} {name}: {str(found_by[key].get(name))[:120]}, not {str(value)[:120]}")
    return told[:3]

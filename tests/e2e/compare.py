"""Compares what a target holds with what the server holds, by primary key and by the values of some columns: one line a
stream, `ok …` or `FAIL …`.

    compare.py NAME --truth TRUTH --catalog CATALOG.json [--streams a,b] KIND WHERE

TRUTH: what `sentry_api.py … TRUTH` wrote, or `sentry_lists.py … TRUTH`, of which only keys are compared.

KIND and WHERE: `messages FILE` (a tap's output), `jsonl FOLDER`, `csv FOLDER`, `meltanolabs SCHEMA`,
`pipelinewise SCHEMA` or `psql SCHEMA`, whose target filled a schema of PostgreSQL (libpq's environment says which
server). Tables must have one row a key; files may repeat one.
"""

import argparse
import csv
import hashlib
import json
import pathlib
import subprocess
import sys

from sentry_api import COLUMNS, plain


def read(kind, where, stream, key):
    """These columns of each row."""
    if kind == "messages":
        with open(where, encoding="utf-8") as lines:
            for line in lines:
                message = json.loads(line)
                if message["type"] == "RECORD" and message["stream"] == stream:
                    yield [message["record"][k] for k in key]
    elif kind == "jsonl":
        file = pathlib.Path(where, stream + ".jsonl")
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
            record = json.loads(line)
            # Some targets put names in lower case.
            yield [record[k] if k in record else record[k.lower()] for k in key]
    elif kind == "csv":
        file = pathlib.Path(where, stream + ".csv")
        if file.exists():
            csv.field_size_limit(1 << 30)
            with file.open(encoding="utf-8", newline="") as lines:
                for record in csv.DictReader(lines):
                    yield [record[k] for k in key]
    elif kind in ("meltanolabs", "pipelinewise", "psql"):
        found = dict(line.split("\t") for line in psql(
            "select lower(column_name), column_name from information_schema.columns "
            f"where table_schema = '{where}' and table_name = '{stream}'"))
        if found:
            columns = ", ".join('"' + found[k.lower()] + '"' for k in key)
            for line in psql(f'select json_build_array({columns}) from "{where}"."{stream}"'):
                yield json.loads(line)
    else:
        sys.exit(f"no kind {kind}")


def psql(query):
    done = subprocess.run(["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", query], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--truth", required=True)
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--streams", default="")
    parser.add_argument("kind")
    parser.add_argument("where")
    args = parser.parse_args()
    values = pathlib.Path(args.truth + ".values.json")
    truth = json.loads((values if values.exists() else pathlib.Path(args.truth + ".json")).read_text(encoding="utf-8"))
    catalog = json.loads(pathlib.Path(args.catalog).read_text())
    keys = {entry["tap_stream_id"]: entry["key_properties"] for entry in catalog["streams"]}
    streams = args.streams.split(",") if args.streams else list(truth)
    bad = 0
    for stream in streams:
        key, columns = keys[stream], COLUMNS[stream] if values.exists() else []
        width = len(key)
        rows = [tuple(map(plain, row)) for row in read(args.kind, args.where, stream, [*key, *columns])]
        # As it is written, or as plain text already.
        expected = {tuple(map(plain, row[:width])): tuple(row[width:]) for row in truth[stream]}
        if args.kind == "pipelinewise":
            # That target loads the escapes of JSON for line breaks.
            expected = {k: tuple(value.replace("\n", "\\n") for value in row) for k, row in expected.items()}
        # Of rows that repeat a key in a file the last is the newest.
        found = {row[:width]: row[width:] for row in rows}
        missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
        repeated = len(rows) - len(found) if args.kind not in ("jsonl", "csv") else 0
        other = [
            f"{k} {column}: {theirs!r}, not {ours!r}"
            for k in expected.keys() & found.keys()
            for column, ours, theirs in zip(columns, expected[k], found[k], strict=True)
            if ours != theirs
        ]
        if missing or extra or repeated or other:
            bad += 1
            print(f"FAIL {args.name}: {stream}: {len(missing)} of {len(expected)} missing {sorted(missing)[:2]}, {len(extra)} too many "
                  f"{sorted(extra)[:2]}, {repeated} rows repeat a key, {len(other)} other values {other[:2]}", flush=True)
        else:
            print(f"ok {args.name}: {stream}: {len(rows)} rows, checksum {checksum(found)}", flush=True)
    return 1 if bad else 0


def checksum(rows):
    return hashlib.md5(json.dumps(sorted(rows.items())).encode()).hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())

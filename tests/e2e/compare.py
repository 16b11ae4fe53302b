"""Compares what a target holds with what the server holds, by primary key: one line a stream, `ok …` or `FAIL …`.

    compare.py NAME --truth TRUTH.json --catalog CATALOG.json [--streams a,b] KIND WHERE

KIND and WHERE: `messages FILE` (a tap's output), `jsonl FOLDER`, `csv FOLDER`, `postgres SCHEMA` (libpq's environment
says which server), `duckdb FILE/SCHEMA`. Tables must have one row a key; files may repeat one.
"""

import argparse
import csv
import hashlib
import json
import pathlib
import subprocess
import sys


def read(kind, where, stream, key):
    """The key of each row, as a list of texts."""
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
            yield [record[k] for k in key]
    elif kind == "csv":
        file = pathlib.Path(where, stream + ".csv")
        if file.exists():
            csv.field_size_limit(1 << 30)
            with file.open(encoding="utf-8", newline="") as lines:
                for record in csv.DictReader(lines):
                    yield [record[k] for k in key]
    elif kind == "postgres":
        found = dict(line.split("\t") for line in psql(
            "select lower(column_name), column_name from information_schema.columns "
            f"where table_schema = '{where}' and table_name = '{stream}'"))
        if found:
            columns = ", ".join('"' + found[k.lower()] + '"::text' for k in key)
            for line in psql(f'select json_build_array({columns}) from "{where}"."{stream}"'):
                yield json.loads(line)
    elif kind == "duckdb":
        import duckdb

        file, schema = where.rsplit("/", 1)
        with duckdb.connect(file, read_only=True) as database:
            exists = database.execute(
                "select count(*) from information_schema.tables where table_schema = ? and table_name = ?", [schema, stream]).fetchone()
            if exists[0]:
                columns = ", ".join(f'"{k.lower()}"::varchar' for k in key)
                yield from map(list, database.execute(f'select {columns} from {schema}."{stream}"').fetchall())
    else:
        sys.exit(f"no kind {kind}")


def psql(query):
    done = subprocess.run(["psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", query], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def checksum(keys):
    return hashlib.md5("\n".join(sorted(json.dumps(k) for k in keys)).encode()).hexdigest()[:12]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--truth", required=True)
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--streams", default="")
    parser.add_argument("kind")
    parser.add_argument("where")
    args = parser.parse_args()
    truth = json.loads(pathlib.Path(args.truth).read_text())
    catalog = json.loads(pathlib.Path(args.catalog).read_text())
    keys = {entry["tap_stream_id"]: entry["key_properties"] for entry in catalog["streams"]}
    streams = args.streams.split(",") if args.streams else list(truth)
    bad = 0
    for stream in streams:
        rows = [tuple(str(part) for part in row) for row in read(args.kind, args.where, stream, keys[stream])]
        expected, found = {tuple(k) for k in truth[stream]}, set(rows)
        missing, extra = expected - found, found - expected
        repeated = len(rows) - len(found) if args.kind not in ("jsonl", "csv") else 0
        if missing or extra or repeated:
            bad += 1
            print(f"FAIL {args.name}: {stream}: {len(missing)} of {len(expected)} missing {sorted(missing)[:2]}, "
                  f"{len(extra)} too many {sorted(extra)[:2]}, {repeated} rows repeat a key", flush=True)
        else:
            print(f"ok {args.name}: {stream}: {len(rows)} rows, keys {checksum(found)}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

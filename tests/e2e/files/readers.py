"""The rows of a stream, as each reader finds them. How it reads is taken from docs/files.md."""

import json
import os
import re
import subprocess
from pathlib import Path

import chdb
import duckdb
import pyarrow as pa

from truth import plain

PAGE = Path(__file__).parents[3] / "docs" / "files.md"
SQL = {"text": "text", "json": "jsonb", "instant": "timestamptz", "integer": "bigint", "number": "double precision", "boolean": "boolean"}


def block(name):
    """The code of the page that is marked `<!-- run: NAME -->`."""
    found = re.search(rf"<!-- run: {name} -->\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert found, f"{PAGE} has no block {name}"
    return found[1]


def adapted(name, stream, keys, quote='"'):
    """The code of the page for another stream than `issues`, without what it prints."""
    code = re.sub(r"\bissues\b", stream, block(name))
    code = code.replace('["id"]', json.dumps(keys))
    listed = ", ".join(f"{quote}{key}{quote}" for key in keys)
    code = code.replace("BY id, _", f"BY {listed}, _").replace("BY id;", f"BY {listed};").replace("ON (id)", f"ON ({listed})")
    return "".join(line + "\n" for line in code.splitlines() if not line.startswith(("print(", "SELECT status")))


def shape(kind):
    """A type in few words, from those of the truth or of Arrow."""
    if isinstance(kind, dict):
        return {name: shape(inner) for name, inner in kind.items()}
    if isinstance(kind, list):
        return [shape(kind[0])]
    if isinstance(kind, pa.DataType):
        if isinstance(kind, pa.BaseExtensionType):
            return "text"
        if pa.types.is_struct(kind):
            return {field.name: shape(field.type) for field in kind.fields}
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return [shape(kind.value_type)]
        if pa.types.is_timestamp(kind):
            return "instant" if (kind.unit, kind.tz in ("UTC", "Etc/UTC")) == ("us", True) else str(kind)
        names = {pa.int64(): "integer", pa.float64(): "number", pa.bool_(): "boolean"}
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        return "text" if is_text else names.get(kind, str(kind))
    return "text" if kind == "json" else kind


class Reader:
    """`strict`: nulls of structs and lists are kept."""

    strict = True

    def __init__(self, folder, columns, keys):
        self.folder, self.columns, self.keys = Path(folder), columns, keys
        manifest = json.loads((self.folder / "sentry" / "manifest.json").read_text())
        self.versions = {name: entry.get("table_version") for name, entry in manifest["streams"].items()}

    def close(self):
        """No query follows."""

    def files(self, stream):
        folder = self.folder / "sentry" / stream
        return sorted(folder.glob("[0-9]*")) if folder.exists() else []

    def last(self, rows, stream):
        """Those of the newest version; the rest of the rule is in the page's code."""
        version = self.versions.get(stream)
        return [row for row in rows if version is None or row["_sdc_table_version"] >= version]

    def rows(self, stream):
        if not self.files(stream):
            return []
        os.chdir(self.folder)
        kinds = self.columns[stream]
        found = self.last(self.read(stream), stream)
        return [{name: plain(row.get(name), kind, self.strict) for name, kind in kinds.items()} for row in found]

    def types(self, stream, arrow):
        """Fails where a type is not that of the schema."""
        found = {field.name: shape(field.type) for field in arrow if not field.name.startswith("_sdc_")}
        expected = shape(self.columns[stream])
        wrong = {name: (found.get(name), kind) for name, kind in expected.items() if found.get(name) != kind}
        assert not wrong, f"types of {stream}: {str(wrong)[:300]}"


class DuckDB(Reader):
    def rows(self, stream):
        # The views have the whole rule, also where there is no file.
        os.chdir(self.folder)
        if not hasattr(self, "db"):
            space = {}
            exec("".join(block("duckdb").splitlines(keepends=True)[:5]), space)  # noqa: S102
            self.db = space["db"]
        table = self.db.sql(f'SELECT * FROM "{stream}"').to_arrow_table()
        self.types(stream, table.schema)
        described = self.db.execute(f'DESCRIBE "{stream}"').fetchall()
        as_json = {name for name, kind in self.columns[stream].items() if kind == "json"}
        assert as_json <= {row[0] for row in described if row[1] == "JSON"}, f"{stream}: free-form data is not of the type JSON"
        return [{name: plain(row[name], kind, self.strict) for name, kind in self.columns[stream].items()} for row in table.to_pylist()]


class Polars(Reader):
    def read(self, stream):
        space = {}
        exec(adapted("polars", stream, self.keys[stream]), space)  # noqa: S102
        self.types(stream, space[stream].to_arrow().schema)
        return space[stream].to_dicts()


class Pandas(Reader):
    def read(self, stream):
        space = {}
        exec(adapted("pandas", stream, self.keys[stream]), space)  # noqa: S102
        self.types(stream, space["table"].schema)
        return space[stream].to_dict("records")


class ClickHouse(Reader):
    strict = False

    def read(self, stream):
        if not hasattr(self, "session"):
            self.session = chdb.session.Session()
        for statement in adapted("clickhouse", stream, self.keys[stream], "`").split(";\n"):
            if statement.strip():
                self.session.query(statement)
        answer = self.session.query(f"SELECT * FROM `{stream}` SETTINGS output_format_json_quote_64bit_integers = 0", "JSONEachRow")
        return [json.loads(line) for line in str(answer).splitlines()]

    def close(self):
        self.session.close()


class PostgreSQL(Reader):
    """Reads lines; `cat` is replaced by what reads compressed ones."""

    def read(self, stream):
        types = {**self.columns[stream], "_sdc_sequence": "integer", "_sdc_table_version": "integer"}
        columns = ", ".join(f'"{name}" {SQL.get(kind, "jsonb") if isinstance(kind, str) else "jsonb"}' for name, kind in types.items())
        code = adapted("psql", stream, self.keys[stream])
        code = re.sub(rf"CREATE TABLE {stream} \(.*\);", lambda _: f'CREATE TEMPORARY TABLE {stream} ({columns});', code)
        endings = {file.suffix: {".zst": "zstd -dc", ".gz": "gzip -dc"}.get(file.suffix, "cat") for file in self.files(stream)}
        reads = "; ".join(f"{how} sentry/{stream}/*{'.jsonl' if how == 'cat' else ending}" for ending, how in endings.items())
        code = code.replace(f"cat sentry/{stream}/*.jsonl", reads)
        done = psql(f"SET client_min_messages = warning;\n{code}\nCOPY (SELECT row_to_json(r) FROM {stream} r) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02');")
        rows = [json.loads(line) for line in done.splitlines()]
        for row in rows:
            for name, kind in self.columns[stream].items():
                if kind == "json" and row[name] is not None:
                    row[name] = json.dumps(row[name])
        return [{**row, **{name: embedded(row[name], kind) for name, kind in self.columns[stream].items()}} for row in rows]


def embedded(value, kind):
    """JSON columns inside what PostgreSQL holds as one value, as text, as they come from other readers."""
    if isinstance(kind, dict) and isinstance(value, dict):
        return {name: as_text(value.get(name), inner) for name, inner in kind.items()}
    if isinstance(kind, list) and isinstance(value, list):
        return [as_text(item, kind[0]) for item in value]
    return value


def as_text(value, kind):
    return json.dumps(value) if kind == "json" and value is not None else embedded(value, kind)


def psql(script):
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout

"""Loads a tap's messages from stdin into a DuckDB file and prints the last STATE when that is committed, as a target does:

    tap-sentry --config config.json --state state.json | python docs/load_duckdb.py warehouse.duckdb > new.json

Each stream becomes a table of the schema `sentry` (a second argument sets another). Tables and columns are created as the
SCHEMA messages say; rows are updated by their key.
"""

import json
import sys
import tempfile

import duckdb

TYPES = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}


def column_type(definition):
    (kind,) = {definition["type"]} if isinstance(definition["type"], str) else {*definition["type"]} - {"null"}
    return "TIMESTAMPTZ" if definition.get("format") == "date-time" else TYPES.get(kind, "JSON")


def name(text):
    return '"' + text.replace('"', '""') + '"'


def load(database, messages, schema):
    """In one transaction; returns the last STATE."""
    # Without a format and columns DuckDB guesses both from the first rows. A record may be larger than its default allows.
    database.execute(
        """create temporary table messages as select row_number() over () as line, * from read_json(?,
           format = 'newline_delimited', maximum_object_size = 67108864, columns = {type: 'VARCHAR', stream: 'VARCHAR',
           record: 'JSON', value: 'JSON', schema: 'JSON', key_properties: 'VARCHAR[]'})""", [messages])
    # With the file's own name: a schema of the same name would be ambiguous.
    (catalog,) = database.execute("select current_database()").fetchone()
    home = f"{name(catalog)}.{name(schema)}"
    database.execute(f"begin; create schema if not exists {home}")
    schemas = database.execute("select stream, schema, key_properties from messages where type = 'SCHEMA' order by line").fetchall()
    for stream, definition, keys in {row[0]: row for row in schemas}.values():
        table, key = f"{home}.{name(stream)}", ", ".join(map(name, keys))
        types = {column: column_type(value) for column, value in json.loads(definition)["properties"].items()}
        columns = ", ".join(f"{name(column)} {kind}" for column, kind in types.items())
        database.execute(f"create table if not exists {table} ({columns}, primary key ({key}))")
        for column, kind in types.items():
            database.execute(f"alter table {table} add column if not exists {name(column)} {kind}")
        # `json_transform` makes null of what does not fit a type; a cast of text refuses it.
        texts = json.dumps({column: kind if kind == "JSON" else "VARCHAR" for column, kind in types.items()})
        values = ", ".join(f"cast({name(column)} as {kind}) as {name(column)}" for column, kind in types.items())
        # Of rows that repeat a key the last is the newest.
        database.execute(
            f"""insert or replace into {table} by name select {values} from (
                select line, unnest(json_transform(record, ?)) from messages where type = 'RECORD' and stream = ?)
                qualify row_number() over (partition by {key} order by line desc) = 1""", [texts, stream])
    state = database.execute("select value from messages where type = 'STATE' order by line desc limit 1").fetchone()
    database.execute("commit")
    return state[0] if state else None


def main(file, schema="sentry"):
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as messages:
        # A tap that was killed may leave half a line.
        messages.writelines(line for line in sys.stdin.buffer if line.endswith(b"\n"))
        messages.flush()
        with duckdb.connect(file) as database:
            state = load(database, messages.name, schema)
    if state:
        print(state)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Rows of `--output`, read by DuckDB, Polars, pandas, ClickHouse and PostgreSQL, against the last RECORD of each key of the pipe.

files.sh says what E2E_WORK and E2E_BIN are. PostgreSQL is where libpq's environment says.
"""

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

import readers
from change import Between
from truth import Truth, checksum, differences

WORK, BIN = Path(os.environ["E2E_WORK"]), Path(os.environ["E2E_BIN"])
TAP = str(BIN / "tap-sentry")
FORMATS = {
    "parquet": ["--output-format", "parquet"],
    "jsonl": ["--output-format", "jsonl"],
    "zstd": ["--output-format", "jsonl", "--output-compression", "zstd"],
    "gzip": ["--output-format", "jsonl", "--output-compression", "gzip"],
}
# All of them read Parquet but PostgreSQL; lines are for it and DuckDB.
READERS = {
    "parquet": [readers.DuckDB, readers.Polars, readers.Pandas, readers.ClickHouse],
    "jsonl": [readers.DuckDB, readers.PostgreSQL],
    "zstd": [readers.DuckDB],
    "gzip": [readers.PostgreSQL],
}


def report(is_ok, name, detail=""):
    print(("ok " if is_ok else "FAIL ") + name + (f": {detail}" if detail else ""), flush=True)


def check(name, work):
    try:
        report(True, name, work() or "")
    except Exception as error:  # noqa: BLE001
        report(False, name, f"{type(error).__name__} {str(error)[:600]}")
        traceback.print_exc()


class Lab:
    def __init__(self, between, start, middle, end):
        self.between = between
        self.truth = Truth()
        self.settings = {"api_token": None, "base_url": between.url, "start_date": start, "state_interval_seconds": 0}
        self.middle, self.end = middle, end

    def config(self, name, **settings):
        path = WORK / f"{name}.json"
        path.write_text(json.dumps({**self.settings, "end_date": self.end, **settings}))
        path.chmod(0o600)
        return ["--config", str(path)]

    def tap(self, *args, code=0):
        done = subprocess.run([TAP, "-q", *map(str, args)], capture_output=True, text=True)
        assert done.returncode == code, f"exit code {done.returncode}: {done.stderr[-500:]}"
        return done.stdout

    def pipe(self, *args):
        """A run into the pipe, which adds to the truth."""
        state, messages = WORK / "pipe.state", WORK / "messages.jsonl"
        with open(messages, "w") as out:
            done = subprocess.run([TAP, "-q", *map(str, args), "--state", str(state)], stdout=out, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr[-500:]
        states = [line for line in messages.read_text().splitlines() if line.startswith('{"type":"STATE"')]
        if states:
            state.write_text(states[-1])
        self.truth.read(messages, self.full_table)

    def into_files(self, name, *args):
        """The same run into a folder of each format."""
        def run(form):
            out = self.tap(*args, "--output", WORK / form / "sentry", *FORMATS[form])
            assert out == "", "something was written to stdout"
        for form in FORMATS:
            check(f"{name}: into {form}", lambda form=form: run(form))

    def compare(self, name, forms=tuple(FORMATS), strict=True, without=()):
        """What each reader finds in each folder, which is moved before. Without `strict`, an empty struct may be null."""
        def read(form, reader):
            folder = WORK / form
            is_strict = strict and reader.strict
            expected = {stream: self.truth.of(stream, is_strict) for stream in self.truth.columns}
            reader = reader(folder, self.truth.columns, self.truth.keys)
            reader.strict = is_strict
            rows, wrong, sums = 0, [], []
            try:
                for stream, truth in expected.items():
                    found = reader.rows(stream)
                    rows += len(found)
                    sums.append(checksum(found))
                    if sums[-1] != checksum(truth):
                        wrong += [f"{stream}: {line}" for line in differences(found, truth, self.truth.keys[stream])]
            finally:
                reader.close()
            assert not wrong, "; ".join(wrong[:4])
            return f"{rows} rows of {len(expected)} streams, checksum {checksum([{'sums': sums}])}"
        for form in forms:
            moved = WORK / f"{form}.moved"
            (WORK / form).rename(moved)
            moved.rename(WORK / form)
            for reader in [reader for reader in READERS[form] if reader not in without]:
                check(f"{name}: {reader.__name__} reads {form}", lambda form=form, reader=reader: read(form, reader))


def main():
    sandbox = subprocess.Popen([str(BIN / "sentry-sandbox"), "--config", str(WORK / "sandbox.json")], stdout=subprocess.PIPE, text=True)
    try:
        for line in sandbox.stdout:
            if line.startswith("token: "):
                break
        given = json.loads((WORK / "sandbox.json").read_text())
        between = Between(given["base_url"])
        now = datetime.datetime.now(datetime.timezone.utc)
        text = lambda days: (now - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: E731
        lab = Lab(between, text(60), text(3), text(0))
        lab.settings |= {"api_token": given["api_token"], "organization": given["organization"]}
        scenarios(lab)
        page(lab)
        try_it(given)
    finally:
        sandbox.terminate()
        sandbox.wait()


def scenarios(lab):
    base = lab.config("tap")
    discovered = json.loads(lab.tap(*base, "--discover"))
    # Their rows are others in each run: statistics go on, and monitors check in.
    left_out = {"organization_stats", "monitors"}
    fewer = json.loads(json.dumps(discovered))
    for catalog in (discovered, fewer):
        for entry in catalog["streams"]:
            for part in entry["metadata"]:
                if not part["breadcrumb"] and entry["tap_stream_id"] in left_out:
                    part["metadata"]["selected"] = False
                if catalog is fewer and part["breadcrumb"] and part["metadata"].get("inclusion") != "automatic" and sum(map(ord, part["breadcrumb"][-1])) % 3 == 0:
                    part["metadata"]["selected"] = False
    every, some = WORK / "all.catalog.json", WORK / "some.catalog.json"
    every.write_text(json.dumps(discovered))
    some.write_text(json.dumps(fewer))
    lab.full_table = {
        entry["tap_stream_id"]
        for entry in discovered["streams"]
        for part in entry["metadata"]
        if not part["breadcrumb"] and (part["metadata"].get("forced-replication-method") or entry.get("replication_method")) == "FULL_TABLE"
    }
    assert {"projects", "members"} <= lab.full_table, lab.full_table

    early = lab.config("early", end_date=lab.middle)
    lab.pipe(*early, "--catalog", every)
    lab.into_files("first run", *early, "--catalog", every)
    lab.compare("first run")

    lab.between.phase = 1
    lab.pipe(*base, "--catalog", every)
    lab.into_files("changed data", *base, "--catalog", every)
    lab.compare("changed data")
    unchanged(lab, base, every)

    killed(lab, base, every)

    # Rows with fewer columns are the last ones of their keys: what is not selected is null in them.
    lab.between.phase = 2
    fewer_truth(lab, base, some)
    lab.between.phase = 3
    lab.pipe(*base, "--catalog", every)
    lab.into_files("all columns after fewer", *base, "--catalog", every)
    lab.compare("all columns after fewer", forms=("parquet", "gzip"))

    grown(lab, base, some, every)

    for form in FORMATS:
        check(f"compact {form}", lambda form=form: compact(lab, form))
    lab.compare("compacted")

    lab.between.phase = 4
    (WORK / "pipe.state").unlink()
    lab.truth = Truth()
    lab.pipe(*base, "--catalog", every)
    lab.into_files("full refresh", *base, "--catalog", every, "--full-refresh")
    lab.compare("full refresh")


def unchanged(lab, base, every):
    """A run without news writes no file."""
    def run(form):
        folder = WORK / form / "sentry"
        before = sorted(folder.glob("*/[0-9]*"))
        lab.tap(*base, "--catalog", every, "--output", folder, *FORMATS[form])
        after = sorted(folder.glob("*/[0-9]*"))
        assert before == after, [str(path) for path in set(after) - set(before)][:5]
    check("a run without news writes no file", lambda: run("parquet"))


def killed(lab, base, every):
    """A run into a new folder that is killed at some of its requests, and then goes on."""
    def run(form):
        folder = WORK / "killed" / form / "sentry"
        before = lab.between.requests
        lab.tap(*base, "--catalog", every, "--output", WORK / "count" / form, *FORMATS[form])
        whole = lab.between.requests - before
        seen = []
        for part in (3, 2):
            process = subprocess.Popen([TAP, "-q", *base, "--catalog", str(every), "--output", str(folder), *FORMATS[form]])
            lab.between.kill(process, whole // part)
            process.wait()
            assert process.returncode == -9, f"it ended before it could be killed: {process.returncode}"
            seen.append(len(list(folder.glob("*/[0-9]*"))))
        lab.tap(*base, "--catalog", every, "--output", folder, *FORMATS[form])
        left = [str(path) for path in folder.rglob(".tmp-*")]
        assert not left, left
        return f"{whole} requests, {seen} files when it was killed"
    for form in ("parquet", "zstd"):
        check(f"killed and resumed, {form}", lambda form=form: run(form))
    # It has read all of the time, with the data of today.
    whole = Truth()
    (WORK / "messages.jsonl").write_text(lab.tap(*base, "--catalog", every))
    whole.read(WORK / "messages.jsonl", lab.full_table)
    kept, lab.truth = lab.truth, whole
    for form in ("parquet", "zstd"):
        (WORK / form).rename(WORK / f"{form}.kept")
        (WORK / "killed" / form).rename(WORK / form)
    lab.compare("killed and resumed", forms=("parquet", "zstd"))
    for form in ("parquet", "zstd"):
        shutil.rmtree(WORK / form)
        (WORK / f"{form}.kept").rename(WORK / form)
    lab.truth = kept


def fewer_truth(lab, base, some):
    lab.pipe(*base, "--catalog", some)
    lab.into_files("fewer columns", *base, "--catalog", some)
    lab.compare("fewer columns", forms=("parquet", "jsonl"))


def grown(lab, base, some, every):
    """Fewer columns first: older files lack some, structs in structs among them."""
    kept, state = lab.truth, WORK / "pipe.state"
    state.rename(WORK / "pipe.kept")
    lab.truth = Truth()
    names = {form: WORK / form for form in FORMATS}
    for form, path in names.items():
        path.rename(WORK / f"{form}.kept")
    lab.between.phase = 1
    lab.pipe(*base, "--catalog", some)
    lab.into_files("fewer columns first", *base, "--catalog", some)
    lab.between.phase = 2
    lab.pipe(*base, "--catalog", every)
    lab.into_files("then all columns", *base, "--catalog", every)
    # Of an object of which nothing was selected nothing is known. ClickHouse needs what comes next.
    lab.compare("columns came later", strict=False, without=[readers.ClickHouse])
    for form in FORMATS:
        check(f"columns came later, compact {form}", lambda form=form: compact(lab, form))
    lab.compare("columns came later, compacted", forms=("parquet",), strict=False)
    for form, path in names.items():
        shutil.rmtree(path)
        (WORK / f"{form}.kept").rename(path)
    lab.truth = kept
    state.unlink()
    (WORK / "pipe.kept").rename(state)


def compact(lab, form):
    folder = WORK / form / "sentry"
    before = len(list(folder.glob("*/[0-9]*")))
    lab.tap("--output", folder, "--compact", *(FORMATS[form][2:]))
    streams = [path for path in folder.iterdir() if path.is_dir() and list(path.glob("[0-9]*"))]
    after = [len(list(path.glob("[0-9]*"))) for path in streams]
    assert max(after) == 1, after
    return f"{before} files are {sum(after)}"


def page(lab):
    """The blocks of docs/files.md as they stand there, in a folder of their own."""
    folder = WORK / "page"
    folder.mkdir()
    (folder / "config.json").write_text((WORK / "tap.json").read_text())
    path = f"{BIN}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    statuses = {}
    def bash(script, name):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, f"{name}: {done.stderr[-500:]}"
        return done.stdout
    def says(out):
        # Each prints how many issues there are of each status, however it draws its table.
        found = dict(re.findall(r"\b(ignored|reprocessing|resolved|unresolved)\b\W+(\d+)", out))
        assert {status: int(count) for status, count in found.items()} == statuses, f"{found}, not {statuses}: {out[:400]}"
    check("docs/files.md: the tap", lambda: bash(readers.block("sh"), "sh"))
    for row in json_rows(folder / "sentry"):
        statuses[row["status"]] = statuses.get(row["status"], 0) + 1
    def per_project():
        out = bash(readers.block("duckdb-cli"), "duckdb-cli")
        assert "worker" in out and re.search(r"\bapi\b\W+\d+", out), out
    check("docs/files.md: DuckDB's command line", per_project)
    for name in ("duckdb", "polars", "pandas"):
        def run(name=name):
            (folder / f"page_{name}.py").write_text(readers.block(name))
            says(bash(f"python page_{name}.py", name))
        check(f"docs/files.md: {name}", run)
    def version():
        (folder / "page_version.py").write_text(readers.block("version") + '''
import polars as pl
print(pl.scan_parquet("sentry/projects/*.parquet").filter(pl.col("_sdc_table_version") == version).collect().height)
''')
        by_view = bash("cd sentry && duckdb -init views.sql -noheader -list -c 'select count(*) from projects'", "duckdb")
        rows = int(bash("python page_version.py", "version"))
        assert rows == int(by_view) > 0, f"{rows}, not {by_view}"
    check("docs/files.md: a whole list by its version", version)
    def kept():
        # It can be run again.
        for _ in range(2):
            says(bash(readers.block("duckdb-kept"), "duckdb-kept"))
    check("docs/files.md: a table that is kept", kept)
    def clickhouse():
        (folder / "page_clickhouse.py").write_text(f"from chdb.session import Session\ns = Session()\nfor q in {readers.block('clickhouse').split(';')!r}:\n    if q.strip(): print(s.query(q, 'TSV'))\n")
        says(bash("python page_clickhouse.py", "clickhouse"))
    check("docs/files.md: ClickHouse", clickhouse)
    def postgresql():
        lab.tap("--config", folder / "config.json", "--output", folder / "lines" / "sentry", "--output-format", "jsonl")
        (folder / "lines" / "load.sql").write_text(readers.block("psql"))
        says(bash("cd lines && psql -XAtq -v ON_ERROR_STOP=1 -f load.sql", "psql"))
    check("docs/files.md: psql", postgresql)
    def by_csv():
        (folder / "csv.sql").write_text(readers.block("duckdb-csv"))
        bash("cd sentry && duckdb -init views.sql < ../csv.sql && psql -XAtq -c 'TRUNCATE issues' -c \"\\\\copy issues FROM 'issues.csv' (FORMAT csv, HEADER)\"", "csv")
        says(bash("psql -XAtq -c 'SELECT status, count(*) FROM issues GROUP BY status'", "psql"))
    check("docs/files.md: from Parquet to PostgreSQL by a CSV", by_csv)


def json_rows(folder):
    """The issues of the folder, by DuckDB without the page."""
    import duckdb

    rows = duckdb.sql(f"SELECT id, status, _sdc_sequence FROM read_parquet('{folder}/issues/*.parquet') ORDER BY _sdc_sequence").fetchall()
    return [{"status": status} for _, status in {row[0]: row for row in rows}.items() for status in [status[1]]]


def try_it(given):
    """README's questions, and the answers that stand beside them."""
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    code = re.search(r"<!-- run: duckdb -->\n```sh\n(.*?)```", readme, re.S)[1]
    folder = WORK / "try"
    folder.mkdir()
    (folder / "config.json").write_text((WORK / "sandbox.json").read_text())
    expected = re.findall(r";\s*-- (.*?)\"?$", code, re.M)
    script = code.replace("cargo run -- ", "tap-sentry ").replace("duckdb -init", "duckdb -list -noheader -init")
    path = f"{BIN}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    def run():
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-500:]
        found = [line.replace("|", ", ") for line in done.stdout.splitlines() if line and not line.startswith("-- ")]
        assert found == expected and len(found) == 3, f"{found}, not {expected}"
        return "; ".join(found)
    check("README's questions have the answers that stand there", run)


if __name__ == "__main__":
    main()

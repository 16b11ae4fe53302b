#!/usr/bin/env python3
"""Rows to files by `tap-sentry --output` side by side with targets, with DuckDB over the pipe's messages, and with pyarrow.

    cargo build --release -p tap-sentry -p sentry-sandbox
    python3 benches/files.py [rows] [answer] [cpu] [memory]

It needs Python 3.11 or later on Linux, and makes virtual environments with what it compares with (pinned below) in target/files-bench, or in
FILES_BENCH_VENVS. The programs are those of target/release, or of FILES_BENCH_BIN. Prints tables in Markdown.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(os.environ.get("FILES_BENCH_BIN", ROOT / "target" / "release"))
VENVS = Path(os.environ.get("FILES_BENCH_VENVS", ROOT / "target" / "files-bench"))
PINS = {
    "readers": ["duckdb==2.0.1", "pyarrow==26.0.1"],
    # Later versions of duckdb lose the first row of each batch of this target.
    "target-duckdb": ["target-duckdb==0.8.0", "duckdb==1.1.3"],
    "target-jsonl": ["target-jsonl==0.1.4"],
}
EVENTS = 40_000
SIZES = {"8 kB": ("2,50,400,8500", True), "1 kB": ("2,50,400,1000", False)}
ASK = 'select count(distinct "eventID") from events'


def python(name):
    folder = VENVS / name
    if not (folder / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", *PINS[name]], check=True)
        (folder / "made").touch()
    return folder / "bin" / "python"


class Used:
    def __init__(self, process, began):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, f"{process.args}: {process.returncode}"
        self.wall = time.monotonic() - began
        self.cpu = usage.ru_utime + usage.ru_stime
        self.mib = usage.ru_maxrss / 1024


def run(*args, stdin=None, stdout=subprocess.DEVNULL, cwd=None):
    began = time.monotonic()
    return Used(subprocess.Popen([str(arg) for arg in args], stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, cwd=cwd), began)


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def head(*cells):
    print()
    row(*cells)
    row(*["---"] * len(cells))


class Bench:
    """A sandbox with so many events of that size, and a folder."""

    def __init__(self, bulk, details, folder):
        self.folder = folder
        self.sandbox = subprocess.Popen([BIN / "sentry-sandbox", "--bulk", bulk, "--config", folder / "config.json"], stdout=subprocess.PIPE, text=True)
        for line in self.sandbox.stdout:
            if line.startswith("token: "):
                break
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "fetch_event_details": details, "start_date": "2020-01-01"}))
        catalog = {"streams": [{"tap_stream_id": "events", "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}]}]}
        (folder / "catalog.json").write_text(json.dumps(catalog))
        self.tap = [BIN / "tap-sentry", "-q", "--config", folder / "config.json", "--catalog", folder / "catalog.json"]

    def files(self, form):
        """A run into a new folder."""
        out = self.folder / f"rows.{form}"
        shutil.rmtree(out, ignore_errors=True)
        return run(*self.tap, "--output", out, "--output-format", form)

    def messages(self):
        path = self.folder / "messages.jsonl"
        with open(path, "wb") as out:
            return path, run(*self.tap, stdout=out)

    def target(self, name, config):
        """A target that reads the messages."""
        program = python(name).parent / name
        out = self.folder / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        (out / "config.json").write_text(json.dumps(config(out)))
        with open(self.folder / "messages.jsonl", "rb") as messages:
            return run(program, "--config", out / "config.json", stdin=messages, cwd=out)

    def ask(self, code, *args):
        """What a script answers, and what it took."""
        out = self.folder / "answer"
        with open(out, "wb") as file:
            used = run(python("readers"), "-c", code, *args, stdout=file)
        assert int(out.read_text()) == EVENTS, out.read_text()
        return used


@contextlib.contextmanager
def bench(bulk, details):
    with tempfile.TemporaryDirectory() as folder:
        made = Bench(bulk, details, Path(folder))
        try:
            yield made
        finally:
            made.sandbox.terminate()
            made.sandbox.wait()


def best(*works, times=9):
    """Of each the least of runs in turns, since what else a machine does comes and goes."""
    turns = [[work() for work in works] for _ in range(times)]
    found = []
    for runs in zip(*turns):
        used = min(runs, key=lambda used: used.wall)
        used.cpu = min(used.cpu for used in runs)
        found.append(used)
    return found


def duckdb_target(out):
    return {"path": str(out / "warehouse.duckdb"), "default_target_schema": "sentry"}


def rows():
    head(f"{EVENTS:,} events", "written by", "rows a second", "of the target", "CPU", "memory")
    for size, (bulk, details) in SIZES.items():
        with bench(bulk, details) as made:
            path, _ = made.messages()
            size = f"{size} ({path.stat().st_size // EVENTS:,} bytes a message)"
            targets = {"target-duckdb": ("parquet", duckdb_target), "target-jsonl": ("jsonl", lambda out: {"destination_path": str(out)})}
            for name, (form, config) in targets.items():
                [ours], theirs = best(lambda form=form: made.files(form)), made.target(name, config)
                row(size, f"`--output`, {form}", f"{EVENTS / ours.wall:,.0f}", f"{theirs.wall / ours.wall:.1f}", f"{ours.cpu:.2f} s", f"{ours.mib:.0f} MiB")
                row(size, name, f"{EVENTS / theirs.wall:,.0f}", "1", f"{theirs.cpu:.2f} s", f"{theirs.mib:.0f} MiB")


VIEWS = f"""
import duckdb, sys
db = duckdb.connect()
db.execute(f"set file_search_path = '{{sys.argv[1]}}'")
db.execute(open(sys.argv[1] + "/views.sql").read())
print(db.execute('{ASK}').fetchall()[0][0])
"""
MESSAGES = """
import duckdb, sys
print(duckdb.execute(f'''select count(distinct record->>'eventID') from read_json('{sys.argv[1]}', format = 'newline_delimited',
    columns = {{type: 'VARCHAR', stream: 'VARCHAR', record: 'JSON'}}) where type = 'RECORD' and stream = 'events' ''').fetchall()[0][0])
"""
TABLE = """
import duckdb, sys
print(duckdb.connect(sys.argv[1]).execute('select count(distinct eventid) from sentry.events').fetchall()[0][0])
"""


def answer():
    head("from Sentry to the answer", "run", "question", "in all", "of `--output`")
    for size, (bulk, details) in SIZES.items():
        with bench(bulk, details) as made:
            def ours():
                wrote = made.files("parquet")
                asked = made.ask(VIEWS, made.folder / "rows.parquet")
                wrote.asked, wrote.wall, wrote.run = asked.wall, wrote.wall + asked.wall, wrote.wall
                return wrote

            def pipe():
                path, wrote = made.messages()
                asked = made.ask(MESSAGES, path)
                wrote.asked, wrote.wall, wrote.run = asked.wall, wrote.wall + asked.wall, wrote.wall
                return wrote

            files, messages = best(ours, pipe)
            loaded = made.target("target-duckdb", duckdb_target)
            asked = made.ask(TABLE, made.folder / "target-duckdb" / "warehouse.duckdb")
            for name, run_, asked_ in (
                ("`--output`, views in DuckDB", files.run, files.asked),
                ("messages, `read_json` in DuckDB", messages.run, messages.asked),
                ("messages, target-duckdb, its table", messages.run + loaded.wall, asked.wall),
            ):
                row(f"{size}: {name}", f"{run_:.2f} s", f"{asked_:.2f} s", f"{run_ + asked_:.2f} s", f"{(run_ + asked_) / files.wall:.2f}")


def plain(messages, rows):
    """The records, with what the schema does not describe as text: pyarrow cannot read lists of texts and numbers."""
    free = set()
    with open(messages, encoding="utf-8") as lines, open(rows, "w", encoding="utf-8") as out:
        for line in lines:
            message = json.loads(line)
            if message["type"] == "SCHEMA":
                properties = message["schema"]["properties"].items()
                free = {name for name, one in properties if ("object" in one["type"] and "properties" not in one) or ("array" in one["type"] and "items" not in one)}
            elif message["type"] == "RECORD":
                record = message["record"]
                texts = {name: json.dumps(record[name], ensure_ascii=False) for name in free & record.keys() if record[name] is not None}
                out.write(json.dumps({**record, **texts}, ensure_ascii=False) + "\n")


ARROW = """
import sys
import pyarrow.json as json, pyarrow.parquet as parquet
table = json.read_json(sys.argv[1], read_options=json.ReadOptions(block_size=16 << 20))
parquet.write_table(table, sys.argv[2], compression="zstd")
print(table.num_rows)
"""


def cpu():
    head("CPU to Parquet", "`--output`", "tap to /dev/null", "pyarrow", "of their sum")
    for size, (bulk, details) in SIZES.items():
        with bench(bulk, details) as made:
            path, _ = made.messages()
            lines = made.folder / "rows.jsonl"
            plain(path, lines)
            all_used = best(
                lambda: run(*made.tap),
                lambda: made.files("parquet"),
                lambda: made.ask(ARROW, lines, made.folder / "rows.parquet.arrow"),
            )
            alone, ours, arrow = (used.cpu for used in all_used)
            row(size, f"{ours:.2f} s", f"{alone:.2f} s", f"{arrow:.2f} s", f"{ours / (alone + arrow):.2f}")


def memory():
    head("peak memory, 1,000,000 full events of 8 kB", "MiB", "rows a second", "on the disk")
    for form in ("parquet", "jsonl"):
        if form == "jsonl" and shutil.disk_usage(tempfile.gettempdir()).free < 20 << 30:
            continue
        with bench("4,250,1000,8500", True) as made:
            used = made.files(form)
            size = sum(file.stat().st_size for file in (made.folder / f"rows.{form}").rglob("*") if file.is_file())
            row(form, f"{used.mib:.0f}", f"{1_000_000 / used.wall:,.0f}", f"{size / 1e9:.2f} GB")


if __name__ == "__main__":
    parts = {"rows": rows, "answer": answer, "cpu": cpu, "memory": memory}
    for name in sys.argv[1:] or parts:
        parts[name]()

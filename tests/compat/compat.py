"""See run.sh. One line a check, `ok …` or `FAIL …`; the last is `N passed, M failed`."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import datetime, timedelta, timezone

import jsonschema
from sentry_api import Sentry, instant, text

STREAMS = ["projects", "project_detail", "teams", "users", "members", "issues", "issue_detail", "events", "event_detail", "releases", "release"]
INCREMENTAL = ["issues", "issue_detail", "events", "event_detail", "releases", "release"]
LOOKBACK = timedelta(hours=1)

tap, url, token, organization = (os.environ[name] for name in ("TAP_BIN", "TAP_SENTRY_COMPAT_URL", "TAP_SENTRY_COMPAT_TOKEN", "TAP_SENTRY_COMPAT_ORG"))
now = lambda: datetime.now(timezone.utc)
start = instant(os.environ.get("TAP_SENTRY_COMPAT_START") or (now() - timedelta(days=60)).strftime("%Y-%m-%dT00:00:00Z"))
server = Sentry(url, token, organization)
passed, failed = 0, 0


def check(name, problem):
    """`problem`: what is wrong, empty when nothing is."""
    global passed, failed
    if problem:
        failed += 1
        print(f"FAIL {name}: {problem}", flush=True)
    else:
        passed += 1
        print(f"ok {name}", flush=True)


class Run:
    """One run of the tap, its messages checked one by one."""

    def __init__(self, name, folder, state=None, **settings):
        config = {"api_token": settings.pop("api_token", token), "base_url": url, "organization": organization, "start_date": text(start) + "Z", **settings}
        file = folder / "config.json"
        file.write_text(json.dumps(config))
        file.chmod(0o600)
        command = [tap, "--config", str(file), "--catalog", str(folder / "catalog.json")]
        if state is not None:
            (folder / "state.json").write_text(json.dumps(state))
            command += ["--state", str(folder / "state.json")]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        self.name, self.code, self.log = name, done.returncode, done.stderr
        self.seconds = time.monotonic() - began
        self.records = {stream: {} for stream in STREAMS}
        self.state, self.invalid, self.repeated = None, [], []
        validators, keys, last = {}, {}, None
        for line in done.stdout.splitlines():
            message = json.loads(line)
            last = message["type"]
            if last == "SCHEMA":
                jsonschema.Draft7Validator.check_schema(message["schema"])
                validators[message["stream"]] = jsonschema.Draft7Validator(message["schema"], format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
                keys[message["stream"]] = message["key_properties"]
            elif last == "RECORD":
                stream, record = message["stream"], message["record"]
                error = jsonschema.exceptions.best_match(validators[stream].iter_errors(record)) if stream in validators else "no SCHEMA before it"
                undeclared = set(record) - set(validators[stream].schema["properties"])
                if error or undeclared:
                    self.invalid.append(f"{stream}: {error or undeclared}"[:300])
                key = tuple(str(record[k]) for k in keys[stream])
                # What changed meanwhile may be written again.
                if self.records[stream].get(key) == record:
                    self.repeated.append(f"{stream} {key}")
                self.records[stream][key] = record
            elif last == "STATE":
                self.state = message["value"]
        check(f"{name}: exit code 0 ({self.seconds:.1f} s)", self.code and f"{self.code}: {self.log.splitlines()[-1:]}")
        check(f"{name}: every record is valid", self.invalid and f"{len(self.invalid)}: {self.invalid[:3]}")
        check(f"{name}: no unchanged record twice", self.repeated and f"{len(self.repeated)}: {self.repeated[:3]}")
        check(f"{name}: the last message is a STATE", last != "STATE" and last)
        check(f"{name}: the token is not in its output", token in done.stdout + done.stderr and "it is")
        warnings = sorted({line.split("|", 1)[-1].strip() for line in self.log.splitlines() if "WARNING" in line or "ERROR" in line})
        for warning in warnings[:20]:
            print(f"    {warning[:300]}")

    def holds(self, before, after, streams=STREAMS, known=()):
        """All that was there before the run, nothing that was not there after it; `known`: earlier runs that count too."""
        for stream in streams:
            found = set(self.records[stream]).union(*(set(run.records[stream]) for run in known))
            expected = {tuple(key) for key in before[stream]}
            missing, extra = expected - found, set(self.records[stream]) - {tuple(key) for key in after[stream]}
            problem = (missing or extra) and f"{len(missing)} missing {sorted(missing)[:3]}, {len(extra)} too many {sorted(extra)[:3]}"
            check(f"{self.name}: {stream}: {len(expected)} keys, {len(self.records[stream])} in this run", problem)


def select(folder):
    catalog = json.loads(subprocess.run([tap, "--discover"], check=True, capture_output=True, text=True).stdout)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == []:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in STREAMS
    (folder / "catalog.json").write_text(json.dumps(catalog))
    lacking = set(STREAMS) - {stream["tap_stream_id"] for stream in catalog["streams"]}
    check("the catalog has every stream", lacking)


def bookmark(state, stream):
    """Where the run before last was: the earliest of the stream's partitions."""
    entry = state["bookmarks"][stream]
    return min(instant(part["start"]) for part in entry.get("partitions") or [entry])


def fresh_events(project):
    """A new issue; one of late events, which were sent half an hour after they happened."""
    made = []
    for minutes, title in ((0, "FreshError"), (0, "FreshError"), (0, "OtherFreshError"), (30, "LateError")):
        made.append({"project_id": project, "event": {
            "event_id": uuid.uuid4().hex, "timestamp": text(now() - timedelta(minutes=minutes)), "platform": "python", "level": "error",
            "release": "compat@1.0", "environment": "production", "tags": {"compat": "naïve-☃"}, "user": {"id": "1", "email": "user1@example.com"},
            "exception": {"values": [{"type": title, "value": f"sent by the compatibility test {uuid.uuid4().hex[:6]}", "module": "compat"}]}}})
    return made


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tap-sentry-compat-"))
    select(folder)
    for key, code in ((token, 0), ("0" * 8, 3)):
        (folder / "test.json").write_text(json.dumps({"api_token": key, "base_url": url, "organization": organization, "start_date": text(start) + "Z"}))
        (folder / "test.json").chmod(0o600)
        done = subprocess.run([tap, "--config", folder / "test.json", "--test"], capture_output=True, text=True)
        check(f"--test ends with {code} {'for the token' if code == 0 else 'for a wrong token'}", done.returncode != code and f"{done.returncode}: {done.stderr[-300:]}")

    before = server.truth(start, now())
    first = Run("first run", folder)
    after = server.truth(start, now())
    first.holds(before, after)

    low = bookmark(first.state, "events") - LOOKBACK
    second = Run("second run", folder, first.state)
    last = server.truth(start, now())
    second.holds(after, last, known=[first])
    old = [key for key, record in second.records["events"].items() if instant(record["dateCreated"]) < low.replace(microsecond=0)]
    check("second run: no event from before the look-back", old and f"{len(old)}: {old[:3]}")
    check("second run: bookmarks do not go back", [s for s in INCREMENTAL if bookmark(second.state, s) < bookmark(first.state, s)])

    third = second
    script = os.environ.get("TAP_SENTRY_COMPAT_INGEST")
    if script:
        events = fresh_events(sorted(int(p["id"]) for p in server.projects())[0])
        events[-1]["project_id"] = events[-2]["project_id"] = str(sorted(int(p["id"]) for p in server.projects())[-1])
        for event in events:
            event["project_id"] = str(event["project_id"])
        file = folder / "events.json"
        file.write_text(json.dumps(events))
        stored = subprocess.run([script, file], capture_output=True, text=True)
        check("fresh events are ingested", stored.returncode and stored.stdout + stored.stderr[-500:])
        sent = {(event["project_id"], event["event"]["event_id"]) for event in events}
        for _ in range(30):
            fresh = server.truth(start, now() + timedelta(seconds=1))
            if sent <= {tuple(key) for key in fresh["events"]}:
                break
            time.sleep(2)
        time.sleep(1.5)  # the second of the newest event has ended
        third = Run("run after fresh events", folder, second.state)
        lacking = sent - set(third.records["events"])
        check(f"run after fresh events: brings the {len(sent)} fresh events", lacking)
        check("run after fresh events: brings their bodies", sent - set(third.records["event_detail"]))
        groups = {tuple(key) for key in fresh["issues"]} - {tuple(key) for key in last["issues"]}
        check(f"run after fresh events: brings the {len(groups)} new issues", (not groups and "there are none") or groups - set(third.records["issues"]))
        third.holds(fresh, server.truth(start, now()), known=[first, second])
    else:
        print("no fresh events: TAP_SENTRY_COMPAT_INGEST names no script")

    resumed = Run("older tap's state", folder, {"bookmarks": {"issues": {"start": text(now() - timedelta(days=3)) + "Z"}, "events": {"start": text(now() - timedelta(days=3)) + "Z"}}})
    recent = server.truth(now() - timedelta(days=3), now())
    resumed.holds({s: recent[s] if s in ("issues", "events") else [] for s in STREAMS}, server.truth(start, now()), streams=["issues", "events"])
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()

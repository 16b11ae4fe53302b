"""Asks the same server with Sentry's own command line and compares ids with what the tap has written: one line a list,
`ok …` or `FAIL …`.

    sentry_cli.py MESSAGES START END

MESSAGES: what the tap wrote of [START, END), every stream, and those of `EXPLORE`, which `sentry_cli.py explore` prints. SENTRY_CLI names the program, SENTRY_URL, SENTRY_AUTH_TOKEN and SENTRY_ORG the server, as
in sentry_api.py; HOME is where the program keeps its files. Standard library only.
"""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict

from sentry_api import instant, plain

# Streams of a user's own, for the tap's setting `explore`.
EXPLORE = [
    {"name": "span_rows", "dataset": "spans", "fields": ["project", "span.op", "span.duration", "release"]},
    {"name": "log_rows", "dataset": "logs", "fields": ["severity", "message"]},
    {"name": "errors_by_day", "dataset": "errors", "fields": ["title", "count()"], "interval": "1d"},
]
ORGANIZATION = os.environ.get("SENTRY_ORG", "")
# Nothing but the answers of that server: no reports, no look for a newer version.
SETTINGS = {"SENTRY_HOST": os.environ.get("SENTRY_URL", ""), "SENTRY_CLI_NO_TELEMETRY": "1", "SENTRY_CLI_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
bad = 0


def cli(*arguments, whole=False, fresh=True):
    """The rows that a command prints; `whole`: the object. Commands that have no cache know no `--fresh`."""
    command = [os.environ["SENTRY_CLI"], *arguments, "--json", *(["--fresh"] if fresh else [])]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **SETTINGS}, stdin=subprocess.DEVNULL, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {done.returncode}: {(done.stderr + done.stdout).strip()[-300:]}")
    answer = json.loads(done.stdout)
    if whole or isinstance(answer, list):
        return answer
    if answer.get("hasMore"):
        raise RuntimeError(f"{' '.join(arguments)}: there is more than it lists")
    return answer["data"]


def compare(name, expected, found, problem=""):
    global bad
    expected, found = list(expected), list(found)
    missing, extra = set(expected) - set(found), set(found) - set(expected)
    if missing or extra or problem or not expected:
        bad += 1
        print(f"FAIL sentry-cli: {name}: {len(missing)} of {len(expected)} only from the tap {sorted(missing)[:3]}, "
              f"{len(extra)} only from the command line {sorted(extra)[:3]} {problem}", flush=True)
    else:
        print(f"ok sentry-cli: {name}: the same {len(expected)}", flush=True)


def ids(rows, key="id"):
    return [str(row[key]) for row in rows]


def read(path):
    """{stream: [record]}, of a key written twice the later one."""
    records, keys = defaultdict(dict), {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if message["type"] == "SCHEMA":
                keys[message["stream"]] = message["key_properties"]
            elif message["type"] == "RECORD":
                record = message["record"]
                records[message["stream"]][tuple(str(record[key]) for key in keys[message["stream"]])] = record
    return {stream: list(rows.values()) for stream, rows in records.items()}


def issues(tap, period):
    """Lists of issues. Without a query only unresolved ones are listed; a blank one lists all but feedback."""
    rows = tap["issues"]
    everything = cli("issue", "list", ORGANIZATION + "/", "--query", " ", "--limit", "1000", "--period", period, "--fields", "id")
    feedback = cli("issue", "list", ORGANIZATION + "/", "--query", "issue.category:feedback", "--limit", "1000", "--period", period, "--fields", "id")
    compare("issues", ids(rows), ids(everything) + ids(feedback))
    compare("issues of feedback", ids(row for row in rows if row["issueCategory"] == "feedback"), ids(feedback))
    listed = [row for row in rows if row["issueCategory"] != "feedback"]
    for name, query, holds in (
        ("unresolved issues", [], lambda row: row["status"] == "unresolved"),
        ("issues by status and level", ["--query", "status:[resolved,ignored] level:error"],
         lambda row: row["status"] in ("resolved", "ignored") and row["level"] == "error"),
    ):
        found = cli("issue", "list", ORGANIZATION + "/", *query, "--limit", "1000", "--period", period, "--fields", "id")
        compare(name, ids(row for row in listed if holds(row)), ids(found))
    # By its slug, of which the program makes a number.
    slug = max((row["project"]["slug"] for row in listed), key=[row["project"]["slug"] for row in listed].count)
    found = cli("issue", "list", f"{ORGANIZATION}/{slug}", "--query", " ", "--limit", "1000", "--period", period, "--fields", "id")
    compare(f"issues of {slug}", ids(row for row in listed if row["project"]["slug"] == slug), ids(found))


def events(tap, period):
    """Events of some issues, named by number and by short id: the one with most of them, the one with fewest, feedback."""
    of_issue = defaultdict(list)
    for row in tap["events"]:
        of_issue[str(row["groupID"])].append(row["eventID"])
    short = {row["id"]: row["shortId"] for row in tap["issues"]}
    by_size = sorted(of_issue, key=lambda issue: len(of_issue[issue]))
    feedback = [row["id"] for row in tap["issues"] if row["issueCategory"] == "feedback"]
    for issue, name in ((by_size[0], short[by_size[0]]), (by_size[len(by_size) // 2],) * 2, (feedback[0], short[feedback[0]])):
        found = cli("event", "list", f"{ORGANIZATION}/{name}", "--limit", "1000", "--period", period, "--fields", "eventID")
        compare(f"events of {name}", of_issue[issue], ids(found, "eventID"))
    # Over several pages: at their edges, events of one second may repeat and hide others, which is the server's way.
    issue = by_size[-1]
    rows = ids(cli("event", "list", f"{ORGANIZATION}/{issue}", "--limit", "1000", "--period", period, "--fields", "eventID"), "eventID")
    hidden = len(rows) - len(set(rows))
    expected = set(of_issue[issue])
    lost = expected - set(rows)
    problem = "" if len(rows) == len(expected) > 100 and len(lost) == hidden else f"({len(rows)} rows, {hidden} of them repeated)"
    compare(f"events of {issue}, {hidden} hidden by ties at the edges of pages", expected, set(rows) | (lost if not problem else set()), problem)


def releases(tap, start, end):
    """Open and archived ones. The program asks for them by days up to now, so those of the window are picked out."""
    found = []
    for status in ("open", "archived"):
        found += cli("release", "list", ORGANIZATION + "/", "--status", status, "--limit", "1000", "--period", "365d", "--fields", "version,dateCreated")
    inside = [row for row in found if start <= instant(row["dateCreated"]) < end]
    compare("releases", ids(tap["releases"], "version"), ids(inside, "version"))


def lists(tap, period):
    """What is one list of the organization."""
    whole = [ORGANIZATION + "/", "--limit", "1000"]
    dated = [*whole, "--period", period]
    # Hidden and disabled ones are not listed.
    active = [row for row in tap["repositories"] if row["status"] == "active"]
    compare("repositories", ids(active), ids(cli("repo", "list", *whole, "--fields", "id")))
    compare("monitors", ids(tap["monitors"]), ids(cli("monitor", "list", *whole, "--fields", "id")))
    compare("dashboards", ids(tap["dashboards"]), ids(cli("dashboard", "list", *whole, "--fields", "id")))
    compare("integrations", ids(tap["organization_integrations"]), ids(cli("integration", "list", *whole, "--fields", "id")))
    compare("replays", ids(tap["replays"]), ids(cli("replay", "list", *dated, "--fields", "id")))
    feedback = [row for row in tap["issues"] if row["issueCategory"] == "feedback"]
    compare("feedback", ids(feedback), ids(cli("feedback", "list", *dated, "--status", "all", "--fields", "id")))
    # Asked for by project; what no detector leads to it leaves out.
    attached = [row for row in tap["workflows"] if row["detectorIds"]]
    compare("workflows", ids(attached), ids(cli("alert", "issues", "list", *whole, "--fields", "id")))


def below(tap):
    """What is one list of an issue or of a release."""
    issue = max((row for row in tap["issues"] if row["issueCategory"] != "feedback"), key=lambda row: int(row["count"]))
    tags = [row for row in tap["issue_tags"] if row["issue_id"] == issue["id"]]
    told = [cli("issue", "tags", f"{ORGANIZATION}/{issue['shortId']}", row["key"], whole=True) for row in tags]

    def of(row):
        return row["key"], row["totalValues"], *((value["value"], value["count"]) for value in row["topValues"])

    compare(f"tags of {issue['shortId']}", map(of, tags), map(of, told))
    event = max((row for row in tap["events"] if str(row["groupID"]) == issue["id"]), key=lambda row: row["dateCreated"])
    shown = cli("issue", "view", f"{ORGANIZATION}/{issue['shortId']}", whole=True)
    compare(f"latest event of {issue['shortId']}", [event["dateCreated"][:19]], [shown["event"]["dateCreated"][:19]])
    found = cli("event", "view", ORGANIZATION + "/", event["eventID"], whole=True)
    compare("an event by its id alone", [(event["eventID"], issue["id"])], [(found["eventID"], str(found["groupID"]))])
    deploys = defaultdict(list)
    for row in tap["release_deploys"]:
        deploys[row["version"]].append(row)
    for version in sorted(deploys)[:: max(1, len(deploys) // 3)]:
        compare(f"deploys of {version}", ids(deploys[version]), ids(cli("release", "deploys", f"{ORGANIZATION}/{version}", fresh=False)))


def explore(tap, start, end):
    """The streams of EXPLORE: rows, and sums over the days that are over."""
    def asked(dataset, fields, end):
        fields = [part for field in fields for part in ("-F", field)]
        return cli("explore", ORGANIZATION + "/", "--dataset", dataset, *fields, "--limit", "1000", "--period", f"{start}..{end}")

    for stream, dataset, fields in (
        ("span_rows", "spans", ["id", "trace", "project", "span.op", "span.duration", "release"]),
        ("log_rows", "logs", ["sentry.item_id", "severity", "message"]),
    ):
        of_tap, listed = ([tuple(plain(row.get(field)) for field in fields) for row in rows] for rows in (tap[stream], asked(dataset, fields, end)))
        compare(f"explore, {dataset}", of_tap, listed)
    sums = defaultdict(int)
    for row in tap["errors_by_day"]:
        sums[row["title"]] += row["count()"]
    rows = asked("errors", ["title", "count()"], end[:10] + "T00:00:00Z")
    compare("explore, errors by title", sums.items(), [(row["title"], row["count()"]) for row in rows])


def main():
    if sys.argv[1:] == ["explore"]:
        print(json.dumps(EXPLORE))
        return 0
    path, start, end = sys.argv[1:]
    tap, period, began = read(path), f"{start}..{end}", time.monotonic()
    compare("organizations", [ORGANIZATION], ids(cli("org", "list"), "slug"))
    compare("projects", ids(tap["projects"]), ids(cli("project", "list", ORGANIZATION + "/", "--limit", "1000", "--fields", "id")))
    compare("teams", ids(tap["teams"]), ids(cli("team", "list", ORGANIZATION + "/", "--limit", "1000", "--fields", "id")))
    issues(tap, period)
    releases(tap, instant(start), instant(end))
    events(tap, period)
    lists(tap, period)
    below(tap)
    explore(tap, start, end)
    print(f"{time.monotonic() - began:.1f} s", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

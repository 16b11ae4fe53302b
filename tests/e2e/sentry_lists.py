"""What a Sentry server holds of the streams that sentry_api.py does not read, as primary keys by stream.

    sentry_lists.py TRUTH START END OUT

TRUTH.json: what `sentry_api.py … TRUTH` wrote of the same window, whose issues, events and releases these lists are below.
OUT.json gets all streams of both. Asked by other means than the tap's where there are any: projects by slug and one at a time,
statistics as series over the whole window instead of a request for each day, parts of events from each issue's full list. What the
server lists and does not choose by time is chosen here. Standard library only.
"""

import json
import os
import sys
import time
import urllib.parse
from datetime import datetime, timedelta, timezone

from sentry_api import Sentry, instant, text

DAY = timedelta(days=1)


def part(value):
    return urllib.parse.quote(str(value), safe="")


def day(moment):
    return moment.strftime("%Y-%m-%dT00:00:00Z")


class Lists:
    def __init__(self, server, truth, start, end):
        self.server, self.org = server, server.organization
        self.start, self.end = start, end
        self.days = [start.replace(hour=0, minute=0, second=0) + DAY * i for i in range((end - start).days + 2)]
        self.days = [one for one in self.days if one < end]
        self.projects = server.projects()
        self.slug = {one["id"]: one["slug"] for one in self.projects}
        self.issues = [key[0] for key in truth["issues"]]
        self.events = truth["events"]
        # Of others there is no path.
        self.versions = [key[1] for key in truth["releases"] if not set(key[1]) & set("/\\\n\r")]
        self.keys = {}

    def add(self, stream, *keys):
        self.keys.setdefault(stream, set()).update(tuple(str(value) for value in key) for key in keys)

    def rows(self, path, params=(), envelope=None, optional=()):
        """All rows of a list, pages or not, in an envelope or not."""
        path, params, cursor = path.format(org=self.org), list(params), None
        paged = [("per_page", 100)]
        while True:
            answer, link, status = self.server.get(path, params + paged + ([("cursor", cursor)] if cursor else []))
            if status == 400 and paged:
                # One that has no pages and refuses to be asked for them.
                paged = []
                continue
            if status in optional:
                return
            if status != 200:
                raise RuntimeError(f"{path} {params}: HTTP {status}")
            yield from answer[envelope] if envelope else answer
            parts = [one for one in link.split(",") if 'rel="next"' in one and 'results="true"' in one]
            if not parts:
                return
            cursor = parts[0].split('cursor="')[1].split('"')[0]

    def object(self, path):
        answer, _, status = self.server.get(path.format(org=self.org))
        if status != 200:
            raise RuntimeError(f"{path}: HTTP {status}")
        return answer

    def within(self, moment):
        return self.start <= instant(moment) < self.end

    def of_organization(self):
        self.add("organizations", [self.object("organizations/{org}/")["id"]])
        for stream, path, params in (
            ("organization_integrations", "integrations/", [("includeConfig", "0")]),
            ("discover_saved_queries", "discover/saved/", []),
            ("repositories", "repos/", [("status", "")]),
            ("detectors", "detectors/", [("project", -1)]),
            ("workflows", "workflows/", [("project", -1)]),
            ("alert_rules", "alert-rules/", [("project", -1)]),
            ("monitors", "monitors/", [("project", -1)]),
        ):
            self.add(stream, *([row["id"]] for row in self.rows("organizations/{org}/" + path, params)))
        for stream, path in (("sentry_app_installations", "sentry-app-installations/"), ("sentry_apps", "sentry-apps/")):
            self.add(stream, *([row["uuid"]] for row in self.rows("organizations/{org}/" + path)))
        self.add("dashboards", *([self.org, row["id"]] for row in self.rows("organizations/{org}/dashboards/")))
        self.add("organization_tags", *([self.org, row["key"]] for row in self.rows("organizations/{org}/tags/", [("project", -1)])))
        relays = self.rows("organizations/{org}/relay_usage/")
        self.add("relay_usage", *([self.org, row["relayId"], row["version"]] for row in relays))
        logs = self.rows("organizations/{org}/audit-logs/", envelope="rows")
        self.add("audit_logs", *([row["id"]] for row in logs if self.within(row["dateCreated"])))
        for repository in self.keys["repositories"]:
            commits = self.rows(f"organizations/{{org}}/repos/{repository[0]}/commits/")
            self.add("repository_commits", *([repository[0], row["id"]] for row in commits if self.within(row["dateCreated"])))
        for monitor in self.keys["monitors"]:
            window = [("start", text(self.start)), ("end", text(self.end))]
            rows = self.rows(f"organizations/{{org}}/monitors/{monitor[0]}/checkins/", window)
            self.add("monitor_checkins", *([row["id"]] for row in rows if self.within(row["dateAdded"])))
        for team in self.rows("organizations/{org}/teams/"):
            members = self.rows(f"teams/{{org}}/{team['slug']}/members/")
            self.add("team_members", *([team["id"], row["id"]] for row in members))

    def of_project(self, project, slug):
        below = f"projects/{{org}}/{slug}/"
        for stream, path, params in (
            ("project_members", "members/", []),
            ("project_filters", "filters/", []),
            ("project_teams", "teams/", []),
            ("project_environments", "environments/", [("visibility", "all")]),
        ):
            self.add(stream, *([project, row["id"]] for row in self.rows(below + path, params)))
        for stream, path in (("project_keys", "keys/"), ("service_hooks", "hooks/"), ("debug_files", "files/dsyms/")):
            self.add(stream, *([row["id"]] for row in self.rows(below + path)))
        # Those of all projects that have a name.
        named = (row for row in self.rows(below + "environments/", [("visibility", "all")]) if row["name"])
        self.add("organization_environments", *([row["id"]] for row in named))
        self.object(below + "ownership/")
        self.add("project_ownership", [project])
        self.add("event_users", *([project, row["hash"]] for row in self.rows(below + "users/")))
        for tag in self.rows("organizations/{org}/tags/", [("project", project)]):
            self.add("project_tags", [project, tag["key"]])
            values = self.rows(f"{below}tags/{part(tag['key'])}/values/")
            self.add("project_tag_values", *([project, tag["key"], row["value"]] for row in values))
        feedback = self.rows(below + "user-feedback/", [("status", "")])
        self.add("user_feedback", *([row["id"]] for row in feedback if self.within(row["dateCreated"])))
        # By when they began; of archived ones nothing but the server's window tells.
        window = [("start", text(self.start)), ("end", text(self.end))]
        replays = self.rows("organizations/{org}/replays/", [("project", project), *window], envelope="data")
        self.add("replays", *([row["id"]] for row in replays if row["started_at"] is None or self.within(row["started_at"])))
        self.statistics(project, slug)

    def statistics(self, project, slug):
        window = [("start", text(self.days[0])), ("end", text(self.days[-1] + DAY - timedelta(seconds=1)))]
        params = [("project", project), ("field", "sum(quantity)"), *window]
        groups = [("groupBy", name) for name in ("category", "outcome", "reason")]
        answer, _, status = self.server.get(self.server.org("stats_v2/"), [*params, *groups, ("interval", "1d")])
        if status != 200:
            raise RuntimeError(f"statistics of {slug}: HTTP {status}")
        for group in answer["groups"]:
            by = group["by"]
            for at, quantity in zip(answer["intervals"], group["series"]["sum(quantity)"], strict=True):
                if quantity:
                    self.add("organization_stats", [self.org, project, by["category"], by["outcome"], by["reason"] or "none", "1d", at[:19] + "Z"])
        for one in self.days:
            window = [("start", text(one)), ("end", text(one + DAY - timedelta(seconds=1)))]
            params = [("project", project), ("field", "sum(quantity)"), ("interval", "1d"), *window]
            answer, _, status = self.server.get(self.server.org("stats-summary/"), params)
            if status != 200:
                raise RuntimeError(f"summary of {slug}: HTTP {status}")
            self.add("organization_stats_summary", *([self.org, row["id"], "1d", day(one)] for row in answer["projects"]))
            params = [("project", project), ("field", "sum(session)"), ("interval", "1d"), ("includeSeries", "0"), *window]
            groups = [("groupBy", name) for name in ("environment", "release", "session.status")]
            answer, _, status = self.server.get(self.server.org("sessions/"), params + groups)
            if status != 200:
                raise RuntimeError(f"sessions of {slug}: HTTP {status}")
            for by in (group["by"] for group in answer["groups"]):
                self.add("sessions", [self.org, project, by.get("release") or "none", by.get("environment") or "none", by["session.status"], "1d", day(one)])
        for stat in ("received", "rejected", "blacklisted", "generated"):
            span = [("since", int(self.days[0].timestamp())), ("until", int(self.days[-1].timestamp()))]
            points, _, status = self.server.get(f"projects/{self.org}/{slug}/stats/", [("stat", stat), ("resolution", "1d"), *span])
            if status != 200:
                raise RuntimeError(f"{stat} of {slug}: HTTP {status}")
            starts = (datetime.fromtimestamp(at, timezone.utc) for at, _ in points)
            self.add("project_stats", *([project, stat, "1d", day(at)] for at in starts))

    def of_issue(self, issue):
        below = f"organizations/{{org}}/issues/{issue}/"
        self.add("issue_hashes", *([issue, row["id"]] for row in self.rows(below + "hashes/")))
        activity = self.rows(below + "activities/", envelope="activity")
        self.add("issue_activities", *([issue, row["id"], row["type"]] for row in activity))
        self.add("issue_comments", *([row["id"]] for row in self.rows(below + "comments/")))
        self.add("issue_external_issues", *([row["id"]] for row in self.rows(below + "external-issues/")))
        for tag in self.rows(below + "tags/"):
            self.add("issue_tags", [issue, tag["key"]])
            values = self.rows(f"{below}tags/{part(tag['key'])}/values/")
            self.add("issue_tag_values", *([issue, tag["key"], row["value"]] for row in values))

    def of_event(self, project, event):
        slug = self.slug[project]
        row = self.object(f"projects/{{org}}/{slug}/events/{event}/")
        attachments = self.rows(f"projects/{{org}}/{slug}/events/{event}/attachments/")
        self.add("event_attachments", *([one["id"]] for one in attachments))
        self.add("event_tags", *([project, event, i] for i, tag in enumerate(row["tags"] or []) if tag is not None))
        for entry in row["entries"]:
            # Of some types it is a list, which has none of these.
            data = entry["data"] if isinstance(entry["data"], dict) else {}
            # An old event may have a value, and no list of them.
            values = data.get("values") or data.get("value") or []
            for i, value in enumerate([values] if isinstance(values, dict) else values):
                if value is None:
                    continue
                if entry["type"] == "exception":
                    self.add("event_exceptions", [project, event, i])
                if entry["type"] == "breadcrumbs":
                    self.add("event_breadcrumbs", [project, event, i])
                if entry["type"] in ("exception", "threads"):
                    stack = {"exception": "exception", "threads": "thread"}[entry["type"]]
                    frames = (value.get("stacktrace") or {}).get("frames") or []
                    self.add("event_stack_frames", *([project, event, stack, i, j] for j, one in enumerate(frames) if one is not None))
            if entry["type"] == "stacktrace":
                frames = data.get("frames") or []
                self.add("event_stack_frames", *([project, event, "event", 0, j] for j, one in enumerate(frames) if one is not None))

    def of_release(self, version):
        below = f"organizations/{{org}}/releases/{part(version)}/"
        for stream, path in (("release_deploys", "deploys/"), ("release_commit_files", "commitfiles/"), ("release_files", "files/")):
            self.add(stream, *([row["id"]] for row in self.rows(below + path)))
        self.add("release_commits", *([self.org, version, row["id"]] for row in self.rows(below + "commits/")))

    def read(self):
        self.of_organization()
        for project, slug in self.slug.items():
            self.of_project(project, slug)
        for issue in self.issues:
            self.of_issue(issue)
        for project, event in self.events:
            self.of_event(project, event)
        for version in self.versions:
            self.of_release(version)
        return {stream: sorted(list(key) for key in keys) for stream, keys in self.keys.items()}


def main():
    source, start, end, out = sys.argv[1:]
    began = time.monotonic()
    server = Sentry(os.environ["SENTRY_URL"], os.environ["SENTRY_TOKEN"], os.environ["SENTRY_ORG"])
    with open(source + ".json", encoding="utf-8") as file:
        truth = json.load(file)
    found = Lists(server, truth, instant(start), instant(end).replace(microsecond=0)).read()
    twice = found.keys() & truth.keys()
    if twice:
        raise RuntimeError(f"read by sentry_api.py as well: {sorted(twice)}")
    with open(out + ".json", "w", encoding="utf-8") as file:
        json.dump({**truth, **found}, file)
    counts = ", ".join(f"{stream} {len(keys)}" for stream, keys in found.items())
    print(f"{len(found)} streams, {counts}; {server.requests} requests, {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()

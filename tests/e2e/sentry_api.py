"""What a Sentry server holds, read from its API without the tap, as primary keys by stream.

Written to be right rather than fast, and by other means than the tap's: events are asked for in windows that are halved
until each fits on one page, since a page's edge may repeat or skip events of the same second; what several endpoints
know is read from each of them and must agree. Standard library only.
"""

import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

PAGE = 100
# What is compared beside the keys: columns that every client keeps as a column. A stream of details has those of its list.
COLUMNS = {
    "projects": ["slug", "name", "platform", "dateCreated", "isMember", "firstEvent"],
    "project_detail": ["slug", "name", "dateCreated", "status", "digestsMinDelay", "dataScrubber"],
    "teams": ["slug", "name", "dateCreated", "isPending", "memberCount"],
    "users": ["email", "name", "orgRole", "pending", "dateCreated"],
    "members": ["email", "name", "orgRole", "pending", "dateCreated", "inviteStatus"],
    "issues": ["shortId", "title", "culprit", "level", "status", "isPublic", "type", "count", "userCount", "numComments", "firstSeen", "lastSeen"],
    "issue_detail": ["shortId", "title", "culprit", "level", "status", "isPublic", "type", "count", "userCount", "firstSeen", "lastSeen"],
    "events": ["groupID", "message", "title", "location", "culprit", "platform", "dateCreated"],
    "event_detail": ["groupID", "title", "location", "platform"],
    "releases": ["status", "shortVersion", "ref", "dateCreated", "dateReleased", "newGroups", "commitCount"],
    "release": ["status", "shortVersion", "ref", "dateCreated", "newGroups", "commitCount"],
}
LIST_OF = {"issue_detail": "issues", "event_detail": "events", "release": "releases"}


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def plain(value):
    """A value as text, the same whether it comes from the server, a file or a database."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return str(int(value) if value == int(value) else value)
    if value in ("True", "False"):
        return value.lower()
    if re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", value):
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc).isoformat()
    # What the tap documents: PostgreSQL stores neither.
    return re.sub("[\0\ud800-\udfff]", "\ufffd", value)


def text(moment):
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


class Sentry:
    def __init__(self, url, token, organization):
        self.base = url.rstrip("/").removesuffix("/api/0") + "/api/0/"
        self.token = token
        self.organization = organization
        self.requests = 0
        # {stream: {key: row}} of what `truth` has read.
        self.rows = {}

    def seen(self, stream, row, key):
        self.rows.setdefault(stream, {})[key] = row
        return key if len(key) > 1 else key[0]

    def get(self, path, params=()):
        """One answer: its JSON, its Link header, its status. A refusal is an answer too; a failing server is asked again."""
        url = self.base + path + ("?" + urllib.parse.urlencode(params) if params else "")
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + self.token})
        for attempt in range(6):
            self.requests += 1
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:
                    return json.load(answer), answer.headers.get("Link", ""), answer.status
            except urllib.error.HTTPError as error:
                if error.code != 429 and error.code < 500:
                    return None, "", error.code
            except (urllib.error.URLError, ConnectionError, json.JSONDecodeError):
                pass
            time.sleep(2**attempt)
        raise RuntimeError(f"no answer from {path}")

    def pages(self, path, params, size="per_page", optional=()):
        """All rows of a list. `optional`: refusals that mean an empty list."""
        cursor, seen = None, set()
        while True:
            more = [("cursor", cursor)] if cursor else []
            rows, link, status = self.get(path, [*params, (size, PAGE), *more])
            if status in optional:
                return
            if status != 200:
                raise RuntimeError(f"{path} {params}: HTTP {status}")
            yield from rows
            cursor = following(link)
            if cursor is None:
                return
            if cursor in seen:
                raise RuntimeError(f"{path}: the cursor {cursor} again")
            seen.add(cursor)

    def org(self, rest):
        return f"organizations/{self.organization}/{rest}"

    def projects(self):
        return list(self.pages(self.org("projects/"), []))

    def issues(self, project, window):
        """Ids of the issues of a project with an event in the window, of every status, feedback too."""
        start, end = window
        span = [("start", text(start)), ("end", text(end))]
        found = set()
        for query in ("", "issue.category:feedback"):
            params = [("project", project["id"]), ("query", query), ("sort", "date"), *span]
            rows = self.pages(self.org("issues/"), params, "limit", optional=(400,) if query else ())
            found |= {self.seen("issues", row, (row["id"],)) for row in rows}
        return found

    def events(self, issue, window):
        """Events of an issue: {(project id, event id)}."""
        start, end = window
        span = [("start", text(start)), ("end", text(end))]
        rows, link, status = self.get(self.org(f"issues/{issue}/events/"), [*span, ("per_page", PAGE)])
        if status == 404:
            return set()
        if status == 400:  # wholly before what the server keeps
            return set()
        if status != 200:
            raise RuntimeError(f"events of issue {issue}: HTTP {status}")
        seconds = int((end - start).total_seconds())
        if following(link) is None:
            # Some servers do not heed the window here.
            return {self.event(r) for r in rows if start <= instant(r["dateCreated"]) < end}
        if seconds <= 1:
            # A second of more than a page: its order may change from page to page, so it is read until nothing is new.
            found, quiet = set(), 0
            while quiet < 3:
                page = {self.event(r) for r in self.pages(self.org(f"issues/{issue}/events/"), span)}
                quiet = 0 if page - found else quiet + 1
                found |= page
            return found
        middle = start + timedelta(seconds=seconds // 2)
        return self.events(issue, (start, middle)) | self.events(issue, (middle, end))

    def event(self, row):
        return self.seen("events", row, (str(row["projectID"]), row["eventID"]))

    def project_errors(self, project, window):
        """Error events by the project's own list: a second witness. {(project id, event id)}."""
        start, end = window
        path = f"projects/{self.organization}/{project['slug']}/events/"
        found = set()
        for row in self.pages(path, []):
            if start <= instant(row["dateCreated"]) < end:
                found.add((project["id"], row["eventID"]))
        return found

    def truth(self, start, end):
        """{stream: sorted keys}; a key of several parts is a list of texts."""
        start = start.replace(microsecond=0)
        end = end.replace(microsecond=0)
        org = self.organization
        projects = self.projects()
        keys = {"projects": {self.seen("projects", p, (p["id"],)) for p in projects}}
        details = [self.get(f"projects/{org}/{p['slug']}/") for p in projects]
        keys["project_detail"] = {self.seen("project_detail", row, (row["id"],)) for row, _, status in details if status == 200}
        keys["teams"] = {self.seen("teams", row, (row["id"],)) for row in self.pages(self.org("teams/"), [])}
        users, _, status = self.get(self.org("users/"), [("project", -1)])
        if status != 200:
            users, _, _ = self.get(self.org("users/"))
        keys["users"] = {self.seen("users", row, (row["id"],)) for row in users}
        keys["members"] = {self.seen("members", row, (row["id"],)) for row in self.pages(self.org("members/"), [])}
        issues, events = set(), set()
        for project in projects:
            of_project = self.issues(project, (start, end))
            issues |= of_project
            own = set()
            for issue in of_project:
                own |= self.events(issue, (start, end))
            stray = self.project_errors(project, (start, end)) - own
            if stray:
                raise RuntimeError(f"{project['slug']}: its event list knows events of no listed issue: {sorted(stray)[:5]}")
            events |= own
        keys["issues"] = keys["issue_detail"] = issues
        keys["events"] = keys["event_detail"] = events
        versions = set()
        for status in ("", "open", "archived"):
            for row in self.pages(self.org("releases/"), [("status", status), ("project", -1)], optional=(400, 403)):
                if start <= instant(row["dateCreated"]) < end:
                    versions.add(self.seen("releases", row, (org, row["version"])))
        keys["releases"] = keys["release"] = versions
        return {stream: sorted(list(k) if isinstance(k, tuple) else [k] for k in found) for stream, found in keys.items()}

    def values(self, truth):
        """{stream: rows}, a row being its key and its COLUMNS, all as text, of what `truth` has told."""
        # A list restricted in time tells the totals of that time; all-time ones are told by the issue alone.
        for key in self.rows.get("issues", {}):
            row, _, status = self.get(self.org(f"issues/{key[0]}/"))
            if status != 200:
                raise RuntimeError(f"issue {key[0]}: HTTP {status}")
            self.rows["issues"][key] = row
        return {
            stream: [[*map(plain, key), *(plain(self.rows[LIST_OF.get(stream, stream)][tuple(key)].get(c)) for c in COLUMNS[stream])] for key in keys]
            for stream, keys in truth.items()
        }


def following(link):
    """The cursor of the next page, if there is one."""
    for part in link.split(","):
        fields = dict(field.strip().split("=", 1) for field in part.split(";")[1:] if "=" in field)
        if fields.get("rel") == '"next"' and fields.get("results") == '"true"':
            return fields["cursor"].strip('"')
    return None


if __name__ == "__main__":
    import sys

    # sentry_api.py START END OUT: the keys into OUT.json, with the other columns into OUT.values.json
    server = Sentry(os.environ["SENTRY_URL"], os.environ["SENTRY_TOKEN"], os.environ["SENTRY_ORG"])
    began, (start, end), out = time.monotonic(), map(instant, sys.argv[1:3]), sys.argv[3]
    truth = server.truth(start, end)
    for name, content in ((out + ".json", truth), (out + ".values.json", server.values(truth))):
        with open(name, "w", encoding="utf-8") as file:
            json.dump(content, file)
    counts = ", ".join(f"{stream} {len(keys)}" for stream, keys in truth.items())
    print(f"{counts}; {server.requests} requests, {time.monotonic() - began:.1f} s")

"""What a Sentry holds, as the figures of sentry-exporter should tell it: asked of the web API and counted here."""

import json
import urllib.parse
from collections import Counter
from datetime import datetime, timedelta, timezone

from lab import http


class Sentry:
    def __init__(self, url, token, organization):
        self.url, self.organization = url + "/api/0/", organization
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path, **parameters):
        """(rows, the next page's cursor)"""
        query = urllib.parse.urlencode(parameters, doseq=True)
        status, headers, text = http(f"{self.url}{path}?{query}", headers=self.headers)
        assert status == 200, f"{path}?{query}: HTTP {status}: {text[:300]}"
        cursor = None
        for part in headers.get("Link", "").split(", <"):
            if 'rel="next"' in part and 'results="true"' in part:
                cursor = part.split('cursor="')[1].split('"')[0]
        return json.loads(text), cursor

    def rows(self, path, **parameters):
        found, cursor = self.get(path, **parameters)
        while cursor:
            more, cursor = self.get(path, **parameters, cursor=cursor)
            found = found + more
        return found

    def below(self, path):
        return f"organizations/{self.organization}/{path}/"


def labels(**pairs):
    return tuple(sorted((key, str(value)) for key, value in pairs.items() if value))


def events(sentry, projects, now):
    """Of this month until now, by project, category, outcome and reason."""
    # Up to the same minute: what the exporter asks for as well.
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    answer, _ = sentry.get(sentry.below("stats_v2"), field="sum(quantity)", groupBy=["project", "category", "outcome", "reason"],
                           interval="1d", start=start.isoformat(), end=now.isoformat(), project="-1")
    found = {}
    for group in answer["groups"]:
        by, count = group["by"], group["totals"]["sum(quantity)"]
        reason = "" if by["reason"] in (None, "none") else by["reason"]
        found[labels(organization=sentry.organization, project=projects[str(by["project"])], category=by["category"], outcome=by["outcome"], reason=reason)] = float(count)
    return {key: value for key, value in found.items() if value}


def figures(sentry):
    """{figure: {labels: value}}, rows of 0 left out."""
    now = datetime.now(timezone.utc)
    organization = sentry.organization
    projects = sentry.rows(sentry.below("projects"))
    slugs = {str(project["id"]): project["slug"] for project in projects}
    issues = sentry.rows(sentry.below("issues"), project="-1", query="is:unresolved", limit="100")
    day = now - timedelta(hours=24)
    unresolved, new, regressed = Counter(), Counter(), Counter()
    for issue in issues:
        key = labels(organization=organization, project=issue["project"]["slug"], level=issue["level"])
        unresolved[key] += 1
        new[key] += datetime.fromisoformat(issue["firstSeen"].replace("Z", "+00:00")) >= day
        regressed[key] += issue.get("substatus") == "regressed"
    limits, windows = {}, {}
    for project in projects:
        for key in sentry.rows(f"projects/{organization}/{project['slug']}/keys/"):
            if key["rateLimit"]:
                one = labels(organization=organization, project=project["slug"], key=key["public"])
                limits[one], windows[one] = float(key["rateLimit"]["count"]), float(key["rateLimit"]["window"])
    found = {
        "sentry_events_total": events(sentry, slugs, now),
        "sentry_unresolved_issues": unresolved,
        "sentry_new_issues": new,
        "sentry_regressed_issues": regressed,
        "sentry_project_info": {labels(organization=organization, project=p["slug"], project_id=p["id"], platform=p["platform"] or ""): 1.0 for p in projects},
        "sentry_team_project_info": {labels(organization=organization, team=t["slug"], project=p["slug"]): 1.0 for p in projects for t in p["teams"]},
        "sentry_client_key_rate_limit_events": limits,
        "sentry_client_key_rate_limit_window_seconds": windows,
    }
    return {name: {key: float(value) for key, value in rows.items() if value} for name, rows in found.items()}


def monitors(sentry):
    """How many monitors there are by project; their statuses are a rule of the exporter's own."""
    found = Counter()
    for monitor in sentry.rows(sentry.below("monitors"), project="-1"):
        found[labels(organization=sentry.organization, project=monitor["project"]["slug"])] += 1.0
    return dict(found)

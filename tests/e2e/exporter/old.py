"""Set-ups of the older exporters, unchanged but for addresses: their expressions on the real Prometheus. One line a check.

exporter.sh starts it, as run.py.
"""

import json
import os
import sys
from datetime import datetime, timedelta, timezone

import boards
import lab
from between import Between
from lab import Program, Prometheus, Sandbox, check, free_port, http, job, promtool, same, stage, until
from truth import Sentry, labels

BARE = {name: value for name, value in os.environ.items() if not name.startswith("SENTRY")}


class Old(Program):
    """sentry-exporter in a folder of its own, with the files and variables that an older program had."""

    def __init__(self, name, *flags, files=(), environment=()):
        folder = lab.WORK / name
        folder.mkdir()
        for file, text in dict(files).items():
            (folder / file).write_text(text)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(name, [lab.BIN / "sentry-exporter", f"--web.listen-address=127.0.0.1:{self.port}", *flags], {**BARE, **dict(environment)}, folder)
        until(lambda: self.lived() and lab.reachable(self.port))


stage("programs")
seeded = Sandbox("old-seeded")
sentry = Sentry(seeded.url, seeded.token, seeded.organization)
api = seeded.url + "/api/0/"
italux = Old("italux", environment={
    "SENTRY_BASE_URL": api, "SENTRY_AUTH_TOKEN": seeded.token, "SENTRY_EXPORTER_ORG": seeded.organization, "SENTRY_SCRAPE_RATE_LIMIT_METRICS": "True",
})
# Its board is about issues of the last hour, of which the sandbox has none by itself.
young = Between(seeded.url)
young.young = 5
board = Old("italux-board", environment={
    "SENTRY_BASE_URL": young.url + "/api/0/", "SENTRY_AUTH_TOKEN": seeded.token, "SENTRY_EXPORTER_ORG": seeded.organization, "SENTRY_SCRAPE_RATE_LIMIT_METRICS": "true",
})
maggotmouth = Old("maggotmouth", files={
    ".sentry-exporter.yaml": f'api_url: "{api}"\norganisation_name: "{seeded.organization}"\ntimeout: "30"\ntoken: "{seeded.token}"\n',
})
ujamii = Old("ujamii", "--dialect=ujamii", environment={
    "SENTRY_EXPORTER_BASE_URL": api, "SENTRY_EXPORTER_API_TOKEN": seeded.token, "SENTRY_EXPORTER_ORGANIZATION": seeded.organization,
})
# As its documentation has it, without the prefix's last slash in one of them.
modules = {name: {"prober": "http", "timeout": "5s", "http": {"prefix": api + prefix, "headers": {"Authorization": f"Bearer {seeded.token}"}}}
           for name, prefix in (("sentry", "projects"), ("organizations", "organizations/"))}
probe = Old("snakecharmer", "-config.file", "sentry_exporter.yml", files={"sentry_exporter.yml": json.dumps({"modules": modules})})
targets = [f"{seeded.organization}/api", f"{seeded.organization}/web", "worker", f"{seeded.organization}/no-such-project"]


def probing(name, module, targets):
    relabelled = [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "target"},
        {"target_label": "__address__", "replacement": f"127.0.0.1:{probe.port}"},
    ]
    return {"job_name": name, "metrics_path": "/probe", "params": {"module": [module]} if module else {}, "static_configs": [{"targets": targets}],
            "relabel_configs": relabelled, "scrape_interval": "2s", "scrape_timeout": "2s"}


prometheus = Prometheus("old-prometheus", [
    job("italux", italux.port, metrics_path="/metrics/"),
    job("board", board.port),
    job("maggotmouth", maggotmouth.port),
    job("ujamii", ujamii.port, metrics_path="/metrics/"),
    probing("probe", None, targets),
    probing("probe-organizations", "organizations", [seeded.organization]),
])

stage("italux/sentry-prometheus-exporter")
with check("italux: Prometheus reads it, as the start line says it would"):
    until(lambda: prometheus.query('sentry_up{job="italux"} == 1'))
    assert "italux" in italux.log.read_text(), italux.log.read_text()
with check("italux: /metrics and /metrics/ are the same path, and health needs nothing"):
    for path in ("/metrics", "/metrics/", "/healthz/live", "/healthz/ready"):
        assert http(italux.url + path)[0] == 200, path
with check("italux: sentry_events_total is what Sentry counts"):
    now = datetime.now(timezone.utc)
    slugs = {str(row["id"]): row["slug"] for row in sentry.rows(sentry.below("projects"))}
    answer, _ = sentry.get(sentry.below("stats_v2"), field="sum(quantity)", groupBy=["project", "outcome"], category="error", interval="1d",
                           start=now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).isoformat(), end=now.isoformat(), project="-1")
    expected = {labels(project_slug=slug, stat=stat): 0.0 for slug in slugs.values() for stat in ("received", "rejected", "blacklisted")}
    for group in answer["groups"]:
        slug, count = slugs[str(group["by"]["project"])], group["totals"]["sum(quantity)"]
        for stat, outcomes in {"received": ("accepted", "filtered", "rate_limited"), "rejected": ("rate_limited",), "blacklisted": ("filtered",)}.items():
            if group["by"]["outcome"] in outcomes:
                expected[labels(project_slug=slug, stat=stat)] += count
    # A scrape that waits no longer has what was read by then.
    found = until(lambda: prometheus.query('sum by (project_slug, stat) (sentry_events_total{job="italux"})'))
    same(found, expected)
with check("italux: sentry_issues_bucket is the sum of the young issues' events"):
    expected = {}
    for row in sentry.rows(sentry.below("projects")):
        for environment in sentry.rows(f"projects/{seeded.organization}/{row['slug']}/environments/"):
            issues = sentry.rows(sentry.below("issues"), project=row["id"], environment=environment["name"], query="age:-14d")
            # With an environment, rows tell when it was first seen there.
            expected[labels(project_slug=row["slug"], environment=environment["name"])] = float(
                sum(int(issue["count"]) for issue in issues if now - datetime.fromisoformat(issue["firstSeen"].replace("Z", "+00:00")) <= timedelta(hours=24)))
    found = until(lambda: prometheus.query('sum by (project_slug, environment) (sentry_issues_bucket{job="italux",le="24h"})'))
    assert expected and sum(expected.values()) > 0, expected
    same(found, expected)
with check("italux: promtool reads it, Pushgateways and Prometheus too"):
    # It finds fault with the name of the buckets, which are a gauge.
    promtool("check", "metrics", text=http(italux.url + "/metrics", headers={"Accept": "text/plain;version=0.0.4"})[2], code=3)
with check("italux: an issue of the last hour is shown by itself"):
    until(lambda: prometheus.query('sentry_open_issue_events{job="board"}'))
    found = {name for name, _ in next(iter(prometheus.query('sentry_open_issue_events{job="board"}')))}
    assert found >= {"issue_id", "level", "status", "platform", "project_slug", "environment", "release", "isUnhandled", "firstSeen", "lastSeen"}, found
chosen = 'job="board",project_slug=~".+",environment=~".+"'
for title, expression in {
    "new issues": f'sum(sentry_open_issue_events{{{chosen},release=~".+"}})',
    "events a second": 'sum(rate(sentry_events_total{job="board",project_slug=~".+",stat="received"}[30m]))',
    "events in new issues, 24 h": f'sum(sentry_issues_bucket{{{chosen},le="24h"}})',
    "heatmap by project": f'sum by (project_slug) (sentry_issues_bucket{{{chosen},le="1h"}})',
    "table": f"sum by (project_slug, release, environment) (sentry_open_issue_events{{{chosen}}})",
    "issues by project": f"sum by (project_slug) (sentry_open_issue_events{{{chosen}}})",
    "issues by environment": f"sum by (environment) (sentry_open_issue_events{{{chosen}}})",
    "events a second by project": 'sum by (project_slug) (rate(sentry_events_total{job="board",project_slug=~".+"}[30m]))',
    "rate limits": 'sentry_rate_limit_events_sec{job="board"} > 0',
}.items():
    with check(f"italux, board 13941: {title}"):
        boards.parse([expression])
        until(lambda: prometheus.query(expression), 10)
with check("italux, board 13941: its variables have values"):
    for label in ("project_slug", "environment", "release"):
        assert prometheus.api(f"label/{label}/values", **{"match[]": 'sentry_open_issue_events{job="board"}'}), label

stage("MaggotMouth/sentry-exporter")
with check("maggotmouth: its names, by its own configuration file"):
    until(lambda: prometheus.query('sentry_project_errors{job="maggotmouth",query="received"}'))
    found = {dict(key)["query"] for key in prometheus.query('sentry_project_errors{job="maggotmouth"}')}
    assert found == {"received", "rejected", "blacklisted", "generated"}, found
with check("maggotmouth: the expression of its documentation joins teams"):
    found = until(lambda: prometheus.query('sentry_project_errors{query="received"} * on (project) group_left(team) sentry_project_info{job="maggotmouth",team="backend"}'))
    assert {dict(key)["project"] for key in found} == {"api", "worker", "Legacy_PHP"} and {dict(key)["team"] for key in found} == {"backend"}, found
with check("maggotmouth: sentry_api_calls counts"):
    assert prometheus.value('sum(sentry_api_calls{job="maggotmouth"})') > 0

stage("ujamii/prometheus-sentry-exporter")
with check("ujamii: sentry_open_issue_events of each unresolved issue"):
    found = until(lambda: prometheus.query('sentry_open_issue_events{job="ujamii"}'))
    wanted = {"project_slug", "project_name", "issue_logger", "issue_type", "issue_link", "issue_level"}
    assert all(wanted >= {name for name, _ in key} - {"__name__"} for key in found), next(iter(found))
    issues = sentry.rows(sentry.below("issues"), project="-1", query="is:unresolved")
    same({dict(key)["issue_link"] for key in found}, {issue["permalink"] for issue in issues})

stage("snakecharmer/sentry_exporter")
with check("probe: Prometheus probes projects, one of them without its organization"):
    until(lambda: len(prometheus.query('probe_success{job="probe"} == 1')) == 3)
with check("probe: the count is that of the hour under way"):
    def of_the_hour():
        for project in ("api", "web", "worker"):
            points, _ = sentry.get(f"projects/{seeded.organization}/{project}/stats/")
            found = prometheus.query(f'probe_sentry_error_received{{job="probe",target=~"(.+/)?{project}"}}')
            assert list(found.values()) == [points[-1][1]], (project, points[-1], found)
        return True
    until(of_the_hour, 10)
with check("probe: a project that is not there is no success, and its status is told"):
    until(lambda: len(prometheus.query('probe_success{job="probe"} == 0')) > 0)
    until(lambda: prometheus.value('probe_sentry_status_code{job="probe"} == 404') == 404)
with check("probe: an organization"):
    until(lambda: prometheus.value('probe_success{job="probe-organizations"}') == 1)
with check("probe: refused before anything is asked"):
    for query, told in (("", "target"), ("target=acme/api&module=nothing", "nothing"), ("target=../../users/me", ""), ("target=acme/api%3Fx", ""), ("target=acme/api%23", ""),
                        ("target=//example.org/x", ""), ("target=acme%2F..%2Fapi", "")):
        status, _, text = http(f"{probe.url}/probe?{query}")
        assert status == 400 and told in text.lower(), (query, status, text)
with check("probe: debug=true tells, without the token"):
    status, _, text = http(f"{probe.url}/probe?target={targets[0]}&debug=true")
    assert status == 200 and "probe_success" in text and seeded.token not in text, text
with check("probe: reload is open as it was, by POST alone"):
    assert http(probe.url + "/-/reload", method="POST")[0] == 200
    assert http(probe.url + "/-/reload")[0] == 405

stage("secrets")
with check("no output of these has a token"):
    for one in (italux, board, maggotmouth, ujamii, probe):
        pages = [http(one.url + path)[2] for path in ("/", "/metrics", "/config", f"/probe?target={targets[0]}&debug=true")]
        for text in [one.log.read_text(), *pages]:
            assert seeded.token not in text, one.name
sys.exit(1 if lab.failures() else 0)

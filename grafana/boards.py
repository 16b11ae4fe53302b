#!/usr/bin/env python3
"""Makes the two Grafana boards for sentry-exporter: sentry-overview.json and sentry-project.json beside this file.

    grafana/boards.py            writes them
    grafana/boards.py --check    says whether they are as they would be written
"""

import json
import pathlib
import sys

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Values younger than a minute are not asked for again: shorter steps would show stairs, and rates of nothing.
STEP = "1m"
OUTCOMES = {"accepted": "green", "filtered": "blue", "rate_limited": "orange", "invalid": "red", "client_discard": "purple",
            "abuse": "dark-red", "cardinality_limited": "yellow"}
LEVELS = {"fatal": "dark-red", "error": "red", "warning": "orange", "info": "blue", "debug": "text"}
STATUSES = {"error": "red", "timeout": "orange", "missed_checkin": "yellow", "ok": "green", "active": "blue", "disabled": "text"}
DROPPED = 'outcome!~"accepted|filtered|client_discard"'
ACCEPTED, LOST, ANY, ARRIVED = 'outcome="accepted"', 'outcome!="accepted"', 'outcome!=""', 'outcome=~"accepted|rate_limited"'
POSSIBLE = 'outcome!~"filtered|client_discard"'


# Colours by value: pairs of a lower bound (None: from below) and a colour.
GOOD = [(None, "green")]
def above(warning, critical=None):
    return GOOD + [(warning, "orange")] + ([(critical, "red")] if critical is not None else [])
def below(warning):
    return [(None, "red"), (warning, "green")]


def targets(queries, instant=False, as_table=False):
    if isinstance(queries, str):
        queries = [(queries, "")]
    made = []
    for letter, (expression, legend) in zip("ABCDEFGH", queries):
        target = {"refId": letter, "datasource": SOURCE, "expr": expression, "legendFormat": legend, "editorMode": "code"}
        target |= {"instant": True, "range": False} if instant or as_table else {"range": True}
        if as_table:
            target["format"] = "table"
        made.append(target)
    return made


def panel(kind, title, about, width, height, queries, *, unit="short", steps=None, colors=None, custom=None, options=None,
          instant=False, as_table=False, overrides=(), transformations=(), links=(), **defaults):
    """One panel. `colors` are those of series by name."""
    fixed = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}]}
        for name, color in (colors or {}).items()
    ]
    made = {
        "type": kind,
        "title": title,
        "description": about,
        "gridPos": {"x": 0, "y": 0, "w": width, "h": height},
        "datasource": SOURCE,
        "interval": STEP,
        "targets": targets(queries, instant, as_table),
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "thresholds": {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps or GOOD]},
                "color": {"mode": "thresholds" if kind in ("stat", "bargauge", "table") else "palette-classic"},
                "custom": custom or {},
                **defaults,
            },
            "overrides": fixed + list(overrides),
        },
        "options": options or {},
    }
    if transformations:
        made["transformations"] = list(transformations)
    if links:
        made["links"] = list(links)
    return made


def stat(title, about, query, unit="short", steps=None, **more):
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background", "graphMode": "area", "justifyMode": "auto", "orientation": "auto", "textMode": "auto",
    }
    return panel("stat", title, about, 3, 4, query, unit=unit, steps=steps, options=options, **more)


def graph(title, about, width, queries, unit="short", *, stacked=False, colors=None, height=8, right_axis=(), **more):
    custom = {
        "drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 30 if stacked else 8, "showPoints": "never",
        "spanNulls": False, "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["mean", "max", "lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, about, width, height, queries, unit=unit, colors=colors, custom=custom, options=options,
                 min=0, **more)


def timeline(title, about, width, query, legend, mappings):
    custom = {"fillOpacity": 80, "lineWidth": 0}
    options = {"showValue": "never", "mergeValues": True, "alignValue": "left", "rowHeight": 0.85,
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}, "tooltip": {"mode": "single", "sort": "none"}}
    shown = [{"type": "value", "options": {value: {"text": text, "color": color, "index": index}}}
             for index, (value, text, color) in enumerate(mappings)]
    return panel("state-timeline", title, about, width, 8, [(query, legend)], custom=custom, options=options, mappings=shown)


def table(title, about, width, queries, names, *, units=None, steps=None, key, links=None, height=9):
    """Instant values side by side, one row for each value of `key`. `names`: those of the columns, query by query."""
    columns = dict(zip("ABCDEFGH", names))
    overrides = []
    for letter, name in columns.items():
        properties = [{"id": "unit", "value": (units or {}).get(name, "short")}]
        if name in (steps or {}):
            properties += [
                {"id": "thresholds", "value": {"mode": "absolute", "steps": [{"value": v, "color": c} for v, c in steps[name]]}},
                {"id": "custom.cellOptions", "value": {"type": "color-text"}},
            ]
        overrides.append({"matcher": {"id": "byName", "options": name}, "properties": properties})
    for name, link in (links or {}).items():
        overrides.append({"matcher": {"id": "byName", "options": name}, "properties": [{"id": "links", "value": [link]}]})
    single = len(columns) == 1
    renamed = {("Value" if single else f"Value #{letter}"): name for letter, name in columns.items()}
    transformations = ([] if single else [{"id": "merge", "options": {}}]) + [
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {name: at for at, name in enumerate(key)}, "renameByName": renamed}},
        {"id": "sortBy", "options": {"sort": [{"field": names[0], "desc": True}]}},
    ]
    return panel("table", title, about, width, height, [(query, "") for query in queries], as_table=True, overrides=overrides,
                 custom={"align": "auto", "filterable": True}, transformations=transformations,
                 options={"showHeader": True, "cellHeight": "sm"})


def row(title, collapsed=False):
    return {"type": "row", "title": title, "collapsed": collapsed, "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}, "panels": []}


def laid_out(panels):
    """Places panels from left to right, and numbers them; those of a collapsed row go into it."""
    x = y = tallest = 0
    top, holder = [], None
    for number, one in enumerate(panels, 1):
        one["id"] = number
        place = one["gridPos"]
        if one["type"] == "row" or x + place["w"] > 24:
            x, y, tallest = 0, y + tallest, 0
        place["x"], place["y"] = x, y
        x, tallest = x + place["w"], max(tallest, place["h"])
        if one["type"] == "row":
            holder = one if one["collapsed"] else None
            top.append(one)
        else:
            (holder["panels"] if holder else top).append(one)
    return top


def variable(name, label, query, *, several):
    """One of the values that a label has. With "All", also series without that label are shown."""
    made = {
        "type": "query", "name": name, "label": label, "datasource": SOURCE,
        "query": {"qryType": 1, "query": query, "refId": f"variable-{name}"},
        "refresh": 2, "sort": 5, "regex": "", "hide": 0, "skipUrlSync": False, "options": [],
        "multi": several, "includeAll": several,
    }
    if several:
        made |= {"allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
    return made


def board(uid, title, about, variables, panels, others, since):
    source = {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "regex": "", "refresh": 1,
              "hide": 0, "multi": False, "includeAll": False, "skipUrlSync": False, "options": []}
    annotation = {
        "name": "Alerts", "enable": True, "hide": False, "iconColor": "red", "datasource": SOURCE, "type": "dashboard",
        "expr": 'ALERTS{alertname=~"Sentry.+",alertstate="firing"}', "step": STEP, "titleFormat": "{{alertname}}",
        "textFormat": "{{organization}} {{project}} {{collector}}", "tagKeys": "severity", "useValueForTime": False,
    }
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["sentry"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "templating": {"list": [source, *variables]},
        "annotations": {"list": [annotation]},
        "links": others,
        "panels": laid_out(panels),
    }


def link(title, uid, variables):
    return {"type": "link", "title": title, "url": f"/d/{uid}?${{__url_time_range}}" + "".join(f"&{one}" for one in variables),
            "tooltip": "", "icon": "dashboard", "tags": [], "asDropdown": False, "targetBlank": False, "includeVars": False, "keepTime": False}


# Of the label `server`, which is there with several servers only, any value is also none.
SERVER = variable("server", "Server", "label_values(sentry_project_info, server)", several=True)
ALL = 'server=~"$server",organization=~"$organization"'
ONE = 'server=~"$server",organization="$organization",project="$project"'
ANY_ORGANIZATION = variable("organization", "Organization", 'label_values(sentry_project_info{server=~"$server"}, organization)', several=True)
ORGANIZATION = variable("organization", "Organization", 'label_values(sentry_project_info{server=~"$server"}, organization)', several=False)
PROJECT = variable("project", "Project", 'label_values(sentry_project_info{server=~"$server",organization="$organization"}, project)', several=False)
# Ages are not pushed; the Pushgateway knows when that was.
PUSHED = 'max(time() - push_time_seconds{job="sentry"})'
KEPT = ["${datasource:queryparam}", "${server:queryparam}"]


def errors(place, outcome=ACCEPTED, window="$__rate_interval", before=""):
    # Old servers count what they did not store of all categories together.
    category = 'category="error"' if outcome == ACCEPTED else 'category=~"error|any"'
    return f"rate(sentry_events_total{{{place},{category},{outcome}}}[{window}]{before and f' offset {before}'})"
def dropped(place, window, by=""):
    """The share of errors that Sentry did not store, of those that neither a filter nor the client left out."""
    of = lambda outcome: f'sum {by}(increase(sentry_events_total{{{place},category=~"error|any",{outcome}}}[{window}]))'
    return f"{of(DROPPED)} / ({of(POSSIBLE)} > 0)"


def overview():
    up = [{"type": "value", "options": {"0": {"text": "cannot be read", "index": 0}, "1": {"text": "read", "index": 1}}}]
    to_project = {"title": "Project ${__value.text}", "targetBlank": False,
                  "url": "/d/sentry-project?${__url_time_range}&" + "&".join(KEPT) + "&var-organization=${__data.fields.organization}&var-project=${__value.text}"}
    by_project = "by (server, organization, project) "
    now = [
        stat("Sentry", "Whether the last refresh could read the projects of the chosen organizations.",
             f"min(sentry_up{{{ALL}}})", steps=[(None, "red"), (1, "green")], mappings=up),
        stat("Age of the values", "How long ago the last refresh began, or the last push was. The exporter refreshes when it is scraped; 15 minutes are the most that old values are shown.",
             f'max(sentry_snapshot_age_seconds{{{ALL}}}) or {PUSHED}', "s", above(180, 600)),
        stat("Collectors that fail", "Collectors that did not succeed in the last refresh; their values are those of before. The last row says which.",
             f"count(sentry_collector_success{{{ALL}}} == 0) or vector(0)", steps=above(1)),
        stat("Errors", "Errors a second that Sentry stored.", f"sum({errors(ALL)})", "eps"),
        stat("Errors dropped", "Share of the errors of the last hour that Sentry refused, for quotas, limits or form; what filters and clients leave out on purpose is not counted.",
             f'({dropped(ALL, "1h")}) or vector(0)', "percentunit", above(0.01, 0.1), decimals=1),
        stat("Unresolved issues", "Issues with an event in the last 90 days that are not resolved.", f"sum(sentry_unresolved_issues{{{ALL}}})"),
        stat("New issues, 24 h", "Unresolved issues that were first seen in the last 24 hours.", f"sum(sentry_new_issues{{{ALL}}})"),
        stat("Scheduled jobs unwell", "Monitors whose last check-in failed, came too late or not at all.",
             f'sum(sentry_monitors{{{ALL},status=~"error|timeout|missed_checkin"}}) or vector(0)', steps=above(1)),
    ]
    events = [
        row("Events"),
        graph("Errors by outcome", "What became of errors, in errors a second. accepted: stored; filtered: by inbound filters; rate_limited: by quotas and limits; client_discard: never sent.",
              12, [(f"sum by (outcome) ({errors(ALL, ANY)})", "{{outcome}}")], "eps", stacked=True, colors=OUTCOMES),
        graph("Errors by project", "The ten projects with most stored errors, in errors a second.",
              12, [(f"topk(10, sum {by_project}({errors(ALL)}))", "{{organization}}/{{project}}")], "eps"),
        graph("Errors not stored, by reason", "Errors a second that Sentry did not store, by what became of them and why.",
              12, [(f"sum by (outcome, reason) ({errors(ALL, LOST)}) > 0", "{{outcome}} {{reason}}")], "eps", stacked=True),
        graph("Events by category", "Events a second that Sentry stored, by category; attachments, which are counted in bytes, are left out.",
              12, [(f'sum by (category) (rate(sentry_events_total{{{ALL},category!="attachment",outcome="accepted"}}[$__rate_interval]))', "{{category}}")], "eps"),
    ]
    issues = [
        row("Issues and projects"),
        table("Projects", "Each project: what happened in the chosen time, and its issues now. Its name leads to its own board.", 24,
              [f'sum {by_project}(increase(sentry_events_total{{{ALL},category="error",outcome="accepted"}}[$__range]))',
               dropped(ALL, "$__range", by_project),
               f"sum {by_project}(sentry_unresolved_issues{{{ALL}}})",
               f"sum {by_project}(sentry_new_issues{{{ALL}}})",
               f"sum {by_project}(sentry_regressed_issues{{{ALL}}})",
               f'sum {by_project}(sentry_monitors{{{ALL},status=~"error|timeout|missed_checkin"}})'],
              ["errors", "dropped", "unresolved", "new, 24 h", "regressed", "jobs unwell"],
              units={"dropped": "percentunit"}, key=["server", "organization", "project"], links={"project": to_project},
              steps={"dropped": above(0.01, 0.1), "new, 24 h": above(1, 20), "regressed": above(1), "jobs unwell": above(1)}),
        graph("Unresolved issues by level", "Issues with an event in the last 90 days that are not resolved. Where the last row says that counts are cut, these are lower bounds.",
              12, [(f"sum by (level) (sentry_unresolved_issues{{{ALL}}})", "{{level}}")], stacked=True, colors=LEVELS),
        graph("New issues by project, 24 h", "Unresolved issues that were first seen in the 24 hours before; the ten projects with most of them.",
              12, [(f"topk(10, sum {by_project}(sentry_new_issues{{{ALL}}}))", "{{organization}}/{{project}}")]),
    ]
    jobs = [
        row("Scheduled jobs"),
        graph("Monitors by status", "Monitors of scheduled jobs, each with the worst status of its environments.",
              12, [(f"sum by (status) (sentry_monitors{{{ALL}}})", "{{status}}")], stacked=True, colors=STATUSES),
        table("Unwell now", "Projects with monitors whose last check-in failed (error), came too late (timeout) or not at all (missed_checkin).", 12,
              [f'sum by (server, organization, project, status) (sentry_monitors{{{ALL},status=~"error|timeout|missed_checkin"}}) > 0'],
              ["monitors"], key=["server", "organization", "project", "status"], links={"project": to_project}, height=8),
    ]
    exporter = [
        row("Exporter"),
        timeline("Collectors", "Whether each group of figures could be refreshed; if not, its old values are shown for up to 15 minutes. The exporter's log and page name the reason.",
                 12, f"sentry_collector_success{{{ALL}}}", "{{server}} {{organization}} {{collector}}", [("0", "failed", "red"), ("1", "refreshed", "green")]),
        graph("Refreshes", "How long the last refresh took, and how old its values were when they were scraped.",
              12, [(f"sentry_refresh_duration_seconds{{{ALL}}}", "duration {{server}} {{organization}}"),
                   (f"sentry_snapshot_age_seconds{{{ALL}}}", "age {{server}} {{organization}}")], "s"),
        graph("Requests to Sentry", "Requests a second by the status of the answer; none: there was no answer. 429 means that others use up the same limits.",
              12, [('sum by (status) (rate(sentry_api_requests_total{server=~"$server"}[$__rate_interval]))', "{{status}}")], "reqps",
              colors={"200": "green", "429": "orange", "none": "red"}),
        graph("Requests left, and counts that are cut", "Requests that Sentry's limits leave in the current window of each class of endpoints, where it states limits; and whether there are more issues than are counted (1).",
              12, [(f"min by (server, organization, class) (sentry_api_rate_limit_remaining{{{ALL}}})", "left: {{server}} {{organization}} {{class}}"),
                   (f"max by (server, organization) (sentry_issues_truncated{{{ALL}}})", "cut: {{server}} {{organization}}")]),
    ]
    return board("sentry-overview", "Sentry: overview", "Events, issues and scheduled jobs of organizations in Sentry, from sentry-exporter.",
                 [SERVER, ANY_ORGANIZATION], now + events + issues + jobs + exporter,
                 [link("One project", "sentry-project", KEPT)], "now-24h")


def project():
    now = [
        stat("Errors", "Errors a second that Sentry stored.", f"sum({errors(ONE)})", "eps"),
        stat("Errors in this time", "Errors that Sentry stored in the chosen time.",
             f'sum(increase(sentry_events_total{{{ONE},category="error",outcome="accepted"}}[$__range]))', instant=True, decimals=0),
        stat("Errors dropped", "Share of the errors of the last hour that Sentry refused, for quotas, limits or form; what filters and clients leave out on purpose is not counted.",
             f'({dropped(ONE, "1h")}) or vector(0)', "percentunit", above(0.01, 0.1), decimals=1),
        stat("Unresolved issues", "Issues with an event in the last 90 days that are not resolved.", f"sum(sentry_unresolved_issues{{{ONE}}})"),
        stat("New issues, 24 h", "Unresolved issues that were first seen in the last 24 hours.", f"sum(sentry_new_issues{{{ONE}}})", steps=above(1, 20)),
        stat("Regressed issues", "Unresolved issues that had been resolved before.", f"sum(sentry_regressed_issues{{{ONE}}})", steps=above(1)),
        stat("Scheduled jobs unwell", "Monitors whose last check-in failed, came too late or not at all.",
             f'sum(sentry_monitors{{{ONE},status=~"error|timeout|missed_checkin"}}) or vector(0)', steps=above(1)),
        stat("Age of the values", "How long ago the exporter asked for these events, or pushed them.",
             f'max(sentry_collector_age_seconds{{server=~"$server",organization="$organization",collector="events"}}) or {PUSHED}', "s", above(180, 600)),
    ]
    events = [
        row("Events"),
        graph("Errors by outcome", "What became of errors, in errors a second. accepted: stored; filtered: by inbound filters; rate_limited: by quotas and limits; client_discard: never sent.",
              12, [(f"sum by (outcome) ({errors(ONE, ANY)})", "{{outcome}}")], "eps", stacked=True, colors=OUTCOMES),
        graph("Against the day and the week before", "Errors a second that Sentry stored, an hour's mean, and the same a day and a week earlier.",
              12, [(f'sum({errors(ONE, window="1h")})', "now"),
                   (f'sum({errors(ONE, window="1h", before="1d")})', "a day before"),
                   (f'sum({errors(ONE, window="1h", before="1w")})', "a week before")], "eps"),
        graph("Errors not stored, by reason", "Errors a second that Sentry did not store, by what became of them and why.",
              12, [(f"sum by (outcome, reason) ({errors(ONE, LOST)}) > 0", "{{outcome}} {{reason}}")], "eps", stacked=True),
        graph("Errors against the limits of keys", "Errors a second that came in, stored or rate limited, and what the limited client keys take together; nothing is drawn for keys without limits.",
              12, [(f"sum({errors(ONE, ARRIVED)})", "came in"),
                   (f"sum(sentry_client_key_rate_limit_events{{{ONE}}} / sentry_client_key_rate_limit_window_seconds{{{ONE}}})", "limit")], "eps"),
        graph("Events by category", "Events a second that Sentry stored, by category; attachments, which are counted in bytes, are left out.",
              24, [(f'sum by (category) (rate(sentry_events_total{{{ONE},category!="attachment",outcome="accepted"}}[$__rate_interval]))', "{{category}}")], "eps"),
    ]
    issues = [
        row("Issues and scheduled jobs"),
        graph("Unresolved issues by level", "Issues with an event in the last 90 days that are not resolved.",
              8, [(f"sum by (level) (sentry_unresolved_issues{{{ONE}}})", "{{level}}")], stacked=True, colors=LEVELS),
        graph("New and regressed issues", "Unresolved issues that were first seen in the 24 hours before, and those that had been resolved before.",
              8, [(f"sum(sentry_new_issues{{{ONE}}})", "new, 24 h"), (f"sum(sentry_regressed_issues{{{ONE}}})", "regressed")]),
        graph("Monitors by status", "Monitors of scheduled jobs, each with the worst status of its environments.",
              8, [(f"sum by (status) (sentry_monitors{{{ONE}}})", "{{status}}")], stacked=True, colors=STATUSES),
    ]
    optional = [
        row("Releases and single issues: the collectors release_health and issue_events, which are off by default"),
        graph("Sessions free of crashes", "Share of the sessions of the 24 hours before that did not crash, for the newest releases. Needs --collector.release_health.",
              8, [(f"sentry_release_crash_free_sessions_ratio{{{ONE}}}", "{{release}}")], "percentunit", max=1),
        graph("Sessions", "Sessions of the 24 hours before, for the newest releases. Needs --collector.release_health.",
              8, [(f"sentry_release_sessions{{{ONE}}}", "{{release}}")]),
        table("Issues with most events", "Events of the last 90 days of unresolved issues. Needs --collector.issue_events.", 8,
              [f"topk(20, max by (issue, level) (sentry_issue_events{{{ONE}}}))"], ["events"], key=["issue", "level"], height=8),
    ]
    return board("sentry-project", "Sentry: one project", "Events, issues and scheduled jobs of one project in Sentry, from sentry-exporter.",
                 [SERVER, ORGANIZATION, PROJECT], now + events + issues + optional,
                 [link("All projects", "sentry-overview", KEPT + ["${organization:queryparam}"])], "now-24h")


def main():
    here = pathlib.Path(__file__).parent
    stale = []
    for name, made in ("sentry-overview", overview()), ("sentry-project", project()):
        file, text = here / f"{name}.json", json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv[1:]:
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            stale.append(file.name)
    if stale:
        sys.exit(f"not as grafana/boards.py makes them, which is to be run again: {', '.join(stale)}")


if __name__ == "__main__":
    main()

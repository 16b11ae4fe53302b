"""sentry-exporter in front of the real Prometheus, against sandboxes. One line a check, `ok …` or `FAIL …`.

exporter.sh starts it, and tells it by its environment where everything is.
"""

import base64
import concurrent.futures
import json
import signal
import ssl
import subprocess
import sys
import threading
from datetime import datetime, timezone

import bcrypt

import boards
import lab
from between import Between
from lab import Exporter, Prometheus, Program, Sandbox, check, exporter_settings, http, job, promtool, same, samples, stage, until
from page import Browser
from truth import Sentry, figures, labels, monitors

CLASSIC = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
HOSTILE = 'a "quoted" back\\slash\nline {x="y"}, é 🙂 # HELP'

stage("programs")
seeded = Sandbox("seeded")
hosted = Sandbox("hosted", "--limits", "hosted", "--latency-ms", "20")
bulk = Sandbox("bulk", "--bulk", "1500,2,1,200")
everything = {"collector_release_health": True, "collector_issue_events": True, "enable_lifecycle": True}
growing, slow, limited, broken = Between(seeded.url), Between(seeded.url), Between(hosted.url), Between(seeded.url)
growing.rise = 7
growing.reasons = {"web-crawlers": HOSTILE}
slow.delay = 1.5
broken.refused = {"/monitors/": 403}
plain = Exporter("plain", exporter_settings(seeded, **everything, min_age="1s"))
grown = Exporter("grown", exporter_settings(seeded, url=growing.url, **everything, min_age="1s"))
many = Exporter("many", exporter_settings(bulk, min_age="10m"))
late = Exporter("late", exporter_settings(seeded, url=slow.url, min_age="1s"))
paced = Exporter("paced", exporter_settings(hosted, url=limited.url, min_age="1s"))
partly = Exporter("partly", exporter_settings(seeded, url=broken.url, min_age="1s"))
pushgateway = Program("pushgateway", [lab.DEBIAN / "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{(push_port := lab.free_port())}", "--persistence.file="])
jobs = [
    job("plain", plain.port),
    job("grown", grown.port),
    job("many", many.port, scrape_interval="5s", scrape_timeout="5s"),
    job("late", late.port),
    job("paced", paced.port),
    job("sentry", partly.port),
    job("pushgateway", push_port, honor_labels=True),
]
prometheus = Prometheus("prometheus", jobs, [lab.ROOT / "prometheus" / "sentry.rules.yml"])
second = Prometheus("second", [job("paced", paced.port), job("grown", grown.port)])


def scraped(server, name, condition="> 0"):
    return until(lambda: server.query(f'up{{job="{name}"}} {condition}'))


with check("Prometheus reads every exporter"):
    for one in jobs:
        scraped(prometheus, one["job_name"])
with check("a second Prometheus reads two of them"):
    scraped(second, "paced")
    scraped(second, "grown")

stage("values")
until(lambda: prometheus.query('sentry_up{job="plain"} == 1'))
sentry = Sentry(seeded.url, seeded.token, seeded.organization)
truth = figures(sentry)
for figure, expected in truth.items():
    with check(f"{figure}: Prometheus holds what Sentry holds, {len(expected)} series"):
        # On the first of the month there may be no events yet.
        assert expected or (figure == "sentry_events_total" and datetime.now(timezone.utc).day == 1), "the sandbox holds none"

        def of_prometheus():
            found = {tuple(pair for pair in key if pair[0] != "__name__"): value for key, value in prometheus.query(f'{figure}{{job="plain"}}').items() if value}
            same(found, expected)
            return True
        until(of_prometheus, 10)
with check("sentry_monitors: as many as Sentry has, by project"):
    same(until(lambda: prometheus.query('sum by (organization, project) (sentry_monitors{job="plain"})')), monitors(sentry))
with check("sentry_events_total: reported for a project without events too"):
    assert prometheus.value('sum(sentry_events_total{job="plain",project="quiet"})') == 0
with check("types and HELP arrive as metadata"):
    found = prometheus.api("metadata", metric="sentry_unresolved_issues")["sentry_unresolved_issues"][0]
    assert found["type"] == "gauge" and "Unresolved issues" in found["help"], found
with check("a label value with quotes, line feed, backslash and emoji arrives whole"):
    until(lambda: labels(reason=HOSTILE) in prometheus.query('count by (reason) (sentry_events_total{job="grown"})'), 20)

stage("both texts")
classic = plain.scrape(CLASSIC)
with check("classic text: prometheus_client's strict parser"):
    assert len(samples(classic)) > 200
with check("classic text: promtool check metrics"):
    promtool("check", "metrics", text=classic)
with check("OpenMetrics: prometheus_client's strict parser, and the same series"):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    same(set(lab.of_families(text_string_to_metric_families(plain.scrape(OPENMETRICS)))), set(samples(classic)))
with check("both texts of hostile label values"):
    found = samples(grown.scrape(CLASSIC))
    assert any(("reason", HOSTILE) in key for _, key in found)
    other = lab.of_families(text_string_to_metric_families(grown.scrape(OPENMETRICS)))
    same(set(other), set(found))
with check("a text file for node_exporter: no timestamps, no EOF, a final line feed"):
    assert classic.endswith("\n") and "# EOF" not in classic
    assert all(len(line.rsplit("} ", 1)[-1].split(" ")) <= 2 for line in classic.splitlines() if not line.startswith("#"))

stage("10,000 series")
with check("Prometheus takes 10,000 series"):
    until(lambda: prometheus.value('scrape_samples_scraped{job="many"}') >= 10000 and prometheus.value('sentry_up{job="many"}') == 1)
with check("every project is there; of the issues as many as 10 pages hold, and that they are cut is told"):
    assert prometheus.value('count(sentry_project_info{job="many"})') == 1500
    assert prometheus.value('sum(sentry_unresolved_issues{job="many"})') == 1000
    assert prometheus.value('sentry_issues_truncated{job="many"}') == 1
with check("promtool reads them"):
    promtool("check", "metrics", text=many.scrape(CLASSIC))
# They cost time that the others need.
many.stop()
bulk.stop()

stage("a slow Sentry, a time-out of 1 s")
with check("every scrape is answered in time, first with sentry_up 0, then with values"):
    until(lambda: prometheus.query('sentry_up{job="late"} == 1'))
    assert prometheus.value('min_over_time(sentry_up{job="late"}[5m])') == 0, "the first answers had no values"
    until(lambda: prometheus.query('sum(sentry_unresolved_issues{job="late"}) > 0'))
    assert prometheus.value('min_over_time(up{job="late"}[5m:1s])') == 1
with check("a Sentry that hangs: scrapes go on, and the values grow old"):
    slow.hanging.set()
    until(lambda: prometheus.query('sentry_snapshot_age_seconds{job="late"} > 4'))
    assert prometheus.value('min_over_time(up{job="late"}[5m:1s])') == 1
    assert prometheus.value('sum(sentry_unresolved_issues{job="late"})') > 0
with check("when it answers again, values are fresh"):
    slow.delay = 0
    slow.hanging.clear()
    slow.released.set()
    until(lambda: prometheus.query('sentry_snapshot_age_seconds{job="late"} < 3'))

stage("two Prometheus servers, hosted limits")
with check("no 429, and both have the same values"):
    until(lambda: prometheus.query('sentry_up{job="paced"} == 1') and second.query('sentry_up{job="paced"} == 1'))
    before = sum(limited.statuses.values())
    until(lambda: sum(limited.statuses.values()) >= before + 60)
    assert limited.statuses[429] == 0, limited.statuses
    assert not prometheus.query('sentry_api_requests_total{job="paced",status="429"}')
    same(prometheus.query('sentry_unresolved_issues{job="paced"}'), second.query('sentry_unresolved_issues{job="paced"}'))
with check("the budget that is left is told"):
    until(lambda: prometheus.query('sentry_api_rate_limit_remaining{job="paced"}'))
with check("one refresh at a time, whoever scrapes: as many requests as one needs"):
    a_refresh = until(lambda: prometheus.query('count(sentry_collector_success{job="paced"})'))
    rate = prometheus.value('sum(increase(sentry_api_requests_total{job="paced"}[20s]))')
    assert rate <= 20 * (next(iter(a_refresh.values())) + 4), f"{rate} requests in 20 s"

stage("restart")
with check("a restart: the counter goes on, without a reset"):
    counted = 'sum(sentry_events_total{job="grown",outcome="accepted"})'
    seen = until(lambda: prometheus.value(counted))
    grown.stop()
    until(lambda: prometheus.query('up{job="grown"} == 0'))
    grown.start()
    until(lambda: prometheus.query(f"{counted} > {seen}"))
    assert prometheus.value('sum(resets(sentry_events_total{job="grown"}[5m]))') == 0
with check("the second Prometheus server saw no reset either, and the rise"):
    until(lambda: second.query(f"{counted} > {seen}"))
    assert second.value('sum(resets(sentry_events_total{job="grown"}[5m]))') == 0

stage("reload under load")
with check("200 scrapes during reloads: all answered, none without values"):
    stop = threading.Event()

    def reloads():
        while not stop.is_set():
            plain.send(signal.SIGHUP)
            status, _, text = http(plain.url + "/-/reload", method="POST")
            assert status == 200, f"HTTP {status}: {text}"

    def one(number):
        found = lab.of_families(text_string_to_metric_families(plain.scrape(OPENMETRICS))) if number % 2 else samples(plain.scrape(CLASSIC))
        return found[("sentry_up", (("organization", "acme"),))] == 1 and any(name == "sentry_unresolved_issues" for name, _ in found)

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        reloading = pool.submit(reloads)
        try:
            assert all(pool.map(one, range(200)))
        finally:
            stop.set()
        reloading.result()
with check("a bad file: the old settings stay, a metric and the answer tell"):
    good = plain.settings
    plain.configure("api_token: x\nmin_agee: 3s\n")
    status, _, text = http(plain.url + "/-/reload", method="POST")
    assert status == 500 and "min_age" in text, (status, text)
    until(lambda: prometheus.query('sentry_exporter_config_last_reload_successful{job="plain"} == 0') and prometheus.query('sentry_up{job="plain"} == 1'))
    plain.configure(good)
    assert http(plain.url + "/-/reload", method="POST")[0] == 200
    until(lambda: prometheus.query('sentry_exporter_config_last_reload_successful{job="plain"} == 1'))

stage("rules")
with check("Prometheus evaluates all rules"):
    def evaluated():
        rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
        assert len(rules) >= 15 and all(rule["health"] == "ok" for rule in rules), [(rule["name"], rule["health"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"]
        return True
    until(evaluated)
with check("alerts are pending for what is wrong here, and for nothing else of the exporter"):
    def pending():
        names = {alert["labels"]["alertname"] for alert in prometheus.api("alerts")["alerts"]}
        assert {"SentryCollectorFails", "SentryMonitorFailing"} <= names, names
        assert not names & {"SentryRateLimited", "SentryMetricsAbsent"}, names
        return True
    until(pending)
with check("recorded rates have values"):
    until(lambda: prometheus.query('project:sentry_errors_accepted:rate10m{job="grown"} > 0'))
    until(lambda: prometheus.query('project:sentry_errors_dropped:ratio_rate30m{job="grown"} > 0'))

stage("boards")
# What Grafana replaces; the days before are seconds here.
VALUES = {"__rate_interval": "20s", "__range": "1m", "datasource": "x", "server": ".*", "organization": seeded.organization, "project": "api"}
for file in boards.BOARDS:
    board = boards.read(file)
    with check(f"{file.name}: windows of rates"):
        boards.rates_fit_the_window(board)
    with check(f"{file.name}: promtool reads each expression"):
        boards.parse([expression for _, those in boards.expressions(board, VALUES) for expression in those])
    with check(f"{file.name}: the variables have values"):
        for name, query in boards.variables(board):
            query = boards.replaced(query, VALUES)
            metric, label = query.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            found = prometheus.api(f"label/{label}/values", **{"match[]": metric})
            # One server has no name.
            assert bool(found) == (name != "server"), (query, found)
    for title, those in boards.expressions(board, VALUES):
        with check(f"{file.name}: {title}"):
            for expression in those:
                expression = expression.replace("offset 1d", "offset 5s").replace("offset 1w", "offset 6s")
                if "rate_limit_remaining" not in expression:
                    # A server without limits tells none left.
                    expression = expression.replace('server=~".*"', 'job="grown",server=~".*"')
                until(lambda: prometheus.query(expression), 20)

stage("push")
UNRESOLVED = 'sum by (organization, project, level) (sentry_unresolved_issues{%s})'


def export(settings, *flags):
    file = lab.WORK / "export.yml"
    file.write_text(json.dumps(settings))
    file.chmod(0o600)
    done = subprocess.run([lab.BIN / "sentry-exporter", "export", "--config.file", file, *flags], capture_output=True, text=True, timeout=60, cwd=lab.WORK)
    with (lab.WORK / "export.log").open("a") as log:
        log.write(done.stdout + done.stderr)
    return done.returncode, done.stdout + done.stderr


gateway = f"http://127.0.0.1:{push_port}"
with check("export: the Pushgateway has what Sentry holds, and so has Prometheus"):
    code, output = export(exporter_settings(seeded), "--push.url", gateway)
    assert code == 0, (code, output)
    pushed = {key: value for (name, key), value in samples(http(gateway + "/metrics")[2]).items() if name == "sentry_unresolved_issues" and value}
    same({tuple(pair for pair in key if pair[0] != "job"): value for key, value in pushed.items()}, truth["sentry_unresolved_issues"])
    assert all(("job", "sentry") in key and ("organization", seeded.organization) in key for key in pushed), pushed
    until(lambda: same({key: value for key, value in prometheus.query(UNRESOLVED % 'job="sentry",instance=""').items() if value}, truth["sentry_unresolved_issues"]) is None)
with check("export, again: the group is replaced, not doubled"):
    code, output = export(exporter_settings(seeded), "--push.url", gateway)
    assert code == 0, (code, output)
    again = {key for name, key in samples(http(gateway + "/metrics")[2]) if name == "sentry_unresolved_issues"}
    assert set(pushed) <= again and len({key for key in again if ("project", "api") in key}) == 4, again
with check("a collector that fails: exit code 4, and the group stays"):
    code, output = export(exporter_settings(seeded, url=broken.url), "--push.url", gateway)
    assert code == 4 and "monitors" in output and "403" in output, (code, output)
    found = samples(http(gateway + "/metrics")[2])
    assert any(name == "sentry_monitors" for name, _ in found)
    assert not any(name == "sentry_collector_success" and value == 0 for (name, _), value in found.items())
with check("the same with --push.failures: the group tells"):
    code, output = export(exporter_settings(seeded, url=broken.url), "--push.url", gateway, "--push.failures")
    found = samples(http(gateway + "/metrics")[2])
    assert code == 4 and [value for (name, key), value in found.items() if name == "sentry_collector_success" and ("collector", "monitors") in key] == [0], (code, output)
with check("no Pushgateway: exit code 3"):
    code, output = export(exporter_settings(seeded), "--push.url", f"http://127.0.0.1:{lab.free_port()}")
    assert code == 3, (code, output)
with check("a text file as node_exporter reads it"):
    folder = lab.WORK / "textfiles"
    folder.mkdir()
    code, output = export(exporter_settings(seeded), "--textfile", str(folder / "sentry.prom"))
    assert code == 0, (code, output)
    assert [file.name for file in folder.iterdir()] == ["sentry.prom"] and (folder / "sentry.prom").stat().st_mode & 0o777 == 0o644
    text = (folder / "sentry.prom").read_text()
    same({key: value for (name, key), value in samples(text).items() if name == "sentry_unresolved_issues" and value}, truth["sentry_unresolved_issues"])
    # node_exporter refuses a file with a timestamp.
    from prometheus_client.parser import text_string_to_metric_families as families
    assert all(sample.timestamp is None for family in families(text) for sample in family.samples)
    promtool("check", "metrics", text=text)

stage("TLS and users, compared with the Pushgateway")
certificate, key = lab.WORK / "cert.pem", lab.WORK / "key.pem"
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
web = lab.WORK / "web.yml"
GOOD = {
    "tls_server_config": {"cert_file": "cert.pem", "key_file": "key.pem", "min_version": "TLS13"},
    "http_server_config": {"headers": {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=31536000"}},
    "basic_auth_users": {"prometheus": bcrypt.hashpw(b"hunter2", bcrypt.gensalt(4)).decode()},
}
web.write_text(json.dumps(GOOD))
guarded = Exporter("guarded", exporter_settings(seeded), f"--web.config.file={web}")
theirs_port = lab.free_port()
theirs = Program("theirs", [lab.DEBIAN / "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{theirs_port}", "--persistence.file=", f"--web.config.file={web}"])
until(lambda: theirs.lived() and lab.reachable(theirs_port))
trusting = ssl.create_default_context(cafile=certificate)


def credentials(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()} if text else {}


def answer(port, path, who):
    status, headers, text = http(f"https://127.0.0.1:{port}{path}", headers=credentials(who), context=trusting)
    told = {name: headers.get(name) for name in ("WWW-Authenticate", "X-Frame-Options", "Strict-Transport-Security", "X-Content-Type-Options")}
    return status, told, text if status != 200 else ""


def answer_or_refusal(port):
    """Without an answer, that there was none."""
    try:
        return answer(port, "/metrics", "prometheus:hunter2")[0]
    except OSError:
        return None


with check("the same answers for the same users, on metrics and health"):
    for path in ("/metrics", "/-/healthy", "/-/ready"):
        for who in (None, "prometheus:hunter2", "prometheus:hunter3", "nobody:hunter2", "prometheus:", ":"):
            ours, other = answer(guarded.port, path, who), answer(theirs_port, path, who)
            assert ours == other, (path, who, ours, other)
    assert answer(guarded.port, "/metrics", "prometheus:hunter2")[0] == 200
with check("TLS 1.2 is refused by both"):
    old = ssl.create_default_context(cafile=certificate)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    for port in (guarded.port, theirs_port):
        try:
            http(f"https://127.0.0.1:{port}/metrics", context=old)
        except OSError as error:
            assert "version" in str(error).lower() or "alert" in str(error).lower() or "EOF" in str(error), error
        else:
            raise AssertionError(f"port {port} took it")
with check("a web configuration that has gone bad, and is repaired: both alike"):
    web.write_text(json.dumps({**GOOD, "basic_auth_user": {}}))
    ours, other = answer_or_refusal(guarded.port), answer_or_refusal(theirs_port)
    assert ours == other, (ours, other)
    web.write_text(json.dumps(GOOD))
    assert answer(guarded.port, "/metrics", "prometheus:hunter2")[0] == answer(theirs_port, "/metrics", "prometheus:hunter2")[0] == 200
with check("Prometheus scrapes over TLS with a password"):
    third = Prometheus("third", [job("guarded", guarded.port, scheme="https", tls_config={"ca_file": str(certificate)}, basic_auth={"username": "prometheus", "password": "hunter2"})])
    scraped(third, "guarded")
    third.stop()

stage("pages in a browser")
browser = Browser()
for width in (360, 1280):
    for path in ("/", "/config"):
        with check(f"{path} at {width} px: fits, and says nothing on the console"):
            console, statuses = browser.open(partly.url + path, width)
            assert not console, console
            assert statuses and all(status == 200 for status in statuses.values()), statuses
            inner, wide = browser.value("innerWidth"), browser.value("document.documentElement.scrollWidth")
            assert inner == width and wide <= inner, (inner, wide)
            browser.screenshot(f"page-{width}{path.replace('/', '-')}")
    with check(f"/ at {width} px: the failing collector and its reason are visible"):
        browser.open(partly.url + "/", width)
        text = browser.value("document.body.innerText")
        assert "monitors" in text and "403" in text, text
        assert seeded.organization in text
        hidden = browser.value("""[...document.querySelectorAll('body *')].filter(e => e.children.length === 0 && /403/.test(e.textContent)).filter(e => {
            const box = e.getBoundingClientRect(); return box.width === 0 || box.height === 0 || box.right > innerWidth }).length""")
        assert hidden == 0, f"{hidden} elements are not to be seen"
with check("every link answers 200"):
    browser.open(partly.url + "/", 1280)
    links = set(browser.value("[...document.links].map(a => a.href)"))
    assert len(links) >= 4, links
    for url in links:
        assert http(url)[0] == 200, url
with check("no token on any page"):
    for path in ("/", "/config"):
        browser.open(partly.url + path, 1280)
        assert seeded.token not in browser.value("document.documentElement.outerHTML")
browser.close()

stage("log and secrets")
with check("no line of an exporter's log is an error that nothing caused"):
    for one in (plain, grown, many, paced):
        lines = [line for line in one.log.read_text().splitlines() if "level=ERROR" in line and "reload" not in line and "configuration" not in line and "min_agee" not in line]
        assert not lines, f"{one.name}: {lines[:3]}"
with check("the failing collector's log names endpoint and status"):
    assert "403" in partly.log.read_text() and "monitors" in partly.log.read_text(), partly.log.read_text()[-600:]
with check("no output has a token"):
    texts = {f"{one.name} {path}": http(one.url + path)[2] for one in (plain, partly) for path in ("/metrics", "/", "/config", "/-/healthy", "/-/ready", "/nothing")}
    texts |= {file.name: file.read_text() for file in [*lab.WORK.glob("*.log"), *lab.WORK.glob("textfiles/*")] if file.stem not in ("seeded", "hosted", "bulk")}
    for name, text in texts.items():
        assert seeded.token not in text, name
sys.exit(1 if lab.failures() else 0)

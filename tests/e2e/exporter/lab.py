"""Programs of a test of sentry-exporter, and what they answer."""

import json
import math
import os
import pathlib
import subprocess
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from programs import BIN, ROOT, WORK, Program, Sandbox, check, failures, free_port, http, reachable, report, same, stage, until  # noqa: E402, F401

DEBIAN = pathlib.Path(os.environ["E2E_DEBIAN"])  # prometheus, promtool, prometheus-pushgateway


class Exporter(Program):
    """sentry-exporter with settings, which are JSON and thereby YAML."""

    def __init__(self, name, settings, *flags, mode=(), environment=None):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.file = WORK / f"{name}.yml"
        self.configure(settings)
        flags = [f"--web.listen-address=127.0.0.1:{self.port}", *flags]
        super().__init__(name, [BIN / "sentry-exporter", *mode, "--config.file", self.file, *flags], environment)
        self.ready()

    def configure(self, settings):
        self.settings = settings
        self.file.write_text(json.dumps(settings) if isinstance(settings, dict) else settings)
        self.file.chmod(0o600)

    def ready(self):
        until(lambda: self.lived() and reachable(self.port))

    def scrape(self, accept="text/plain;version=0.0.4", path="/metrics", seconds=20):
        status, headers, text = http(self.url + path, headers={"Accept": accept, "Accept-Encoding": "gzip", "X-Prometheus-Scrape-Timeout-Seconds": str(seconds)}, seconds=seconds + 20)
        assert status == 200, f"HTTP {status}: {text[:200]}"
        return text


def exporter_settings(sandbox, **more):
    url = more.pop("url", sandbox.url)
    return {"api_token": sandbox.token, "organization": sandbox.organization, "base_url": url, **more}


def samples(text):
    """{(name, ((label, value), …)): value} of a text in the classic format, by a strict parser."""
    from prometheus_client.parser import text_string_to_metric_families
    return of_families(text_string_to_metric_families(text))


def of_families(families):
    found = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted((k, v) for k, v in sample.labels.items() if v)))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


class Prometheus(Program):
    """Prometheus with jobs, each a dictionary; scraped each second."""

    def __init__(self, name, jobs, rules=()):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        file = WORK / f"{name}.yml"
        file.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rule) for rule in rules],
            "scrape_configs": jobs,
        }))
        super().__init__(name, [DEBIAN / "prometheus", f"--config.file={file}", f"--storage.tsdb.path={WORK / (name + '.data')}",
                                f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=1d"])
        until(lambda: self.lived() and reachable(self.port))
        until(lambda: http(self.url + "/-/ready")[0] == 200)

    def api(self, path, **parameters):
        status, _, text = http(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        answer = json.loads(text)
        if answer["status"] != "success":
            raise RuntimeError(f"HTTP {status}: {answer.get('error')}: {parameters}")
        return answer["data"]

    def query(self, expression):
        """{((label, value), …): value}, NaN left out; `job` and `instance` too."""
        found = {}
        data = self.api("query", query=expression)
        if data["resultType"] == "scalar":
            return {(): float(data["result"][1])}
        for row in data["result"]:
            labels = tuple(sorted((k, v) for k, v in row["metric"].items() if k not in ("job", "instance")))
            value = float(row["value"][1])
            if not math.isnan(value):
                found[labels] = value
        return found

    def value(self, expression):
        """The only value."""
        found = self.query(expression)
        assert len(found) == 1, f"{expression}: {found}"
        return next(iter(found.values()))


def promtool(*arguments, text=None, code=0):
    done = subprocess.run([DEBIAN / "promtool", *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, f"exit code {done.returncode}: {(done.stdout + done.stderr)[-800:]}"
    return done.stdout + done.stderr


def job(name, *ports, **more):
    return {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}], **more}

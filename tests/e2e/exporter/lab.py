"""Programs of a test, and what they answer. Everything listens on loopback, and ends with this process.

Standard library only, so that it runs in any virtualenv.
"""

import atexit
import contextlib
import gzip
import json
import math
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

WORK = pathlib.Path(os.environ["E2E_WORK"])
BIN = pathlib.Path(os.environ["E2E_BIN"])  # sentry-exporter and sentry-sandbox
DEBIAN = pathlib.Path(os.environ["E2E_DEBIAN"])  # prometheus, promtool, prometheus-pushgateway
ROOT = pathlib.Path(__file__).resolve().parents[3]
# No proxy of the machine's for loopback.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
failed = 0
began = time.monotonic()


def stage(name):
    print(f"\n== {name} ({time.monotonic() - began:.0f} s)", flush=True)


def report(name, problem=None):
    """One line a check."""
    global failed
    if problem is None:
        print(f"ok {name}", flush=True)
    else:
        failed += 1
        print(f"FAIL {name}\n    {str(problem)[:1200]}", flush=True)


@contextlib.contextmanager
def check(name):
    """Passes if nothing is raised in it."""
    try:
        yield
    except Exception as error:  # whatever went wrong is the news
        report(name, f"{type(error).__name__}: {error}")
    else:
        report(name)


def same(found, expected, what=""):
    """As dictionaries or sets; what differs is told."""
    if found == expected:
        return
    if isinstance(expected, dict):
        found, expected = set(found.items()), set(expected.items())
    found, expected = set(found), set(expected)
    raise AssertionError(f"{what} only found: {sorted(map(str, found - expected))[:5]}, only expected: {sorted(map(str, expected - found))[:5]}")


def until(condition, seconds=60):
    """Polls until the condition is true, and returns what it returned."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except (OSError, AssertionError) as error:
            last = error
        time.sleep(0.05)
    raise TimeoutError(f"not within {seconds} s; the last was {last!r}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http(url, *, method="GET", headers=None, body=None, context=None, seconds=20):
    """(status, headers, text); a status is no error."""
    request = urllib.request.Request(url, method=method, headers=headers or {}, data=body)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)) if context else OPENER
    try:
        answer = opener.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read()
        if answer.headers.get("Content-Encoding") == "gzip":
            text = gzip.decompress(text)
        return answer.status, answer.headers, text.decode()


class Program:
    """A program that runs until it is stopped; its output goes to a file."""

    def __init__(self, name, command, environment=None, folder=WORK):
        self.name, self.command, self.environment, self.folder = name, [str(part) for part in command], environment, folder
        self.log = WORK / f"{name}.log"
        self.start()
        atexit.register(self.stop)

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment, cwd=self.folder)

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def lived(self):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.log.read_text()[-500:]}"
        return True


class Sandbox(Program):
    """A Sentry. `url` ends without a slash."""

    def __init__(self, name, *options):
        super().__init__(name, [BIN / "sentry-sandbox", *options])
        until(lambda: self.lived() and "\ntoken: " in self.log.read_text())
        said = dict(line.split(": ", 1) for line in self.log.read_text().splitlines())
        self.url, self.token, self.organization = said["url"].rstrip("/"), said["token"], said["organization"]


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


def reachable(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


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

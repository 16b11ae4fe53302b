"""Checks, one line each, and programs of a test, which listen on loopback and end with this process.

Standard library only, so that it runs in any virtualenv.
"""

import atexit
import contextlib
import gzip
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

WORK = pathlib.Path(os.environ["E2E_WORK"])
BIN = pathlib.Path(os.environ["E2E_BIN"])  # what cargo built
ROOT = pathlib.Path(__file__).resolve().parents[2]
# No proxy of the machine's for loopback.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
failed = []
began = time.monotonic()


def stage(name):
    print(f"\n== {name} ({time.monotonic() - began:.0f} s)", flush=True)


def report(name, problem=None):
    """One line a check."""
    if problem is None:
        print(f"ok {name}", flush=True)
    else:
        failed.append(name)
        print(f"FAIL {name}\n    {str(problem)[:1200]}", flush=True)


def failures():
    """How many checks have failed."""
    return len(failed)


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


GIVEN = set()


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
    """A port that nobody listens on, and that was not given before: the system may name one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


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


def reachable(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


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

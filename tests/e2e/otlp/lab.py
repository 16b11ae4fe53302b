"""Bridges, Sentrys and clients of a test of sentry-otlp."""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from programs import BIN, ROOT, WORK, Program, Sandbox, free_port, http, reachable, until  # noqa: E402, F401

HERE = pathlib.Path(__file__).resolve().parent
VENVS = pathlib.Path(os.environ["E2E_VENVS"])
JAVASCRIPT = ["node", HERE / "client.mjs", VENVS / "otel-javascript"]
# Name of a client -> how it is started.
CLIENTS = {
    "python-http": [VENVS / "otel-python/bin/python", HERE / "client.py", "http"],
    "python-grpc": [VENVS / "otel-python/bin/python", HERE / "client.py", "grpc"],
    "python-json": [VENVS / "otel-python-json/bin/python", HERE / "client.py", "json"],
    "javascript-http": [*JAVASCRIPT, "http"],
    "javascript-proto": [*JAVASCRIPT, "proto"],
}
RELEASE, ENVIRONMENT = "1.2.3", "e2e"


class Server(Sandbox):
    """A Sentry that takes telemetry in."""

    def __init__(self, name, version="26.7", *options):
        super().__init__(name, "--intake", version, *options)
        lines = self.log.read_text().splitlines()
        self.dsns = dict(line.removeprefix("dsn of ").split(": ", 1) for line in lines if line.startswith("dsn of "))
        self.dsn = next(iter(self.dsns.values()))

    def limit(self, quotas):
        """From now on these quotas hold, and no others."""
        status, _, text = http(f"{self.url}/_sandbox/intake/quotas", method="PUT", body=json.dumps(quotas).encode())
        assert status in (200, 204), f"{status}: {text}"

    def outcomes(self):
        return json.loads(http(f"{self.url}/_sandbox/intake")[2])


class Bridge(Program):
    """sentry-otlp with a file; its ports are in the environment of the file."""

    def __init__(self, name, config, environment=None):
        self.grpc, self.http, self.web = free_port(), free_port(), free_port()
        self.file = WORK / f"{name}.yml"
        self.configure(config)
        ports = {"OTLP_GRPC": f"127.0.0.1:{self.grpc}", "OTLP_HTTP": f"127.0.0.1:{self.http}"}
        command = [BIN / "sentry-otlp", "--config", self.file, f"--web.listen-address=127.0.0.1:{self.web}"]
        super().__init__(name, command, {**os.environ, **ports, **(environment or {})})
        self.ready()

    def configure(self, config):
        """A text, or exporters beside the receivers that all have."""
        if isinstance(config, dict):
            protocols = {"grpc": {"endpoint": "${env:OTLP_GRPC}"}, "http": {"endpoint": "${env:OTLP_HTTP}"}}
            config = json.dumps({"receivers": {"otlp": {"protocols": protocols}}, "exporters": {"sentry": config}})
        self.file.write_text(config)
        self.file.chmod(0o600)

    def ready(self):
        until(lambda: self.lived() and reachable(self.web) and reachable(self.http) and reachable(self.grpc))

    def figures(self):
        """{name with labels: value}"""
        lines = http(f"http://127.0.0.1:{self.web}/metrics")[2].splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name.removeprefix("sentry_otlp_"): float(value) for name, value in pairs}

    def endpoint(self, client):
        return f"http://127.0.0.1:{self.grpc if client.endswith('grpc') else self.http}"


class Client:
    """A client at work."""

    def __init__(self, name, endpoint, work, amount, label, gzip=False):
        self.name, self.file = name, WORK / f"{label}-{name}.json"
        environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_SERVICE_NAME": name,
            "OTEL_RESOURCE_ATTRIBUTES": f"service.version={RELEASE},deployment.environment.name={ENVIRONMENT},host.name=shop-1",
        }
        if gzip:
            environment["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"
        self.log = self.file.with_suffix(".log")
        with self.log.open("wb") as log:
            command = [str(part) for part in [*CLIENTS[name], work, amount, self.file]]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def told(self, seconds=120):
        """What it made, and what its exporter reported."""
        code = self.process.wait(seconds)
        assert code == 0, f"{self.name} ended with {code}: {self.log.read_text()[-500:]}"
        return json.loads(self.file.read_text())


def all_clients(bridge, work, amount, label, gzip=None):
    """Each client once at the same time; every other compresses, or as it is said."""
    compressed = {name: number % 2 == (gzip or 0) for number, name in enumerate(CLIENTS)}
    clients = [Client(name, bridge.endpoint(name), work, amount, label, compressed[name]) for name in CLIENTS]
    return [client.told() for client in clients]

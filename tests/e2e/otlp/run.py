"""Real clients of OpenTelemetry through sentry-otlp into sandboxes, or into a real Relay. One line a check.

otlp.sh starts it, and tells it by its environment where everything is.
"""

import copy
import json
import os
import re
import signal
import subprocess
import sys

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from accounts import Accounts
from arrived import at_relay, at_sandbox
from lab import CLIENTS, ROOT, VENVS, WORK, Bridge, Client, Server, all_clients, free_port, http, until
from programs import check, failures, stage

ORDERS = 6
# Everything that has arrived, for the judge.
judged = []


def settled(bridge, tellings, look):
    """What arrived, once nothing waits in the bridge and each acknowledged span is there."""
    acknowledged = sum(len(export["ids"]) for telling in tellings for export in telling["exports"] if export["ok"])

    def is_settled():
        figures = bridge.figures()
        waits = figures["pending"] + figures["queue_requests"]
        sent = sum(figures[f'sent_total{{kind="{kind}"}}'] for kind in ("traces", "transaction"))
        return waits == 0 and sent > 0 and len(look().spans) >= acknowledged

    try:
        until(is_settled, 40)
    except TimeoutError:
        pass  # What is missing is named by the accounts.
    return look()


class Lane:
    """A Sentry, a bridge in front of it, and what each client had to say after its work."""

    def __init__(self, name, version, config, environment=None):
        self.name, self.server = name, Server(f"{name}-server", version)
        values = {"SENTRY_DSN": self.server.dsn, **(environment(self.server) if environment else {})}
        config = {"dsn": self.server.dsn, "trace_timeout": "4s", **config} if isinstance(config, dict) else config
        self.bridge = Bridge(name, config, values)
        self.tellings = []

    def work(self, number):
        self.tellings = all_clients(self.bridge, "orders", ORDERS, self.name, number % 2)

    def settle(self):
        arrived = settled(self.bridge, self.tellings, lambda: at_sandbox(self.server))
        judged.extend(arrived.events())
        return arrived

    def judge(self, form, environment="e2e"):
        name = self.name
        arrived = self.settle()
        accounts = Accounts(self.tellings, arrived)
        with check(f"{name}: each client was told that all is taken"):
            assert not accounts.refused and accounts.acknowledged == accounts.made.keys(), f"{len(accounts.refused)} of {len(accounts.made)} refused"
        checked(f"{name}: {len(accounts.made)} spans of {len(self.tellings)} clients, each once", accounts, accounts.each_once)
        checked(f"{name}: ids, times, names, attributes and links are as they were made", accounts, lambda: accounts.contents(environment))
        if form == "transaction":
            checked(f"{name}: each trace is whole", accounts, accounts.grouped)
        checked(f"{name}: each exception is one error, of the innermost span", accounts, accounts.errors)
        with check(f"{name}: the server is sent {form}s, and refuses and changes nothing"):
            assert {span["form"] for span in arrived.spans} == {form} and not arrived.refused, arrived.refused[:5]
        with check(f"{name}: the bridge's own figures say the same"):
            figures = self.bridge.figures()
            assert figures['received_total{kind="span"}'] == figures['accepted_total{kind="span"}'] == len(accounts.made), figures
            lost = {key: value for key, value in figures.items() if value and key.startswith(("rejected_total", "mended_total", "left_out_total", "cut_total", "repeated_total"))}
            assert not lost, lost
        return accounts


def checked(name, accounts, compare):
    """One kind of comparison, with its own faults."""
    with check(name):
        accounts.faults = []
        compare()
        accounts.verdict()


def organization(server):
    first, second = list(server.dsns)[:2]
    return {"SENTRY_URL": server.url, "SENTRY_ORG": server.organization, "SENTRY_AUTH_TOKEN": server.token, "FIRST_PROJECT": first, "SECOND_PROJECT": second}


def example():
    """otlp.example.yml with other addresses, as others may be at those of OTLP."""
    text = (ROOT / "otlp.example.yml").read_text()
    for port, name in (("4317", "OTLP_GRPC"), ("4318", "OTLP_HTTP")):
        line = f"# endpoint: '127.0.0.1:{port}'"
        assert text.count(line) == 1, f"otlp.example.yml has no line {line}"
        text = text.replace(line, f"endpoint: ${{env:{name}}}")
    return text


def every_mode():
    stage("each client, in each mode and with each documented configuration")
    lanes = {
        "mode otlp": ("otlp", Lane("otlp", "26.7", {"mode": "otlp"})),
        "mode transactions": ("transaction", Lane("transactions", "21", {"mode": "transactions"})),
        "auto, new server": ("otlp", Lane("auto-new", "26.7", {"mode": "auto"})),
        "auto, old server": ("transaction", Lane("auto-old", "25", {"mode": "auto", "spool": str(WORK / "spool-auto-old")})),
        "example": ("otlp", Lane("example", "26.7", example())),
        "dsn": ("transaction", Lane("collector-dsn", "21", (ROOT / "tests/e2e/otlp/collector-dsn.yml").read_text())),
        "org_slug": ("otlp", Lane("collector-org-slug", "26.7", (ROOT / "tests/e2e/otlp/collector-org-slug.yml").read_text(), organization)),
    }
    for number, (_, lane) in enumerate(lanes.values()):
        with check(f"{lane.name}: all clients have ended"):
            lane.work(number)
    told = {}
    for form, lane in lanes.values():
        told[lane.name] = lane.judge(form, "prod" if lane.name == "collector-dsn" else "e2e")
    with check("collector-org-slug: each service's spans and errors are in its project"):
        lane, accounts = lanes["org_slug"][1], told["collector-org-slug"]
        ids = [int(lane.server.dsns[slug].rsplit("/", 1)[1]) for slug in list(lane.server.dsns)[:2]]
        arrived = accounts.arrived
        at = [(span["span_id"], span["project"]) for span in arrived.spans] + [(event["contexts"]["trace"]["span_id"], project) for event, project in arrived.errors]
        wrong = [one for one in at if one[1] != ids[accounts.made[one[0]]["client"].startswith("javascript")]]
        assert at and not wrong, f"{len(wrong)} of {len(at)}: {wrong[:3]}"
    notices(told["otlp"], told["transactions"])


def notices(*all_accounts):
    """Whether the comparison itself would notice."""
    def broken(accounts, change):
        arrived = copy.deepcopy(accounts.arrived)
        change(arrived)
        again = copy.copy(accounts)
        again.arrived, again.faults = arrived, []
        again.each_once()
        again.contents()
        again.errors()
        return again.faults

    linked = lambda arrived: next(span for span in arrived.spans if span["links"])  # noqa: E731
    typed = lambda arrived: next(span for span in arrived.spans if "app.int.large" in span["attributes"])  # noqa: E731
    changes = {
        "nothing": lambda arrived: None,
        "a lost span": lambda arrived: arrived.spans.pop(),
        "a doubled span": lambda arrived: arrived.spans.append(arrived.spans[0]),
        "a lost link": lambda arrived: linked(arrived)["links"].pop(),
        "another parent": lambda arrived: linked(arrived).update(parent_span_id="1" * 16),
        "a lost attribute": lambda arrived: typed(arrived)["attributes"].pop("app.int.large"),
        "an attribute of another type": lambda arrived: typed(arrived)["attributes"].update({"app.true": 1}),
        "a lost error": lambda arrived: arrived.errors.pop(),
        "a doubled error": lambda arrived: arrived.errors.append(arrived.errors[0]),
    }
    for name, change in changes.items():
        with check(f"the comparison notices: {name}" if name != "nothing" else "the comparison finds no fault with an untouched copy"):
            for accounts in all_accounts:
                assert bool(broken(accounts, change)) == (name != "nothing"), f"{name} among {accounts.arrived.spans[0]['form']}"


def large_trace():
    stage("a trace of 2,500 spans")
    for mode, form in (("otlp", "otlp"), ("transactions", "transaction")):
        lane = Lane(f"large-{mode}", "26.7", {"mode": mode})
        lane.tellings = [Client("python-http", lane.bridge.endpoint("python-http"), "large", 2500, lane.name).told()]
        arrived = lane.settle()
        accounts = Accounts(lane.tellings, arrived)
        checked(f"{lane.name}: each span once, with what it was made of", accounts, lambda: (accounts.each_once(), accounts.contents()))
        with check(f"{lane.name}: the server refuses and changes nothing"):
            assert not arrived.refused and {span["form"] for span in arrived.spans} == {form}, arrived.refused[:5]
        if form == "transaction":
            with check(f"{lane.name}: in transactions of fewer than 1,000 spans"):
                assert len(arrived.transactions) >= 3 and all(len(one["spans"]) < 1000 for one in arrived.transactions), [len(one["spans"]) for one in arrived.transactions]


def back_pressure():
    """A queue of two requests, and a server that is not there: in one case it comes back in time."""
    stage("back-pressure as each client sees it")
    key = Server("keys").dsn
    queue = {"sending_queue": {"queue_size": 2}, "retry_on_failure": {"initial_interval": "200ms", "max_interval": "500ms"}}
    ports = {(name, comes): free_port() for comes in (True, False) for name in CLIENTS}

    def bridge(name, comes):
        dsn = re.sub(r":[0-9]+/", f":{ports[name, comes]}/", key)
        return Bridge(f"queue-{name}-{comes}", {"dsn": dsn, "mode": "otlp", **queue})

    bridges = {case: bridge(*case) for case in ports}
    # 180 spans: two batches of 64 and a rest, if not more.
    clients = {case: Client(case[0], one.endpoint(case[0]), "orders", 20, f"queue-{case[1]}") for case, one in bridges.items()}
    servers = {}

    def serve(case):
        servers[case] = Server(f"late-{case[0]}-{case[1]}", "26.7", "--port", ports[case])

    def come_back():
        """Each server as soon as its client has been refused: clients do not wait for long."""
        waiting = [case for case in ports if case[1] and case not in servers]
        for case in waiting:
            if bridges[case].figures()['declined_requests_total{reason="full"}'] > 0:
                serve(case)
        return not waiting

    with check("each client is asked to send again later"):
        until(come_back, 40)
    told = {case: client.told() for case, client in clients.items()}
    for case, telling in told.items():
        name, comes = case
        if case not in servers:
            serve(case)
        arrived = settled(bridges[case], [telling], lambda case=case: at_sandbox(servers[case]))
        judged.extend(arrived.events())
        waits = [round(export["seconds"], 1) for export in telling["exports"]]
        results = [export["ok"] for export in telling["exports"]]
        if comes:
            with check(f"{name}: waits, sends again and loses nothing when the server is back in time"):
                assert all(results) and max(waits) >= 1, f"{results} after {waits} s"
        else:
            with check(f"{name}: gives up within its own time, and says so, when the server stays away"):
                assert not all(results) and max(waits) <= 15, f"{results} after {waits} s"
        accounts = Accounts([telling], arrived)
        what = "everything" if comes else "exactly what was acknowledged"
        checked(f"{name}: {what} arrives, each span and exception once", accounts, lambda accounts=accounts: (accounts.each_once(), accounts.contents(), accounts.errors()))


def restarts():
    stage("SIGTERM, SIGHUP in the middle of traffic")
    # With a spool, what waits for the rest of its trace goes on after the start.
    for mode, more in (("otlp", {}), ("transactions", {}), ("transactions", {"spool": str(WORK / "spool-restart")})):
        name = f"restart-{mode}{'-spool' if more else ''}"
        lane = Lane(name, "26.7", {"mode": mode, "trace_timeout": "1s", **more})
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(all_clients, lane.bridge, "steady", 3, lane.name)
            until(lambda: lane.bridge.figures()['accepted_total{kind="span"}'] >= 100)
            lane.bridge.send(signal.SIGTERM)
            code = lane.bridge.process.wait(40)
            lane.bridge.start()
            lane.bridge.ready()
            lane.tellings = work.result()
        with check(f"{name}: SIGTERM ends with code 0"):
            assert code == 0, f"exit code {code}: {lane.bridge.log.read_text()[-500:]}"
        arrived = lane.settle()
        accounts = Accounts(lane.tellings, arrived)
        with check(f"{name}: the clients lose nothing"):
            assert not accounts.refused, f"{len(accounts.refused)} of {len(accounts.made)}"
        checked(f"{name}: {len(accounts.made)} spans, each once, as they were made", accounts, lambda: (accounts.each_once(), accounts.contents()))
        with check(f"{name}: no exception is lost"):
            accounts.faults = []
            accounts.errors(frames=False)
            assert not [fault for fault in accounts.faults if fault.startswith("0 times")], accounts.faults[:3]
        with check(f"{name}: the server refuses and changes nothing"):
            assert not arrived.refused, arrived.refused[:5]
    lane = Lane("reload", "26.7", {"mode": "otlp", "environment": "before"})
    config = {"dsn": lane.server.dsn, "mode": "otlp", "environment": "after"}
    reloaded = "config_last_reload_successful"
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(all_clients, lane.bridge, "steady", 4, lane.name)
        until(lambda: lane.bridge.figures()['accepted_total{kind="span"}'] >= 50)
        lane.bridge.configure({**config, "no_such_key": 1})
        lane.bridge.send(signal.SIGHUP)
        with check("reload: a bad file leaves the old one, and the metrics say so"):
            until(lambda: lane.bridge.figures()[reloaded] == 0)
        lane.bridge.configure(config)
        lane.bridge.send(signal.SIGHUP)
        with check("reload: a good file is taken"):
            until(lambda: lane.bridge.figures()[reloaded] == 1)
        lane.tellings = work.result()
    arrived = lane.settle()
    accounts = Accounts(lane.tellings, arrived)
    with check("reload: the clients lose nothing"):
        assert not accounts.refused, f"{len(accounts.refused)} of {len(accounts.made)}"
    checked(f"reload: {len(accounts.made)} spans, each once, as they were made", accounts, lambda: (accounts.each_once(), accounts.contents({"before", "after"})))
    with check("reload: the environment is the old one, then the new one"):
        assert {span["environment"] for span in arrived.spans} == {"before", "after"}
    with check("reload: each exception is one error, or one of each of both configurations"):
        accounts.faults = []
        accounts.errors(frames=False)
        seen = Counter((event["contexts"]["trace"]["trace_id"], event["exception"]["values"][-1]["value"], event["environment"]) for event, _ in arrived.errors)
        assert max(seen.values()) == 1 and not [fault for fault in accounts.faults if fault.startswith("0 times")], accounts.faults[:3]


def rate_limits():
    """What a Sentry over its quota refuses for a while arrives later, once, and nothing is counted as lost."""
    stage("rate limits")
    quotas = [{"categories": ["span"], "seconds": 1, "requests": 2}, {"categories": ["error"], "seconds": 1, "requests": 3}]
    for mode, form in (("otlp", "otlp"), ("transactions", "transaction")):
        name = f"limited-{mode}"
        lane = Lane(name, "26.7", {"mode": mode, "trace_timeout": "1s"})
        lane.server.limit(quotas)
        lane.work(0)
        arrived = lane.settle()
        limited = arrived.refused
        accounts = Accounts(lane.tellings, arrived)
        with check(f"{name}: the clients hear nothing of it"):
            assert not accounts.refused, f"{len(accounts.refused)} of {len(accounts.made)}"
        checked(f"{name}: {len(accounts.made)} spans, each once, as they were made", accounts, lambda accounts=accounts: (accounts.each_once(), accounts.contents()))
        checked(f"{name}: each exception is one error", accounts, accounts.errors)
        with check(f"{name}: what was limited was told, and sent again"):
            figures = lane.bridge.figures()
            again = {kind: figures[f'retried_total{{kind="{kind}"}}'] for kind in ("error", "traces" if form == "otlp" else "transaction")}
            lost = {key: value for key, value in figures.items() if value and key.startswith("rejected_total")}
            assert all(again.values()) and not lost and limited and all("over_quota" in reason for reason in limited), (again, lost, limited)


def judge():
    stage("Sentry's normaliser as judge")
    with check(f"{len(judged)} events and transactions pass, and nothing of them is changed"):
        command = [VENVS / "otel-python/bin/python", ROOT / "tests/e2e/otlp/normalise.py"]
        done = subprocess.run(command, input="\n".join(map(json.dumps, judged)), capture_output=True, text=True, timeout=200)
        assert judged and done.returncode == 0, done.stderr[-1000:]


def real_relay():
    """Into a real Relay: RELAY_DSN is one of its projects', RECEIVED the file to which its upstream appends what it is sent."""
    stage("a real Relay")
    dsn, received = os.environ["RELAY_DSN"], os.environ["RECEIVED"]
    for mode, form in (("otlp", "otlp"), ("transactions", "transaction")):
        offset = os.stat(received).st_size
        bridge = Bridge(f"relay-{mode}", {"dsn": dsn, "mode": mode, "trace_timeout": "4s"})
        tellings = all_clients(bridge, "orders", ORDERS, f"relay-{mode}")
        look = lambda offset=offset: at_relay(received, offset)  # noqa: E731
        settled(bridge, tellings, look)
        # What Relay refuses it tells some seconds later: a request that it must refuse, behind the others, is waited for.
        scheme, key, host, project = re.fullmatch(r"(https?)://(.+)@(.+)/([0-9]+)", dsn).groups()
        http(f"{scheme}://{host}/api/{project}/integration/otlp/v1/traces?sentry_key={key}", method="POST", headers={"Content-Type": "application/json"}, body=b"{}")
        with check(f"relay, {mode}: it tells what it refuses"):
            until(lambda: any("invalid_json" in refused for refused in look().refused))
        arrived = look()
        arrived.refused = [refused for refused in arrived.refused if "invalid_json" not in refused]
        accounts = Accounts(tellings, arrived)
        checked(f"relay, {mode}: {len(accounts.made)} spans, each once", accounts, accounts.each_once)
        checked(f"relay, {mode}: ids, times, names, links and own attributes are as they were made", accounts, lambda: accounts.contents(exact=False))
        if form == "transaction":
            checked(f"relay, {mode}: each trace is whole", accounts, accounts.grouped)
        checked(f"relay, {mode}: each exception is one error", accounts, accounts.errors)
        with check(f"relay, {mode}: nothing is refused, and it lets {form}s out"):
            assert not arrived.refused and {span["form"] for span in arrived.spans} == {form}, arrived.refused[:8]
        print(f"relay, {mode}: let through {len(arrived.spans)} spans, {len(arrived.transactions)} transactions, {len(arrived.errors)} errors; refused: {arrived.refused[:8] or 'nothing'}")


if os.environ.get("RELAY_DSN"):
    real_relay()
for part in (every_mode, large_trace, back_pressure, restarts, rate_limits, judge):
    part()
sys.exit(1 if failures() else 0)

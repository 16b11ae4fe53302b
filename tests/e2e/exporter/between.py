"""Stands between an exporter and a Sentry, so that a test decides what the exporter meets.

It passes requests on, counts the answers by status, and on wish waits, hangs, refuses an endpoint, lets the counts of events rise
with each answer, or gives reasons another name.
"""

import http.client
import http.server
import json
import threading
import time
import urllib.parse
from collections import Counter
from datetime import datetime, timedelta, timezone

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Between:
    def __init__(self, url):
        self.there = urllib.parse.urlsplit(url)
        self.delay = 0.0  # seconds before each answer
        self.refused = {}  # part of a path: status
        self.hanging = threading.Event()  # set: requests wait
        self.released = threading.Event()
        self.rise = 0  # added to each count of events, once more with each answer
        self.answers = 0
        self.young = 0  # so many issues of each list were first seen ten minutes ago
        self.reasons = {}  # a reason: what is told instead
        self.statuses = Counter()
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler):
        if self.hanging.is_set():
            self.released.wait(120)
        time.sleep(self.delay)
        path = handler.path
        status = next((status for part, status in self.refused.items() if part in path), None)
        if status:
            headers, body = {"Content-Type": "application/json"}, json.dumps({"detail": "You do not have permission to perform this action."}).encode()
        else:
            status, headers, body = self.ask(path, dict(handler.headers.items()))
            if status == 200 and "/stats_v2/" in path:
                body = self.changed(body)
            if status == 200 and self.young and path.split("?")[0].endswith("/issues/"):
                body = self.rejuvenated(body)
        with self.lock:
            self.statuses[status] += 1
        try:
            handler.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP:
                    # Links of pages lead here.
                    handler.send_header(name, value.replace(f"{self.there.scheme}://{self.there.netloc}", self.url))
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass  # the reader has gone

    def ask(self, path, headers):
        connection = http.client.HTTPConnection(self.there.hostname, self.there.port, timeout=60)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in HOP | {"accept-encoding"}}
            connection.request("GET", path, headers=kept)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers.items()), answer.read()
        except OSError as error:
            return 502, {"Content-Type": "text/plain"}, str(error).encode()
        finally:
            connection.close()

    def changed(self, body):
        with self.lock:
            self.answers += 1
            more = self.answers * self.rise
        answer = json.loads(body)
        for group in answer.get("groups", []):
            by = group["by"]
            if by.get("reason") in self.reasons:
                by["reason"] = self.reasons[by["reason"]]
            if "sum(quantity)" in group["totals"]:
                group["totals"]["sum(quantity)"] += more
        return json.dumps(answer).encode()

    def rejuvenated(self, body):
        issues = json.loads(body)
        for issue in issues[: self.young]:
            issue["firstSeen"] = (datetime.now(timezone.utc) - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return json.dumps(issues).encode()

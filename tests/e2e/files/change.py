"""Between the tap and the sandbox: passes requests on, and changes answers, so that a later run finds other rows than the first.

In `phase` 0 some texts and numbers are odd; from phase 1 on some issues have another title and other members, and the last row of some lists
is gone. `kill(process, n)` kills the tap at its n-th request from then on.
"""

import http.client
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ODD = "\"quoted\" \\back\\slash \\n not a line\n\ttab, comma; ' é ☃ 𝄞 \x01\x7f \\u0041 <&>"
FREE = {"big": 123456789012345678901234567890, "small": 1e-7, "exact": 9007199254740993, "text": ODD, "none": None, "list": [1, [2.5, {}], []], "": {"a b": True}}
SHRINKING = ("/members/", "/teams/", "/dashboards/")


def change(path, answer, phase):
    rows = answer if isinstance(answer, list) else answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        return answer
    for row in rows:
        if not isinstance(row, dict):
            continue
        if "shortId" in row and str(row.get("id", "x")).isdigit():
            number = int(row["id"])
            if number % 5 == 0:
                row["metadata"] = FREE
            if number % 7 == 0:
                row["title"] = f"{ODD} {number}"
            if phase and number % 3 == 0:
                row["title"] = f"changed in phase {phase}"
                row["assignedTo"] = None if row.get("assignedTo") else {"type": "user", "id": "9", "name": ODD, "email": None}
        elif "eventID" in row and int(row["eventID"][-1], 16) % 4 == 0:
            row["message"] = ODD
    if phase and path.endswith(SHRINKING) and isinstance(answer, list):
        answer = answer[:-1]
    return answer


class Between:
    def __init__(self, upstream):
        self.phase = 0
        self.requests = 0
        self.victim = None
        target = urllib.parse.urlsplit(upstream)
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                between.count()
                connection = http.client.HTTPConnection(target.hostname, target.port)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "accept-encoding", "connection")}
                connection.request("GET", self.path, headers={**headers, "Host": target.netloc})
                answer = connection.getresponse()
                status, headers, body = answer.status, answer.headers, answer.read()
                connection.close()
                if status == 200 and "json" in headers.get("Content-Type", ""):
                    body = json.dumps(change(self.path.split("?")[0], json.loads(body), between.phase), ensure_ascii=False).encode()
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                        self.send_header(name, value.replace(target.netloc, between.netloc))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64

            def handle_error(self, *_):
                """A tap that was killed does not wait for its answers."""

        server = Server(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.netloc = f"127.0.0.1:{server.server_port}"
        self.url = f"http://{self.netloc}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def count(self):
        with self.lock:
            self.requests += 1
            if self.victim and self.requests >= self.victim[1]:
                self.victim[0].kill()
                self.victim = None

    def kill(self, process, request):
        with self.lock:
            self.victim = (process, self.requests + request)

"""An HTTP server on a free port of 127.0.0.1 that notes each POST in `seen` and gives it `answer`, as it stands then."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stub:
    def __init__(self):
        self.seen = []  # (path, content type)
        self.answer = lambda path, kind: (200, {}, b"")  # -> status, headers, body
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                if "Content-Length" in self.headers:
                    self.rfile.read(int(self.headers["Content-Length"]))
                else:
                    while size := int(self.rfile.readline(), 16):
                        self.rfile.read(size + 2)
                    self.rfile.readline()
                kind = self.headers["Content-Type"]
                stub.seen.append((self.path, kind))
                status, headers, body = stub.answer(self.path, kind)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{server.server_port}"

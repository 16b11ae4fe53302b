"""A page in Debian's Chromium without a window, driven over its debugging pipe."""

import json
import os
import shutil
import subprocess

from lab import WORK

CHROMIUM = shutil.which("chromium")


class Browser:
    def __init__(self):
        to_it, writes = os.pipe()
        reads, from_it = os.pipe()
        profile = WORK / "chromium"
        # The pipe's ends are its descriptors 3 and 4. As root it has no sandbox of its own; it opens our page alone.
        command = (f'exec "$@" 3<&{to_it} 4>&{from_it}')
        arguments = [CHROMIUM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server", f"--user-data-dir={profile}", "about:blank"]
        with (WORK / "chromium.log").open("ab") as log:
            self.process = subprocess.Popen(["bash", "-c", command, "bash", *arguments], pass_fds=(to_it, from_it), stdout=log, stderr=log,
                                            env={**os.environ, "HOME": str(WORK)})
        os.close(to_it)
        os.close(from_it)
        self.writes, self.reads = os.fdopen(writes, "wb", buffering=0), os.fdopen(reads, "rb")
        self.number, self.events, self.session = 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def message(self):
        text = bytearray()
        while (byte := self.reads.read(1)) != b"\0":
            if not byte:
                raise OSError("chromium has ended")
            text += byte
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        self.writes.write(json.dumps(command).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.number:
                if "error" in message:
                    raise OSError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message())

    def open(self, url, width):
        """Opens a page, and returns what was said on the console, and the statuses of what was fetched."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")
        self.value("1")  # what was said meanwhile has arrived
        console = [event["params"] for event in self.events if event.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown")]
        console += [event["params"]["entry"]["text"] for event in self.events if event.get("method") == "Log.entryAdded"]
        statuses = {event["params"]["response"]["url"]: event["params"]["response"]["status"] for event in self.events if event.get("method") == "Network.responseReceived"}
        return console, statuses

    def value(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self, name):
        import base64
        file = WORK / f"{name}.png"
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))
        return file

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
        except OSError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

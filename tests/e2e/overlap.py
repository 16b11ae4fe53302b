"""Whether the events of a later run are only those since a bookmark, and an hour before it.

    overlap.py TRUTH.json FILE BOOKMARK      FILE: messages of a tap, or records
"""

import json
import sys
from datetime import timedelta

from sentry_api import instant

truth, file, bookmark = sys.argv[1:]
low = (instant(bookmark) - timedelta(hours=1)).replace(microsecond=0)
brought = {}
with open(file, encoding="utf-8") as lines:
    for line in lines:
        message = json.loads(line)
        if message.get("type") == "RECORD" and message.get("stream") == "events":
            message = message["record"]
        elif "eventID" not in message:
            continue
        brought[(str(message["projectID"]), message["eventID"])] = instant(message["dateCreated"])
early = [key for key, when in brought.items() if when < low]
expected = {tuple(key) for key in json.load(open(truth))["events"]}
print(f"{len(brought)} of {len(expected)} events, the oldest of {min(brought.values(), default=None)}, bookmark {bookmark}")
if early or not brought or len(brought) >= len(expected):
    sys.exit(f"{len(early)} events from before {low}")

#!/usr/bin/env python3
import json
import sys

if "--discover" in sys.argv:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    streams = [
        {"tap_stream_id": name, "stream": name, "schema": schema, "metadata": []}
        for name in ("orders", "users")
    ]
    print(json.dumps({"streams": streams}))
elif "--catalog" in sys.argv:
    with open(sys.argv[sys.argv.index("--catalog") + 1]) as file:
        catalog = json.load(file)
    chosen = [
        s["tap_stream_id"]
        for s in catalog["streams"]
        for m in s["metadata"]
        if not m["breadcrumb"] and m["metadata"].get("selected")
    ]
    print("chosen:", *sorted(chosen))

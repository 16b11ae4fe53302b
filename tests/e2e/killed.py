"""Runs a tap into a target, kills the tap (-9) in the middle, and leaves the last state that the target printed.

    killed.py --after RECORDS [--both] --state OUT --tap COMMAND… --target COMMAND…

`--both` kills the target too, at once; otherwise it may finish what it has read. Fails when there is no state, since
a resumed run would then start over and prove nothing.
"""

import os
import signal
import subprocess
import sys
import threading
import time


def main():
    args = sys.argv[1:]
    after, both, out = int(args[args.index("--after") + 1]), "--both" in args, args[args.index("--state") + 1]
    at = args.index("--target")
    tap = subprocess.Popen(args[args.index("--tap") + 1 : at], stdout=subprocess.PIPE)
    target = subprocess.Popen(args[at + 1 :], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    states = []
    reader = threading.Thread(target=lambda: states.extend(line for line in target.stdout if line.strip()))
    reader.start()
    records = seen = 0
    for line in tap.stdout:
        target.stdin.write(line)
        records += b'"type":"RECORD"' in line[:40]
        seen += b'"type":"STATE"' in line[:40]
        # A target that is killed as well must have been given the time to load a project and to say so.
        if records >= after and seen and (not both or any(b'"events"' in state for state in states)):
            break
        if records >= after and both:
            target.stdin.flush()
            time.sleep(0.001)
    alive = tap.poll() is None
    os.kill(tap.pid, signal.SIGKILL) if alive else None
    if both:
        os.kill(target.pid, signal.SIGKILL)
    try:
        target.stdin.close()
    except BrokenPipeError:
        pass
    target.wait()
    tap.stdout.close()
    tap.wait()
    reader.join()
    if not alive:
        sys.exit(f"the tap had ended before it could be killed, after {records} records")
    if not states:
        sys.exit(f"the target printed no state for {records} records and {seen} states")
    with open(out, "wb") as file:
        file.write(states[-1])
    print(f"killed after {records} records and {seen} states; the target left {len(states)}")


if __name__ == "__main__":
    main()

"""What Python's prometheus_client takes to render an exposition: `render.py VERSION LEVEL ROUNDS < exposition`.

Prints its samples, and the CPU seconds of one rendering, and of one with gzip at that level. The series are made before the
clock runs, as an exporter that keeps a snapshot has them.
"""

import gzip
import sys
import time
from importlib.metadata import version

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

wanted, level, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if version("prometheus_client") != wanted:
    sys.exit(f"this is prometheus_client {version('prometheus_client')}, not {wanted}")

families = list(text_string_to_metric_families(sys.stdin.read()))


class Snapshot:
    """The series as they are."""

    def collect(self):
        return families


registry = CollectorRegistry()
registry.register(Snapshot())


def cpu(action):
    """CPU seconds of one of many rounds."""
    action()
    start = time.process_time()
    for _ in range(rounds):
        action()
    return (time.process_time() - start) / rounds


plain = cpu(lambda: generate_latest(registry))
packed = cpu(lambda: gzip.compress(generate_latest(registry), level))
print(sum(len(family.samples) for family in families), plain, packed)

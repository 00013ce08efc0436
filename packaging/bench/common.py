"""What the scripts of the benchmark share: what else the machine did meanwhile, and one JSON line to say it all."""

import json
import os
import statistics
import time

# Models come from folders: nothing is asked of a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "true"


def busy_seconds():
    """Processor seconds that the whole machine has worked, those taken by the host of a virtual one included."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    except OSError:
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def others_share(busy_before, busy_after, own_seconds, wall_seconds):
    """The share of the machine that other programs took; above 0.05 a timing is suspect."""
    if busy_before is None or busy_after is None or wall_seconds <= 0:
        return None
    others = max(0.0, busy_after - busy_before - own_seconds)
    return round(others / (wall_seconds * os.cpu_count()), 3)


class Meter:
    """Wall time of a block, and the share of the machine that others took during it."""

    def __enter__(self):
        self._busy, self._own, self._start = busy_seconds(), time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self._start
        own = time.process_time() - self._own
        self.others = others_share(self._busy, busy_seconds(), own, self.seconds)


def median_rate(seconds, counts, window):
    """Items per second: the median over windows of so many steps, so that one disturbed step does not tell."""
    rates = []
    for start in range(0, len(seconds) - window + 1, window):
        took = sum(seconds[start : start + window])
        rates.append(sum(counts[start : start + window]) / took)
    return statistics.median(rates) if rates else sum(counts) / sum(seconds)


def read_lines(path):
    """The objects of a JSON Lines file."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def emit(**fields):
    """The result, for the program that started the script."""
    print(json.dumps(fields), flush=True)

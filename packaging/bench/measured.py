"""Runs a command and says what it took: a JSON line of its own after those of the command.

    python measured.py [--stop-after-steps N] COMMAND...

Peak memory is what the system kept of the process (`wait4`), so it is right for any program. With
`--stop-after-steps` the command is asked to stop, as Ctrl+C would, once it tells of so many training steps.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

from common import busy_seconds, emit, others_share


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stop-after-steps", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()

    busy, started = busy_seconds(), time.perf_counter()
    environment = os.environ | {"BENCH_STARTED": repr(time.time())}
    child = subprocess.Popen(options.command, stdout=subprocess.PIPE, text=True, env=environment)
    asked_to_stop = False
    for line in child.stdout:
        sys.stdout.write(line)
        if options.stop_after_steps and not asked_to_stop and steps_told(line) >= options.stop_after_steps:
            asked_to_stop = True
            child.send_signal(signal.SIGINT)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)

    seconds = time.perf_counter() - started
    own = usage.ru_utime + usage.ru_stime
    # Kilobytes, but on macOS bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    emit(
        event="measured",
        exit_code=child.returncode,
        asked_to_stop=asked_to_stop,
        seconds=round(seconds, 4),
        peak_bytes=peak,
        others=others_share(busy, busy_seconds(), own, seconds),
    )


def steps_told(line):
    """How many steps a line of `frostline train --json` tells of."""
    try:
        told = json.loads(line)
    except ValueError:
        return 0
    return told.get("step", 0) if isinstance(told, dict) and told.get("event") == "steps" else 0


if __name__ == "__main__":
    main()

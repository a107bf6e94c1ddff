# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in gdb's own Python: times commands of one session, the first apart, and
prints what the helper has of memory.  $MUPPY_BENCH_COMMANDS holds them, a line
each."""
import glob
import json
import os
import time

import gdb


def helper():
    """The process id of this gdb's helper: the last muppy with a socket of gdb."""
    found = []
    for path in glob.glob("/proc/[0-9]*/exe"):
        try:
            if os.path.realpath(path) != os.path.realpath(os.environ["MUPPY"]):
                continue
            process = os.path.dirname(path)
            with open(process + "/cmdline", "rb") as file:
                if b"gdb-socket" in file.read():
                    found.append((os.stat(process).st_mtime,
                                  int(os.path.basename(process))))
        except OSError:
            continue
    return max(found)[1] if found else None


def anonymous(process):
    """Memory of a process that is no mapped file, in bytes."""
    with open("/proc/%d/status" % process, encoding="ascii") as file:
        for line in file:
            if line.startswith("RssAnon"):
                return 1024 * int(line.split()[1])
    return None


def run():
    results = []
    for command in os.environ["MUPPY_BENCH_COMMANDS"].split("\n"):
        times = []
        for _ in range(int(os.environ.get("MUPPY_BENCH_RUNS", "5"))):
            started = time.perf_counter()
            gdb.execute("muppy " + command, to_string=True)
            times.append(time.perf_counter() - started)
        results.append([command, times])
    process = helper()
    print("BENCH " + json.dumps(
        {"times": results, "kept": anonymous(process) if process else None}))


run()

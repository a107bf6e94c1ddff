#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times the commands on heaps of known size, from the command line and in gdb.

Each figure is the median of some runs, each a process of its own, that answers
one question about a core file in the page cache: what a user waits for, with
the start of the program or of gdb in it.  gdb's start alone is a row.
"""
import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

import common  # noqa: E402
from common import Failure  # noqa: E402


def machine():
    """The facts that the figures depend on."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="ascii") as file:
        kilobytes = int(file.readline().split()[1])
    release = "unknown system"
    if os.path.exists("/etc/os-release"):
        with open("/etc/os-release", encoding="utf-8") as file:
            found = re.search(r'^PRETTY_NAME="?([^"\n]*)', file.read(), re.M)
            release = found.group(1) if found else release
    gdb = common.run([common.GDB, "--version"]).stdout.split("\n")[0]
    return ["%s, %d processors, %.0f GiB" % (model, os.cpu_count(),
                                             kilobytes / 1048576),
            "%s, Linux %s, %s" % (release, platform.release(), gdb)]


def timed(command):
    """Seconds and peak resident memory (MiB) of one run of COMMAND."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Failure("%s: exit status %d: %s" % (
            " ".join(command), process.returncode,
            output.decode(errors="replace").strip()[-500:]))
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def median(command, runs):
    results = [timed(command) for _ in range(runs)]
    seconds = [result[0] for result in results]
    return (statistics.median(seconds), min(seconds), max(seconds),
            max(result[1] for result in results))


def take_core(python, count, churn, directory):
    """A core of the workload, by gcore; its path and the executable's."""
    os.mkdir(directory)
    arguments = ["--count", str(count)] + (["--churn"] if churn else [])
    # No truth: for a million objects that takes longer than all the rest.
    with common.Fixture(python, "workload.py", directory, "pause", arguments,
                        truth=False) as fixture:
        executable = os.path.realpath("/proc/%d/exe" % fixture.pid)
        print(fixture.output().strip())
        return fixture.gcore(), executable


def address_of(core, exe):
    """An instance deep in the heap, to ask the referrers of."""
    said = common.CommandLine().ask(
        ["filter", "Person", "-limit", "1"], core=core, exe=exe)
    found = re.search(r"0x[0-9a-f]+", said)
    if not found:
        raise Failure("no Person in the heap: " + said)
    return found.group()


def questions(core, exe, gdb):
    """(name, command) of every row for one core."""
    program = [common.MUPPY, "--core=" + core, "--exe=" + exe]
    debugger = [gdb, "-nx", "-batch"]
    address = address_of(core, exe)
    asked = (("summary", ["summary"]), ("summary -tracked", ["summary", "-tracked"]),
             ("refs", ["refs", address]),
             ("export", ["export", "-format", "jsonl", "-force", "-output",
                         "/dev/null"]))
    for name, words in asked:
        yield name, "command line", program + words
    yield "(its start and the core alone)", "gdb", debugger + [exe, core]
    for name, words in asked[:3]:
        yield name, "gdb", debugger + ["-x", common.MUPPY_GDB, "-ex",
                                       "muppy " + " ".join(words), exe, core]


def bench(title, core, exe, options):
    size = os.path.getsize(core) / 1048576
    print("\n%s: core of %.0f MiB, median of %d" % (title, size, options.runs))
    print("%-32s %-13s %9s %9s %9s %9s" % ("question", "through", "median s", "least",
                                           "most", "peak MiB"))
    failures = 0
    try:
        for name, through, command in questions(core, exe, options.gdb):
            try:
                middle, least, most, peak = median(command, options.runs)
            except Failure as failure:
                failures += 1
                print("%-32s %-13s failed: %s" % (name, through, failure))
                continue
            # gdb's own peak is not that of its helper, which it does not wait for.
            print("%-32s %-13s %9.3f %9.3f %9.3f %9s" % (
                name, through, middle, least, most,
                "%.0f" % peak if through == "command line" else "-"))
            sys.stdout.flush()
    except Failure as failure:
        failures += 1
        print("failed: %s" % failure)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, action="append", metavar="N",
                        help="tracked objects (default: 100000 and 1000000)")
    parser.add_argument("--churn", action="store_true",
                        help="heaps with holes as well")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--python", default="python3.11")
    parser.add_argument("--gdb", default=common.GDB)
    options = parser.parse_args()
    python = common.interpreter(options.python)
    if not python:
        print("bench: no %s on this machine" % options.python)
        return 1
    print("\n".join(machine()))
    print(common.run([python, "-VV"]).stdout.strip())
    failures = 0
    with common.scratch("muppy-bench-") as directory:
        for count in options.count or [100000, 1000000]:
            for churn in (False, True) if options.churn else (False,):
                title = "%d tracked objects%s" % (count, ", churned" if churn else "")
                core, exe = take_core(python, count, churn, os.path.join(
                    directory, "%d%s" % (count, "c" if churn else "")))
                failures += bench(title, core, exe, options)
                os.unlink(core)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print("bench: %s" % failure)
        sys.exit(1)

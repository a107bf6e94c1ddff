#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times the commands on heaps of known size and holds them against goals.

    make bench                          everything: half an hour
    make bench BENCH="1M 3.11"          only what has these words
    make bench BENCH="100k churned"     sizes 100k, 1M, 5M; 3.11, 3.13; plain, churned
    make bench BENCH="50M 3.11"         50 million objects: 2 GB, for memory alone

Each figure is the median of some runs.  On the command line a run is a process of
its own that answers one question about a core file in the page cache, from its
start to its end.  Through gdb it is one command of a session, measured in gdb;
"first" begins with a new helper, gdb's own start apart.  A process is the one that
the core was taken from.  What runs in the process itself (gc, objgraph, Pympler) is
measured in another with the same heap: PYTHONPATH must lead to these modules.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

import common  # noqa: E402
from common import Failure  # noqa: E402

SIZES = {"100k": 100000, "1M": 1000000, "5M": 5000000}
# Of a heap that is large in another way: few tracked objects, and so many others.
LEAVES = 50000000
MEMORY_POLL = 0.002  # seconds
GIB = 1 << 30


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
            "%s, Linux %s, %s" % (release, platform.release(), gdb),
            "load %.1f when it began" % os.getloadavg()[0]]


# Running ---------------------------------------------------------------------


def timed(command, environment=None):
    """Seconds of one run of COMMAND, and its output."""
    started = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False,
                          env=dict(os.environ, **(environment or {})))
    seconds = time.perf_counter() - started
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise Failure("%s: exit status %d: %s" % (
            " ".join(command), done.returncode, output.strip()[-500:]))
    return seconds, output


def median(command, runs, environment=None):
    return statistics.median(timed(command, environment)[0] for _ in range(runs))


def watch(process, most):
    """Writes to MOST[0] how much memory that is no file PROCESS has at most."""
    while process.poll() is None:
        try:
            with open("/proc/%d/status" % process.pid, encoding="ascii") as file:
                found = re.search(r"RssAnon:\s+(\d+)", file.read())
            if found:
                most[0] = max(most[0], 1024 * int(found.group(1)))
        except OSError:
            return
        time.sleep(MEMORY_POLL)


def most_memory(command):
    """Bytes of memory, mapped files apart, that COMMAND has at most."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as process:
        most = [0]
        thread = threading.Thread(target=watch, args=(process, most))
        thread.start()
        process.wait()
        thread.join()
    return most[0]


def in_gdb(target, commands, runs, environment=None):
    """{command: [seconds, …]} of commands in one session of gdb, and the bytes
    that its helper keeps."""
    variables = dict(environment or {}, MUPPY=common.MUPPY,
                     MUPPY_BENCH_COMMANDS="\n".join(commands),
                     MUPPY_BENCH_RUNS=str(runs))
    _, output = timed([common.GDB, "-nx", "-batch", "-x", common.MUPPY_GDB,
                       "-x", os.path.join(HERE, "in_gdb.py"), *target], variables)
    found = re.search(r"^BENCH (.*)$", output, re.M)
    if not found:
        raise Failure("gdb told no times: " + output[-500:])
    told = json.loads(found.group(1))
    return dict(told["times"]), told["kept"]


# What is asked ---------------------------------------------------------------


class Table:
    """Lines of what is measured, and what the goal is."""

    def __init__(self):
        self.missed = 0

    def title(self, text):
        print("\n%s\n%-46s %12s %12s" % (text, "", "measured", "goal"))

    def line(self, name, value, goal=None, unit="s", least=False):
        """GOAL is what VALUE may be at most, or at least."""
        if value is None:
            return
        ok = goal is None or (value >= goal if least else value <= goal)
        self.missed += not ok
        form = {"s": "%.3f s", "ms": "%.1f ms", "x": "%.2f x", "MiB": "%.0f MiB", "B": "%.1f B",
                "%": "%.1f %%"}[unit]
        print("%-46s %12s %12s %s" % (
            name, form % value, "" if goal is None else
            (">= " if least else "") + form % goal, "" if ok else "MISSED"))
        sys.stdout.flush()


class Heap:
    """One workload: its core, and the process that it is of."""

    def __init__(self, python, count, churned, directory, options, leaves=0):
        self.count, self.churned, self.options = count, churned, options
        self.python = python
        arguments = ["--count", str(count)] + (["--churn"] if churned else [])
        if leaves:
            arguments += ["--leaves", str(leaves)]
        # No truth: for a million objects that takes longer than all the rest.
        self.fixture = common.Fixture(python, "workload.py", directory, "pause",
                                      arguments, truth=False)
        self.pid = self.fixture.pid
        self.exe = os.path.realpath("/proc/%d/exe" % self.pid)
        self.core = self.fixture.gcore()
        self.size = os.path.getsize(self.core)
        listed = self.ask("filter", "Person", "-limit", "1")
        self.address = re.search(r"0x[0-9a-f]+", listed).group()
        told = self.ask("info")
        self.objects = int(re.search(r"reachable \| +(\d+)", told).group(1))
        self.references = sum(int(number) for number in re.search(
            r"references +(\d+) visited, (\d+) owned, (\d+) probable", told).groups())

    def command(self, *words, threads=2, options=("--no-index",)):
        return [common.MUPPY, "--core=" + self.core, "--exe=" + self.exe,
                "--threads=%d" % threads, *options, *words]

    def ask(self, *words):
        return timed(self.command(*words))[1]

    def close(self):
        self.fixture.close()
        os.unlink(self.core)


def goal_of(heap, million, five):
    """A goal that is told for 1 M and 5 M."""
    return {1000000: million, 5000000: five}.get(heap.count)


def peers(heap):
    """Seconds that others take inside the process."""
    script = os.path.join(HERE, "peers.py")
    seconds = {}
    for _ in range(1 if heap.count > 2000000 else 3):
        _, output = timed([heap.python, script, str(heap.count),
                           "churned" if heap.churned else "plain"])
        for name, value in json.loads(output.strip().split("\n")[-1]).items():
            seconds.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure_commands(table, heap):
    """What one command takes, from the start of the program to its end."""
    runs = heap.options.runs
    questions = (("summary", ["summary"], 0.3, 1.5),
                 ("summary -tracked", ["summary", "-tracked"], 0.1, 0.5),
                 ("first refs", ["refs", heap.address, "-depth", "3"], 0.4, 2.0))
    measured = {}
    for name, words, million, five in questions:
        measured[name] = median(heap.command(*words), runs)
        table.line(name, measured[name], goal_of(heap, million, five))
    for name, words, _, _ in questions:
        one = median(heap.command(*words, threads=1), runs)
        table.line("  %s: two threads against one" % name, one / measured[name],
                   1.7 if heap.count >= 1000000 else None, "x", least=True)
    common.run([common.MUPPY, "--core=" + heap.core, "--exe=" + heap.exe,
                "save-index"], check=True)
    table.line("refs with a saved index",
               median(heap.command(*questions[2][1], options=()), runs), 0.2)
    os.unlink(heap.core + ".muppy-index")
    snapshot = heap.core + ".snapshot"
    table.line("save", median(heap.command("save", "-force", snapshot), runs),
               goal_of(heap, 3.0, 15.0))
    table.line("diff with that",
               median(heap.command("diff", snapshot), runs), None)
    table.line("bytes an object in it", os.path.getsize(snapshot) / heap.objects,
               48, "B")
    os.unlink(snapshot)
    return measured


def allowed(heap, an_object):
    """MiB, where the program's own tables are little beside the heap's."""
    if heap.count < 1000000:
        return None
    return (an_object * heap.objects + 8 * heap.references) / (1 << 20)


def measure_memory(table, heap, kept):
    building = most_memory(heap.command("refs", heap.address))
    mib = 1 << 20
    table.line("memory while the index is built", building / mib,
               allowed(heap, 24), "MiB")
    if kept:
        table.line("memory kept by gdb's helper", kept / mib,
                   allowed(heap, 12), "MiB")


def measure_session(table, heap):
    """Commands of one session of gdb."""
    later = {"refs": "refs %s -depth 3", "object": "object %s",
             "referents": "referents %s"}
    commands = [words % heap.address for words in later.values()]
    commands.append("filter dict -limit 20")
    times, kept = in_gdb([heap.exe, heap.core], commands, heap.options.runs + 1)
    table.line("in gdb: first refs", times[commands[0]][0],
               goal_of(heap, 0.4, 2.0))
    for name, command in zip(list(later) + ["filter"], commands):
        table.line("in gdb: later %s" % name,
                   1000 * statistics.median(times[command][1:]),
                   100 if name == "filter" else 5, "ms")
    # Next to nothing to do: what gdb and the way to the helper take.
    times, _ = in_gdb([heap.exe, heap.core], ["help refs"], 10 * heap.options.runs)
    alone = median([common.MUPPY, "help", "refs"], 10 * heap.options.runs)
    table.line("in gdb: what gdb adds to a command",
               1000 * (statistics.median(times["help refs"][1:]) - alone), 2, "ms")
    return kept


def measure_process(table, heap, measured):
    """A live process, read by muppy itself and by gdb alone."""
    runs, size = heap.options.runs, heap.size / GIB
    live = median([common.MUPPY, "--pid=%d" % heap.pid, "--threads=2", "summary"], runs)
    table.line("summary of the process", live, measured["summary"] + 0.5 * size)
    times = [in_gdb(["-p", str(heap.pid)], ["summary"], 1,
                    {"MUPPY_TEST_DENY": "1"})[0]["summary"][0] for _ in range(3)]
    table.line("summary through target_read alone", statistics.median(times),
               live + size)


def measure_peers(table, heap, measured):
    seconds = peers(heap)
    for name, value in seconds.items():
        table.line("  in the process: %s" % name, value)
    one = seconds["gc.get_objects"]
    table.line("summary against one gc.get_objects()", measured["summary"] / one,
               3.0 if heap.count >= 1000000 else None, "x")
    if "summary.summarize" in seconds:
        whole = seconds["muppy.get_objects"] + seconds["summary.summarize"]
        table.line("Pympler's summarize(get_objects()) against it",
                   whole / measured["summary"], 20.0, "x", least=True)
    if "refbrowser, depth 3" in seconds:
        table.line("Pympler's refbrowser against first refs",
                   seconds["refbrowser, depth 3"] / measured["first refs"], None, "x")


def bench(table, heap, title):
    table.title("%s: core of %.0f MiB, %s objects, %s references; medians of %d" % (
        title, heap.size / 1048576, format(heap.objects, ","),
        format(heap.references, ","), heap.options.runs))
    measured = measure_commands(table, heap)
    measure_memory(table, heap, measure_session(table, heap))
    measure_process(table, heap, measured)
    if not heap.options.no_peers:
        measure_peers(table, heap, measured)
    return {name: seconds / heap.objects for name, seconds in measured.items()}


def bench_huge(table, python, title, options):
    """Whether a heap of 50 million objects can be read, and in how much memory."""
    with common.scratch("muppy-bench-") as directory:
        heap = Heap(python, 1000000, False, directory, options, LEAVES)
        try:
            heap.fixture.close()
            table.title("%s: core of %.0f MiB, %s objects, %s references" % (
                title, heap.size / 1048576, format(heap.objects, ","),
                format(heap.references, ",")))
            for name, words in (("summary", ["summary"]),
                                ("first refs", ["refs", heap.address])):
                table.line(name, timed(heap.command(*words))[0])
            _, kept = in_gdb([heap.exe, heap.core], ["refs " + heap.address], 1)
            measure_memory(table, heap, kept)
        finally:
            os.unlink(heap.core)


def compare_growth(table, each):
    """EACH: seconds an object, by interpreter and kind, size and question."""
    for title, sizes in each.items():
        if len(sizes) < 2:
            continue
        table.title("growth: %s" % title)
        least, most = min(sizes), max(sizes)
        for name in sizes[least]:
            growth = 100 * (sizes[most][name] / sizes[least][name] - 1)
            table.line("%s: an object of %d against one of %d" % (name, most, least),
                       growth, 10, "%")


def chosen(words, choices):
    """Those of CHOICES that are among WORDS, or all."""
    return [choice for choice in choices if choice in words] or list(choices)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*",
                        help="100k, 1M, 5M, 50M; plain, churned; 3.11, 3.13 "
                        "(default: all but 50M)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true",
                        help="nothing inside the process")
    parser.add_argument("--python", action="append", default=[], metavar="PATH",
                        help="an interpreter besides those found")
    options = parser.parse_args()
    found = {}
    for name in ("python3.11", "python3.13"):
        path = common.interpreter(name)
        if path and subprocess.run([path, "-V"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, check=False).returncode == 0:
            found[name[6:]] = path
    for path in options.python:
        version = common.run([path, "-V"], check=True).stdout.split()[1]
        found[".".join(version.split(".")[:2])] = path
    words = {"plain", "churned", "50M"}
    strange = set(options.what) - set(SIZES) - set(found) - words
    if strange:
        print("bench: not known here: %s" % ", ".join(sorted(strange)))
        return 1
    print("\n".join(machine()))
    table, each, failures = Table(), {}, 0
    for version in chosen(options.what, found):
        print(common.run([found[version], "-VV"]).stdout.strip())
        if "50M" in options.what:
            bench_huge(table, found[version], version + ", 50M objects", options)
            continue
        for kind in chosen(options.what, ("plain", "churned")):
            for size in chosen(options.what, SIZES):
                title = "%s, %s, %s tracked" % (version, kind, size)
                try:
                    with common.scratch("muppy-bench-") as directory:
                        heap = Heap(found[version], SIZES[size], kind == "churned",
                                    directory, options)
                        try:
                            one = bench(table, heap, title)
                        finally:
                            heap.close()
                    each.setdefault("%s, %s" % (version, kind), {})[SIZES[size]] = one
                except Failure as failure:
                    failures += 1
                    print("failed: %s: %s" % (title, failure))
    compare_growth(table, each)
    print("\n%d goals missed, %d failures" % (table.missed, failures))
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print("bench: %s" % failure)
        sys.exit(1)

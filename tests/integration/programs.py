#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs at a random moment: packages of the standard library's own
tests are started, end by a signal, and their core must have nearly every
reference count explained.

programs.py [--count N] [--list] [--test NAME]... [PYTHON...]
"""
import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import common
from common import Failure

# They run for long enough, need no network, and use much of the library:
# event loops and subprocesses, a big extension module, classes made at run time.
PROGRAMS = ("test_asyncio", "test_decimal", "test_pickle")
# Per cent of the reference counts that must be explained.
LEAST_SHARE = 99.9
# Seconds that a program runs at most, and the least that are tried.
LATEST, LEAST = 2.0, 0.01
# Packages from elsewhere are out of their sight: test_pickle imports NumPy
# where it is, and NumPy 1.24 leaks: 255 docstrings, of which C keeps the text
# alone, tuples and code objects that Cython stores nowhere, counts of types.
OPTIONS = ("-S",)
TITLES = "| version | program | seconds | objects | explained | not explained |"
RULE = "| --- " * 6 + "|"


def has_program(python, name):
    """Whether the interpreter came with the test package NAME."""
    said = subprocess.run(
        [python, *OPTIONS, "-c", "import importlib.util, sys\n"
         "sys.exit(importlib.util.find_spec('test.%s') is None)" % name],
        env=common.fixture_environment(), stderr=subprocess.DEVNULL, check=False)
    return said.returncode == 0


def prepare():
    """In the new process.  Shells start what is in the background deaf to
    SIGQUIT."""
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    common.allow_core()


def stop_program(python, name, directory, moment):
    """Starts test package NAME and ends it with a core, MOMENT seconds after it
    began to write its log; False when it was through by then."""
    environment = dict(common.fixture_environment(), TMPDIR=directory)
    path = os.path.join(directory, "log")
    with open(path, "wb") as log:
        process = subprocess.Popen(
            [python, *OPTIONS, "-m", "test", name], cwd=directory,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=prepare, env=environment)
    with process:
        while process.poll() is None and not os.path.getsize(path):
            time.sleep(0.01)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            # Unlike SIGABRT, no test handles it.
            process.send_signal(signal.SIGQUIT)
    return process.returncode == -signal.SIGQUIT


def find_core(directory):
    """The newest core of a program that was at work, for which it made a folder
    of its own; one in DIRECTORY itself is of an interpreter that was ending and
    has no sys module any more."""
    found = [os.path.join(where, file)
             for where, _, files in os.walk(directory) for file in files
             if file.startswith("core") and where != directory]
    return max(found, key=os.path.getmtime, default=None)


def take_core(python, name, directory, chance):
    """The kernel's core of test package NAME, and when it was stopped."""
    moment = chance.uniform(0, LATEST)
    while not (stop_program(python, name, directory, moment) and
               find_core(directory)):
        moment *= chance.random()
        if moment < LEAST:
            with open(os.path.join(directory, "log"), encoding="utf-8",
                      errors="replace") as log:
                raise Failure("ends too early, or the kernel wrote no core: %s" %
                              log.read()[-500:])
    return find_core(directory), moment


def rows_not_explained(info):
    """(objects, type) of what the last table of `info` lists."""
    found = re.search(r"^ *not explained \|.*\n=.*\n((?:.*\n?)*)", info, re.M)
    rows = re.findall(r"^ *(\S.*?) \| +(\d+) \|", found.group(1), re.M) if found else []
    return [(int(count), name) for name, count in rows]


def test_core(results, python, name, core, moment, options):
    """One core; the row about it."""
    info = common.CommandLine().ask(["info"], core=core, exe=python)
    said = re.search(r"^refcounts +([0-9.]+) % of (\d+)", info, re.M)
    version = re.search(r"CPython (\S+),", info)
    title = "%s, %s, %.2f s" % (version.group(1) if version else python, name, moment)
    if not results.check(title, said and version, info):
        return None
    results.check("%s: %.1f %% of the counts explained" % (title, LEAST_SHARE),
                  float(said.group(1)) >= LEAST_SHARE, info)
    for problem in re.findall(r"^problem +(.*)", info, re.M):
        print("%s: %s" % (title, problem))
    if options.list:
        print(title + "\n" + info)
    return "| %s | %s | %.2f | %s | %s %% | %s |" % (
        version.group(1), name, moment, said.group(2), said.group(1),
        ", ".join("%d %s" % row for row in rows_not_explained(info)[:6]))


def test_program(results, python, name, chance, options):
    with common.scratch() as directory:
        try:
            core, moment = take_core(python, name, directory, chance)
            row = test_core(results, python, name, core, moment, options)
            if options.keep:
                shutil.move(core, os.path.join(options.keep, "core.%s.%s" % (
                    name, row.split()[1] if row else "odd")))
            return row
        except Failure as failure:
            results.check("%s, %s" % (os.path.basename(python), name), False,
                          str(failure))
            return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1,
                        help="cores of each program")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--test", action="append",
                        help="other test packages to run")
    parser.add_argument("--list", action="store_true",
                        help="print what is not explained")
    parser.add_argument("--keep", metavar="DIRECTORY",
                        help="keep the cores there")
    parser.add_argument("python", nargs="*", default=common.interpreters())
    options = parser.parse_args()
    seed = random.randrange(1 << 30) if options.seed is None else options.seed
    chance = random.Random(seed)
    print("seed %d" % seed)
    results = common.Results()
    rows = []
    why = common.kernel_core_hindrance()
    for python in options.python:
        path = common.interpreter(python)
        for name in options.test or PROGRAMS:
            if why or not path or not has_program(path, name):
                results.skip("%s, %s" % (python, name), why or "not there")
                continue
            for _ in range(options.count):
                rows.append(test_program(results, path, name, chance, options))
    print("\n".join((TITLES, RULE, *filter(None, rows))))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

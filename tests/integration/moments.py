#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cores of a busy program, taken by a signal at any time: in the middle of a
collection, of an allocation, of a change to a dict.  Each must answer; what is
not found is counted and said.

moments.py [--count N] [--keep DIRECTORY] [PYTHON...]
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

# Per cent of the reference counts that must be explained, and that most cores
# have: those with less are odd.
LEAST_SHARE = 99
USUAL_SHARE = 99.9
TITLES = ("| version | cores | answered | amid a collection | explained, worst | "
          "median | orphans, median | most | problems |")
RULE = "| --- " * 9 + "|"

def take_core(python, directory, seed, moment):
    """The kernel's core of a busy program MOMENT seconds after its start."""
    command = [python, os.path.join(common.FIXTURES, "busy.py"), "--seed",
               str(seed)]
    with subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, preexec_fn=common.allow_core,
                          env=common.fixture_environment()) as process:
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGABRT)
    for name in os.listdir(directory):
        if name.startswith("core"):
            return os.path.join(directory, name)
    raise Failure("the kernel wrote no core file")


def number(pattern, said):
    found = re.search(pattern, said, re.M)
    return float(found.group(1)) if found else None


class Tally:
    """What the cores of one interpreter have said."""

    def __init__(self, python):
        self.python = python
        self.version = "?"
        self.cores = self.answered = self.collecting = 0
        self.shares, self.orphans, self.problems = [], [], []

    def add(self, info):
        """Notes what `info` said; whether it said all that it must."""
        share = number(r"^refcounts +([0-9.]+) %", info)
        orphans = number(r"^ *orphans \| +(\d+)", info)
        tracked = number(r"^ *reachable \| +(\d+)", info)
        if share is None or orphans is None or tracked is None:
            return False
        self.version = re.search(r"CPython (\S+),", info).group(1)
        self.shares.append(share)
        self.orphans.append(int(orphans))
        self.collecting += "a collection was going on" in info
        self.problems += re.findall(r"^problem +(.*)", info, re.M)
        return share >= LEAST_SHARE

    def odd(self, title, info):
        """Whether anything about the last core is out of the ordinary."""
        share, orphans = self.shares[-1], self.orphans[-1]
        odd = share < USUAL_SHARE or orphans or "\nproblem" in info
        if odd:
            print("%s: odd: %.2f %% explained, %d orphans, %s" % (
                title, share, orphans, "; ".join(
                    re.findall(r"^problem +(.*)", info, re.M)) or "no problems"))
            sys.stdout.flush()
        return odd

    def row(self):
        """A row of the table in doc/interpreters.md."""
        if not self.shares:
            return "| %s | %d | 0 |" % (self.python, self.cores)
        kinds = sorted({re.sub(r":? \d.*", "", text) for text in self.problems})
        return ("| %s | %d | %d | %d | %.2f %% | %.2f %% | %d | %d | %s |"
                % (self.version, self.cores, self.answered, self.collecting,
                   min(self.shares), sorted(self.shares)[len(self.shares) // 2],
                   sorted(self.orphans)[len(self.orphans) // 2],
                   max(self.orphans), "; ".join(kinds) or "none"))


def test_core(results, title, python, core, tally):
    """One core: summary and info answer, and count most references."""
    reader = common.CommandLine()
    summary = reader.ask(["summary", "-limit", "3"], core=core, exe=python)
    total = number(r"^ *total \| +(\d+)", summary)
    answered = results.check(title + ": summary", total and total > 10000, summary)
    info = reader.ask(["info"], core=core, exe=python)
    answered &= results.check(
        "%s: %d %% of the counts explained" % (title, LEAST_SHARE),
        tally.add(info), info)
    tally.answered += answered
    return answered and not tally.odd(title, info)


def test_handler(results, title, python, core):
    """What holds the handler of a signal: a variable of the interpreter's C."""
    reader = common.CommandLine()
    said = reader.ask(["objects", "OnSignal"], core=core, exe=python)
    found = re.search(r"0x[0-9a-f]+", said)
    if results.check(title + ": handler of a signal", found, said):
        said = reader.ask(["refs", found.group()], core=core, exe=python)
        results.check(title + ": what holds the handler of a signal",
                      "static memory" in said, said)


def test_python(results, python, options):
    chance = random.Random(options.seed)
    tally = Tally(python)
    for at in range(options.count):
        title = "%s, core %d" % (os.path.basename(python), at)
        with common.scratch() as directory:
            tally.cores += 1
            try:
                core = take_core(python, directory, chance.randrange(1 << 30),
                                 chance.random() * 0.7)
                if at == 0:
                    test_handler(results, title, python, core)
                if not test_core(results, title, python, core, tally) and \
                        options.keep:
                    shutil.move(core, os.path.join(
                        options.keep, "core.%s.%d" % (tally.version, at)))
            except Failure as failure:
                results.check(title, False, str(failure))
    for text in sorted(set(tally.problems)):
        print("%s: problem %s" % (tally.version, text))
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", metavar="DIRECTORY",
                        help="keep cores there that were odd")
    parser.add_argument("python", nargs="*",
                        default=common.PYTHONS)
    options = parser.parse_args()
    results = common.Results()
    rows = []
    why = common.kernel_core_hindrance()
    for python in options.python:
        path = common.interpreter(python)
        if why or not path:
            results.skip(python, why or "not there")
            continue
        rows.append(test_python(results, path, options).row())
    print("\n".join((TITLES, RULE, *rows)))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cores of a busy program, taken by a signal at any time: in the middle of a
collection, of an allocation, of a change to a dict.  Each must answer; what is
not found is counted and said.

moments.py [--count N] [PYTHON...]
"""
import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time

import common
from common import Failure


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


def test_core(results, title, python, core, shares):
    """One core: summary and info answer, and count most references."""
    reader = common.CommandLine()
    summary = reader.ask(["summary", "-limit", "3"], core=core, exe=python)
    total = number(r"^ *total \| +(\d+)", summary)
    results.check(title + ": summary", total and total > 10000, summary)
    info = reader.ask(["info"], core=core, exe=python)
    share = number(r"^refcounts +([0-9.]+) %", info)
    shares.append((share, re.findall(r"^problem +(.*)", info, re.M)))
    results.check(title + ": 99 % of the counts explained",
                  share is not None and share >= 99, info)


def test_python(results, python, count, seed):
    chance = random.Random(seed)
    shares = []
    for at in range(count):
        title = "%s, core %d" % (os.path.basename(python), at)
        with common.scratch() as directory:
            try:
                core = take_core(python, directory, chance.randrange(1 << 30),
                                 chance.random() * 0.7)
                test_core(results, title, python, core, shares)
            except Failure as failure:
                results.check(title, False, str(failure))
    known = sorted(share for share, _ in shares if share is not None)
    if known:
        print("%s: %d cores; counts explained: %.2f %% at least, %.2f %% in the "
              "middle; %d cores with problems, such as: %s"
              % (python, len(known), known[0], known[len(known) // 2],
                 sum(bool(problems) for _, problems in shares),
                 next((p[0] for _, p in shares if p), "none")))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("python", nargs="*",
                        default=["/usr/bin/python3.11", "/usr/bin/python3.11d"])
    options = parser.parse_args()
    results = common.Results()
    why = common.kernel_core_hindrance()
    for python in options.python:
        path = common.interpreter(python)
        if why or not path:
            results.skip(python, why or "not there")
            continue
        test_python(results, path, options.count, options.seed)
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

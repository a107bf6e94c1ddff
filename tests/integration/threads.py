#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers are the same whatever the number of threads that find them, each time;
and what the collector's lists alone tell is what finding every object tells."""
import hashlib
import os
import sys

import common

RUNS = 3


def ask(core, exe, threads, *words):
    return common.run([common.MUPPY, "--core=" + core, "--exe=" + exe,
                       "--threads=%d" % threads, *words], check=True).stdout


def exported(core, exe, threads, directory):
    """A digest of every object with its references."""
    path = os.path.join(directory, "export")
    ask(core, exe, threads, "export", "-format", "jsonl", "-force", "-output", path)
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def test_heap(results, python, churn):
    with common.scratch() as directory:
        arguments = ["--count", "60000"] + (["--churn"] if churn else [])
        with common.Fixture(python, "workload.py", directory, "pause", arguments,
                            truth=False) as fixture:
            exe = os.path.realpath("/proc/%d/exe" % fixture.pid)
            core = fixture.gcore()
        title = python + (", churned" if churn else "")
        questions = (["summary", "-limit", "0"], ["info"],
                     ["summary", "-tracked", "-limit", "0"])
        wanted = [ask(core, exe, 1, *words) for words in questions]
        digest = exported(core, exe, 1, directory)
        for threads in (2, 3):
            for _ in range(RUNS):
                for words, answer in zip(questions, wanted):
                    results.check("%s: %s with %d threads" % (title, words, threads),
                                  ask(core, exe, threads, *words) == answer)
            results.check("%s: export with %d threads" % (title, threads),
                          exported(core, exe, threads, directory) == digest)
        # A selection looks at all objects, as it has to for -min.
        results.check(title + ": tracked objects by the lists alone",
                      ask(core, exe, 2, "summary", "-tracked", "-min", "1",
                          "-limit", "0") == wanted[2])


def test(results, python):
    for churn in (False, True):
        common.attempt(results, python, test_heap, results, python, churn)


def main():
    return common.test_interpreters(common.Results(), test)


if __name__ == "__main__":
    sys.exit(main())

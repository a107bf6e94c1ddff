#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds an object that 200,000 lists hold, which one list and one dict hold
in turn (fixtures/long_list.py): each is named as it is, and in no time."""
import os
import re
import resource
import sys

import common
from common import Failure

PYTHON = "/usr/bin/python3.11"
# To look through the list anew for each of its items took 40 s and more.
SECONDS = 15


def processor_seconds():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def ask(fixture, *command):
    before = processor_seconds()
    said = common.CommandLine().ask(list(command), pid=fixture.pid)
    return said, processor_seconds() - before


def test(results, fixture, directory):
    shared, in_list, in_dict, repeated = fixture.output().split()
    said, seconds = ask(fixture, "refs", shared, "-limit", "unlimited")
    results.check("refs of what 200,000 hold: %.1f s" % seconds, seconds < SECONDS)
    # Which item of the list and the dict each is; the two are the same.
    named = re.findall(r"\+-\[(\d+)\] in (list|dict) (%s|%s)\b" % (in_list, in_dict), said)
    by_list = [int(index) for index, kind, _ in named if kind == "list"]
    by_dict = [int(index) for index, kind, _ in named if kind == "dict"]
    results.check("refs: each by its own index in the list",
                  len(set(by_list)) == len(by_list) > 10000, str(len(by_list)))
    results.check("refs: and in the dict", set(by_dict) >= set(by_list) - {max(by_list)} and
                  len(set(by_dict)) == len(by_dict), str(len(by_dict)))
    # One alone, for which nothing was kept yet, has the same name.
    item = re.search(r"\+-\[0\] in list (0x[0-9a-f]+) len=1-\+-\[(\d+)\] in", said)
    alone, _ = ask(fixture, "refs", item.group(1), "-depth", "1")
    results.check("refs: the same of one item", "[%s] in list %s" % (
        item.group(2), in_list) in alone, alone)
    said, seconds = ask(fixture, "refs", repeated, "-depth", "1")
    results.check("refs of what one list holds a million times: %.1f s" % seconds,
                  seconds < SECONDS)
    results.check("refs: its first places in the list",
                  "[1], [3], [5], … 999997 more in list" in said, said)
    path = os.path.join(directory, "graph.dot")
    _, seconds = ask(fixture, "refs", shared, "-limit", "unlimited", "-dot", path)
    results.check("refs -dot: %.1f s" % seconds, seconds < SECONDS)


def main():
    results = common.Results()
    for python in sys.argv[1:] or [PYTHON]:
        path = common.interpreter(python)
        if not path:
            results.skip(python, "not there")
            continue
        try:
            with common.scratch() as directory, common.Fixture(
                    path, "long_list.py", directory, "pause", truth=False) as fixture:
                test(results, fixture, directory)
        except Failure as failure:
            results.check(python, False, str(failure))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

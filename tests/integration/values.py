#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values are shown as repr() has them (fixtures/reprs.py), and guesses as
guesses."""
import json
import re
import sys

import common
from common import Failure


def shown(said):
    """The items of a list by index: what stands behind type and address."""
    return {int(index): value or "" for index, value in re.findall(
        r"^  \[(\d+)\]: \S+ 0x[0-9a-f]+(?: (.*))?$", said, re.M)}


def test(results, python, reader):
    with common.scratch() as directory:
        with common.Fixture(python, "reprs.py", directory, "pause",
                            truth=False) as fixture:
            addresses, *lines = fixture.output().splitlines()
            address, *generators = addresses.split()
            values = shown(reader.ask(["object", address, "-limit", "unlimited"],
                                      pid=fixture.pid))
            said = [reader.ask(["referents", generator], pid=fixture.pid)
                    for generator in generators]
    for index, line in enumerate(lines):
        expected = json.loads(line)
        results.check("%s: %s" % (python, ascii(expected)),
                      values.get(index) == expected, ascii(values.get(index)))
    for name, text in zip((".gi_code", ".cr_code", ".ag_code"), said):
        results.check("%s: %s" % (python, name), name + ": code " in text, text)


MARKED = re.compile(r" in \S+\?.* of static memory")


def test_marks(results, python, reader):
    """What only looks like a reference from static memory is marked so."""
    with common.scratch() as directory:
        with common.Fixture(python, "reprs.py", directory, "pause",
                            truth=False) as fixture:
            said = reader.ask(["info"], pid=fixture.pid)
            runtime = re.search(r"^_PyRuntime +(\S+)", said, re.M).group(1)
            said = reader.ask(["referents", runtime, "-limit", "unlimited"],
                              pid=fixture.pid)
            # Some of these are refuted by the counts of what they lead to.
            targets = re.findall(r": .*?(0x[0-9a-f]+) .*\(probable\)$", said,
                                 re.M)
            for target in targets:
                said = reader.ask(["refs", target, "-depth", "1"],
                                  pid=fixture.pid)
                if MARKED.search(said):
                    break
    results.check(python + ": a probable reference has a question mark",
                  MARKED.search(said), said)


def main():
    results = common.Results()
    for python in ("/usr/bin/python3.11", "/usr/bin/python3.11d"):
        path = common.interpreter(python)
        if not path:
            results.skip(python, "not there")
            continue
        try:
            test(results, path, common.CommandLine())
            test_marks(results, path, common.CommandLine())
        except Failure as failure:
            results.check(python, False, str(failure))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

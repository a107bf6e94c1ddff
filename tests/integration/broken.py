#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of objects that a stray pointer wrote into (fixtures/broken.py) the damage is
shown, neither hidden nor taken for true."""
import json
import os
import sys

import common

NO_OBJECT = "0xdead0000"


def test_reference(results, python, ask, address):
    line = "[1]: %s (no object)" % NO_OBJECT
    for command in ("object", "referents"):
        said = ask(command, address)
        results.check("%s: %s shows a pointer to no object" % (python, command),
                      line in said, said)
        results.check("%s: %s goes on behind it" % (python, command),
                      "'behind'" in said, said)
    path = os.path.join(ask.directory, "heap.jsonl")
    ask("export", "-output", path)
    with open(path, encoding="utf-8") as file:
        found = [json.loads(line) for line in file if '"%s"' % address in line]
    row = next(row for row in found if row["address"] == address)
    # A static type, where lists visit it, is among these.
    results.check(python + ": export leaves it out",
                  NO_OBJECT not in row["referents"] and
                  len(row["referents"]) >= 2, str(row))


def test_size(results, python, ask, address):
    said = ask("object", address)
    line = next(line for line in said.splitlines() if line.startswith("size"))
    results.check(python + ": object says that the size is none",
                  line.endswith(" or more (its sizes contradict each other)"),
                  said)
    number = line.split()[1]
    said = ask("filter", "deque", "-limit", "unlimited")
    rows = [line.split() for line in said.splitlines()
            if line.startswith("0x")]
    marked = [row[2] for row in rows if int(row[0], 16) == int(address, 16)]
    results.check(python + ": filter marks the size", marked == [number + "+"],
                  said)
    results.check(python + ": but no other",
                  sum(row[2].endswith("+") for row in rows) == 1, said)


class Question:
    """Asks about a process, in a directory."""

    def __init__(self, fixture, directory):
        self.fixture, self.directory = fixture, directory

    def __call__(self, *command):
        return common.CommandLine().ask(list(command), pid=self.fixture.pid)


def test(results, python):
    with common.scratch() as directory:
        with common.Fixture(python, "broken.py", directory, "pause",
                            truth=False) as fixture:
            ask = Question(fixture, directory)
            where = dict(line.split() for line in fixture.output().splitlines())
            test_reference(results, python, ask, where["list"])
            test_size(results, python, ask, where["deque"])


def main():
    return common.test_interpreters(common.Results(), test)


if __name__ == "__main__":
    sys.exit(main())

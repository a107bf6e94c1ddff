#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that nothing leads to are found by way of the allocator: all that a
program lost (fixtures/lost.py), and hardly anything else.  What containers still
have that are being destroyed (fixtures/dying.py) is none.

orphans.py [PYTHON...]
"""
import re
import sys

import common

PYTHONS = common.PYTHONS + common.interpreters_of((3, 13))

# A few strings and tuples that C code keeps on its stack while the fixture
# waits are orphans, too.
OTHERS = 12


def allocators(python):
    """Values of PYTHONMALLOC to try; mimalloc is there from 3.13 on."""
    if common.version(python) >= (3, 13):
        return "", "mimalloc", "mimalloc_debug"
    return ("",)


def rows(said):
    """The table of a summary as {type: count}."""
    found = re.findall(r"^ *(\S.*?) \| +(\d+) \|", said, re.M)
    return {name: int(count) for name, count in found}


def test_allocator(results, python, name, reader, allocator):
    with common.scratch() as directory:
        with common.Fixture(python, "lost.py", directory, "pause", truth=False,
                            allocator=allocator) as fixture:
            lost = re.findall(r"^lost (\S+) (\S+)", fixture.output(), re.M)
            counts = rows(reader.ask(["summary", "-orphans", "-limit", "0"],
                                     pid=fixture.pid))
            total = counts.pop("total", 0)
            for kind, count in (("float", 70), ("bytes", 50), ("complex", 30)):
                results.check("%s: %d lost objects of %s" % (name, count, kind),
                              count <= counts.get(kind, 0) <= count + 2,
                              "%s" % counts.get(kind))
            # Tuples of atoms are tracked until a collection looks at them.
            results.check(name + ": little else", total <= 70 + 50 + 2 * 40 + 30
                          + OTHERS, "%d in all: %s" % (total, counts))
            said = reader.ask(["info"], pid=fixture.pid)
            results.check(name + ": info counts them",
                          re.search(r"^ +orphans \| +%d \|" % total, said, re.M),
                          said)
            for kind in ("float", "bytes", "complex"):
                address = next(where for of, where in lost if of == kind)
                said = reader.ask(["object", address], pid=fixture.pid,
                                  check=False)
                results.check("%s: a lost %s by its address" % (name, kind),
                              "an orphan" in said and
                              "refcount   1, 0 references found" in said, said)


def test_dying(results, python):
    """What nothing holds but containers whose destruction is under way."""
    reader = common.CommandLine()
    with common.scratch() as directory:
        with common.Fixture(python, "dying.py", directory, "pause",
                            truth=False) as fixture:
            said = reader.ask(["objects", "str", "-limit", "unlimited"],
                              pid=fixture.pid)
            for kind in ("list", "tuple", "dict"):
                count = said.count("'kept by a %s " % kind)
                results.check("%s: 100 texts of a %s being destroyed"
                              % (python, kind), count == 100, "%d" % count)
            found = re.search(r"(0x[0-9a-f]+) .*'kept by a list 7'", said)
            if results.check(python + ": one of them", found, said[-2000:]):
                said = reader.ask(["refs", found.group(1)], pid=fixture.pid)
                results.check(python + ": what holds it",
                              "object being destroyed" in said, said)


def test(results, python):
    common.attempt(results, python, test_dying, results, python)
    for allocator in allocators(python):
        name = "%s %s" % (python, allocator) if allocator else python
        common.attempt(results, name, test_allocator, results, python, name,
                       common.CommandLine(), allocator)


def main():
    return common.test_interpreters(common.Results(), test,
                                    sys.argv[1:] or PYTHONS)


if __name__ == "__main__":
    sys.exit(main())

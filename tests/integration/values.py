#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values are shown as repr() has them (fixtures/reprs.py), and guesses as
guesses."""
import json
import re
import sys

import common


def shown(said):
    """The items of a list by index: what stands behind type and address."""
    return {int(index): value or "" for index, value in re.findall(
        r"^  \[(\d+)\]: \S+ 0x[0-9a-f]+(?: (.*))?$", said, re.M)}


def test_values(results, python, reader):
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
# Of a process that tests look at, as many as a test has the time for.
SOME = 40


def test_marks(results, python, reader):
    """What only looks like a reference from static memory is marked so, and
    what the counts refute is shown nowhere."""
    with common.scratch() as directory:
        with common.Fixture(python, "reprs.py", directory, "pause",
                            truth=False) as fixture:
            said = reader.ask(["info"], pid=fixture.pid)
            runtime = re.search(r"^_PyRuntime +(\S+)", said, re.M).group(1)
            refuted = re.search(r"\(and (\d+) refuted\)", said)
            said = reader.ask(["referents", runtime, "-limit", "unlimited"],
                              pid=fixture.pid)
            targets = sorted(set(re.findall(
                r": \S+ (0x[0-9a-f]+) .*\(probable\)$", said, re.M)))
            shown = {target: reader.ask(["refs", target, "-depth", "1"],
                                        pid=fixture.pid)
                     for target in targets[::len(targets) // SOME + 1]}
            test_frames(results, python, reader, fixture.pid)
    results.check(python + ": a probable reference has a question mark",
                  any(map(MARKED.search, shown.values())), str(shown))
    wrong = [target for target, said in shown.items()
             if " of static memory" not in said and " more referrer" not in said]
    results.check(python + ": what referents shows, refs does",
                  refuted and shown and not wrong, "%s: %s" % (refuted, wrong))


def test_frames(results, python, reader, pid):
    """Both views of a frame hold the same to be probable, and its targets know
    of it."""
    frames = re.findall(r"^(0x[0-9a-f]+)", reader.ask(["objects", "-frames"],
                                                      pid=pid), re.M)
    guesses = []
    for frame in frames:
        said = reader.ask(["referents", frame, "-limit", "unlimited"], pid=pid)
        tree = re.findall(r"(stack \d+): \S+ .*?(0x[0-9a-f]+).* \(probable\)",
                          said)
        said = reader.ask(["object", frame, "-limit", "unlimited"], pid=pid)
        page = re.findall(r"(stack \d+)\?: \S+ (0x[0-9a-f]+)", said)
        results.check("%s: frame %s: what is probable" % (python, frame),
                      tree == page, "%s, %s" % (tree, page))
        guesses += [(int(frame, 16), target) for _, target in page]
    for frame, target in guesses[:SOME]:
        said = reader.ask(["refs", target, "-depth", "1", "-limit",
                           "unlimited"], pid=pid)
        results.check("%s: 0x%x is a referrer of %s" % (python, frame, target),
                      re.search(r"stack \d+\?.* in .*frame", said), said)


COUNT = re.compile(r"^refcount +(.*)$", re.M)


def test_static(results, python, reader):
    """The count of a static object is not held against what was found, and
    info says of how many that is so."""
    with common.scratch() as directory:
        with common.Fixture(python, "reprs.py", directory, "pause",
                            truth=False) as fixture:
            info = reader.ask(["info"], pid=fixture.pid)
            none = reader.ask(["objects", "-type", "NoneType"],
                              pid=fixture.pid)
            address = re.search(r"^(0x[0-9a-f]+)", none, re.M).group(1)
            said = reader.ask(["object", address, "-limit", "0"],
                              pid=fixture.pid)
    results.check(python + ": refcount of None", re.fullmatch(
        r"\d+, \d+ references found; static: it does not count them all",
        COUNT.search(said).group(1)), said)
    compared, rest = re.search(
        r"% of (\d+) objects exactly(?:.*\n)+? +(\d+) more not compared: "
        r"static ones", info).groups()
    sets = dict(re.findall(r"^ *(reachable|orphans) \| +(\d+)", info, re.M))
    results.check(python + ": all objects are compared, or named",
                  int(compared) + int(rest) == sum(map(int, sets.values())),
                  info)


def test(results, python):
    reader = common.CommandLine()
    test_values(results, python, reader)
    test_marks(results, python, reader)
    test_static(results, python, reader)


def main():
    return common.test_interpreters(common.Results(), test)


if __name__ == "__main__":
    sys.exit(main())

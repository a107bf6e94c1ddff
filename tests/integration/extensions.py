#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of no standard library (fixtures/extensions.py): NumPy's weigh and refer
to what NumPy says, suspended greenlets hold their variables; of what sizes itself
in a way of its own, muppy says so."""
import argparse
import collections
import json
import os
import re
import sys

import common
from truth import Heap

NUMPY = re.compile(r"numpy\.")


def check_sizes(results, name, true, found):
    wrong = collections.Counter()
    first = {}
    for address, row in true.objects.items():
        if not NUMPY.match(row["type"]) or row["size"] < 0:
            continue
        said = found.objects.get(address, {}).get("size")
        if said != row["size"]:
            wrong[row["type"]] += 1
            first.setdefault(row["type"], "%s %s: %s, not %s" % (
                row["type"], address, said, row["size"]))
    results.check(name + ": the sizes of NumPy's objects", not wrong,
                  "%s; %s" % (dict(wrong), list(first.values())[:5]))


def references(found, address):
    """What an object refers to, itself or in frames, which are objects until
    3.10."""
    there, frames = collections.Counter(), [address]
    for frame in frames:
        row = found.objects.get(frame, {"referents": [], "owned": []})
        targets = row["referents"] + row["owned"] + row.get("probable", [])
        there.update(targets)
        frames += {target for target in targets if target not in frames
                   and found.objects.get(target, {}).get("type") == "frame"}
    return there


def check_references(results, name, of, lines, found):
    """Each array with its items, each greenlet with its variables, and nothing
    that only these hold is lost."""
    wrong = []
    for line in lines:
        there = references(found, line["address"])
        lost = collections.Counter(line["targets"]) - there
        if lost or any(target not in found.objects for target in line["targets"]):
            wrong.append("%s: %d of %d" % (
                line["address"], sum(lost.values()), len(line["targets"])))
    results.check("%s: what objects of %s refer to" % (name, of),
                  lines and not wrong, str(wrong[:5]))


def check_own_sizes(results, name, core, python, reader):
    """What muppy says of classes with a __sizeof__ of their own."""
    said = reader.ask(["summary", "-limit", "unlimited"], core=core, exe=python)
    note = " ".join(said.partition("note: ")[2].split())
    results.check(name + ": summary names them", "Sized (1)" in note
                  and "Child (1)" in note and "Honest" not in note, said[-500:])
    said = reader.ask(["filter", "__main__.Sized", "-exact"], core=core,
                      exe=python)
    results.check(name + ": filter marks them",
                  re.search(r"^0x[0-9a-f]+ +\| +\d+\+ \|", said, re.M), said)
    address = re.search(r"^(0x[0-9a-f]+)", said, re.M)
    for command, expected in (("object", "or more (its class has a __sizeof__"),
                              ("sizeof", "not all known: the size of 1 object")):
        said = address and reader.ask([command, address.group(1)], core=core,
                                      exe=python)
        results.check("%s: %s says so" % (name, command),
                      said and expected in said, str(said))


def test(results, python):
    reader = common.CommandLine()
    with common.scratch() as directory:
        expected = os.path.join(directory, "expected")
        with common.Fixture(python, "extensions.py", directory, "abort",
                            ["--expect", expected]) as fixture:
            true = Heap(fixture.truth)
            core = fixture.kernel_core()
        with open(expected, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        check_own_sizes(results, python, core, python, reader)
        there = [of for of in ("numpy", "greenlet") if true.header[of]]
        if not there:
            results.skip(python, "it has neither NumPy nor greenlet")
            return
        name = ", ".join([python] + [of + " " + true.header[of] for of in there])
        export = os.path.join(directory, "export")
        reader.ask(["export", "-output", export], core=core, exe=python)
        found = Heap(export)
        missing = set(true.objects) - set(found.objects)
        results.check(name + ": every object is found", not missing,
                      str(sorted(missing)[:5]))
        check_sizes(results, name, true, found)
        for of in there:
            check_references(results, name, of,
                             [line for line in lines if line["of"] == of], found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append",
                        help="an interpreter (default: all that are here)")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    results = common.Results(arguments.verbose)
    hindrance = common.kernel_core_hindrance()
    if hindrance:
        results.skip("extensions", hindrance)
        return results.close()
    for python in arguments.python or common.interpreters():
        try:
            test(results, python)
        except common.Failure as failure:
            results.check(python, False, str(failure))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

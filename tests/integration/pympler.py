#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what muppy finds in a core file with what Pympler finds inside the
same process at the same moment (fixtures/pympler_heap.py).

Every object that Pympler lists, and that is not its own, is there with its type
and size, and counts and bytes are equal by type.  Where muppy finds more, for
Pympler stops one level below what the collector tracks, the process itself is
asked about every single object: it is real when the interpreter knows its type
and size.  Summaries at every level of detail are then equal row by row.

PYMPLER names the folder that Pympler is in; else any interpreter here that has it
is taken, as Pympler is nothing but Python.  `pympler.py -v` shows the types of
which muppy finds more.
"""
import argparse
import collections
import json
import os
import re
import sys
import time

import common
from common import Failure

PYTHONS = common.PYTHONS + common.interpreters_of((3, 8), (3, 10), (3, 12), (3, 13))
ANSWER_SECONDS = 120
TYPES_SHOWN = 12


def load(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def ask_process(fixture, addresses, questions, answers):
    """What the copy of the process says about these objects."""
    with open(questions + ".part", "w", encoding="ascii") as file:
        file.write("".join(address + "\n" for address in addresses))
    os.rename(questions + ".part", questions)
    deadline = time.monotonic() + ANSWER_SECONDS
    while not os.path.exists(answers):
        if time.monotonic() > deadline:
            raise Failure("the process does not tell about the objects that Pympler "
                          "does not find: %s" % fixture.output()[-1000:])
        time.sleep(0.05)
    return {row["address"]: row for row in load(answers)}


def count(rows):
    """{name: [objects, bytes]} of pairs (name, size)."""
    counts = collections.defaultdict(lambda: [0, 0])
    for name, size in rows:
        counts[name][0] += 1
        counts[name][1] += size
    return dict(counts)


def differences(a, b):
    """The rows that are not the same in both, as text."""
    found = ["%s: %s, %s" % (name, a.get(name), b.get(name))
             for name in sorted(set(a) | set(b)) if a.get(name) != b.get(name)]
    return "%d rows: %s" % (len(found), "; ".join(found[:8])) if found else ""


UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


def read_summary(path):
    """{name: [objects, size as it is shown]} of a summary that muppy wrote."""
    rows = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            found = re.match(r" *(\S.*) \| +(\d+) \| +(\S.*)$", line)
            if found:
                rows[found.group(1)] = [int(found.group(2)), found.group(3)]
    return rows


def shown(size):
    """A size as muppy shows it: hundredths, rounded half up."""
    unit = next(unit for unit in ("B", "KB", "MB", "GB") if size < UNITS[unit] << 10)
    if unit == "B":
        return "%d     B" % size
    hundredths = (size * 200 // UNITS[unit] + 1) // 2
    return "%d.%02d %s" % (hundredths // 100, hundredths % 100, unit)


LINE = re.compile(r"^([| ]*)\+-.*?: (?:.*? )?\(?(?:already included, |included below, )?"
                  r"(0x[0-9a-f]+)(.*)$")


def read_tree(path):
    """{address: addresses that its type visits} of the tree of muppy referents."""
    graph, path_to = collections.defaultdict(set), []
    with open(path, encoding="utf-8") as file:
        root = re.search("0x[0-9a-f]+", file.readline()).group(0)
        path_to = [root]
        for line in file:
            found = LINE.match(line)
            if not found:
                continue
            del path_to[len(found.group(1)) // 2 + 1:]
            if not re.search(r" \((?:owned|probable)\)", found.group(3)):
                graph[path_to[-1]].add(found.group(2))
            path_to.append(found.group(2))
    return root, graph


def within(root, graph, levels):
    """What one gets to over so many references."""
    seen, level = {root}, {root}
    for _ in range(levels):
        level = set().union(*(graph[address] for address in level)) - seen
        seen |= level
    return seen - {root}


class Comparison:
    """One interpreter: what Pympler says, what muppy does."""

    def __init__(self, results, python, pympler, directory):
        self.results, self.name = results, python
        questions = os.path.join(directory, "questions")
        answers = os.path.join(directory, "answers")
        with common.Fixture(python, "pympler_heap.py", directory, "pause", [
                "--pympler", pympler, "--questions", questions,
                "--answers", answers]) as fixture:
            self.core = fixture.gcore()
            header, *inside = load(fixture.truth)
            self.header = header["header"]
            self.inside = inside = [row for row in inside if "address" in row]
            self.referents = [row for row in load(fixture.truth) if "levels" in row]
            self.there = {row["address"]: row for row in inside if not row["own"]}
            self.seen = self.export(directory)
            self.more = sorted(set(self.seen) - set(self.there))
            cached = self.cached_code()
            answers = ask_process(fixture, self.more + cached, questions, answers)
            self.real = {address: answers[address] for address in self.more}
            for address in cached:
                self.there[address]["size"] = answers[address]["size"]
        self.directory = directory

    def check(self, what, ok, detail=""):
        return self.results.check("%s: %s" % (self.name, what), ok, detail)

    def export(self, directory):
        path = os.path.join(directory, "export")
        common.CommandLine().ask(["export", "-output", path], core=self.core)
        return {row["address"]: row for row in load(path)}

    def cached_code(self):
        """Code objects that weigh more since Pympler ran: up to 3.10 they have a
        cache from their 1,024th call on.  The copy that answers did not run it."""
        return [address for address, row in self.there.items()
                if row["type"] == "code" and address in self.seen
                and row["size"] > self.seen[address]["size"]]

    def check_pympler(self):
        """The list was understood: Pympler's own summary of it is ours."""
        rows = {name: [objects, size] for name, objects, size in self.header["summary"]}
        own = count((row["pympler"], row["size"]) for row in self.inside)
        if self.header["hexversion"] < 0x030b0000:
            own["code"][1] = rows["code"][1]  # see cached_code()
        wrong = differences(rows, own)
        self.check("Pympler's summary", not wrong and rows, wrong)
        own = [row for row in self.inside if row["own"]]
        if self.results.verbose:
            print("%s: %d objects by Pympler, %d of them its own; %d by muppy"
                  % (self.name, len(self.inside), len(own), len(self.seen)))

    def check_objects(self):
        """What Pympler finds, object by object and by type."""
        missing = [row for row in self.there.values() if row["address"] not in self.seen]
        self.check("every object of Pympler's is found", not missing, str(missing[:3]))
        for key in ("type", "size"):
            wrong = ["%s %s: %s, not %s" % (
                row["type"], address, self.seen[address][key], row[key])
                for address, row in self.there.items()
                if address in self.seen and self.seen[address][key] != row[key]]
            self.check("the %s of each" % key, not wrong,
                       "%d: %s" % (len(wrong), wrong[:3]))
        pympler = count((row["type"], row["size"]) for row in self.there.values())
        muppy = count((row["type"], row["size"]) for address, row in self.seen.items()
                      if address in self.there)
        wrong = differences(pympler, muppy)
        self.check("counts and bytes by type", not wrong and len(pympler) > 50, wrong)

    def check_referents(self):
        """muppy.get_referents(), and what it means to answer over more levels."""
        for row in self.referents:
            for level, wanted in enumerate(row["levels"], 1):
                path = os.path.join(self.directory, "referents")
                common.CommandLine().ask(
                    ["referents", row["referents"], "-level", str(level), "-limit",
                     "unlimited", "-output", path, "-force"], core=self.core)
                found = within(*read_tree(path), level)
                self.check("referents -level %d of %s" % (level, row["referents"]),
                           found == set(wanted), "missing %s, too many %s" % (
                               sorted(set(wanted) - found)[:3],
                               sorted(found - set(wanted))[:3]))

    def check_more(self):
        """What Pympler does not find, object by object."""
        wrong = ["%s %s%s" % (self.seen[address]["type"], address,
                              " (given up since)" if row.get("gone") else "")
                 for address, row in self.real.items() if not row.get("type")]
        self.check("every other object is one", not wrong,
                   "%d: %s" % (len(wrong), wrong[:5]))
        for key in ("type", "size"):
            wrong = ["%s %s: %s, not %s" % (
                row["type"], address, self.seen[address][key], row[key])
                for address, row in self.real.items()
                if row.get("type") and self.seen[address][key] != row[key]]
            self.check("the %s of each of these" % key, not wrong,
                       "%d: %s" % (len(wrong), wrong[:3]))
        # Two levels below what is tracked, where the fixture put some.
        kinds = collections.Counter(self.seen[address]["type"] for address in self.more)
        self.check("deeper strings, tuples and numbers are found",
                   all(kinds[kind] >= 200 for kind in ("str", "tuple", "int")),
                   str(kinds.most_common(5)))
        if self.results.verbose:
            self.print_more(kinds)

    def print_more(self, kinds):
        print("%s: %d objects more:" % (self.name, len(self.more)))
        for kind, number in kinds.most_common(TYPES_SHOWN):
            print("  %6d %s" % (number, kind))
        rest = sum(kinds.values()) - sum(
            number for _, number in kinds.most_common(TYPES_SHOWN))
        print("  %6d of %d other types" % (rest, max(0, len(kinds) - TYPES_SHOWN)))

    def check_summaries(self):
        """The tables, row by row: Pympler's objects and the others together."""
        everything = list(self.there.values()) + [
            row for row in self.real.values() if row.get("type")]
        for level in (1, 2, 3):
            path = os.path.join(self.directory, "summary-%d" % level)
            common.CommandLine().ask(["summary", "-detail", str(level), "-limit",
                                      "unlimited", "-output", path], core=self.core)
            rows = read_summary(path)
            total = rows.pop("total")
            wanted = {name: [objects, shown(size)] for name, (objects, size) in count(
                (row["rows"][level - 1], row["size"]) for row in everything).items()}
            wrong = differences(rows, wanted)
            self.check("summary -detail %d" % level, not wrong, wrong)
            self.check("summary -detail %d, total" % level,
                       total[0] == len(everything), str(total))
        self.check("functions, modules, lengths and frames are told apart", all(
            any(name.startswith(start) for name in rows) for start in (
                "function (__main__.build)", "module(sqlite3)", "dict, len=2",
                "list, len=59", "set, len=39", "frame (codename: raised, filename: ")),
            str(len(rows)))


def test(results, python, pympler):
    with common.scratch() as directory:
        comparison = Comparison(results, python, pympler, directory)
        comparison.check_pympler()
        comparison.check_objects()
        comparison.check_referents()
        comparison.check_more()
        comparison.check_summaries()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--python", help="only this interpreter")
    options = parser.parse_args()
    results = common.Results(options.verbose)
    pympler = common.find_pympler()
    if not pympler:
        results.skip("Pympler", "not there: PYMPLER=FOLDER names where it is")
        return results.close()
    return common.test_interpreters(
        results, lambda results, python: test(results, python, pympler),
        [options.python] if options.python else PYTHONS)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the graph of references, against graphs of known shape
(fixtures/graphs.py): sizes with all that is reached, and what is held alone."""
import json
import os
import re
import sys

import common
from common import Failure

PYTHONS = ("/usr/bin/python3.11", "/usr/bin/python3.11d")


class Graphs:
    """The fixture, and one way to ask about it."""

    def __init__(self, results, name, fixture, reader, core=None):
        self.results, self.name = results, name
        self.reader, self.fixture, self.core = reader, fixture, core
        self.facts = [json.loads(line) for line in fixture.output().splitlines()
                      if line.startswith("{")]

    def ask(self, *command, check=True):
        words = [hex(word) if isinstance(word, int) else word for word in command]
        if self.core:
            return self.reader.ask(words, core=self.core,
                                   exe=os.path.realpath("/proc/%d/exe" % self.fixture.pid),
                                   check=check)
        return self.reader.ask(words, pid=self.fixture.pid, check=check)

    def check(self, name, ok, detail=""):
        return self.results.check("%s: %s" % (self.name, name), ok, detail)

    def about(self, kind):
        return [fact for fact in self.facts if kind in fact]


def size_rows(said):
    """The rows of sizeof as (flat, total, count, retained, object)."""
    rows = []
    for line in said.splitlines():
        cells = [cell.strip() for cell in line.split(" | ", 4)]
        if len(cells) == 5 and cells[1].isdigit():
            rows.append([int(cell) if cell else None for cell in cells[:4]]
                        + [cells[4]])
    return rows


def test_sizes(graphs, cases):
    for case in cases:
        said = graphs.ask("sizeof", "-bytes", *case["roots"])
        rows = size_rows(said)
        whole = rows[-1] if rows else [0] * 5
        graphs.check("sizeof: total of %s" % case["case"],
                     whole[1] == case["total"] and whole[2] == case["count"],
                     "%s\n%s" % (case, said))
        graphs.check("sizeof: what only %s holds" % case["case"],
                     whole[3] == case["retained"], "%s\n%s" % (case, said))
        graphs.check("sizeof: a row for each of %s" % case["case"],
                     len(rows) == len(case["roots"]) + (len(case["roots"]) > 1), said)


def test_parts(graphs):
    """Lists that closures, generators and tracebacks hold."""
    for fact in graphs.about("inner"):
        said = graphs.ask("sizeof", "-bytes", fact["root"])
        _, total, _, retained, _ = size_rows(said)[0]
        least, most = fact["part_bytes"], fact["part_bytes"] + 20000
        graphs.check("sizeof: %s holds its list" % fact["inner"],
                     least <= retained <= total <= most,
                     "%s\n%s" % (fact, said))
        said = graphs.ask("sizeof", "-bytes", "-code", fact["root"])
        graphs.check("sizeof -code: %s leads to the program" % fact["inner"],
                     size_rows(said)[0][1] > 10 * most, said)


def test_detail(graphs):
    top, right, bottom = graphs.about("diamond")[-1]["diamond"]
    said = graphs.ask("sizeof", "-bytes", "-detail", "1", top)
    rows = size_rows(said)
    graphs.check("sizeof -detail: rows add up",
                 sum(row[1] for row in rows[1:]) + rows[0][0] == rows[0][1], said)
    graphs.check("sizeof -detail: what two lead to has a row",
                 rows[-1][4] == "+-what more than one of these leads to", said)
    graphs.check("sizeof -detail: names", any(
        row[4].startswith("+-[1]: list %s" % hex(right)) for row in rows), said)
    whole = size_rows(graphs.ask("sizeof", "-bytes", bottom))[0][1]
    graphs.check("sizeof -detail: of the whole of it", rows[-1][1] == whole, said)
    said = graphs.ask("sizeof", "-bytes", "-detail", "3", "-limit", "4", bottom)
    rows = size_rows(said)
    graphs.check("sizeof -limit: says what is left out",
                 len(rows) == 6 and rows[-1][4] == "+-… 26 more", said)
    graphs.check("sizeof -limit: and adds up",
                 sum(row[1] for row in rows[1:]) + rows[0][0] == rows[0][1], said)


def test_pympler(graphs):
    asked = graphs.about("pympler")
    if not asked:
        graphs.results.skip(graphs.name + ": Pympler",
                            "not there (MUPPY_PYMPLER names its directory)")
    for fact in asked:
        said = graphs.ask("sizeof", "-bytes", fact["root"])
        row = size_rows(said)[0]
        graphs.check("sizeof: as Pympler's asizeof and flatsize of %s" % fact["pympler"],
                     (row[0], row[1]) == (fact["flat"], fact["total"]),
                     "%s\n%s" % (fact, said))


def test_refusals(graphs):
    root = graphs.about("case")[0]["roots"][0]
    said = graphs.ask("sizeof", root + 1, check=False)
    graphs.check("sizeof: an address inside", "it is inside list" in said, said)
    said = graphs.ask("sizeof", check=False)
    graphs.check("sizeof: no address", "which object" in said, said)
    rows = size_rows(graphs.ask("sizeof", "-bytes", root, root))
    graphs.check("sizeof: an object named twice is one", len(rows) == 1, str(rows))


def test(graphs):
    test_sizes(graphs, graphs.about("case"))
    test_parts(graphs)
    test_detail(graphs)
    test_refusals(graphs)


def test_briefly(graphs):
    """The same code answers; what is tested is the way there."""
    test_sizes(graphs, graphs.about("case")[2:3])
    test_detail(graphs)


def pympler_arguments():
    directory = os.environ.get("MUPPY_PYMPLER", "")
    return ["--pympler", directory] if directory else []


def test_interpreter(results, python):
    with common.scratch() as directory:
        with common.Fixture(python, "graphs.py", directory, "pause",
                            pympler_arguments(), truth=False) as fixture:
            for core in None, fixture.gcore():
                for reader in common.readers():
                    name = "%s, %s, %s" % (python, reader.name, "core" if core else "live")
                    graphs = Graphs(results, name, fixture, reader, core)
                    if reader.name == "command line":
                        test(graphs)
                        test_pympler(graphs)
                    else:
                        test_briefly(graphs)


def main():
    results = common.Results()
    for python in sys.argv[1:] or PYTHONS:
        path = common.interpreter(python)
        if not path:
            results.skip(python, "not there")
            continue
        try:
            test_interpreter(results, path)
        except Failure as failure:
            results.check(python, False, str(failure))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

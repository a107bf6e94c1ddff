#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the graph of references, against graphs of known shape
(fixtures/graphs.py): sizes with all that is reached, what is held alone, cycles
and garbage, and pictures for Graphviz.  Pympler's own answers are compared where
it is found."""
import json
import os
import re
import shutil
import sys

import common


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
    graphs.check("sizeof -detail unlimited: all levels that there may be",
                 graphs.ask("sizeof", "-detail", "unlimited", top)
                 == graphs.ask("sizeof", "-detail", "100", top))
    whole = size_rows(graphs.ask("sizeof", "-bytes", bottom))[0][1]
    graphs.check("sizeof -detail: of the whole of it", rows[-1][1] == whole, said)
    said = graphs.ask("sizeof", "-bytes", "-detail", "3", "-limit", "4", bottom)
    rows = size_rows(said)
    graphs.check("sizeof -limit: says what is left out",
                 len(rows) == 6 and rows[-1][4] == "+-… 26 more", said)
    graphs.check("sizeof -limit: the last row is no line about it",
                 graphs.ask("sizeof", "-detail", "3", "-limit", "29", bottom)
                 == graphs.ask("sizeof", "-detail", "3", "-limit", "30", bottom))
    graphs.check("sizeof -limit: and adds up",
                 sum(row[1] for row in rows[1:]) + rows[0][0] == rows[0][1], said)


def test_pympler(graphs):
    asked = graphs.about("pympler")
    if not asked:
        graphs.results.skip(graphs.name + ": Pympler",
                            "not there: PYMPLER=FOLDER names where it is")
    for fact in asked:
        said = graphs.ask("sizeof", "-bytes", fact["root"])
        row = size_rows(said)[0]
        graphs.check("sizeof: as Pympler's asizeof and flatsize of %s" % fact["pympler"],
                     (row[0], row[1]) == (fact["flat"], fact["total"]),
                     "%s\n%s" % (fact, said))


def groups(said):
    """The groups of a list of cycles: (title, [addresses], [edges])."""
    found = []
    for part in said.split("\n\n"):
        title, _, drawn = part.strip().partition("\n")
        if not re.match(r"(garbage: )?(\d+ groups of )?\d+ objects?, ", title):
            continue
        lines = [re.match(r" *\+-(.*?): \S+ (0x[0-9a-f]+)", line)
                 for line in drawn.split("\n")[1:]]
        start = re.search(r"0x[0-9a-f]+", drawn)
        found.append((title, [int(start.group(), 16)]
                      + [int(line.group(2), 16) for line in lines[:-1] if line],
                      [line.group(1) for line in lines if line]))
    return found


def same_ring(left, right):
    """Whether two lists are the same but for where they begin."""
    return len(left) == len(right) and any(
        left == right[at:] + right[:at] for at in range(len(right)))


def test_list_of_cycles(graphs):
    said = graphs.ask("cycles", "-each", "-limit", "unlimited")
    listed = groups(said)
    flags = [title.startswith("garbage") for title, _, _ in listed]
    graphs.check("cycles: garbage comes first", flags == sorted(flags, reverse=True),
                 said)
    for cycle in graphs.about("cycle"):
        if not cycle["edges"]:
            continue
        found = [(title, edges) for title, where, edges in listed
                 if same_ring(where, cycle["members"])]
        if not graphs.check("cycles: finds " + cycle["cycle"], len(found) == 1, said):
            continue
        title, edges = found[0]
        graphs.check("cycles: %s is %sgarbage" % (
            cycle["cycle"], "" if cycle["garbage"] else "no "),
                     title.startswith("garbage") == cycle["garbage"], title)
        graphs.check("cycles: the names of " + cycle["cycle"],
                     same_ring(edges, cycle["edges"]), "%s %s" % (edges, cycle))
        many = len(cycle["members"])
        graphs.check("cycles: the size of " + cycle["cycle"], "%d object%s, %d B:" % (
            many, "" if many == 1 else "s", cycle["bytes"]) in title, title)
    test_garbage(graphs, said, listed)


def test_garbage(graphs, said, listed):
    """Exactly what a collection would find."""
    collected = graphs.about("collected")[0]
    total = re.search(r"^garbage with all that only it holds: .*?(\d+) tracked", said,
                      re.M)
    graphs.check("cycles: as much garbage as a collection finds",
                 total and int(total.group(1)) == collected["collected"],
                 "%d\n%s" % (collected["collected"], said))
    drawn = {where for title, all_of, _ in listed if title.startswith("garbage")
             for where in all_of}
    graphs.check("cycles: no garbage but what a collection finds",
                 drawn and drawn <= set(collected["ids"]),
                 str(drawn - set(collected["ids"])))
    alone = graphs.ask("cycles", "-garbage", "-each", "-limit", "unlimited")
    graphs.check("cycles -garbage: nothing else",
                 groups(alone) == [group for group in listed
                                   if group[0].startswith("garbage")], alone)
    graphs.check("cycles: a class of garbage", "of_class.<locals>.Local" in alone, alone)


def test_cycles_together(graphs):
    """Those that look alike are shown by one of them, and all are counted."""
    each = groups(graphs.ask("cycles", "-garbage", "-each", "-limit", "unlimited"))
    said = graphs.ask("cycles", "-garbage", "-limit", "unlimited")
    shown = groups(said)
    times = [int((re.match(r"garbage: (\d+) groups of", title) or [0, 1])[1])
             for title, _, _ in shown]
    graphs.check("cycles: as many together as one by one",
                 sum(times) == len(each) > len(shown) > 3, said)
    alike = [title for title, _, _ in shown if "groups of 2 objects" in title]
    graphs.check("cycles: pairs of dicts are shown as one",
                 len(alike) == 1 and "in all; one of them" in alike[0], said)


def test_selected_cycles(graphs):
    said = graphs.ask("cycles", "-type", "Slotted", "-limit", "unlimited")
    found = groups(said)
    graphs.check("cycles -type", len(found) == 2 and said.count("__main__.Slotted") >= 4,
                 said)
    said = graphs.ask("cycles", "-code", "-type", "Slotted", "-limit", "unlimited")
    graphs.check("cycles -code -type: each drawn has one",
                 len(groups(said)) >= 2 and
                 all("__main__.Slotted" in part for part in said.split("\n\n")[:-1]), said)
    said = graphs.ask("cycles", "-limit", "1")
    graphs.check("cycles -limit", len(groups(said)) == 1 and
                 re.search("^… \\d+ more", said, re.M), said)
    said = graphs.ask("cycles", "-code", "-limit", "unlimited")
    graphs.check("cycles -code: through types",
                 re.search("^[0-9]{4,} objects, ", said, re.M), said[-2000:])


def test_cycles_through(graphs, cycles):
    for cycle in cycles:
        if not cycle["edges"]:
            continue
        said = graphs.ask("cycles", cycle["members"][0])
        many = len(cycle["members"])
        graphs.check("cycles ADDRESS: shortest of %s first" % cycle["cycle"],
                     "cycle of %d object%s:" % (many, "" if many == 1 else "s") in said
                     and "+-%s: " % cycle["edges"][0] in said and "(cycle)" in said, said)


def test_no_cycle(graphs):
    exclusive = graphs.about("case")[0]["roots"][0]
    said = graphs.ask("cycles", exclusive)
    graphs.check("cycles ADDRESS: on none", "is on no cycle" in said, said)
    said = graphs.ask("cycles", exclusive, "-garbage", check=False)
    graphs.check("cycles ADDRESS: no selection with it",
                 "either an address or" in said, said)


def check_dot(graphs, name, path):
    """Whether Graphviz, or failing that a few rules, take the file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if shutil.which("dot"):
        result = common.run(["dot", "-Tsvg", "-o", os.devnull, path])
        graphs.check(name + ": dot draws it",
                     result.returncode == 0 and not result.stdout, result.stdout)
    quoted = r'"(?:[^"\\]|\\.)*"'
    line = re.compile(
        r'digraph %s \{|\}|  charset="UTF-8";|  rankdir=LR;|'
        r'  (?:node|edge) \[[^]]*\];|  n\d+ \[label=%s(?:, \w+=(?:\w+|%s))*\];|'
        r'  n\d+ -> n\d+(?: \[label=%s\])?;' % ((quoted,) * 4))
    graphs.check(name + ": nodes and arrows alone",
                 all(line.fullmatch(each) for each in text.splitlines()), text[:3000])
    defined = set(re.findall(r"^  (n\d+) \[", text, re.M))
    used = {node for pair in re.findall(r"^  (n\d+) -> (n\d+)", text, re.M)
            for node in pair}
    graphs.check(name + ": no arrow leads nowhere", used <= defined,
                 str(used - defined))
    return text


def test_dot(graphs, directory):
    path = os.path.join(directory, "graph.dot")
    of_two = next(cycle for cycle in graphs.about("cycle")
                  if cycle["cycle"] == "live of_two")
    quotes = graphs.about("quotes")[0]["quotes"]
    for command, about, name in (
            (["referents", of_two["members"][0], "-level", "3"], of_two["members"],
             "['second live of_two']"),
            (["refs", of_two["members"][0], "-depth", "2"], of_two["members"],
             "['first live of_two']"),
            (["cycles", of_two["members"][0]], of_two["members"],
             "['first live of_two']"),
            (["cycles", "-limit", "unlimited"], of_two["members"],
             "['second live of_two']"),
            (["referents", quotes], [quotes], "")):
        title = "%s -dot" % command[0]
        graphs.ask(*command, "-dot", path)
        text = check_dot(graphs, title, path)
        graphs.check(title + ": the objects", all(
            " %#x\\n" % where in text for where in about), text[:3000])
        graphs.check(title + ": the names", 'label="%s"' % name in text if name else True,
                     text[:3000])
        os.unlink(path)
    graphs.ask("refs", quotes, "-dot", path)
    said = graphs.ask("refs", quotes, "-dot", path, check=False)
    graphs.check("-dot: an existing file stays", "exists already" in said, said)
    graphs.ask("refs", quotes, "-dot", path, "-force")
    said = graphs.ask("refs", quotes, "-dot", path, "-output", path, check=False)
    graphs.check("-dot: not with -output", "either -output or -dot" in said, said)
    os.unlink(path)


def test_tree_in_file(graphs, directory):
    """FileBrowser.print_tree() of Pympler."""
    path = os.path.join(directory, "tree.txt")
    where = graphs.about("cycle")[1]["members"][0]
    graphs.ask("refs", where, "-output", path)
    with open(path, encoding="utf-8") as file:
        written = file.read()
    os.unlink(path)
    graphs.check("refs -output: the tree", "(cycle)" in written and
                 written.startswith("dict %#x" % where), written)


def retained_rows(said):
    """The rows of retained as (retained, flat, count, object)."""
    rows = []
    for line in said.splitlines():
        cells = [cell.strip() for cell in line.split(" | ", 3)]
        if len(cells) == 4 and cells[0].isdigit():
            rows.append([int(cell) for cell in cells[:3]] + [cells[3]])
    return rows


def test_retained(graphs):
    """The dominators of the whole heap agree with what sizeof finds out about a
    part of it, and with the truth."""
    held = graphs.about("held")[0]["held"]
    for case in graphs.about("case"):
        if len(case["roots"]) > 1:
            continue
        said = graphs.ask("retained", "-bytes", case["roots"][0])
        row = retained_rows(said)[0]
        graphs.check("retained: what only %s holds" % case["case"],
                     row[0] == case["retained"], "%s\n%s" % (case, said))
    for fact in graphs.about("inner"):
        held_with_code = size_rows(graphs.ask("sizeof", "-bytes", "-code", fact["root"]))
        graphs.check("retained: of %s as sizeof -code" % fact["inner"], held_with_code[0][3]
                     == retained_rows(graphs.ask("retained", "-bytes", fact["root"]))[0][0],
                     str(held_with_code))
    top, right, bottom = graphs.about("diamond")[-1]["diamond"]
    said = graphs.ask("retained", bottom)
    graphs.check("retained: two ways lead to one dominator",
                 re.search("held by:\n\\+-list %#x .*\n  \\+-dict %#x" % (top, held), said), said)
    said = graphs.ask("retained", "-bytes", "-min", "0", top)
    rows = retained_rows(said)
    # The two sides and the bottom are three lists that it alone holds.
    graphs.check("retained: below it, and which of them matters",
                 rows[1][2] == 3 and
                 rows[1][3].startswith("+-list, mostly %#x len=30" % bottom), said)
    said = graphs.ask("retained", "-bytes", "-limit", "2", "-depth", "1", held)
    rows = retained_rows(said)
    graphs.check("retained: parts are no more than the whole",
                 sum(row[0] for row in rows if row[3].startswith("+-"))
                 + rows[0][1] == rows[0][0], said)
    garbage = next(cycle for cycle in graphs.about("cycle") if cycle["garbage"])
    said = graphs.ask("retained", garbage["members"][0], check=False)
    graphs.check("retained: garbage", "is garbage" in said, said)


def test_all_retained(graphs, directory):
    """The uppermost rows are the whole heap, but for garbage and the index of
    interned strings."""
    said = graphs.ask("retained", "-bytes", "-depth", "1", "-limit", "unlimited",
                      "-min", "0")
    total = sum(row[0] for row in retained_rows(said))
    path = os.path.join(directory, "heap.jsonl")
    graphs.ask("export", "-format", "jsonl", "-output", path)
    with open(path, encoding="utf-8") as file:
        everything = sum(json.loads(line)["size"] for line in file)
    os.unlink(path)
    graphs.check("retained: of everything", 0.9 * everything < total < everything,
                 "%d of %d" % (total, everything))
    besides = re.findall(r"^besides: (\d+) objects?, (\d+) of (\w+)", said, re.M)
    cycles = graphs.ask("cycles", "-garbage", "-limit", "1")
    garbage = re.search(r"only it holds: (\d+) objects", cycles)
    graphs.check("retained: garbage is said to be left out",
                 [(count, what) for count, _, what in besides if what == "garbage"]
                 == [(garbage.group(1), "garbage")], said + cycles)
    total += sum(int(size) for _, size, _ in besides)
    # What remains is the index of interned strings, which holds nothing.
    graphs.check("retained: nothing else is left out",
                 0 <= everything - total < 1 << 20, "%d of %d" % (total, everything))


def test_refusals(graphs):
    root = graphs.about("case")[0]["roots"][0]
    said = graphs.ask("sizeof", root + 1, check=False)
    graphs.check("sizeof: an address inside", "it is inside list" in said, said)
    said = graphs.ask("sizeof", check=False)
    graphs.check("sizeof: no address", "which object" in said, said)
    rows = size_rows(graphs.ask("sizeof", "-bytes", root, root))
    graphs.check("sizeof: an object named twice is one", len(rows) == 1, str(rows))


def test(graphs, directory):
    test_sizes(graphs, graphs.about("case"))
    test_parts(graphs)
    test_detail(graphs)
    test_refusals(graphs)
    test_retained(graphs)
    test_all_retained(graphs, directory)
    test_list_of_cycles(graphs)
    test_cycles_together(graphs)
    test_selected_cycles(graphs)
    test_cycles_through(graphs, graphs.about("cycle"))
    test_no_cycle(graphs)
    test_dot(graphs, directory)
    test_tree_in_file(graphs, directory)


def test_briefly(graphs):
    """The same code answers; what is tested is the way there."""
    test_sizes(graphs, graphs.about("case")[2:3])
    test_detail(graphs)
    test_list_of_cycles(graphs)
    test_cycles_through(graphs, graphs.about("cycle")[1:2])


def pympler_arguments():
    directory = common.find_pympler()
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
                        test(graphs, directory)
                        test_pympler(graphs)
                    else:
                        test_briefly(graphs)


def main():
    return common.test_interpreters(common.Results(), test_interpreter,
                                    sys.argv[1:] or common.PYTHONS)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which objects a command is about (fixtures/selection.py):
each finds the objects that differ in what it is about, and no others."""
import json
import re
import subprocess
import sys

import common
from common import Failure

PYTHONS = common.PYTHONS + common.interpreters_of((3, 8), (3, 12), (3, 13))
REFUSED = (
    (["-tracked", "-untracked"], "-tracked and -untracked exclude each other"),
    (["-tracked", "-orphans"], "-tracked and -orphans exclude each other"),
    (["-untracked", "-generation", "1"],
     "-generation and -untracked exclude each other"),
    (["-orphans", "-generation", "1"],
     "-generation and -orphans exclude each other"),
    (["-immortal", "-min-refcount", "1"],
     "-immortal and -min-refcount exclude each other"),
    (["-immortal", "-max-refcount", "1"],
     "-immortal and -max-refcount exclude each other"),
    (["-min", "2", "-max", "1"], "-min is greater than -max"),
    (["-min-length", "2", "-max-length", "1"],
     "-min-length is greater than -max-length"),
    (["-min-refcount", "2", "-max-refcount", "1"],
     "-min-refcount is greater than -max-refcount"),
    (["-min-length", "1k"], "option -min-length: '1k' is not a number"),
    (["-generation", "3"], "option -generation: '3' is not one of"),
    (["-from", "0x20", "-to", "0x20"],
     "no address is below that of -to and not below that of -from"),
    (["-to", "+16"], "-to +LENGTH needs the address that -from gives"),
    (["-from", "here"], "option -from: 'here' is no address"),
    (["-module", "Shop"], "no type is of a module named 'Shop'"),
    (["-interpreter", "7"], "there is no interpreter '7'; give one of 0,"),
)


def asker(**where):
    """The addresses that "muppy objects" finds, as a set."""
    def found(*words):
        reader = common.CommandLine()
        said = reader.ask(["objects", *words, "-addresses"], **where)
        if "incomplete" in said:
            raise Failure("objects %s: %s" % (" ".join(words),
                                              reader.ask(["info"], **where)))
        return set(said.split())
    return found


def some(sets, kind, wanted=lambda value: True):
    """The addresses of all sets KIND:VALUE whose value is wanted."""
    return {address for name, objects in sets.items() for address in objects
            if name.startswith(kind + ":") and wanted(name.partition(":")[2])}


def cases(sets):
    """The words of each question, and what is to be found."""
    def typed(*names):
        return some(sets, "type", lambda name: name in names)
    shop = ("shop.Base", "shop.cart.Item", "shop.cart.Outer.Inner")
    derived = ("shop.Base", "shop.cart.Item", "shopping.Other")
    sizes = sorted(int(name[5:]) for name in sets if name.startswith("size:"))
    rows = sorted(some(sets, "length"), key=lambda text: int(text, 16))
    yield ["-module", "shop"], typed(*shop)
    yield ["-module", "shop.*"], typed(*shop[1:])
    yield ["-module", "shop.c?rt"], typed(*shop[1:])
    yield ["-type", "shop.Base"], typed(*derived)
    yield ["Base"], typed(*derived)
    yield ["Base", "-exact"], typed("shop.Base")
    yield ["Base", "-module", "shop"], typed(*derived[:2])
    yield ["Item"], typed("shop.cart.Item", "bare.Item")
    yield ["bare.It?m"], typed("bare.Item")
    yield ["Row"], some(sets, "length")
    yield ["Row", "-min-length", "8"], some(sets, "length", lambda n: int(n) >= 8)
    yield ["Row", "-max-length", "0"], some(sets, "length", lambda n: int(n) == 0)
    yield (["Row", "-min-length", "2", "-max-length", "3"],
           some(sets, "length", lambda n: n in "23"))
    yield ["Cell", "-min-length", "0", "-max-length", "5"], set()
    yield (["Weight", "-min", str(sizes[3]), "-max", str(sizes[5])],
           some(sets, "size", lambda n: sizes[3] <= int(n) <= sizes[5]))
    yield (["Weight", "-min", str(sizes[3] + 1)],
           some(sets, "size", lambda n: int(n) > sizes[3]))
    yield (["Cell", "-min-refcount", "101", "-max-refcount", "301"],
           some(sets, "refcount", lambda n: 101 <= int(n) <= 301))
    yield (["Cell", "-min-refcount", "302"],
           some(sets, "refcount", lambda n: int(n) > 301))
    for generation in ("0", "1", "2", "permanent"):
        yield (["Aged", "-generation", generation],
               some(sets, "generation", lambda n: n == generation))
    yield ["Aged"], some(sets, "generation")
    yield ["Row", "-from", rows[2]], set(rows[2:])
    yield ["Row", "-to", rows[2]], set(rows[:2])
    yield ["Row", "-from", rows[2], "-to", rows[4]], set(rows[2:4])
    yield (["Row", "-from", rows[2], "-to",
            "+%d" % (int(rows[4], 16) - int(rows[2], 16) + 1)], set(rows[2:5]))
    yield ["Row", "-tracked"], some(sets, "length")
    yield ["Row", "-untracked"], set()
    yield ["-untracked", "-type", "bytes", "-min", "1M"], some(sets, "untracked")
    yield ["Row", "-interpreter", "0"], some(sets, "length")
    yield ["Row", "-interpreter", "shared"], set()


def test_commands(results, name, sets, core):
    """summary, filter, export and objects mean the same by the same words."""
    def ask(*words):
        return common.CommandLine().ask(list(words), core=core)
    words = ["-module", "shop", "-type", "Base"]
    wanted = some(sets, "type", lambda kind: kind in ("shop.Base", "shop.cart.Item"))
    said = ask("summary", *words)
    results.check(name + ": summary", re.search(
        r"^ *total \| +%d \|" % len(wanted), said, re.M), said)
    found = {json.loads(line)["address"] for line in ask("export", *words).split("\n")
             if line}
    results.check(name + ": export", found == wanted, str(found ^ wanted))
    said = ask("filter", "Base", "-module", "shop")
    found = {hex(int(address, 16)) for address in re.findall("^0x[0-9a-f]+", said, re.M)}
    results.check(name + ": filter", found == wanted, said)
    said = ask("objects", *words, "-count")
    results.check(name + ": -count", said.startswith("%d objects, " % len(wanted)), said)


def test_sums(results, name, core):
    """What excludes each other adds up to all."""
    def total(*words):
        said = common.CommandLine().ask(["summary", *words], core=core)
        found = re.search(r"^ *total \| +(\d+) \| +(.*)$", said, re.M)
        return int(found.group(1)), found.group(2)
    everything = total()
    results.check(name + ": all of any size", total("-min", "1") == everything)
    tracked, untracked = total("-tracked")[0], total("-untracked")[0]
    results.check(name + ": tracked and untracked are all",
                  tracked + untracked == everything[0] and tracked and untracked,
                  "%d + %d of %d" % (tracked, untracked, everything[0]))
    ages = [total("-generation", word)[0] for word in ("0", "1", "2", "permanent")]
    results.check(name + ": generations are the tracked", sum(ages) == tracked,
                  "%s of %d" % (ages, tracked))
    here = total("-from", "0x7f0000000000")[0] + total("-to", "0x7f0000000000")[0]
    results.check(name + ": two halves of memory", here == everything[0])


def test_order(results, name, core):
    """The first are the first of all, and an order is one."""
    def rows(*words):
        said = common.CommandLine().ask(["objects", *words], core=core)
        return [line.split(" | ") for line in said.split("\n") if line.startswith("0x")]
    column = {"size": 1, "refcount": 2}
    for word, index in column.items():
        listed = rows("-sort", word, "-limit", "unlimited")
        keys = [int(row[index]) for row in listed if row[index].strip().isdigit()]
        results.check("%s: -sort %s" % (name, word),
                      keys == sorted(keys, reverse=True) and keys)
        results.check("%s: -sort %s -limit" % (name, word),
                      [row[0] for row in rows("-sort", word, "-limit", "70")]
                      == [row[0] for row in listed[:70]])
    listed = rows("str", "-sort", "size", "-ascending", "-limit", "50")
    keys = [int(row[1]) for row in listed]
    results.check(name + ": -ascending", keys == sorted(keys) and len(keys) == 50)
    listed = rows("Row", "-sort", "length")
    results.check(name + ": -sort length", [row[4].strip() for row in listed]
                  == ["len=%d" % length for length in range(9, -1, -1)], str(listed))
    names = [row[3].strip() for row in rows("-module", "shop", "-sort", "type")]
    results.check(name + ": -sort type", names == sorted(names) and len(names) == 12)
    asked = ["summary", "-module", "shop", "-limit"]
    said = common.CommandLine().ask([*asked, "unlimited"], core=core)
    types = said.count(" | ") // 2 - 4  # Lines, without header, total and rules.
    results.check(name + ": -limit: the last row is no line about it",
                  types >= 3 and "…" not in said and said
                  == common.CommandLine().ask([*asked, str(types - 1)], core=core)
                  and "… 2 more types |" in common.CommandLine().ask(
                      [*asked, str(types - 2)], core=core), said)
    for direction in [], ["-ascending"]:
        said = common.CommandLine().ask(["summary", "-sort", "type", "-limit",
                                         "unlimited", *direction], core=core)
        types = [line.split(" | ")[0].strip() for line in said.split("\n")[2:]
                 if " | " in line and " =" not in line][:-1]
        results.check("%s: summary -sort type %s" % (name, " ".join(direction)),
                      types == sorted(types) and len(types) > 50, said)
        listed = [row[3].strip() for row in rows("-sort", "type", "-limit", "3000",
                                                 *direction)]
        results.check("%s: objects -sort type %s" % (name, " ".join(direction)),
                      listed == sorted(listed) and len(set(listed)) > 3, listed[:3])
    listed = [row[0] for row in rows("-module", "shop", "-sort", "address")]
    results.check(name + ": -sort address", listed == sorted(listed) and listed)


def test_roots(results, name, core):
    said = common.CommandLine().ask(["objects", "-roots"], core=core)
    results.check(name + ": -roots", "| interpreter 0" in said and "| thread " in said
                  and "| frame main (selection.py:" in said, said)
    frames = common.CommandLine().ask(["objects", "-frames"], core=core)
    addresses = re.findall(r"^(0x\S+) +\| frame (\S+)", frames, re.M)
    results.check(name + ": -frames", [of for _, of in addresses]
                  == ["write_and_wait", "main", "<module>"], frames)
    said = common.CommandLine().ask(["objects", "-frames", "-limit", "2"], core=core)
    results.check(name + ": -frames -limit", re.findall(r"^(0x\S+) +\| frame (\S+)", said, re.M)
                  == addresses[:2] and "\n… 1 more\n3 running functions" in said, said)
    said = common.CommandLine().ask(["referents", addresses[1][0]], core=core)
    results.check(name + ": a frame by its address", "local weights: list" in said, said)


def test_refused(results, core):
    for words, why in REFUSED:
        result = common.run([common.MUPPY, "--core=" + core, "objects", *words])
        results.check(" ".join(words), result.returncode in (1, 2) and why in
                      result.stdout and result.stdout.count("\n") == 1, result.stdout)


TWO_INTERPRETERS = """
import os, time
import _xxsubinterpreters
other = _xxsubinterpreters.create()
_xxsubinterpreters.run_string(other, "class Theirs: pass\\nkept = [Theirs() for _ in 'seven..']")
class Ours: pass
kept = [Ours() for _ in "five."]
print(other, flush=True)
time.sleep(600)
"""


def test_interpreters(results, python):
    """-interpreter, where there are two."""
    with subprocess.Popen([python, "-c", TWO_INTERPRETERS], stdout=subprocess.PIPE,
                          env=common.fixture_environment()) as process:
        try:
            other = re.search(rb"\d+", process.stdout.readline()).group(0).decode()
            found = asker(pid=process.pid)
            for name, its, theirs in (("Ours", "0", other), ("Theirs", other, "0")):
                objects = found(name)
                results.check("%s: %s of interpreter %s" % (python, name, its),
                              len(objects) in (5, 7) and objects
                              == found(name, "-interpreter", its))
                results.check("%s: none of interpreter %s" % (python, theirs),
                              not found(name, "-interpreter", theirs))
        finally:
            process.kill()


def test_gdb(results, python, sets, core):
    """Expressions as addresses, in gdb."""
    rows = sorted(some(sets, "length"), key=lambda text: int(text, 16))
    for reader in common.readers()[1:]:
        said = reader.ask(["objects", "Row", "-addresses", "-from", rows[1] + "+1",
                           "-to", "'%s + 1'" % rows[3]], core=core, exe=python)
        results.check(reader.name + ": -from and -to", rows[2:4] == re.findall(
            "^0x[0-9a-f]+$", said, re.M), said)


def test(results, python):
    with common.scratch() as directory:
        with common.Fixture(python, "selection.py", directory, "pause",
                            truth=False) as fixture:
            sets = {words[0]: words[1:] for words in
                    map(str.split, fixture.output().splitlines())}
            core = fixture.gcore()
            live = asker(pid=fixture.pid)
            results.check(python + ": live", live("-module", "shop", "Base") == some(
                sets, "type", lambda kind: kind in ("shop.Base", "shop.cart.Item")))
        found = asker(core=core)
        for words, wanted in cases(sets):
            seen = found(*words)
            results.check("%s: %s" % (python, " ".join(words)), seen == wanted,
                          "missing %s, too many %s" % (
                              sorted(wanted - seen)[:3], sorted(seen - wanted)[:3]))
        test_commands(results, python, sets, core)
        test_sums(results, python, core)
        test_order(results, python, core)
        test_roots(results, python, core)
        if python == common.interpreter(common.PYTHON):
            test_refused(results, core)
            test_interpreters(results, python)
            test_gdb(results, python, sets, core)


def main():
    return common.test_interpreters(common.Results(), test, PYTHONS)


if __name__ == "__main__":
    sys.exit(main())

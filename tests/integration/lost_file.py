#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cores and processes whose interpreter is no file any more, as those of a
container that is gone: muppy says of them what it says with the file, but for
the names of types that nothing in memory names.

See common.py for the environment.
"""
import argparse
import contextlib
import os
import re
import shutil
import sys

import common
from common import ALL_MEMORY, DEFAULT_MEMORY, CommandLine, Failure, Program
from common import Results, gcore, interpreter, scratch
from damage import Core

# Percent of the objects whose type is to have its name.
NAMED_SHARE = 99.9
# What a type without a name is called.
NAMELESS = re.compile(r"type 0x[0-9a-f]+$")
# Arrays: how wide their items are is in the file of their module.
UNSIZED = ("array.array",)

# The root of this context's variables is an array of nodes.
CONTEXT = """
import contextvars, signal
def fill():
    for variable in variables:
        variable.set(None)
variables = [contextvars.ContextVar("v%d" % number) for number in range(200)]
context = contextvars.Context()
context.run(fill)
print("ready", flush=True)
signal.pause()
"""
# Of PyHamtNode_Array: where its nodes are, and how many.
ARRAY_START, ARRAY_LENGTH = 16, 32


class Copy:
    """An interpreter copied to a place where it can be deleted."""

    def __init__(self, python, directory):
        self.path = os.path.join(directory, "python")
        shutil.copy(os.path.realpath(python), self.path)
        said = common.run([python, "-c", "import sys; print(sys.prefix)"],
                          check=True).stdout
        self.variables = {"PYTHONHOME": said.strip()}
        self.files = [self.path]
        libraries = common.run(["ldd", python]).stdout
        found = re.search(r"(libpython\S+) => (\S+)", libraries)
        if found:
            self.files.append(os.path.join(directory, found.group(1)))
            shutil.copy(found.group(2), self.files[-1])
            self.variables["LD_LIBRARY_PATH"] = directory

    def delete(self):
        for file in self.files:
            os.rename(file, file + ".gone")


def summary(reader, **where):
    """Count and size by type name."""
    rows = {}
    for line in reader.ask(["summary", "-limit", "0"], **where).split("\n"):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 3 and cells[1].isdigit():
            rows[cells[0]] = (int(cells[1]), cells[2])
    return rows


def compare(results, title, whole, lost, complete):
    """Both are the same heap; COMPLETE: all names are to be had."""
    results.check(title + ": total", whole["total"][0] == lost["total"][0],
                  "%s, not %s" % (lost["total"], whole["total"]))
    nameless = sum(row[0] for name, row in lost.items() if NAMELESS.match(name))
    missing = {name: row for name, row in whole.items() if name not in lost}
    strange = [name for name in lost
               if name not in whole and not NAMELESS.match(name)]
    wrong = {name: (row, lost[name]) for name, row in whole.items()
             if name in lost and name != "total" and row != lost[name]
             and (complete or name not in UNSIZED or row[0] != lost[name][0])}
    total = whole["total"][0]
    print("%s: %d objects of %d types, %d of %d types without a name" % (
        title, total, len(whole) - 1, nameless, len(missing)))
    results.check(title + ": the same counts", not wrong, str(wrong))
    results.check(title + ": no other names", not strange, str(strange))
    results.check(title + ": nameless are the missing ones",
                  nameless == sum(row[0] for row in missing.values()),
                  "%d, %s" % (nameless, missing))
    results.check(title + ": enough names", total - nameless >= total *
                  (100 if complete else NAMED_SHARE) / 100, str(missing))


def check_info(results, title, said, path):
    results.check(title + ": info says what is missing",
                  re.search(r"^note +%s\S*, which holds the interpreter, is missing"
                            % re.escape(os.path.dirname(path)), said, re.M)
                  and "variables have no names" in said
                  and "(build-id " in said, said)
    results.check(title + ": info: sizes are all that is wrong", all(
        "objects whose size makes no sense" in line
        for line in re.findall(r"^problem .*", said, re.M)), said)


def test_core(results, python, title, memory):
    """The same core, with the file and without."""
    reader = CommandLine()
    with scratch() as directory:
        copy = Copy(python, directory)
        with common.Fixture(copy.path, "zoo.py", directory, "abort", truth=False,
                            memory=memory, **copy.variables) as fixture:
            core = fixture.kernel_core()
        whole = summary(reader, core=core)
        copy.delete()
        compare(results, title, whole, summary(reader, core=core),
                memory == ALL_MEMORY)
        check_info(results, title, reader.ask(["info"], core=core), copy.path)
        if len(copy.files) > 1:
            return
        # What the user names is taken, and refused when it is another program.
        said = reader.ask(["info"], core=core, exe=copy.path + ".gone")
        results.check(title + ": --exe is taken", "symbol _PyRuntime" in said, said)
        said = reader.ask(["info"], core=core, exe="/bin/true", check=False)
        results.check(title + ": --exe is checked", "is not the program" in said,
                      said)


def test_circle(results, python, title):
    """A node of a context's variables has nothing but itself below it."""
    reader = CommandLine()
    with scratch() as directory:
        copy = Copy(python, directory)
        with Program(copy.path, CONTEXT, **copy.variables) as program:
            core = gcore(program.pid, os.path.join(directory, "core"))
        said = reader.ask(["objects", "-type", "hamt_array_node"], core=core)
        found = [int(word, 16) for word in re.findall(r"^0x[0-9a-f]+", said, re.M)]
        copy.delete()
        if not results.check(title + ": a node to damage", len(found) == 1, said):
            return
        with contextlib.ExitStack() as changes:
            damaged = Core(core)
            for i in range(ARRAY_LENGTH):
                changes.enter_context(damaged.changed(
                    found[0] + ARRAY_START + 8 * i, found[0]))
            rows = summary(reader, core=core)
        results.check(title + ": its type has its name",
                      rows.get("hamt_array_node", (0,))[0] == 1, str(rows)[:1500])


def test_live(results, python, title):
    """A process whose program was replaced, as updates do."""
    reader = CommandLine()
    with scratch() as directory:
        copy = Copy(python, directory)
        with common.Fixture(copy.path, "zoo.py", directory, "pause", truth=False,
                            **copy.variables) as fixture:
            whole = summary(reader, pid=fixture.pid)
            for file in copy.files:
                os.unlink(file)
            compare(results, title, whole, summary(reader, pid=fixture.pid), True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", action="append", metavar="PATH",
                        help="an interpreter to test (default: python3.11 and "
                        "python3.11d)")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    results = Results(options.verbose)
    hindrance = common.kernel_core_hindrance()
    for name in options.python or common.PYTHONS:
        python = interpreter(name)
        if not python or hindrance:
            results.skip(name, hindrance or "not on this machine")
            continue
        try:
            test_core(results, python, name + ", core", DEFAULT_MEMORY)
            test_core(results, python, name + ", core with files", ALL_MEMORY)
            test_live(results, python, name + ", live")
            test_circle(results, python, name + ", a circle")
        except Failure as failure:
            results.check(name, False, str(failure))
    status = results.close()
    return status if results.passed or results.failed else 77


if __name__ == "__main__":
    sys.exit(main())

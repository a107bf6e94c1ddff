#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged and truncated core files: what can be read is answered, what cannot
is told, and nothing crashes, hangs or takes all memory.

Some damage is done by hand, with what has to be said about it; then the program
tests/fuzz/damage does much more at random, the same for the same --seed.
`damage.py --cases 100000 --minutes 60 --seed N` is a long run.
"""
import argparse
import collections
import contextlib
import json
import os
import re
import struct
import sys

import common
from common import Failure

PROGRAM = os.path.join(common.HERE, "damage_program.py")
RANDOM = common.built("MUPPY_DAMAGE", "tests/fuzz/damage")
COMMANDS = (["info"], ["summary"], ["filter", "*"], ["export"])
# Damaged or not, a small heap is answered for in no time.
SECONDS = 60
# Of mimalloc: the size of a segment, and what is in front of its table of pages.
SEGMENT = 32 << 20
SEGMENT_HEADER = 0x100


class Core:
    """A core file that is changed in places."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            header = file.read(64)
            offset, = struct.unpack_from("<Q", header, 32)
            size, count = struct.unpack_from("<HH", header, 54)
            file.seek(offset)
            table = file.read(size * count)
        self.segments = []
        for i in range(count):
            kind, _, where, address, _, length = struct.unpack_from(
                "<IIQQQQ", table, i * size)
            if kind == 1:
                self.segments.append((address, address + length, where))

    def offset(self, address):
        for start, end, where in self.segments:
            if start <= address < end:
                return where + address - start
        raise Failure("0x%x is not in the core file" % address)

    def read(self, address):
        """The word at ADDRESS."""
        with open(self.path, "rb") as file:
            file.seek(self.offset(address))
            return struct.unpack("<Q", file.read(8))[0]

    @contextlib.contextmanager
    def changed(self, address, word):
        """With another word at ADDRESS."""
        before = self.read(address)
        self._write(address, word)
        try:
            yield
        finally:
            self._write(address, before)

    def _write(self, address, word):
        with open(self.path, "r+b") as file:
            file.seek(self.offset(address))
            file.write(struct.pack("<Q", word & 0xffffffffffffffff))


def ask(core, command):
    """(exit status, what was said)"""
    said = common.run([common.MUPPY, "--core=" + core, *command], seconds=SECONDS)
    return said.returncode, said.stdout


def load_objects(core):
    status, said = ask(core.path, ["export", "-format", "jsonl"])
    if status:
        raise Failure("the undamaged core file: " + said[-500:])
    return [json.loads(line) for line in said.splitlines() if line[0] == "{"]


def address(row):
    return int(row["address"], 16)


def check_told(results, title, core, problem, where=None):
    """All commands answer, and info tells the problem with its place."""
    for command in COMMANDS[1:]:
        status, said = ask(core.path, command)
        results.check("%s: %s" % (title, command[0]), status == 0, said[-300:])
    status, said = ask(core.path, ["info"])
    found = re.search(r"^problem +%s: ([0-9]+), first at (0x[0-9a-f]+)"
                      % re.escape(problem), said, re.M)
    results.check(title + ": told", status == 0 and found
                  and (where is None or int(found.group(2), 16) in where), said[-1500:])


def test_objects(results, core, objects):
    """One word of one object, and what is said then."""
    tuples = [row for row in objects if row["type"] == "tuple" and row["tracked"]]
    lists = [row for row in objects if row["type"] == "list" and row["tracked"]
             and len(row["referents"]) > 50]
    dicts = [row for row in objects if row["type"] == "dict" and row["tracked"]
             and len(row["referents"]) > 5]
    victim = address(tuples[len(tuples) // 2])
    whole = reachable_and_orphans(ask(core.path, ["info"])[1])
    with core.changed(victim - 16, 0x123456789abc0):
        check_told(results, "link of the collector", core,
                   "breaks in the collector's lists")
        found = reachable_and_orphans(ask(core.path, ["info"])[1])
        results.check("link of the collector: nothing is lost", found == whole,
                      "%s, not %s" % (found, whole))
    # One that is on no list any more and still says who its neighbours are.
    following, before = core.read(victim - 16), core.read(victim - 8) & ~3
    with core.changed(before, following), core.changed(following + 8, before):
        found = reachable_and_orphans(ask(core.path, ["info"])[1])
        results.check("an object that was taken off its list", found == whole,
                      "%s, not %s" % (found, whole))
    with core.changed(victim + 8, 0xdead0000beef0):
        check_told(results, "type of an object", core,
                   "members of the collector's lists that are no objects", {victim})
    with core.changed(victim + 16, 1 << 40):
        check_told(results, "length of a tuple", core,
                   "objects whose size makes no sense", {victim})
    victim = address(lists[0])
    with core.changed(victim + 32, 1 << 50):
        check_told(results, "room of a list", core,
                   "objects whose size makes no sense", {victim})
    with core.changed(victim + 24, 8):
        check_told(results, "items of a list", core,
                   "arrays of items that cannot be read", {8})
    victim = address(dicts[0])
    with core.changed(victim + 32, victim + 3):
        check_told(results, "table of a dict", core,
                   "dicts whose table makes no sense")


def test_segment(results, core, objects):
    """The header of a segment of mimalloc, where free-threaded builds have all
    that is tracked.  What nothing refers to is lost, and what is found is told."""
    segments = collections.Counter(address(row) // SEGMENT * SEGMENT
                                   for row in objects if row["tracked"])
    segment = segments.most_common(1)[0][0]
    with contextlib.ExitStack() as changes:
        for word in range(segment, segment + SEGMENT_HEADER, 8):
            changes.enter_context(core.changed(word, 0))
        check_told(results, "header of a segment", core,
                   "tracked objects that the allocator does not have",
                   range(segment, segment + SEGMENT))


def test_truncated(results, core, directory):
    size = os.path.getsize(core.path)
    path = os.path.join(directory, "truncated")
    for percent in (0, 1, 10, 50, 90, 99):
        with open(core.path, "rb") as whole, open(path, "wb") as part:
            part.write(whole.read(size * percent // 100))
        for command in COMMANDS:
            status, said = ask(path, command)
            told = status == 0 or re.match(r"muppy: .", said)
            results.check("%d %% of a core file: %s" % (percent, command[0]),
                          status in (0, 3) and told, "status %d: %s"
                          % (status, said[-300:]))


def reachable_and_orphans(said):
    """The two counts that muppy info tells, together."""
    return sum(int(count) for count in re.findall(
        r"^ *(?:reachable|orphans) \| +(\d+) \|", said, re.M))


def total_of(summary):
    """How many objects a summary has."""
    found = re.search(r"^ *total \| +(\d+)", summary, re.M)
    return int(found.group(1)) if found else 0


def test_lost_notes(results, python, core, directory):
    """What a core cut at its end lacks first, or one without notes."""
    size = os.path.getsize(core.path)
    path = os.path.join(directory, "lost")
    with open(core.path, "rb") as whole, open(path, "wb") as part:
        part.write(whole.read(size // 2))
    for where in ([], ["--exe=" + python]):
        said = common.run([common.MUPPY, "--core=" + path, *where, "info"])
        results.check("half of a core file: the message tells",
                      said.returncode == 0 or (
                          said.stdout.startswith("muppy: the core")
                          and "the core file is truncated" in said.stdout),
                      said.stdout[-500:])
    with open(core.path, "rb") as whole:
        content = bytearray(whole.read())
    start, = struct.unpack_from("<Q", content, 32)
    for header in range(start, start + 56 * struct.unpack_from("<H", content, 56)[0], 56):
        if struct.unpack_from("<I", content, header) == (4,):  # PT_NOTE
            struct.pack_into("<I", content, header, 0)
    with open(path, "wb") as part:
        part.write(content)
    # The runtime is found by what it looks like.
    status, said = ask(path, ["info"])
    results.check("no notes, no program", status == 0 and "--exe" in said, said)
    with open(python, "rb") as file:
        if file.read(17)[16] != 2:  # ET_EXEC
            results.skip("no notes, the program", "it has no fixed addresses")
            return
    # The notes tell of the registers: without, what C functions alone refer to is
    # an orphan.
    wanted = reachable_and_orphans(ask(core.path, ["info"])[1])
    said = common.run([common.MUPPY, "--core=" + path, "--exe=" + python, "info"])
    results.check("no notes, the program",
                  wanted and reachable_and_orphans(said.stdout) == wanted,
                  "%s %s" % (wanted, said.stdout))


def test_random(results, options, core, directory):
    if not os.access(RANDOM, os.X_OK):
        results.skip("random damage", "make check builds %s" % RANDOM)
        return
    said = common.run(
        [RANDOM, core.path, str(options.seed), str(options.cases),
         str(int(options.minutes * 60))],
        seconds=options.minutes * 60 + 300, cwd=os.getcwd()
        if options.keep else directory)
    found = re.search(r"^([0-9]+) passed, ([0-9]+) failed", said.stdout, re.M)
    if not results.check("random damage, seed %d" % options.seed,
                         found and found.group(2) == "0", "\n".join(
                             line for line in said.stdout.splitlines()
                             if not line.startswith("muppy: "))[-3000:]):
        return
    print("random damage: %s cases, seed %d" % (found.group(1), options.seed))
    results.passed += int(found.group(1)) - 1


def make_core(python, directory):
    how = "pause" if common.kernel_core_hindrance() else "abort"
    with common.Fixture(python, PROGRAM, directory, how, truth=False) as fixture:
        return Core(fixture.gcore() if how == "pause" else fixture.kernel_core())


def other_version():
    """The newest interpreter that is none of 3.11, or none."""
    found = [(common.version(path), path) for path in common.interpreters()]
    return [path for version, path in sorted(found) if version != (3, 11)][-1:]


def test_python(results, options, python):
    print("damaged: a core of %s" % python)
    with common.scratch() as directory:
        try:
            core = make_core(python, directory)
            if "free-threaded" in ask(core.path, ["info"])[1]:
                # A gigabyte, of which holes are most: it is not copied.
                test_segment(results, core, load_objects(core))
            else:
                test_objects(results, core, load_objects(core))
                test_truncated(results, core, directory)
                test_lost_notes(results, python, core, directory)
            test_random(results, options, core, directory)
        except Failure as failure:
            results.check("damage", False, str(failure))


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--python", action="append",
                        help="default: python3.11 and the newest other version")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=250)
    parser.add_argument("--minutes", type=float, default=0.4,
                        help="stop after that time")
    parser.add_argument("--keep", action="store_true",
                        help="leave failed cases in the working directory")
    options = parser.parse_args()
    results = common.Results()
    for name in options.python or [common.PYTHON, *other_version()]:
        python = common.interpreter(name)
        if python:
            test_python(results, options, python)
        else:
            results.skip("damage", "no " + name)
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

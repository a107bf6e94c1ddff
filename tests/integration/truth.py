#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what muppy finds in a heap with what the program itself wrote down.

A fixture writes the truth about its heap and freezes (fixtures/truth.py); then
every way to read that heap is asked to export it, and the two are compared
object by object.  `truth.py --self-check` needs no muppy: it proves that the
truth is true of the frozen process and of its core files.
"""
import argparse
import collections
import json
import os
import re
import struct
import sys
import time

import common
from common import Failure

# What may differ, by check and type name, each with its reason.  Nothing is
# tolerated by number.
EXCEPTIONS = {
    # References that only the C code of a module can find.
    "referents": {},
    "size": {},
    "missing": {},
}
CHECKS = ("missing", "type", "size", "refcount", "tracked", "referents")
# Percent of the objects whose reference count is to be explained exactly by the
# references found.
EXPLAINED_SHARE = 99.0
# … and at most be by guesses.
GUESSED_SHARE = 1
# Types of a failed check that are printed, and addresses of each.
TYPES_SHOWN = 15
ADDRESSES_SHOWN = 3


class Heap:
    """Objects by address, as a truth file or an export has them."""

    def __init__(self, path):
        self.header = {}
        self.objects = {}
        self.parts = {}  # Those of several interpreters, see load_parts().
        with open(path, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                if "header" in row:
                    self.header = row["header"]
                else:
                    self.objects[row["address"]] = row


def load_parts(path, truth):
    """What every interpreter but the main one wrote, by id; none when there was
    no other.  The objects are added to the TRUTH."""
    parts = {}
    for number in truth.header.get("interpreters", ()):
        parts[number] = Heap("%s.%d" % (path, number))
        for address, row in parts[number].objects.items():
            truth.objects.setdefault(address, row)
    if not parts:
        return parts
    # 3.8 has one list of tracked objects: there the main interpreter wrote a
    # part, too.
    main = path + ".0"
    parts[0] = Heap(main) if os.path.exists(main) else Heap(path)
    return parts


def belongs(owners):
    """To whom an object belongs that objects of OWNERS refer to."""
    owners = owners - {None}
    return owners.pop() if len(owners) == 1 else "shared"


def is_interned(row):
    """Whether an exported object is a table of interned strings: a dict in which
    more than a few strings stand for themselves."""
    targets = collections.Counter(row["referents"] + row["owned"])
    return (row["type"] == "dict" and len(targets) > 1000
            and all(count == 2 for count in targets.values()))


def true_interpreters(truth, parts, export):
    """To whom each object of the PARTS belongs, by address: what one interpreter
    tracks to that, what is static to none, and any other to whatever refers to
    it.  Two answers where it depends on what is in no part: only C variables may
    lead there."""
    separate = truth.header["hexversion"] >= 0x03090000
    true, owners = {}, collections.defaultdict(set)
    for number, part in parts.items():
        for address, row in part.objects.items():
            owners[address].add(number)
            if separate and row["tracked"]:
                true[address] = {number}
    files = truth.header["files"]
    for address in owners:
        if any(start <= int(address, 16) < end for start, end in files):
            true[address] = {"shared"}
    stray = collections.defaultdict(set)
    tabled, referred = set(), set()
    for address, row in export.objects.items():
        targets = row["referents"] + row["owned"]
        if is_interned(row):
            tabled.update(targets)
            continue
        referred.update(targets)
        seen = owners if address in owners else stray
        for target in targets:
            if target in owners:
                seen[target].add(row["interpreter"])
    for address in owners:
        # Interpreters have tables in common, and roots are in no export.
        if address in tabled and address not in referred:
            continue
        # In 3.8 modules and their dicts are borders.
        if address not in true and (separate or export.objects.get(
                address, {}).get("type") not in ("module", "dict")):
            true[address] = {belongs(owners[address]),
                             belongs(owners[address] | stray[address])}
    return true


def check_interpreters(results, title, reader, truth, export, **where):
    wrong, counts = [], collections.Counter()
    for address, true in true_interpreters(truth, truth.parts, export).items():
        row = export.objects.get(address)
        if row is None:
            continue  # is told elsewhere
        seen = row["interpreter"]
        counts[seen] += 1
        if seen in true:
            continue
        # What no export tells: another interpreter's own state refers to it.
        if seen == "shared":
            said = reader.ask(["refs", address, "-depth", "1"], **where)
            if re.search(r"interpreter \d|thread \d", said):
                continue
        wrong.append((row["type"], address, seen, sorted(true, key=str)))
    print("%s: objects by interpreter: %s" % (title, ", ".join(
        "%s %d" % item for item in sorted(counts.items(), key=str))))
    results.check("%s: interpreters" % title, not wrong and all(
        counts[number] for number in truth.parts), "%d differ: %s" % (
            len(wrong), wrong[:10]))


def check_gils(results, title, reader, truth, **where):
    """Who has a GIL of its own, as muppy says where interpreters may differ: from
    3.12 on, but not in free-threaded builds."""
    said = reader.ask(["info"], **where)
    seen = {int(number): gil for number, gil in re.findall(
        r"^ +(\d+) \|.*\| +(own|main's)$", said, re.M)}
    true = {number: "main's" for number in truth.header["interpreters"]}
    true.update((number, "own") for number in [0, *truth.header["own_gils"]])
    if truth.header["hexversion"] < 0x030c0000 or "t" in truth.header["abiflags"]:
        true = {}
    results.check(title + ": who has which GIL", seen == true,
                  "%s, not %s" % (seen, true))


# What deferred counting adds to the shared count of a free-threaded object
# (_Py_REF_DEFERRED); in 3.13 one reference.
DEFERRED = (2 ** 63 - 1) // 8
GC_BITS_DEFERRED = 1 << 6


def meaning_of_count(truth, hexversion):
    """The count as an export gives it: -1 for an immortal object, which a
    negative lower half says from 3.12 on; 3.14 counts in that half alone.  The
    parts of a free-threaded build's count are added up."""
    if isinstance(truth, list):
        local, shared, bits, of_threads = truth
        if local == 0xffffffff:
            return -1
        count = local + (shared >> 2) + of_threads
        if bits & GC_BITS_DEFERRED:
            count -= DEFERRED if hexversion >= 0x030e0000 else 1
        return count
    low = truth & 0xffffffff
    if hexversion < 0x030c0000:
        return truth
    if low & 0x80000000:
        return -1
    return low if hexversion >= 0x030e0000 else truth


def compare(truth, export):
    """Mismatches by check: each a list of (type, address, detail)."""
    version = truth.header.get("hexversion", 0)
    wrong = {check: [] for check in CHECKS}
    wrong["excess"] = []
    found = export.objects
    for address, true in truth.objects.items():
        name = true["type"]
        seen = found.get(address)
        if seen is None:
            wrong["missing"].append((name, address, ""))
            continue
        for key in ("type", "size", "tracked"):
            if true[key] != seen.get(key):
                wrong[key].append((name, address, "%s, not %s"
                                   % (seen.get(key), true[key])))
        # -1: the fixture may not read its parent's memory, or cannot tell.
        if true["refcount"] != -1:
            count = meaning_of_count(true["refcount"], version)
            if seen["refcount"] != count:
                wrong["refcount"].append((name, address, "%s, not %s"
                                          % (seen["refcount"], count)))
        if true["referents"] != seen["referents"]:
            less, more = difference(true["referents"], seen["referents"])
            if less or more:
                wrong["referents"].append((name, address, "; ".join(
                    explain(word, which, truth, export)
                    for word, which in (("lacks", less), ("excess", more))
                    if which)))
    for address, seen in found.items():
        if seen["tracked"] and address not in truth.objects:
            wrong["excess"].append((seen["type"], address, "tracked, not known"))
    return wrong


def difference(true, seen):
    """What SEEN lacks and what it has too much, multiplicity counted."""
    true, seen = collections.Counter(true), collections.Counter(seen)
    return list((true - seen).elements()), list((seen - true).elements())


def explain(word, addresses, truth, export):
    names = []
    for address in addresses[:4]:
        row = truth.objects.get(address) or export.objects.get(address)
        names.append("%s %s" % (address, row["type"] if row else "(no object)"))
    return "%s %d: %s" % (word, len(addresses), ", ".join(names))


def report(results, title, wrong, total):
    inexact = {row[1] for check in CHECKS for row in wrong[check]
               if row[0] not in EXCEPTIONS.get(check, {})}
    print("%s: %d of %d objects exact" % (title, total - len(inexact), total))
    for check in (*CHECKS, "excess"):
        excused = EXCEPTIONS.get(check, {})
        bad = [row for row in wrong[check] if row[0] not in excused]
        results.check("%s: %s" % (title, check), not bad,
                      "%d of %d objects" % (len(bad), total))
        by_type = collections.defaultdict(list)
        for name, address, detail in bad:
            by_type[name].append((address, detail))
        ranking = sorted(by_type.items(), key=lambda item: -len(item[1]))
        for name, rows in ranking[:TYPES_SHOWN]:
            print("  %7d %s" % (len(rows), name))
            for address, detail in rows[:ADDRESSES_SHOWN]:
                print("          %s %s" % (address, detail))
        if len(ranking) > TYPES_SHOWN:
            print("          … %d more types" % (len(ranking) - TYPES_SHOWN))


def check_info(results, title, reader, **where):
    """What muppy says of its own reading: reference counts that are explained,
    and problems, of which a fixture's heap has none."""
    try:
        said = reader.ask(["info"], **where)
    except Failure as failure:
        results.check(title + ": info", False, str(failure))
        return
    found = re.search(r"^refcounts +([0-9.]+) %", said, re.M)
    results.check("%s: info: counts explained" % title,
                  found and float(found.group(1)) >= EXPLAINED_SHARE, said)
    guessed = re.search(r" of (\d+) objects exactly.*\n.*\n +(\d+) of the explained",
                        said)
    results.check("%s: info: hardly any count is explained by guesses" % title,
                  not guessed or 100 * int(guessed.group(2)) <=
                  GUESSED_SHARE * int(guessed.group(1)), said)
    results.check("%s: info: no problems" % title,
                  not re.search(r"^problem ", said, re.M), said)
    print("%s: %s" % (title, re.sub(r"\s+", " ", "".join(
        re.findall(r"^refcounts.*\n(?: .*\n)?", said, re.M)))))


# Local variables of waiting functions: what the referrers' tree must name.
MARKED = ("waiting_local", "sleeping_local", "in_generator", "in_key", "in_loop",
          "task_local")


def check_marked(results, title, reader, truth, **where):
    """The variable that holds an object is named among its referrers."""
    # A debugger's start for each would take long, and asks the same program.
    names = MARKED if isinstance(reader, common.CommandLine) else MARKED[:1]
    for name in names:
        address = truth.header.get("marked", {}).get(name)
        if address is None:
            continue
        try:
            said = reader.ask(["refs", address, "-depth", "1"], **where)
        except Failure as failure:
            results.check("%s: local %s" % (title, name), False, str(failure))
            continue
        results.check("%s: local %s" % (title, name), "local " + name in said, said)


def check_export(results, title, reader, truth, directory, **where):
    output = os.path.join(directory, "export.jsonl")
    if os.path.exists(output):
        os.unlink(output)
    started = time.monotonic()
    try:
        said = reader.ask(["export", "-format", "jsonl", "-output", output], **where)
        if not os.path.exists(output):
            raise Failure("no export was written: " + said.strip()[-500:])
    except Failure as failure:
        results.check(title, False, str(failure))
        return
    seconds = time.monotonic() - started
    try:
        export = Heap(output)
    except ValueError as error:
        results.check(title, False, "the export is no JSON: %s" % error)
        return
    print("%s: %d objects, %d in the truth, exported in %.2f s" % (
        title, len(export.objects), len(truth.objects), seconds))
    report(results, title, compare(truth, export), len(truth.objects))
    if truth.parts:
        check_interpreters(results, title, reader, truth, export, **where)
        check_gils(results, title, reader, truth, **where)
    check_marked(results, title, reader, truth, **where)
    check_info(results, title, reader, **where)


def load_truth(results, title, fixture):
    truth = Heap(fixture.truth)
    header = truth.header
    results.check(title + ": the truth is whole",
                  header["objects"] == len(truth.objects)
                  and not header["strange"] and not header["unsized"]
                  and not header.get("failed"),
                  "%s" % {key: header.get(key) for key in
                          ("objects", "strange", "unsized", "failed")})
    truth.parts = load_parts(fixture.truth, truth)
    for number, part in truth.parts.items():
        results.check("%s: the truth of interpreter %d is whole" % (title, number),
                      part.header["objects"] == len(part.objects)
                      and not part.header["strange"] and not part.header["unsized"],
                      str(part.header))
    return truth


# The truth held against the memory itself, without muppy ---------------------


def process_memory(pid):
    """Reads words of a process."""
    file = open("/proc/%d/mem" % pid, "rb", buffering=0)

    def read(address, length):
        return os.pread(file.fileno(), length, address)
    return read


def core_memory(path):
    """Reads words of a core file's segments."""
    file = open(path, "rb")
    header = file.read(64)
    offset, = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    segments = []
    file.seek(offset)
    for _ in range(count):
        kind, _, where, address, _, length = struct.unpack_from(
            "<IIQQQQ", file.read(size))
        if kind == 1 and length:
            segments.append((address, address + length, where))

    def read(address, length):
        for start, end, where in segments:
            if start <= address < end:
                return os.pread(file.fileno(), length, where + address - start)
        return b""
    return read


def check_memory(results, title, truth, read):
    """Counts as the truth has them, and one type name for every type pointer;
    objects of unsaved pages are left out."""
    wrong_counts, wrong_types, unread = [], [], 0
    name_of_type = {}
    for address, row in truth.objects.items():
        free_threaded = "t" in truth.header["abiflags"]
        length = 32 if free_threaded else 16
        data = read(int(address, 16), length)
        if len(data) != length:
            unread += 1
            continue
        count, of = struct.unpack_from("<qQ", data, length - 16)
        if free_threaded:
            bits, local = struct.unpack_from("<BI", data, 11)
            if (row["refcount"] != -1
                    and row["refcount"][:3] != [local, count, bits]):
                wrong_counts.append(address)
        elif count != row["refcount"]:
            wrong_counts.append(address)
        if name_of_type.setdefault(of, row["type"]) != row["type"]:
            wrong_types.append(address)
    results.check(title + ": counts", not wrong_counts,
                  "%d differ: %s" % (len(wrong_counts), wrong_counts[:5]))
    results.check(title + ": types", not wrong_types,
                  "%d differ: %s" % (len(wrong_types), wrong_types[:5]))
    results.check(title + ": readable", unread * 10 < len(truth.objects),
                  "%d not readable" % unread)


# The ways to get a heap ------------------------------------------------------


def test_kernel(results, options, python, title):
    hindrance = common.kernel_core_hindrance()
    if hindrance:
        results.skip(title, hindrance)
        return
    with common.scratch() as directory:
        with common.Fixture(python, options.fixture, directory, "abort",
                            options.arguments) as fixture:
            core = fixture.kernel_core()
            truth = load_truth(results, title, fixture)
            if options.self_check:
                check_memory(results, title, truth, core_memory(core))
                return
            for reader in options.readers:
                check_export(results, title + ", " + reader.name, reader, truth,
                             directory, core=core, exe=truth.header["executable"])


def test_waiting(results, options, python, title):
    """gcore's core file, and the live process itself."""
    with common.scratch() as directory:
        with common.Fixture(python, options.fixture, directory, "pause",
                            options.arguments) as fixture:
            truth = load_truth(results, title, fixture)
            if options.self_check:
                for attempt in ("at once", "later"):
                    check_memory(results, "%s, live, %s" % (title, attempt),
                                 truth, process_memory(fixture.pid))
                    time.sleep(1)
            if "live" in options.how and not options.self_check:
                for reader in options.readers:
                    check_export(results, "%s, live, %s" % (title, reader.name),
                                 reader, truth, directory, pid=fixture.pid)
            if "gcore" not in options.how:
                return
            core = fixture.gcore()
            if options.self_check:
                check_memory(results, title + ", gcore", truth, core_memory(core))
                return
            for reader in options.readers:
                check_export(results, "%s, gcore, %s" % (title, reader.name),
                             reader, truth, directory, core=core,
                             exe=truth.header["executable"])


# What else is compared by default, besides the zoo in every way: the fixture,
# its arguments, and how.
# Lists that are long, in a heap that is little else, are walked from many places.
LONG_LISTS = ("workload.py", ["--count", "50000", "--churn"], ["live"])
VARIANTS = (("zoo.py", ["--collect"], ["kernel"]),
            ("zoo.py", ["--freeze"], ["kernel"]),
            ("zoo.py", ["--subinterpreter"], ["kernel"]),
            ("service.py", [], ["kernel"]),
            LONG_LISTS)


def test_census(results, python, title):
    """Nothing of the interpreter is missing in the zoo without a reason."""
    said = common.run([python, "-B", os.path.join(common.FIXTURES, "zoo.py"),
                       "--census"], env=common.fixture_environment())
    results.check(title, said.returncode == 0, "\n".join(
        line for line in said.stdout.split("\n") if ": " not in line
        or line.startswith("failed")))


def test_all(results, options, python, name):
    """One fixture in all the ways asked for."""
    tests = []
    if "kernel" in options.how:
        tests.append((test_kernel, name + ", kernel"))
    if "gcore" in options.how or "live" in options.how:
        tests.append((test_waiting, name))
    for test, title in tests:
        try:
            test(results, options, python, title)
        except Failure as failure:
            results.check(title, False, str(failure))


def test_python(results, options, python, name):
    """Everything with one interpreter."""
    if options.fixture:
        test_all(results, options, python, name)
        return
    test_census(results, python, name + ", census of the zoo")
    readers = [reader for reader in options.readers
               if isinstance(reader, common.CommandLine)]
    plans = [("zoo.py", options.arguments, options.how, options.readers)]
    plans += [(*variant, readers) for variant in VARIANTS]
    for fixture, arguments, how, readers in plans:
        plan = argparse.Namespace(**vars(options))
        plan.fixture, plan.arguments, plan.readers = fixture, arguments, readers
        plan.how = [one for one in how if one in options.how]
        title = name if fixture == "zoo.py" and not arguments else " ".join(
            [name, fixture, *arguments])
        test_all(results, plan, python, title)


def test_other(results, options, python):
    """The zoo's core of an interpreter that is here by chance, and long lists."""
    for fixture, arguments, how in (("zoo.py", options.arguments, options.how[:1]),
                                    LONG_LISTS):
        plan = argparse.Namespace(**vars(options))
        plan.fixture, plan.arguments = fixture, arguments
        plan.how = [one for one in how if one in options.how]
        plan.readers = [reader for reader in options.readers
                        if isinstance(reader, common.CommandLine)]
        test_all(results, plan, python, " ".join(
            [python] if fixture == "zoo.py" else [python, fixture, *arguments]))


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--self-check", action="store_true",
                        help="hold the truth against memory, without muppy")
    parser.add_argument("--python", action="append", metavar="PATH",
                        help="an interpreter to test (default: python3.11 and "
                        "python3.11d, and the zoo's core of each other one that "
                        "is here)")
    parser.add_argument("--fixture",
                        help="only this fixture (default: the zoo and variants)")
    parser.add_argument("--argument", action="append", default=[], metavar="ARG",
                        dest="arguments", help="passed to the fixture")
    parser.add_argument("--how", default="kernel,gcore,live",
                        help="kernel, gcore, live: comma separated")
    parser.add_argument("--reader", default="",
                        help="only the readers whose name has this text")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    options.others = [] if options.python else [
        path for path in common.interpreters() if path not in
        map(common.interpreter, common.PYTHONS)]
    options.python = options.python or common.PYTHONS
    options.how = options.how.split(",")
    options.readers = [reader for reader in common.readers()
                       if options.reader in reader.name]
    return options


def main():
    options = parse_options()
    results = common.Results(options.verbose)
    for name in options.python:
        python = common.interpreter(name)
        if not python:
            results.skip(name, "not on this machine")
            continue
        test_python(results, options, python, os.path.basename(name))
    for python in options.others:
        test_other(results, options, python)
    return results.close()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots and what compares them: a known change, and nothing but that.

The fixture changes.py changes its heap by a thousand dicts, ten classes and one
list.  That is asked for live in gdb over "continue", by save and diff of a
process, and of two core files; what comes out is held against what the fixture
knows, and against two exports of these cores.

diff.py [PYTHON...]     See common.py for the environment.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

import common
from common import GDB, MUPPY, MUPPY_GDB, Failure, Results, run, scratch

FIXTURE = os.path.join(common.FIXTURES, "changes.py")
KINDS = ("New", "Gone", "Grown", "Shrunk", "Lost")
# What goes with a class: its bases and __mro__, its __dict__ with the
# descriptors and the name in it, and how its base knows it.
OF_A_CLASS = {"type": 1, "dict": 1, "tuple": 2, "getset_descriptor": 2, "str": 1,
              "weakref": 1, "int": 1}
READY_SECONDS = 120
# Bytes an object, with its references, that a snapshot may take.
BYTES_AN_OBJECT = 48
DAMAGES = 150
HUGE = 1 << 40  # Bytes.

# Two processes of one program start, which say their ids.
FORKED = """
import os, sys, time
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
time.sleep(300)
"""


# Tuples of numbers: a collection finds that they can be on no cycle and tracks
# them no longer.  A tuple of a list stays what it is.
UNTRACKED = """
import gc, sys
gc.disable()
kept = [tuple([i, 0.5]) for i in range(300)] + [([],) for i in range(100)]
for line in sys.stdin:
    gc.collect()
    print(len([each for each in kept if gc.is_tracked(each)]), flush=True)
"""


# Answers -------------------------------------------------------------------

class Change:
    """The answer of diff -objects -limit unlimited."""

    def __init__(self, out):
        self.out = out
        compared = re.search(r"^(Compared by type|Compared object by object)", out, re.M)
        self.how = compared.group(1) if compared else None
        parts = re.split(r"^(%s)[^\n]*:$" % "|".join(KINDS), out, flags=re.M)
        self.types = table(parts[0])
        self.objects = {kind: {} for kind in KINDS}
        self.by_type = {kind: {} for kind in KINDS}
        for kind, text in zip(parts[1::2], parts[2::2]):
            self.by_type[kind] = table(text)
            for line in text.split("\n"):
                if line.startswith("0x"):
                    cells = [cell.strip() for cell in line.split(" | ")]
                    self.objects[kind][cells[0]] = cells[1:]

    def kinds(self):
        return {kind for kind in KINDS if self.objects[kind]}

    def addresses(self, kind):
        return set(self.objects[kind])


def table(text):
    """{type: (objects, size)} of the first table of types."""
    rows = {}
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.split(" | ")]
        if len(cells) == 3 and re.fullmatch(r"[+-]?\d+", cells[1]):
            rows[cells[0]] = (int(cells[1]), cells[2])
        elif rows and cells[0] == "total":
            break
    rows.pop("total", None)
    return rows


def count(rows):
    return {name.replace("weakref.ReferenceType", "weakref"): row[0]
            for name, row in rows.items()}


def check_change(results, name, change, known):
    """The change of changes.change()."""
    classes = {kind: number * known["classes"] for kind, number in OF_A_CLASS.items()}
    by_type = {kind: -number for kind, number in classes.items()}
    by_type["dict"] += known["dicts"]
    by_type["list"] = 0
    results.check(name + ": compared by object",
                  change.how == "Compared object by object", change.out[:1000])
    results.check(name + ": types", count(change.types) == by_type, change.out[:2000])
    results.check(name + ": only what was changed",
                  change.kinds() == {"New", "Gone", "Grown"}, str(change.kinds()))
    results.check(name + ": new", count(change.by_type["New"]) ==
                  {"dict": known["dicts"]}
                  and len(change.objects["New"]) == known["dicts"],
                  str(change.by_type["New"]))
    results.check(name + ": gone", count(change.by_type["Gone"]) == classes
                  and len(change.objects["Gone"]) == sum(classes.values()),
                  str(change.by_type["Gone"]))
    grown = change.objects["Grown"]
    results.check(name + ": grown", set(grown) == {known["grown"]}
                  and grown[known["grown"]][1] == "+%d" % known["grown_by"], str(grown))


def check_nothing(results, name, change):
    results.check(name + ": nothing", not change.kinds() and not change.types
                  and "No object is new" in change.out
                  and change.how == "Compared object by object", change.out)


def check_replaced(results, name, change, known):
    """Texts in the places of others: the same type, the same size."""
    results.check(name + ": replaced texts", change.kinds() == {"New", "Gone"}
                  and count(change.by_type["New"]) == {"str": known["texts"]}
                  and count(change.by_type["Gone"]) == {"str": known["texts"]}
                  and not change.types, change.out)


# A process that changes ------------------------------------------------------

class Changing:
    """The fixture, waiting for a byte each time."""

    def __init__(self, python, directory):
        self.directory = directory
        known = os.path.join(directory, "known.json")
        self.process = subprocess.Popen(
            [python, FIXTURE, "--known", known], cwd=directory,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=common.fixture_environment())
        self._wait()
        with open(known, encoding="utf-8") as file:
            self.known = json.load(file)

    def _wait(self):
        """Until it has said so, and is asleep in the kernel."""
        if self.process.stdout.read(1) != b".":
            raise Failure("the fixture ended")
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with open("/proc/%d/stat" % self.pid, encoding="utf-8") as file:
                if file.read().rpartition(")")[2].split()[0] == "S":
                    return
            time.sleep(0.01)
        raise Failure("the fixture does not wait")

    @property
    def pid(self):
        return self.process.pid

    def go_on(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self._wait()

    def core(self, name):
        path = os.path.join(self.directory, name)
        run([GDB, "-nx", "-batch", "-p", str(self.pid), "-ex", "gcore " + path])
        if not os.path.exists(path):
            raise Failure("gdb wrote no core file")
        return path

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def muppy(*words, check=True, status=None):
    """The output of the program; STATUS is what it must end with."""
    result = run([MUPPY, *words], check=check and status is None)
    if status is not None and result.returncode != status:
        raise Failure("muppy %s: exit status %d: %s"
                      % (" ".join(words), result.returncode, result.stdout))
    return result.stdout


LISTED = ("-objects", "-limit", "unlimited")


def diff(first, second):
    """Of two files, or of a --core or --pid and a file."""
    words = [first, "diff"] if first.startswith("--") else ["diff", first]
    return Change(muppy(*words, second, *LISTED))


def export(core):
    """{address: (type, size)} of all reachable objects of a core file."""
    path = core + ".jsonl"
    muppy("--core=" + core, "export", "-output", path, "-force")
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return {"0x%016x" % int(row["address"], 16): (row["type"], row["size"])
            for row in rows}


# Tests -----------------------------------------------------------------------

def test_files(results, python, directory):
    """Cores, snapshots of these, snapshots of the process: all say the same."""
    def path(name):
        return os.path.join(directory, name)

    with Changing(python, directory) as changing:
        live, known = "--pid=%d" % changing.pid, changing.known
        first = changing.core("first.core")
        muppy(live, "save", path("first.live"))
        changing.go_on()
        second = changing.core("second.core")
        check_change(results, "process", diff(live, path("first.live")), known)
        muppy(live, "save", path("second.live"))
        changing.go_on()
        check_nothing(results, "process", diff(live, path("second.live")))
        muppy(live, "save", path("third.live"))
        changing.go_on()
        check_replaced(results, "process", diff(live, path("third.live")), known)
    muppy("--core=" + first, "save", path("first.saved"))
    muppy("--core=" + second, "save", path("second.saved"))
    for before, after in [("first.core", "second.core"), ("first.live", "second.live"),
                          ("first.saved", "second.core"), ("first.core", "second.live"),
                          ("first.saved", "second.saved")]:
        change = diff(path(before), path(after))
        check_change(results, "%s and %s" % (before, after), change, known)
    check_change(results, "--core and snapshot",
                 diff("--core=" + second, path("first.live")), known)
    one, two = export(first), export(second)
    both = set(one) & set(two)
    replaced = change.addresses("New") & change.addresses("Gone")
    results.check("new and gone as two exports have them",
                  change.addresses("New") - replaced == set(two) - both
                  and change.addresses("Gone") - replaced == set(one) - both
                  and replaced >= {address for address in both
                                   if one[address][0] != two[address][0]},
                  change.out[:2000])
    results.check("grown as two exports have it", change.addresses("Grown") == {
        address for address in both - replaced
        if one[address][1] < two[address][1]}, change.out[:2000])
    held = Change(muppy("diff", path("first.live"), path("second.live"), *LISTED))
    results.check("a snapshot tells what held an object",
                  all(cells[-1].startswith("list 0x")
                      for cells in held.objects["New"].values()), held.out[:3000])
    objects = int(re.search(r"total \| +(\d+)", muppy(
        "--core=" + first, "summary")).group(1))
    size = os.path.getsize(path("first.saved"))
    results.check("a snapshot takes less than %d bytes an object" % BYTES_AN_OBJECT,
                  size < BYTES_AN_OBJECT * objects, "%d of %d" % (size, objects))
    return path("first.live"), path("second.live"), known


def test_options(results, first, second, known):
    def select(*words):
        return Change(muppy("diff", first, second, *words, *LISTED))

    change = select("-type", "dict")
    results.check("-type", count(change.types) ==
                  {"dict": known["dicts"] - known["classes"]}
                  and change.kinds() == {"New", "Gone"}, change.out[:1500])
    change = select("-type", "list", "-min", "1k")
    results.check("-min", change.kinds() == {"Grown"}
                  and change.types == {"list": (0, change.by_type["Grown"]["list"][1])},
                  change.out)
    change = select("-from", known["grown"], "-to", "+8")
    results.check("-from", change.kinds() == {"Grown"}
                  and change.addresses("Grown") == {known["grown"]}, change.out)
    change = select("-untracked", "-module", "builtins")
    results.check("-untracked", "type" not in change.types
                  and "str" in change.types, change.out[:1500])
    out = muppy("diff", first, second, "-limit", "1", "-sort", "count")
    results.check("-limit and -sort", re.search(r"^ +dict \| ", out, re.M)
                  and "… 7 more types" in out and "-objects lists them" in out, out)
    results.check("-limit: the last row is no line about it",
                  muppy("diff", first, second, "-limit", "7")
                  == muppy("diff", first, second, "-limit", "8"))
    for direction in ["-ascending"], []:
        out = muppy("diff", first, second, "-sort", "type", *direction)
        names = list(table(out))
        results.check("-sort type %s" % " ".join(direction),
                      names == sorted(names) and len(names) > 5, out)
    out = muppy("diff", first, second, "-type", "NoSuch", status=1)
    results.check("an unknown type", "no type is named 'NoSuch'" in out, out)


def test_processes(results, python, first, directory):
    """Snapshots of two processes, and of two that were one."""
    there = os.path.join(directory, "other")
    os.mkdir(there)
    with Changing(python, there) as other:
        live = "--pid=%d" % other.pid
        out = muppy(live, "diff", first)
        results.check("two processes are compared by type",
                      "Compared by type: these are two processes" in out, out)
        for option in ["-objects", "-same"]:
            out = muppy(live, "diff", first, option, status=1)
            results.check("two processes, " + option, "two processes, whose" in out, out)
    with subprocess.Popen([python, "-c", FORKED], stdout=subprocess.PIPE) as process:
        pids = process.stdout.readline().decode().split()
        time.sleep(0.2)
        snapshot = os.path.join(directory, "parent")
        try:
            muppy("--pid=" + pids[0], "save", snapshot)
            child = "--pid=" + pids[1]
            out = muppy(child, "diff", snapshot)
            results.check("a forked process is compared by type",
                          "Compared by type: both come from one start" in out, out)
            out = muppy(child, "diff", snapshot, "-objects", status=1)
            results.check("a forked process, -objects", "with -same" in out, out)
            change = Change(muppy(child, "diff", snapshot, "-same", *LISTED))
            results.check("a forked process, -same",
                          change.how == "Compared object by object"
                          and len(change.objects["New"]) < 50, change.out[:2000])
        finally:
            for pid in pids:
                os.kill(int(pid), 9)


def test_untracked(results, python, directory):
    """What the collector tracks no longer is neither gone nor new."""
    snapshot = os.path.join(directory, "tracked")
    with subprocess.Popen([python, "-c", UNTRACKED], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        time.sleep(0.5)
        live = "--pid=%d" % process.pid
        try:
            muppy(live, "save", snapshot)
            process.stdin.write(b"\n")
            process.stdin.flush()
            left = int(process.stdout.readline())
            for option in "-tracked", "-untracked":
                out = muppy(live, "diff", snapshot, "-type", "tuple", option, *LISTED)
                change = Change(out)
                said = re.search(r"^No longer tracked: (\d+) ", out, re.M)
                results.check("%s: %s are tracked no longer" % (option, said and said[1]),
                              said and left == 100 and 300 <= int(said[1]) < 400, out)
                rows = sum(row[0] for row in change.types.values())
                results.check(option + ": the table is what is new and gone", rows
                              == len(change.objects["New"]) - len(change.objects["Gone"])
                              and abs(rows) < 50, out[:2000])
            out = muppy(live, "diff", snapshot)
            results.check("without -tracked nothing is said of it",
                          "racked" not in out, out)
        finally:
            process.kill()


def test_refused(results, first, directory):
    """Files that are no snapshots, or damaged."""
    def refused(name, path, words, status=3):
        result = run([MUPPY, "diff", first, path])
        results.check(name, result.returncode == status
                      and result.stdout.startswith("muppy: ")
                      and re.search(words, result.stdout)
                      and len(result.stdout.strip().split("\n")) == 1,
                      "exit status %d: %s" % (result.returncode, result.stdout))

    with open(first, "rb") as file:
        whole = file.read()
    path = os.path.join(directory, "damaged")

    def write(contents):
        with open(path, "wb") as file:
            file.write(contents)

    for name, contents, words in [
            ("an empty file", b"", "no snapshot of muppy"),
            ("a text", b"line\n" * 1000, "no snapshot of muppy"),
            ("a newer format", whole[:8] + b"\x02" + whole[9:],
             "snapshot format 2, and this muppy reads format 1"),
            ("a truncated file", whole[:len(whole) // 2], "is truncated"),
            ("a file with more behind it", whole + b"more", "is damaged"),
            ("a transfer as text", whole.replace(b"\r\n", b"\n"), "text mode"),
            ("an ELF file that is no core", b"\x7fELF" + whole, "core|ELF")]:
        write(contents)
        refused(name, path, words)
    # Not read as a whole to find that out: of a hole it has more bytes than
    # there is memory for.
    write(b"line\n")
    os.truncate(path, HUGE)
    refused("a huge file that is none", path, "no snapshot of muppy")
    write(whole)
    os.truncate(path, HUGE)
    refused("a huge file that begins as one", path, "is damaged")
    refused("no such file", path + ".none", "No such file", status=1)
    refused("a directory", directory, "no regular file")
    refused("a device", "/dev/zero", "no regular file")
    chance = random.Random(1)
    for at in range(DAMAGES):
        contents = bytearray(whole)
        place = chance.randrange(len(whole)) if at % 3 else chance.randrange(400)
        contents[place] ^= 1 << chance.randrange(8)
        write(contents)
        refused("bit %d of byte %d" % (contents[place], place), path,
                r"is (damaged|truncated|no snapshot)|format|text mode")


def test_save(results, first, directory):
    """What save leaves behind."""
    core = "--core=" + os.path.join(directory, "first.core")
    path = os.path.join(directory, "again")
    muppy(core, "save", path)
    before = os.stat(path)
    out = muppy(core, "save", path, status=1)
    results.check("an existing file", "exists already; -force" in out
                  and os.stat(path).st_ino == before.st_ino, out)
    muppy(core, "save", "-force", path)
    results.check("-force writes another file", os.stat(path).st_ino != before.st_ino)
    out = muppy(core, "save", "/dev/full", status=1)
    results.check("a full disk", "cannot write /dev/full: " in out, out)
    names = sorted(os.listdir(directory))
    results.check("no temporary file is left", not [name for name in names
                                                    if "tmp" in name], str(names))
    for words, say in [(["save"], "which file"), (["diff"], "with what"),
                       (["diff", "a", "b", "c"], "'c' is one too many"),
                       (["diff", first, first], "is one too many"),
                       (["track"], "which of start, diff, store, list"),
                       (["track", "start"], "works in gdb only.* save"),
                       (["track", "dif"], "works in gdb only"),
                       (["track", "stor"], "works in gdb only"),
                       (["track", "st"], "more than one"),
                       (["track", "begin"], "no command 'track begin'")]:
        out = muppy(core, *words, status=2)
        results.check("usage: " + " ".join(words[:2]), re.search(say, out), out)
    out = muppy("help", "track", "diff")
    results.check("help of a subcommand", "Usage: muppy track diff [OPTION]... [NAME"
                  in out, out)
    out = muppy("help", "track")
    results.check("help of the prefix", re.search(r"^  track store +Remember", out,
                                                  re.M), out)


# In gdb ----------------------------------------------------------------------

class Session:
    """A gdb that runs the fixture and these commands."""

    def __init__(self, python, directory, environment=None):
        self.python, self.directory = python, directory
        self.environment = dict(common.fixture_environment(), **(environment or {}))
        self.known = os.path.join(directory, "known.json")

    def run(self, commands):
        """What each of COMMANDS said; the program was started and waits."""
        script = os.path.join(self.directory, "commands.gdb")
        with open(script, "w", encoding="utf-8") as file:
            file.write("set pagination off\nset width 0\nrun\n")
            for number, command in enumerate(commands):
                file.write("echo \\n<%d>\\n\n%s\n" % (number, command))
        arguments = ["-nx", "-q", "-batch", "-iex",
                     "set debug-file-directory /nonexistent", "-x", MUPPY_GDB]
        # A script ends at its first error; what may fail comes last.
        result = run([GDB, *arguments, "-x", script, "--args", self.python, FIXTURE,
                      "--trap", "--known", self.known], env=self.environment)
        parts = re.split(r"^<(\d+)>\n", result.stdout, flags=re.M)
        return [parts[2 + 2 * number] if 2 + 2 * number < len(parts) else ""
                for number in range(len(commands))]

    def facts(self):
        with open(self.known, encoding="utf-8") as file:
            return json.load(file)


def test_gdb(results, python, directory, environment=None, what="gdb"):
    session = Session(python, directory, environment)
    said = session.run([
        "muppy track start", "muppy track store first", "continue",
        "muppy track diff " + " ".join(LISTED), "muppy track store second",
        "continue", "muppy track diff " + " ".join(LISTED),
        "continue", "muppy track diff " + " ".join(LISTED),
        "muppy track diff start second " + " ".join(LISTED),
        "muppy track diff first " + " ".join(LISTED),
        "muppy track list", "muppy track delete first", "muppy track stop",
        "muppy track list"])
    known = session.facts()
    results.check(what + ": start", re.match(r"Tracking \d+ objects: (process %d|a "
                                             r"process), CPython 3" % known["pid"],
                                             said[0]), said[0])
    check_change(results, what + ", over continue", Change(said[3]), known)
    check_nothing(results, what + ", over continue", Change(said[6]))
    check_replaced(results, what + ", over continue", Change(said[8]), known)
    check_change(results, what + ", two moments", Change(said[9]), known)
    change = Change(said[10])
    results.check(what + ": since a stored moment", change.how ==
                  "Compared object by object" and count(change.types).get("dict") ==
                  known["dicts"] - known["classes"], said[10][:1500])
    results.check(what + ": list", re.findall(r"^(\w+) +\| +\d+ \| ", said[11], re.M) ==
                  ["start", "last", "first", "second"], said[11])
    results.check(what + ": stop", "nothing is tracked; muppy track start begins"
                  in said[14], said[14])


def test_gdb_errors(results, python, directory):
    for commands, words in [
            (["muppy track diff"], "track diff: nothing is tracked; muppy track start"),
            (["muppy track start", "muppy track diff x"], "no moment is named 'x'"),
            (["muppy track store x", "muppy track diff"],
             "track diff: nothing was compared yet; name a moment"),
            (["muppy track store last"], "'last' is the name of a moment of muppy's"),
            (["muppy track store x", "muppy track store x"], "a moment 'x' already"),
            (["muppy track store x", "muppy track store x -force",
              "muppy track delete x", "muppy track delete x"], "nothing is tracked"),
            (["muppy track start x"], "'x' is one too many")]:
        said = Session(python, directory).run(commands)
        results.check("gdb: " + ", ".join(commands), words in said[-1], str(said))
    result = run([GDB, "-nx", "-q", "-batch", "-x", MUPPY_GDB, "-ex", "run",
                  "-ex", "muppy track start", "-ex", "muppy object 16",
                  "-ex", "muppy track diff", "--args", python, FIXTURE, "--trap"],
                 env=dict(common.fixture_environment(), MUPPY_TEST_CRASH="object"))
    results.check("gdb: a crashed helper has lost what it tracked",
                  "Tracking " in result.stdout and "ended by signal 6" in result.stdout
                  and "had tracked before is lost" in result.stdout, result.stdout)
    result = run([GDB, "-nx", "-q", "-batch", "-x", MUPPY_GDB,
                  "-ex", "complete muppy track s", "-ex", "help muppy track",
                  "-ex", "help muppy track diff"])
    results.check("gdb completes subcommands", "muppy track start\nmuppy track stop\n"
                  "muppy track store\n" in result.stdout, result.stdout)
    results.check("gdb lists subcommands", re.search(
        r"^muppy track diff -- Tell what changed since", result.stdout, re.M),
        result.stdout)
    results.check("gdb's help of a subcommand", "Usage: muppy track diff [OPTION]"
                  in result.stdout, result.stdout)


def test_python(results, python):
    with scratch() as directory:
        first, second, known = test_files(results, python, directory)
        test_options(results, first, second, known)
        test_processes(results, python, first, directory)
        test_untracked(results, python, directory)
        test_save(results, first, directory)
        test_refused(results, first, directory)
        if shutil.which(GDB):
            test_gdb(results, python, directory)
            test_gdb(results, python, directory, {"MUPPY_TEST_DENY": "1"}, "gdb alone")
            test_gdb_errors(results, python, directory)
        else:
            results.skip("gdb", "not installed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("python", nargs="*",
                        default=common.PYTHONS)
    options = parser.parse_args()
    return common.test_interpreters(Results(options.verbose), test_python,
                                    options.python)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A saved index gives the same answers as the core; one that is damaged, of
another core or of another format is not used, and that is said."""
import os
import re
import shutil
import struct
import subprocess
import sys

import common
from common import Failure

# doc/index-format.md
MASK = (1 << 64) - 1
PRIME = 0x9e3779b97f4a7c15
BLOCK = 1 << 20
SECTIONS = ("marks", "orphans", "starts", "sources", "uncounted", "interned", "types",
            "counts", "problems", "texts")
HEADER = struct.Struct("<8sIIQQQQII" + "QQQ" * len(SECTIONS))
UNUSED = "the saved index is not used"


def mix(total, word):
    total = (total ^ word) * PRIME & MASK
    return total ^ total >> 32


def checksum(data):
    lanes = list(range(8))
    end = len(data) // 64 * 64
    for words in struct.iter_unpack("<8Q", data[:end]):
        lanes = [mix(lane, word) for lane, word in zip(lanes, words)]
    total = 0
    for lane in lanes:
        total = mix(total, lane)
    for word in struct.unpack("<8Q", data[end:].ljust(64, b"\0")):
        total = mix(total, word)
    return mix(total, len(data))


def section_sum(data):
    total = 0
    for start in range(0, len(data), BLOCK):
        total = mix(total, checksum(data[start:start + BLOCK]))
    return total


class Index:
    """A saved index, to be changed and written with or without right sums."""

    def __init__(self, data):
        self.fields = list(HEADER.unpack_from(data))
        self.data = bytearray(data)

    def section(self, name):
        at = 9 + 3 * SECTIONS.index(name)
        return self.fields[at], self.fields[at + 1], at + 2

    def forge(self, name, offset, value):
        """Puts VALUE into a section and makes all sums right."""
        start, size, place = self.section(name)
        self.data[start + offset:start + offset + len(value)] = value
        self.fields[place] = section_sum(bytes(self.data[start:start + size]))
        self.fields[3] = 0
        header = HEADER.pack(*self.fields)
        self.fields[3] = checksum(header)
        HEADER.pack_into(self.data, 0, *self.fields)
        return bytes(self.data)


def ask(core, exe, *words, environment=None, options=()):
    return subprocess.run(
        [common.MUPPY, "--core=" + core, "--exe=" + exe, *options, *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        check=False, timeout=120, env=dict(os.environ, **(environment or {})))


def answers(core, exe, options=()):
    """What is said about the heap in several ways, and one of its addresses."""
    listed = ask(core, exe, "filter", "Person", "-limit", "1", options=options)
    address = re.search(rb"0x[0-9a-f]+", listed.stdout).group().decode()
    questions = (["summary", "-limit", "0"], ["summary", "-tracked"],
                 ["summary", "-orphans"], ["refs", address, "-depth", "5"],
                 ["object", address], ["referents", address],
                 ["filter", "dict", "-limit", "5"],
                 ["cycles", "-limit", "3"], ["sizeof", address])
    said = [ask(core, exe, *words, options=options) for words in questions]
    return [(one.returncode, one.stdout, one.stderr) for one in said], address


def check_used(results, core, exe):
    """The index, which is there, gives the answers of the core."""
    wanted, _ = answers(core, exe, options=["--no-index"])
    said, address = answers(core, exe)
    results.check("the same answers", said == wanted)
    results.check("info tells of it",
                  b"saved by an earlier session" in ask(core, exe, "info").stdout)
    return address


def check_refused(results, name, core, exe, path, data):
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o600)
    said = ask(core, exe, "info")
    results.check(name + ": said", UNUSED.encode() in said.stderr,
                  said.stderr.decode(errors="replace"))
    results.check(name + ": answered all the same", said.returncode == 0 and
                  b"saved by an earlier session" not in said.stdout)


def damage(results, core, exe, path, good):
    index = Index(good)
    for name in SECTIONS:
        start, size, _ = index.section(name)
        if not size:
            continue
        bad = bytearray(good)
        bad[start + size // 2] ^= 0x10
        check_refused(results, "damaged " + name, core, exe, path, bad)
    for size in (0, 7, HEADER.size, len(good) // 2, len(good) - 1):
        check_refused(results, "cut to %d bytes" % size, core, exe, path, good[:size])
    check_refused(results, "too long", core, exe, path, good + b"\0")
    older = bytearray(good)
    older[8] = 0
    check_refused(results, "older format", core, exe, path, older)
    for place in range(16, HEADER.size, 24):
        bad = bytearray(good)
        bad[place] ^= 1
        check_refused(results, "header damaged at %d" % place, core, exe, path, bad)
    with open(path, "wb") as file:
        file.write(good)
    os.chmod(path, 0o622)
    results.check("written by others", UNUSED.encode() in ask(core, exe, "info").stderr)


def forge(results, core, exe, path, good, address):
    """Sums that are right prove nothing."""
    word = struct.pack("<I", 0x7fffffff)
    for name, offset in (("starts", 400), ("sources", 400), ("uncounted", 0),
                         ("marks", 800), ("orphans", 80), ("types", 0), ("problems", 0)):
        index = Index(good)
        if offset + 4 > index.section(name)[1]:
            continue
        with open(path, "wb") as file:
            file.write(index.forge(name, offset, word))
        os.chmod(path, 0o600)
        said = ask(core, exe, "info")
        results.check("forged %s: not used" % name, UNUSED.encode() in said.stderr and
                      said.returncode == 0, said.stderr.decode(errors="replace"))
    # An object where none is; its number of bits is right.
    index = Index(good)
    start, size, _ = index.section("marks")
    marks = index.data[start:start + size]
    place = next(i for i in range(size // 2, size) if marks[i] not in (0, 0x80))
    shifted = bytes([(marks[place] << 1 | marks[place] >> 7) & 0xff])
    with open(path, "wb") as file:
        file.write(index.forge("marks", place, shifted))
    for words in (["info"], ["summary"], ["refs", address], ["export", "-force",
                  "-format", "jsonl", "-output", "/dev/null"], ["filter", "dict"],
                  ["cycles"], ["summary", "-min", "10"]):
        said = ask(core, exe, *words)
        results.check("forged object: %s ends well" % words[0],
                      said.returncode in (0, 1), str(said.returncode))
    saved = os.path.join(os.path.dirname(path), "forged.muppy")
    said = ask(core, exe, "save", saved)
    results.check("forged object: said when it is saved", said.returncode == 0 and
                  re.search(rb"^Objects that could not be read, saved as of type \?: \d\n",
                            said.stdout, re.M), str(said))
    os.unlink(path)
    said = ask(core, exe, "diff", saved)
    results.check("forged object: said when it is compared", re.search(
        rb"before .*; \d objects? of an\s+unreadable\s+type, shown as \?", said.stdout, re.S)
                  and re.search(rb"^ +\? \| +-\d \|", said.stdout, re.M),
                  said.stdout.decode())


def through_gdb(results, core, exe, directory):
    cache = os.path.join(directory, "gdb-cache")
    debugger = common.Debugger(common.GDB, "gdb", XDG_CACHE_HOME=cache)
    said = debugger.ask(["save-index", "-cache"], core=core, exe=exe)
    results.check("gdb saves an index", re.search(r"^Saved the index of \d+ objects, [\d.]+ [KM]B, to \S+\.$", said, re.M), said)
    said = debugger.ask(["info"], core=core, exe=exe)
    results.check("the next gdb uses it", "saved by an earlier session" in said, said)


def test(results, python, directory):
    cores = []
    for count in ("20000", "21000"):
        where = os.path.join(directory, count)
        os.mkdir(where)
        with common.Fixture(python, "workload.py", where, "pause", ["--count", count],
                            truth=False) as fixture:
            exe = os.path.realpath("/proc/%d/exe" % fixture.pid)
            cores.append(fixture.gcore())
            if len(cores) == 1:
                said = subprocess.run(
                    [common.MUPPY, "--pid=%d" % fixture.pid, "save-index"],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                results.check("no index of a process", said.returncode == 1 and
                              b"only the index of a core" in said.stdout)
    core, path = cores[0], cores[0] + ".muppy-index"
    said = ask(core, exe, "save-index")
    results.check("save-index", said.returncode == 0 and path.encode() in said.stdout)
    address = check_used(results, core, exe)
    with open(path, "rb") as file:
        good = file.read()
    results.check("saved again, it is the same",
                  ask(core, exe, "save-index").returncode == 0 and
                  open(path, "rb").read() == good)
    damage(results, core, exe, path, good)
    forge(results, core, exe, path, good, address)
    check_refused(results, "of another core", cores[1], exe,
                  cores[1] + ".muppy-index", good)
    with open(path, "wb") as file:
        file.write(good)
    os.utime(core, (1, 1))
    said = ask(core, exe, "info")
    results.check("of another time", UNUSED.encode() in said.stderr)
    os.unlink(path)
    cache = {"XDG_CACHE_HOME": os.path.join(directory, "cache")}
    said = ask(core, exe, "summary", environment=cache, options=["--save-index=cache"])
    results.check("--save-index=cache", said.returncode == 0 and
                  cache["XDG_CACHE_HOME"].encode() in said.stderr)
    said = ask(core, exe, "info", environment=cache)
    results.check("the cache is used", b"saved by an earlier session" in said.stdout)
    if shutil.which(common.GDB):
        through_gdb(results, core, exe, directory)
    else:
        results.skip("gdb", "not there")


def main():
    results = common.Results()
    python = common.interpreter(common.PYTHON)
    if not python:
        results.skip(common.PYTHON, "not there")
        return results.close()
    with common.scratch() as directory:
        try:
            test(results, python, directory)
        except Failure as failure:
            results.check("saved index", False, str(failure))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
